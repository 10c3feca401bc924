"""Stage A5: where on the way back does the gradient go wrong?

Every op that the learner's file calls is watched.  A step of the way back is judged on its own:
is the cotangent that its pullback was given the derivative by the step's output, and, for an op
that the learner wrote, is its local gradient right for that cotangent?  The derivative comes from
central differences of the learner's own function, with the step's output nudged.
"""

import inspect
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FunctionType

import numpy as np

from ..exercises import exercises
from ..trees import copied, leaves, named_leaves
from .factors import factor, lengths
from .mistakes import error

STEP = 1e-5
DIRECTIONS = 3
CLOSE = 1e-5  # of central differences
LOCAL = 1e-9
NOISE = 1e-8


@dataclass
class Step:
    """One call of an op: where, with what, and how its pullback was called."""

    name: str
    line: int
    args: tuple
    constants: dict
    value: list
    parent: object  # the watched op that called this one
    pulls: list = field(default_factory=list)  # (cotangents, gradients)
    pulled_at: int | None = None  # the line that called its pullback
    defined: int | None = None  # the line of the op, where it is the learner's own


@dataclass(frozen=True)
class Place:
    says: str
    evidence: str
    line: int | None


def first_wrong_step(exercise, f, sample):
    """A Place, or None where every watched step is right or none can be watched."""
    if not isinstance(f, FunctionType):
        return None
    try:
        steps, (_, pullback) = _run(f, sample)
        with _watched(f, steps, None):
            pullback(*copied(sample.cotangents))
    except Exception:
        return None
    right, rng = [], np.random.default_rng(0)
    for i, step in reversed(list(enumerate(steps))):
        problem = _problem(f, sample, steps, i, rng, exercise)
        if problem is None:
            right.append(step)
            continue
        while step.parent is not None:  # a cotangent that was wrong before it came in
            outer = _problem(f, sample, steps, steps.index(step.parent), rng, exercise)
            if outer is None or outer[0] != "cotangent":
                break
            step, problem = step.parent, outer
        return _place(step, *problem, right)
    return None


def _place(step, kind, words, right):
    done = ", ".join(f"{s.name} (line {s.line})" for s in right) or "nothing"
    says = {
        "local": f"{step.name} is given the right cotangent, but {words}",
        "cotangent": f"the way back goes wrong before it reaches {step.name}: {words}",
        "unused": f"the way back leaves out {step.name}: {words}",
    }
    evidence = f"from the end backwards right: {done}; then not: {step.name} (line {step.line})"
    at = {"local": step.defined, "cotangent": step.pulled_at}.get(kind) or step.line
    return Place(says[kind], evidence, at)


def _problem(f, sample, steps, i, rng, exercise):
    """What is wrong with step i of the way back: (kind, words), or None."""
    step, pairs, size = steps[i], [], 0.0
    given = _total(step)
    for _ in range(DIRECTIONS if given else 0):
        nudge = [rng.standard_normal(np.shape(leaf)) for leaf in step.value]
        parts = [d * v for d, v in zip(given, nudge, strict=True)]
        true = _derivative(f, sample, i, nudge)
        if true is None:
            return None
        pairs.append((sum(float(part.sum()) for part in parts), true))
        size = max(size, abs(true), *(float(np.linalg.norm(part)) for part in parts))
    if all(abs(found - true) <= CLOSE * size + NOISE for found, true in pairs):
        return _local_problem(step, exercise)
    if not step.pulls:
        return "unused", "its pullback is never called, though the result depends on its output"
    ratios = [found / true if true else np.inf for found, true in pairs]
    words = "a wrong cotangent"
    if np.ptp(ratios) <= 1e-4 * abs(ratios[0]):
        sizes = lengths(exercise.of, sample.inputs)
        name = factor([round(ratios[0], 5)], [{k: n for k, n in sizes.items() if n > 1}], 1e-4)
        words = f"{name} times the right cotangent"
    return "cotangent", f"its pullback is given {words}"


