"""A library function with pieces of its text replaced, and the gradient that belongs to it."""

import ast
import inspect
from functools import cache, wraps

import numpy as np

from ..kernels.simulator.text import edited, source
from ..oracles import complex_step


def mistaken(of, name, row):
    """The function with a row's edits; a ValueError where an old text does not stand once."""
    changes = dict(zip(row["edit"][::2], row["edit"][1::2], strict=True))
    helpers = [inspect.unwrap(of).__globals__[helper] for helper in row.get("with", ())]
    f, text = edited(of, name, changes, helpers), source(of, *helpers)
    if row.get("gradient") == "kept":
        return _with_pullback(f, lambda *args, **constants: of(*args, **constants)[1])
    if row.get("gradient") == "edited" or any(_is_nested(old, text) for old in changes):
        return f
    return _with_pullback(f, lambda *args, **constants: _complex_step(f, args, constants))


def _is_nested(old, text):
    """Does the old text stand in a function within a function, which is the pullback?"""
    first = text.count("\n", 0, text.index(old.lstrip("\n"))) + 1
    last = first + old.strip("\n").count("\n")
    return any(begin <= first and last <= end for begin, end in _nested(text))


@cache
def _nested(text):
    """The first and last lines of the functions within functions."""
    return [
        (node.lineno, node.end_lineno)
        for outer in ast.parse(text).body
        for node in ast.walk(outer)
        if isinstance(node, ast.FunctionDef) and node is not outer
    ]


def _with_pullback(f, pullback_of):
    """f with the pullback that pullback_of gives for the same arguments; f itself without one."""

    @wraps(f)
    def mistake(*args, **constants):
        result = f(*args, **constants)
        if isinstance(result, tuple) and callable(result[-1]):
            return result[0], pullback_of(*args, **constants)
        return result

    return mistake


def _complex_step(f, args, constants):
    """The pullback of f's value by complex steps, one coordinate at a time."""

    def complex_step_pullback(*cotangents):
        def score(args):
            values, _ = f(*args, **constants)
            values = values if isinstance(values, tuple) else (values,)
            return 1j * sum((d * np.imag(v)).sum() for d, v in zip(cotangents, values, strict=True))

        gradients = _gradient(score, args)
        return gradients if len(args) > 1 else gradients[0]

    return complex_step_pullback


def _gradient(score, x):
    """The gradient of score by the arrays in nested dicts, lists and tuples, in their form."""
    if not isinstance(x, dict | list | tuple):
        return complex_step(score, x)
    parts = x if isinstance(x, dict) else dict(enumerate(x))

    def gradient(moved):
        def score_of_part(part):
            return score(_like(x, {**parts, moved: part}))

        return _gradient(score_of_part, parts[moved])

    return _like(x, {key: gradient(key) for key in parts})


def _like(x, parts):
    return parts if isinstance(x, dict) else type(x)(parts.values())
