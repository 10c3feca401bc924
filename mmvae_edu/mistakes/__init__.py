"""Planted mistakes as edits of the library's own text: a TOML file a slide, a table a function.

    [neg_kl_std_normal]
    missing_half = { says = "L1 is doubled: the 1/2 of S5.11 is missing", hint = 3, edit = [
      "0.5 * (log_var", "(log_var"] }

A table is named after the function, or module.function where two functions share the name.  A row
is named after the mistake and has these keys:

    says      the words for the learner
    edit      old, new, old, new, …: each old text stands exactly once in the function's source
    hint      which of the exercise's three hints fits; without it, the second
    with      functions that its module names, or methods of its class, that are edited with it
    gradient  the mistake's gradient: "kept" is the library's, "edited" that of the edited text

Without `gradient`, an edit outside the nested pullback has the gradient that belongs to the wrong
value, by complex step; where an edit is inside the pullback, the edited text is used as it is.
"""

import sys
from functools import cache
from pathlib import Path

from ..support.files import read_toml
from .edits import mistaken

KEYS = {"says", "edit", "hint", "with", "gradient"}
UNFIT = (ValueError, KeyError, OSError, SyntaxError)  # what `mistaken` raises of a changed text


@cache
def tables():
    """Read all tables: [(file, the function's name, {the mistake's name: row})]."""
    found = []
    for path in sorted(Path(__file__).parent.glob("*.toml")):
        tables = read_toml(path)
        found += [(path.name, function, rows) for function, rows in tables.items()]
    return found


def rows_of(of):
    """List the rows of a library function: [(the mistake's name, row)]."""
    names = _names(of)
    return [item for _, table, rows in tables() if table in names for item in rows.items()]


def _names(of):
    return of.__qualname__, f"{of.__module__.rpartition('.')[2]}.{of.__qualname__}"


@cache
def edits_of(of):
    """List the mistakes that edit a library function: [(name, row, function)].

    Rows that do not fit, since the library's text is another, are left out; standard error says so,
    as it does of rows that are wrong themselves.
    """
    found, unfit = [], []
    for name, row in rows_of(of):
        if wrong := _wrong_keys(row):
            print(f"{of.__qualname__}: mistake {name} is left out: {wrong}", file=sys.stderr)
            continue
        try:
            found.append((name, row, mistaken(of, name, row)))
        except UNFIT:
            unfit.append(name)
    if unfit:
        names = ", ".join(unfit)
        print(f"{of.__qualname__} has changed: mistakes left out: {names}", file=sys.stderr)
    return found


def faults(functions):
    """List what is wrong with the tables, a sentence each; `functions` may have mistakes."""
    found = []
    for file, table, rows in tables():
        of = [f for f in functions if table in _names(f)]
        if len(of) != 1:
            found.append(f"{file}: {len(of)} functions with claims are named {table}")
        for name, row in rows.items():
            if fault := _fault(name, row, of):
                found.append(f"{file}: {table}.{name}: {fault}")
    return found


def _fault(name, row, of):
    """Return the first thing that is wrong with a row, or None."""
    if wrong := _wrong_keys(row):
        return wrong
    try:
        for f in of:
            mistaken(f, name, row)
    except UNFIT as problem:
        return f"{type(problem).__name__}: {problem}"
    return None


def _wrong_keys(row):
    """Return what is wrong with a row whatever the library's text, or None."""
    if not isinstance(row, dict):
        return f"expected a table with says and edit, found {row!r}"
    if wrong := (row.keys() - KEYS) | ({"says", "edit"} - row.keys()):
        return f"unknown or missing: {', '.join(sorted(wrong))}"
    if not isinstance(row["edit"], list) or len(row["edit"]) % 2:
        return f"edit: expected [old, new, old, new, …], found {row['edit']!r}"
    if row.get("hint", 2) not in (1, 2, 3):
        return f"hint {row['hint']!r} is none of 1, 2, 3"
    if row.get("gradient", "kept") not in ("kept", "edited"):
        return f"gradient {row['gradient']} is neither kept nor edited"
    return None
