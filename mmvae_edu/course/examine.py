"""The stages of a check, on a function that is already loaded.

A0 the contract (in every call, by `Recorded`), A1 the registered claims, A2 the catalogued
mistakes: is the output a known mistake's on every draw?
"""

import inspect
import warnings
from dataclasses import asdict, dataclass, field

import numpy as np

from ..claims import POWER, T4, registry
from .recorded import Recorded, call_mismatch, copied, leaves

RIGHT, WRONG, NOT_ATTEMPTED, FAULT, USAGE = 0, 1, 2, 3, 64
SEEDS = 3
MATCH = 1e-11  # relative to max(1, |value|): the same formula in another order of summation
FIRST = {"mutated", "random", "locked"}  # said before the name of a mistake


@dataclass
class Verdict:
    """What a check found: the exit code, three lines, and the counts behind them."""

    code: int
    says: str = ""
    evidence: str = ""
    line: int | None = None
    claims: list = field(default_factory=list)  # names of the claims that ran
    draws: int = 0
    mistakes: list = field(default_factory=list)  # names of the mutants that match
    traceback: str = ""
    printed: str = ""
    seconds: float = 0.0

    as_dict = asdict


def examine(exercise, f, *, seeds, path=None, extent=None):
    """Run every claim of the exercise on f at every seed, until one fails; a Verdict."""
    if wanted := call_mismatch(f, exercise.of):
        return Verdict(WRONG, f"cannot be called as {wanted}", "its parameters differ", _line(f))
    f = Recorded(f, exercise.of, path, extent)
    claims, failures = exercise.claims, []
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in seeds:
            failures = [r for claim in claims if not (r := run_claim(claim, f, seed)).passed]
            if failures or f.problem:
                break
        verdict = _verdict(exercise, f, failures)
    if verdict.code != NOT_ATTEMPTED:
        verdict.claims, verdict.draws = [claim.name for claim in claims], f.draws
    return verdict


def run_claim(claim, f, seed):
    """A claim's Result; a Monte Carlo claim that only just fails has a second, fresh, chance."""
    result = registry.run(claim, f, seed=seed)
    if claim.tol is T4 and not result.passed and result.error < POWER:
        return registry.run(claim, f, seed=seed + 1_000_003)
    return result


def _verdict(exercise, f, failures):
    problem = f.problem
    if problem and problem.kind == "todo":
        return Verdict(NOT_ATTEMPTED, _todo(exercise, problem.says), line=problem.line)
    if not exercise.claims or not f.draws:
        return Verdict(WRONG, "no claim was checked", f"{len(exercise.claims)} claims, 0 draws")
    if not problem and not failures:
        return Verdict(RIGHT)
    matches = mistakes(exercise, f.calls)
    names = [mutant.name for mutant, _ in matches]
    if matches and not (problem and problem.kind in FIRST):
        (mutant, worst), n = matches[0], len(f.calls)
        seen = f"matches the mistake {mutant.name} on {n}/{n} draws (max diff {worst:.0e})"
        evidence = "; ".join([seen, *(_numbers(failures[0]) for _ in failures[:1])])
        return Verdict(WRONG, mutant.says, evidence, _line(f.f), mistakes=names)
    if problem:
        numbers = map(_numbers, failures[:1] if problem.kind != "locked" else ())
        evidence = problem.evidence or "; ".join(numbers)
        return Verdict(WRONG, problem.says, evidence, problem.line, [], 0, names, problem.traceback)
    says = f"this does not hold: {failures[0].claim.statement}"
    return Verdict(WRONG, says, "; ".join(map(_numbers, failures)), _line(f.f))


def _todo(exercise, id):
    return "not attempted yet" if id == exercise.id else f"needs {id}, not attempted yet"


def _numbers(result):
    """A failed claim in numbers: against which oracle, the error reached and the one allowed."""
    if result.note:
        return f"against {result.claim.oracle}: {result.note.splitlines()[0]}"
    if result.error == np.inf:
        return f"against {result.claim.oracle}: no finite number"
    return f"against {result.claim.oracle}: error {result.numbers}"


def _line(f):
    code = getattr(inspect.unwrap(f), "__code__", None)
    return code.co_firstlineno if code else None


def mistakes(exercise, calls):
    """The mutants whose output equals the learner's on every call: (mutant, largest difference)."""
    if all(_distance(exercise.of, call) <= MATCH for call in calls):
        return []  # what is wrong is not in the values
    found = []
    for mutant in exercise.mutants:
        worst = 0.0
        for call in calls:
            worst = max(worst, _distance(mutant.f, call))
            if worst > MATCH:
                break
        else:
            found.append((mutant, worst))
    return found


def _distance(f, call):
    """How far a mutant's output is from a recorded one, its gradients included."""
    result, worst = _outcome(f, call.args, call.values, call.constants)
    for cotangents, gradients in call.pulls:
        if worst <= MATCH:
            pullback = result[-1] if isinstance(result, tuple) else result
            worst = max(worst, _outcome(pullback, cotangents, gradients)[1])
    return worst


def _outcome(f, args, expected, constants=None):
    """What f returns, and its distance from `expected`: arrays, or an exception's name."""
    try:
        result = f(*copied(args), **copied(constants or {}))
    except Exception as problem:
        return None, 0.0 if expected == type(problem).__name__ else np.inf
    return result, np.inf if isinstance(expected, str) else _largest(leaves(result), expected)


def _largest(found, expected):
    """The largest relative difference of two lists of arrays; inf where they do not compare."""
    if len(found) != len(expected):
        return np.inf
    return max((_error(a, b) for a, b in zip(found, expected, strict=True)), default=0.0)


def _error(a, b):
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or not {a.dtype.kind, b.dtype.kind} <= set("biufc"):
        return np.inf
    a, b = (x.astype(float) if x.dtype.kind in "biu" else x for x in (a, b))
    with np.errstate(all="ignore"):
        error = np.abs(a - b) / np.maximum(1, np.abs(b))
    equal = (a == b) | (np.isnan(a) & np.isnan(b))
    error = np.where(equal, 0, np.where(np.isnan(error), np.inf, error))
    return float(error.max(initial=0))
