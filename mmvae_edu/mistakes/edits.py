"""A library function with pieces of its text replaced, and the gradient that belongs to it."""

import ast
import inspect
from functools import cache, wraps

import numpy as np

from ..kernels.simulator.text import edited, source

STEP = 1e-30
EDITED = {}  # {a function: what edits another text in its place, of (name, row["edit"])}


def changes(row):
    """Return the edits of a row: {old: new}."""
    return dict(zip(row["edit"][::2], row["edit"][1::2], strict=True))


def mistaken(of, name, row):
    """Edit a function by a row; a ValueError where an old text does not stand once."""
    if of in EDITED:
        return EDITED[of](name, row["edit"])
    helpers = [_beside(inspect.unwrap(of), helper) for helper in row.get("with", ())]
    f, text = edited(of, name, changes(row), helpers), source(of, *helpers)
    if row.get("gradient") == "kept":
        return _with_pullback(f, of)
    if row.get("gradient") == "edited" or any(_is_nested(old, text) for old in changes(row)):
        return f
    return _with_pullback(f, differentiated(lambda *args, **constants: f(*args, **constants)[0]))


def _beside(of, name):
    """Look up a function of the same module, or a method of the same class."""
    names = of.__globals__
    home = names.get(of.__qualname__.rpartition(".")[0])
    return getattr(home, name) if hasattr(home, name) else names[name]


def _is_nested(old, text):
    """Tell whether the old text stands in a function within a function, which is the pullback."""
    first = text.count("\n", 0, text.index(old)) + 1
    last = first + old.rstrip("\n").count("\n")
    return any(begin <= first and last <= end for begin, end in _nested(text))


@cache
def _nested(text):
    """List the first and last lines of the functions within functions."""
    return [
        (node.lineno, node.end_lineno)
        for outer in ast.parse(text).body
        for node in ast.walk(outer)
        if isinstance(node, ast.FunctionDef) and node is not outer
    ]


def _with_pullback(f, op):
    """Give f the pullback of another op; f itself where it returns no pullback."""

    @wraps(f)
    def mistake(*args, **constants):
        result = f(*args, **constants)
        if isinstance(result, tuple) and callable(result[-1]):
            return result[0], op(*args, **constants)[1]
        return result

    return mistake


def differentiated(f):
    """Make an op (value, pullback) of f, its pullback by complex step, one coordinate at a time.

    f(*args, **constants) returns an array or a tuple of arrays, analytic in the arrays of args,
    which may be nested.  A wrong f passes every gradient check: only its value is wrong.
    """

    @wraps(f)
    def op(*args, **constants):
        def complex_step_pullback(*cotangents):
            moved = _mapped(lambda a: np.array(a, dtype=complex), args)

            def gradient(a):
                derivative = np.empty(a.shape)
                for i in np.ndindex(a.shape):
                    before, a[i] = a[i], a[i] + 1j * STEP
                    values = f(*moved, **constants)
                    values = values if isinstance(values, tuple) else (values,)
                    pairs = zip(cotangents, values, strict=True)
                    derivative[i] = sum((d * np.imag(v)).sum() for d, v in pairs) / STEP
                    a[i] = before
                return derivative

            gradients = _mapped(gradient, moved)
            return gradients if len(args) > 1 else gradients[0]

        return f(*args, **constants), complex_step_pullback

    return op


def _mapped(change, x):
    """Nested dicts, lists and tuples with every array in them changed."""
    if isinstance(x, dict):
        return {key: _mapped(change, part) for key, part in x.items()}
    return (
        type(x)(_mapped(change, part) for part in x) if isinstance(x, list | tuple) else change(x)
    )
