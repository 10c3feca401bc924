"""The command `derive`: check a derivation line by line."""

import json
from importlib import resources
from pathlib import Path

from ..support.files import read_source
from ..support.terminal import say

TEXT = (
    "Checks every line of a derivation against the one before, in random finite models, and says "
    "what the line needs. Exit code: 0 all hold, 1 a line is wrong or cannot be read, 2 a ___ is "
    "left, 64 usage. Equations and inequalities are tested, not proved; lines about Gaussians, "
    "N(z, mean, variance), are proved by SymPy."
)


def add_commands(add):
    """Add `derive` by `add(name, run, help, example=)`."""
    derive = add(
        "derive", _derive, "check a derivation line by line", TEXT, example="derive my.derive"
    )
    derive.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="the course's own where none is given"
    )
    derive.add_argument(
        "--explain", action="store_true", help="show more hints, and the counterexample's tables"
    )
    derive.add_argument("--json", action="store_true", help="print the lines as JSON")


def _derive(arguments):
    own = Path(str(resources.files("mmvae_edu.lessons"))) / "derivations"
    paths = [arguments.file] if arguments.file else sorted(own.glob("*.derive"))
    results = {path: _result(path) for path in paths}
    if arguments.json:
        say(json.dumps([{"file": p.name, "lines": r[1]} for p, r in results.items()], indent=1))
    else:
        for path, result in results.items():
            if not arguments.file:
                say(path.name)
            _show(result, arguments.explain)
    return max((code for code, _, _ in results.values()), key=(0, 2, 1).index)


def _result(path):
    """Check a file: (exit code, rows, Checked or the reason why a line cannot be read)."""
    from ..derivations import UNTESTED, Unreadable, check, read
    from ..derivations.words import rows

    try:
        checked = check(read(read_source(path)))
    except Unreadable as problem:
        line, why = problem.args
        return 1, [{"line": line, "holds": False, "unreadable": why}], f"line {line}: {why}"
    found = rows(checked)
    holds = [row["holds"] for row in found if row["note"] != UNTESTED]
    return 1 if False in holds else 2 if None in holds else 0, found, checked


def _show(result, explain):
    from ..derivations.words import explanation, message, summary

    _, found, checked = result
    if isinstance(checked, str):
        say(f"CANNOT READ  {checked}")
        return
    for row, outcome in zip(found, checked.outcomes, strict=True):
        say(message(row))
        if explain and outcome.failure:
            say("\n".join(explanation(row, outcome.failure)))
    for line in summary(checked):
        say(line)
