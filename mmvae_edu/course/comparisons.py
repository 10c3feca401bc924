"""What the learner's function gave beside what the library's gives, on the recorded calls.

Stages A3 to A6 read these: real inputs, finite numbers, the same shapes on both sides.
"""

import inspect
from dataclasses import dataclass

import numpy as np

from .recorded import outcome
from .stages.mistakes import GRADIENT, VALUE
from .trees import copied, leaves, named_leaves

KEPT = 30  # samples of a part; what is wrong is wrong in all
LARGEST = 200_000  # numbers in one


@dataclass(frozen=True)
class Sample:
    """One value, or one gradient: {path: array} as found and as expected, and its inputs."""

    names: list  # of the positional arguments
    args: tuple
    constants: dict
    cotangents: tuple  # empty for a value
    found: dict
    expected: dict

    @property
    def inputs(self):
        """All arguments by name."""
        return {**dict(zip(self.names, self.args, strict=False)), **self.constants}

    @property
    def shapes(self):
        return tuple(np.shape(leaf) for leaf in leaves([self.inputs, self.cotangents]))


def samples(exercise, calls):
    """{VALUE: samples, GRADIENT: samples} of the calls that can be compared number by number."""
    found = {VALUE: [], GRADIENT: []}
    for call in calls:
        if all(len(part) >= KEPT for part in found.values()):
            break
        if isinstance(call.values, str) or _complex([call.args, call.constants]):
            continue
        if len(call.args) > len(names_of(exercise)):  # a kernel's launch has no names
            continue
        try:
            result = outcome(
                exercise.of, copied(call.args), copied(call.constants), exercise.changes
            )
        except Exception:  # outside the function's domain
            continue
        inputs = (names_of(exercise), call.args, call.constants)
        _add(found[VALUE], inputs, (), call.values, named_values(exercise, result))
        for cotangents, gradients in call.pulls:
            try:
                expected = result[-1](*copied(cotangents))
            except Exception:  # cotangents made of the learner's wrong values
                continue
            expected = named_gradients(exercise, call.args, expected)
            _add(found[GRADIENT], inputs, cotangents, gradients, expected)
    return found


def names_of(exercise):
    """The names of the positional arguments, which are those that have gradients."""
    parameters = inspect.signature(exercise.of).parameters.values()
    return [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]


def named_values(exercise, result):
    """{path: array} of a result without its pullback, or of the arguments that are changed."""
    if exercise.changes:
        names = [names_of(exercise)[i] for i in exercise.changes]
        return dict(zip(names, result, strict=True))
    value = result
    if isinstance(result, tuple) and callable(result[-1]):
        value = result[0] if len(result) == 2 else result[:-1]
    return dict(named_leaves(value))


def named_gradients(exercise, args, gradients):
    """{path: array} of a pullback's gradients, by the arguments' names."""
    gradients = gradients if len(args) > 1 else (gradients,)
    trees = zip(names_of(exercise), gradients, strict=False)
    return dict(leaf for name, tree in trees for leaf in named_leaves(tree, name))


def _add(kept, inputs, cotangents, found, expected):
    """Keep one sample, if there is room and both sides are finite real numbers."""
    if isinstance(found, str) or len(found) != len(expected) or len(kept) >= KEPT:
        return
    arrays = [np.asarray(a) for a in [*found, *expected.values()]]
    if any(a.dtype.kind not in "biuf" or not np.isfinite(a).all() for a in arrays):
        return
    if sum(a.size for a in arrays) > LARGEST:
        return
    found = dict(zip(expected, map(_number, found), strict=True))
    expected = {path: _number(a) for path, a in expected.items()}
    kept.append(Sample(*inputs, cotangents, found, expected))


def _number(a):
    """An array; False and True become 0 and 1, which can be subtracted."""
    a = np.asarray(a)
    return a.astype(float) if a.dtype == bool else a


def _complex(tree):
    return any(np.iscomplexobj(leaf) for leaf in leaves(tree))
