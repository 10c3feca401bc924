"""Stage A2: catalogued mistakes that give what the learner's function gave, in every call.

A mistake matches as a whole, or, where the learner's value is right, by its gradient alone, and
the other way round: each part is told apart from the library's before it is named.
"""

from ..comparisons import GRADIENT, MATCH, VALUE, call, distance, pull_back, wrong_parts
from ..recorded import Raised, Recorded
from ..trees import copied, same

WHOLE = "whole"


def matching(exercise, samples, part):
    """List the mutants whose WHOLE result, VALUE or GRADIENT is the learner's: [(mutant, error)].

    There are none where nothing is wrong in the numbers.
    """
    if not wrong_parts(samples):
        return []
    found = []
    for mutant in exercise.mutants:
        worst = 0.0
        for sample in samples:
            if worst <= MATCH:
                worst = max(worst, _error(exercise, mutant.f, sample, part))
        if worst <= MATCH:
            found.append((mutant, worst))
    return found


def _error(exercise, f, sample, part):
    """Return how far f's part is from the learner's in one call."""
    result, outcome = call(exercise, f, sample.args, sample.constants)
    worst = 0.0 if part == GRADIENT else distance(outcome, sample.found)
    for pull in () if part == VALUE else sample.pulls:
        if worst <= MATCH:
            _, outcome = pull_back(exercise, pull.args, result, pull.cotangents)
            worst = max(worst, distance(outcome, pull.found))
    return worst


def same_breach(exercise, f):
    """List the mutants that break the contract as f does: random like it, or changing inputs."""
    if f.problem.kind not in ("random", "mutated") or f.breach is None:
        return []
    return [mutant for mutant in exercise.mutants if _breaks_likewise(exercise, mutant, f)]


def _breaks_likewise(exercise, mutant, f):
    args, constants, changed = f.breach
    watched = Recorded(exercise, mutant.f)
    try:
        watched(*copied(args), **copied(constants))
    except Raised:
        return False
    if watched.problem is None or watched.problem.kind != f.problem.kind:
        return False
    if f.problem.kind == "random":  # by more than rounding
        return all(distance(*pair) > 1e-6 for pair in (changed, watched.breach[2]))
    return same(watched.breach[2], changed)
