"""Stage A2: is what the learner's function gave a catalogued mistake's, on every recorded call?

A mistake matches as a whole, or, where the learner's value is right, by its gradient alone, and
the other way round: each part is told apart from the library's before it is named.
"""

import numpy as np

from ..recorded import Raised, Recorded, outcome
from ..trees import copied, leaves

MATCH = 1e-11  # relative to max(1, |value|): the same formula in another order of summation
WHOLE, VALUE, GRADIENT = "whole", "value", "gradient"


def wrong_parts(exercise, calls):
    """Which of VALUE and GRADIENT differ from the library's on some call."""
    distances = {VALUE: value_distance, GRADIENT: gradient_distance}
    return [
        part
        for part, distance in distances.items()
        if any(distance(exercise.of, call, exercise.changes) > MATCH for call in calls)
    ]


def mistakes(exercise, calls, wrong):
    """The mutants that give what the learner's function gave: [(mutant, part, difference)].

    Those that match as a whole; where there are none, those that match a part which is wrong.
    """
    if not wrong:  # then what is wrong is not in the numbers
        return []
    whole = _matching(exercise, calls, (value_distance, gradient_distance))
    if whole:
        return [(mutant, WHOLE, worst) for mutant, worst in whole]
    found = []
    if VALUE in wrong:
        found += [(m, VALUE, d) for m, d in _matching(exercise, calls, (value_distance,))]
    if GRADIENT in wrong:
        found += [(m, GRADIENT, d) for m, d in _matching(exercise, calls, (gradient_distance,))]
    return found


def same_breach(exercise, f):
    """The mutants that break the contract as f does: random like it, or changing its inputs."""
    if f.problem is None or f.problem.kind not in ("random", "mutated"):
        return []
    return [mutant for mutant in exercise.mutants if _breaks_likewise(exercise, mutant, f)]


def _breaks_likewise(exercise, mutant, f):
    args, constants, changed = f.breach
    watched = Recorded(mutant.f, exercise.of, changes=exercise.changes)
    try:
        watched(*copied(args), **copied(constants))
    except Raised:
        return False
    if watched.problem is None or watched.problem.kind != f.problem.kind:
        return False
    if f.problem.kind == "random":  # by more than rounding
        return all(_largest(*map(leaves, pair)) > 1e-6 for pair in (changed, watched.breach[2]))
    return _largest(leaves(watched.breach[2]), leaves(changed)) == 0


def _matching(exercise, calls, distances):
    found = []
    for mutant in exercise.mutants:
        worst = 0.0
        for call in calls:
            for distance in distances:
                if worst <= MATCH:
                    worst = max(worst, distance(mutant.f, call, exercise.changes))
        if worst <= MATCH:
            found.append((mutant, worst))
    return found


def value_distance(f, call, changes=()):
    """How far f's value is from a recorded one; 0 if both raise the same exception."""
    return _distance(_call(f, call, changes)[0], call.values)


def gradient_distance(f, call, changes=()):
    """How far the gradients of f's pullback are from the recorded ones; 0 if there are none."""
    if not call.pulls:
        return 0.0
    _, result = _call(f, call, changes)
    if not isinstance(result, tuple):
        return np.inf
    pullback, worst = result[-1], 0.0
    for cotangents, gradients in call.pulls:
        if worst <= MATCH:
            try:
                found = leaves(pullback(*copied(cotangents)))
            except Exception as problem:
                found = type(problem).__name__
            worst = max(worst, _distance(found, gradients))
    return worst


def _call(f, call, changes):
    """What f makes of a recorded call: leaves, or the name of an exception; and its result."""
    try:
        args, constants = copied(call.args), copied(call.constants)
        result = outcome(f, args, constants, changes)
    except Exception as problem:
        return type(problem).__name__, None
    return leaves(result), result


def _distance(found, expected):
    if isinstance(found, str) or isinstance(expected, str):
        return 0.0 if isinstance(found, str) and found == expected else np.inf
    return _largest(found, expected)


def _largest(found, expected):
    """The largest relative difference of two lists of arrays; inf where they do not compare."""
    if len(found) != len(expected):
        return np.inf
    return max((error(a, b) for a, b in zip(found, expected, strict=True)), default=0.0)


def error(a, b):
    """The largest |a − b| / max(1, |b|); NaN equals NaN, and inf where the two do not compare."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or not {a.dtype.kind, b.dtype.kind} <= set("biufc"):
        return np.inf
    a, b = (x.astype(float) if x.dtype.kind in "biu" else x for x in (a, b))
    with np.errstate(all="ignore"):
        error = np.abs(a - b) / np.maximum(1, np.abs(b))
    equal = (a == b) | (np.isnan(a) & np.isnan(b))
    error = np.where(equal, 0, np.where(np.isnan(error), np.inf, error))
    return float(error.max(initial=0))
