"""The stages of a check, on a function that is already loaded.

A0 the contract (in every call, by `Recorded`), A1 the registered claims; `diagnosis` then puts a
failure into words: A2 the catalogued mistakes, A3 the terms of which the function is the sum,
A4 a simple factor, A5 the step of the way back that goes wrong, A6 a small example.
"""

import inspect
import warnings
from dataclasses import asdict, dataclass, field

import numpy as np

from ..claims import POWER, T4, registry
from .recorded import Call, Recorded, call_mismatch, outcome
from .stages.diagnosis import diagnose
from .stages.mistakes import GRADIENT, WHOLE, mistakes, same_breach, wrong_parts
from .stages.smallest_example import assignments
from .trees import copied, leaves

RIGHT, WRONG, NOT_ATTEMPTED, FAULT, USAGE = 0, 1, 2, 3, 64
SEEDS = 3
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
    example: list = field(default_factory=list)  # lines: the smallest inputs that show it
    traceback: str = ""
    printed: str = ""
    file: str = ""  # its name, in the learner's folder
    seconds: float = 0.0

    as_dict = asdict


def examine(exercise, f, *, seeds, path=None, extent=None, explain=False):
    """Run every claim of the exercise on f at every seed, until one fails; a Verdict."""
    if wanted := call_mismatch(f, exercise.of):
        return Verdict(WRONG, f"cannot be called as {wanted}", "its parameters differ", _line(f))
    f = Recorded(f, exercise.of, path, extent, exercise.changes)
    claims, failures = exercise.claims, []
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in seeds:
            failures = [r for claim in claims if not (r := run_claim(claim, f, seed)).passed]
            if failures or f.problem:
                break
        verdict = _verdict(exercise, f, failures, explain)
    if verdict.code != NOT_ATTEMPTED:
        verdict.claims, verdict.draws = [claim.name for claim in claims], f.draws
    return verdict


def run_claim(claim, f, seed):
    """A claim's Result; a Monte Carlo claim that only just fails has a second, fresh, chance."""
    result = registry.run(claim, f, seed=seed)
    if claim.tol is T4 and not result.passed and result.error < POWER:
        return registry.run(claim, f, seed=seed + 1_000_003)
    return result


def _verdict(exercise, f, failures, explain):
    problem = f.problem
    if problem and problem.kind == "todo":
        return Verdict(NOT_ATTEMPTED, _todo(exercise, problem.says), line=problem.line)
    if not exercise.claims or not f.draws:
        return Verdict(WRONG, "no claim was checked", f"{len(exercise.claims)} claims, 0 draws")
    if not problem and not failures:
        return Verdict(RIGHT)
    if problem:
        return _broken(exercise, f, failures)
    wrong = wrong_parts(exercise, f.calls)
    found = diagnose(exercise, f, wrong, explain=explain)
    if wrong == [GRADIENT]:  # first what a claim says of it
        failures = sorted(failures, key=_is_of_the_value)
    if not found.says:
        found.says = f"this does not hold: {failures[0].claim.statement}"
        found.says += " (The value is right.)" if wrong == [GRADIENT] else ""
    one_each = {r.claim.oracle: r for r in reversed(failures)}
    one_each = [r for r in failures if one_each[r.claim.oracle] is r]
    numbers = map(_numbers, one_each[:1] if found.evidence else one_each)
    evidence = "; ".join(text for text in (found.evidence, *numbers) if text)
    line = found.line or _line(f.f)
    return Verdict(
        WRONG, found.says, evidence, line, mistakes=found.mistakes, example=found.example
    )


def _is_of_the_value(result):
    return result.claim.tol not in (registry.T2, registry.T2C)


def _broken(exercise, f, failures):
    """The Verdict on a broken contract: in the words of the mistake that breaks it likewise."""
    problem, says = f.problem, f.problem.says
    named = same_breach(exercise, f)
    if not named and problem.kind not in FIRST:
        wrong = wrong_parts(exercise, f.calls)
        named = [m for m, part, _ in mistakes(exercise, f.calls, wrong) if part == WHOLE]
    calls, elsewhere = f.calls, ""
    if not named and problem.kind == "finite":  # NaN here and there, and a mistake in the rest
        calls, elsewhere = [call for call in f.calls if call.finite], "elsewhere it "
        wrong = wrong_parts(exercise, calls)
        named = [m for m, part, _ in mistakes(exercise, calls, wrong) if part == WHOLE]
    judged = [r for r in failures if not r.note or r.note.startswith("GradientError")]
    numbers = "; ".join(map(_numbers, judged[:1] if problem.kind != "locked" else ()))
    evidence = problem.evidence or numbers
    if named:
        n, says = f"{len(calls)}/{len(f.calls)}", named[0].says
        evidence = f"matches the mistake {named[0].name} on {n} draws: {elsewhere}{problem.says}"
        evidence += f"; {numbers}" if numbers else ""
    names = [mutant.name for mutant in named]
    example = _not_finite(f) if problem.kind == "finite" else []
    return Verdict(
        WRONG, says, evidence, problem.line, mistakes=names, example=example,
        traceback=problem.traceback,
    )  # fmt: skip


def _not_finite(f):
    """A line with the smallest inputs at which only the library's result is finite, or none."""
    calls = [call for call in f.calls if isinstance(call.values, list) and not call.finite]
    for call in sorted(calls, key=lambda call: sum(map(np.size, leaves(list(call.args))))):
        try:
            expected = outcome(f.of, copied(call.args), copied(call.constants), f.changes)
        except Exception:  # outside the function's domain
            continue
        if Call(call.args, call.constants, leaves(_values(expected))).finite:
            names = dict(zip(f.__signature__.parameters, call.args, strict=False))
            return [f"not finite at: {assignments(names | call.constants)}"]
    return []


def _values(result):
    """What a function returns, without its pullback."""
    has_pullback = isinstance(result, tuple) and result and callable(result[-1])
    return list(result[:-1]) if has_pullback else [result]


def _todo(exercise, id):
    return "not attempted yet" if id == exercise.id else f"needs {id}, not attempted yet"


def _numbers(result):
    """A failed claim in numbers: against which oracle, the error reached and the one allowed."""
    if result.note:
        note = result.note.splitlines()[0].removeprefix("GradientError: ")
        return f"against {result.claim.oracle}: {note}"
    if result.error == np.inf:
        return f"against {result.claim.oracle}: no finite number"
    return f"against {result.claim.oracle}: error {result.numbers}"


def _line(f):
    code = getattr(inspect.unwrap(f), "__code__", None)
    return code.co_firstlineno if code else None