def _local_problem(step, exercise):
    """For an op of the learner's own: the first argument whose gradient is wrong."""
    same_name = [e for e in exercises().values() if e.name == step.name]
    same_name.sort(key=lambda e: e.stub != exercise.stub)  # those of this lesson first
    if step.defined is None or not same_name:
        return None
    of = same_name[0].of
    names = list(inspect.signature(of).parameters)[: len(step.args)]
    for cotangents, gradients in step.pulls:
        try:
            _, pullback = of(*copied(step.args), **copied(step.constants))
            expected = pullback(*copied(cotangents))
        except Exception:  # another function of that name
            return None
        found, expected = (g if len(names) > 1 else (g,) for g in (gradients, expected))
        for name, a, b in zip(names, found, expected, strict=False):
            for (path, mine), (_, right) in zip(
                named_leaves(a, name), named_leaves(b, name), strict=False
            ):
                if error(mine, right) > LOCAL:
                    return "local", f"it returns a wrong gradient of {path}"
    return None


def _total(step):
    """The cotangents of a step, summed over the calls of its pullback."""
    total = [np.zeros(np.shape(leaf)) for leaf in step.value]
    for cotangents, _ in step.pulls:
        total = [a + b for a, b in zip(total, leaves(list(cotangents)), strict=True)]
    return total


def _derivative(f, sample, i, nudge):
    """d<cotangents, f>/dt with the output of step i moved by t · nudge."""
    sides = []
    for t in (STEP, -STEP):
        try:
            _, result = _run(f, sample, (i, [t * v for v in nudge]))
        except Exception:
            return None
        values = leaves(result[0])
        sides.append(sum((c * v).sum() for c, v in zip(sample.cotangents, values, strict=True)))
    return float(sides[0] - sides[1]) / (2 * STEP)


def _run(f, sample, nudge=None):
    """f at the sample's inputs, its steps watched: (steps, result)."""
    steps = []
    with _watched(f, steps, nudge):
        result = f(*copied(sample.args), **copied(sample.constants))
    if not (isinstance(result, tuple | list) and len(result) == 2 and callable(result[1])):
        raise TypeError("no pair of value and pullback")
    return steps, result


@contextmanager
def _watched(f, steps, nudge):
    """Replace the ops among the names of f's module by watching ones, for a while."""
    names, open_steps = f.__globals__, []
    own = {e.name for e in exercises().values()}
    before = {
        name: op
        for name, op in names.items()
        if isinstance(op, FunctionType)
        and op is not f
        and (op.__module__.startswith("mmvae_edu.") or op.__name__ in own)
    }
    names.update({name: _watching(op, steps, nudge, open_steps) for name, op in before.items()})
    try:
        yield
    finally:
        names.update(before)


def _watching(op, steps, nudge, open_steps):
    def watching(*args, **constants):
        line = sys._getframe(1).f_lineno
        step = Step(op.__name__, line, copied(args), copied(constants), [], None)
        step.parent = open_steps[-1] if open_steps else None
        if not op.__module__.startswith("mmvae_edu."):
            step.defined = op.__code__.co_firstlineno
        i = len(steps)
        steps.append(step)
        open_steps.append(step)
        try:
            result = op(*args, **constants)
        finally:
            open_steps.pop()
        if not (isinstance(result, tuple) and len(result) == 2 and callable(result[1])):
            return result
        value, pullback = result
        step.value = copied(leaves(value))
        if nudge and nudge[0] == i:
            value = _moved(value, iter(nudge[1]))

        def watching_pullback(*cotangents):
            step.pulled_at = sys._getframe(1).f_lineno
            given = copied(cotangents)
            gradients = pullback(*cotangents)
            step.pulls.append((given, copied(gradients)))
            return gradients

        return value, watching_pullback

    return watching


def _moved(value, nudges):
    if isinstance(value, tuple):
        return tuple(_moved(part, nudges) for part in value)
    return value + next(nudges)
