"""Stage A5: the step of the way back at which the gradient goes wrong.

Every op that the learner's file calls is watched.  A step of the way back is judged on its own:
is the cotangent that its pullback was given the derivative by the step's output, and, for an op
that the learner wrote, is its local gradient right for that cotangent?  The derivative comes from
central differences of the learner's own function, with the step's output nudged.
"""

import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FunctionType

import numpy as np

from ..comparisons import call, error, named_gradients, pull_back
from ..exercises import exercises
from ..trees import copied, leaves, mapped
from .factors import factor, lengths

STEP = 1e-5
DIRECTIONS = 3
CLOSE = 1e-5  # of central differences
LOCAL = 1e-9
NOISE = 1e-8


@dataclass(eq=False)
class Step:
    """One call of an op: where, with what, and how its pullback was called."""

    op: FunctionType
    line: int
    args: tuple
    constants: dict
    value: list = field(default_factory=list)
    pulls: list = field(default_factory=list)  # (cotangents, gradients)
    pulled_at: int | None = None  # the line that called its pullback

    @property
    def name(self):
        return self.op.__name__

    @property
    def cotangents(self):
        """The cotangents, summed over the calls of its pullback."""
        total = [np.zeros(np.shape(leaf)) for leaf in self.value]
        for cotangents, _ in self.pulls:
            total = [a + b for a, b in zip(total, leaves(cotangents), strict=True)]
        return total


def first_wrong_step(exercise, f, sample):
    """Return (the sentence, the evidence, the line); None if no watched step is wrong."""
    if not isinstance(f, FunctionType):
        return None
    try:
        with _watched(f) as events:
            _, pullback = f(*copied(sample.args), **copied(sample.constants))
            pullback(*copied(sample.cotangents))
    except Exception:
        return None
    right, rng = [], np.random.default_rng(0)
    for i, (begins, step) in reversed(list(enumerate(events))):
        if begins:  # on the way back it is over here
            problem = _local_problem(exercise, step)
        else:
            problem = _cotangent_problem(exercise, f, sample, i, step, rng)
        place = f"{step.name} (line {step.line})"
        if problem:
            says, line = problem
            done = ", ".join(right) or "nothing"
            return says, f"from the end backwards right: {done}; then not: {place}", line
        right += [place] * begins
    return None


def _cotangent_problem(exercise, f, sample, i, step, rng):
    """Compare the cotangent that a step's pullback is given: (a sentence, the line), or None."""
    pairs, size, given = [], 0.0, step.cotangents
    for _ in range(DIRECTIONS if given else 0):
        nudge = [rng.standard_normal(np.shape(leaf)) for leaf in step.value]
        parts = [d * v for d, v in zip(given, nudge, strict=True)]
        true = _derivative(f, sample, i, nudge)
        if true is None:
            return None
        pairs.append((sum(float(part.sum()) for part in parts), true))
        size = max(size, abs(true), *(float(np.linalg.norm(part)) for part in parts))
    if all(abs(found - true) <= CLOSE * size + NOISE for found, true in pairs):
        return None
    if not step.pulls:
        unused = "its pullback is never called, though the result depends on its output"
        return f"the way back leaves out {step.name}: {unused}", step.line
    ratios = [found / true if true else np.inf for found, true in pairs]
    words = "a wrong cotangent"
    if np.ptp(ratios) <= 1e-4 * abs(ratios[0]):
        sizes = {k: n for k, n in lengths(exercise.of, sample.inputs).items() if n > 1}
        words = f"{factor([round(ratios[0], 5)], [sizes], 1e-4)} times the right cotangent"
    says = f"the way back goes wrong before it reaches {step.name}: its pullback is given {words}"
    return says, step.pulled_at


def _local_problem(exercise, step):
    """Find a wrong gradient of an op of the learner's own: (a sentence, the line), or None."""
    same_name = [e for e in exercises().values() if e.name == step.name]
    if _is_of_the_library(step.op) or not same_name:
        return None
    own = min(same_name, key=lambda e: e.stub != exercise.stub)  # those of this lesson first
    result, _ = call(own, own.of, step.args, step.constants)
    for cotangents, gradients in step.pulls:
        _, expected = pull_back(own, step.args, result, cotangents)
        if isinstance(expected, str):  # another function of that name
            return None
        for path, a in named_gradients(own, step.args, gradients).items():
            if path in expected and error(a, expected[path]) > LOCAL:
                wrong = f"it returns a wrong gradient of {path}"
                says = f"{step.name} is given the right cotangent, but {wrong}"
                return says, step.op.__code__.co_firstlineno
    return None


def _derivative(f, sample, i, nudge):
    """Return d<cotangents, f>/dt with the output at event i moved by t · nudge."""
    sides = []
    for t in (STEP, -STEP):
        try:
            with _watched(f, i, [t * v for v in nudge]):
                value, _ = f(*copied(sample.args), **copied(sample.constants))
        except Exception:
            return None
        pairs = zip(sample.cotangents, leaves(value), strict=True)
        sides.append(sum((c * v).sum() for c, v in pairs))
    return float(sides[0] - sides[1]) / (2 * STEP)


@contextmanager
def _watched(f, nudged=None, nudge=()):
    """Replace the ops among the names of f's module by watching ones, for a while.

    Yields the list of events, (True, step) where one begins and (False, step) where it ends; the
    output that belongs to event `nudged` is moved by `nudge`.
    """
    names, events = f.__globals__, []
    own = {e.name for e in exercises().values()}
    ops = {
        name: op
        for name, op in names.items()
        if isinstance(op, FunctionType)
        and op is not f
        and (_is_of_the_library(op) or op.__name__ in own)
    }

    def watching(op):
        def watching_op(*args, **constants):
            step = Step(op, sys._getframe(1).f_lineno, copied(args), copied(constants))
            events.append((True, step))
            result = op(*args, **constants)
            events.append((False, step))
            moves = iter(nudge) if nudged == len(events) - 1 else None
            return _with_watching_pullback(step, result, moves)

        return watching_op

    names.update({name: watching(op) for name, op in ops.items()})
    try:
        yield events
    finally:
        names.update(ops)


def _is_of_the_library(op):
    return op.__module__.startswith("mmvae_edu.")


def _with_watching_pullback(step, result, moves):
    """Return an op's result, its value moved and its pullback watched; another result as it is."""
    if not (isinstance(result, tuple) and len(result) == 2 and callable(result[1])):
        return result
    value, pullback = result
    step.value = copied(leaves(value))
    if moves:
        value = mapped(lambda leaf: leaf + next(moves), value)

    def watching_pullback(*cotangents):
        step.pulled_at = sys._getframe(1).f_lineno
        given = copied(cotangents)
        gradients = pullback(*cotangents)
        step.pulls.append((given, copied(gradients)))
        return gradients

    return value, watching_pullback
