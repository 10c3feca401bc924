"""A check of a function that is already loaded: the contract, the claims, and the verdict.

A0 the contract (in every call, by `Recorded`), A1 the registered claims; `stages` then puts a
failure into words: A2 the catalogued mistakes, A3 the terms of which the function is the sum,
A4 a simple change, A5 the step of the way back that goes wrong, A6 a small example.
"""

import warnings
from dataclasses import asdict, dataclass, field
from itertools import islice, product

import numpy as np

from ..claims import POWER, T4, registry
from ..kernels.simulator import OtherMethod
from .comparisons import GRADIENT, wrong_parts
from .recorded import Recorded, call_mismatch, line_of
from .stages import diagnose, misshapen, not_finite_example
from .stages.causes import not_finite_where
from .stages.mistakes import WHOLE, matching, same_breach

RIGHT, WRONG, NOT_ATTEMPTED, FAULT, USAGE = 0, 1, 2, 3, 64
SEEDS = 3
FIRST = {"mutated", "random", "locked"}  # said before the name of a mistake
METHODS = tuple(f"{kind.__name__}: " for kind in OtherMethod.__subclasses__())  # in a note


@dataclass
class Verdict:
    """The result of a check: the exit code, three lines, and the counts behind them."""

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


def examine(exercise, f, *, seeds, path=None, lock=None, explain=False, most=None):
    """Run the exercise's claims on f, round by round at every seed, until some fail: a Verdict.

    most: the number of failed claims at which it stops; without it, all of that round run.
    """
    if wanted := call_mismatch(f, exercise.of):
        return Verdict(
            WRONG, f"it cannot be called as {wanted}", "its parameters differ", line_of(f)
        )
    f = Recorded(exercise, f, path, lock)
    claims, failures = exercise.claims, []
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for some, seed in product(exercise.rounds, seeds):
            results = (run_claim(claim, f, seed) for claim in some)
            failures = list(islice((r for r in results if not r.passed), most))
            if failures or f.problem:
                break
        verdict = _verdict(f, failures, explain)
    if verdict.code != NOT_ATTEMPTED:
        verdict.claims, verdict.draws = [claim.name for claim in claims], f.draws
    return verdict


def run_claim(claim, f, seed):
    """Return a claim's Result; a Monte Carlo claim that only just fails has a second chance."""
    result = registry.run(claim, f, seed=seed)
    if claim.tol is T4 and not result.passed and result.error < POWER:
        return registry.run(claim, f, seed=seed + 1_000_003)
    return result


def _verdict(f, failures, explain):
    exercise, problem = f.exercise, f.problem
    if problem and problem.kind == "todo":
        return Verdict(NOT_ATTEMPTED, _todo(exercise, problem.says), line=problem.line)
    if not exercise.claims or not f.draws:
        return Verdict(WRONG, "no claim was checked", f"{len(exercise.claims)} claims, 0 draws")
    if not problem and not failures:
        return Verdict(RIGHT)
    return _broken(f, failures) if problem else _failed(f, failures, explain)


def _failed(f, failures, explain):
    """Return the Verdict on a function that keeps the contract but fails claims."""
    found = diagnose(f, explain=explain)
    if not found.says and failures[0].note.startswith(METHODS):
        _, _, fault = failures[0].note.partition(": ")
        found.says = f"another method than the docstring demands: {fault}"
    only_gradient = wrong_parts(f.samples) == [GRADIENT]
    if only_gradient:  # first what a claim says of it
        failures = sorted(failures, key=_is_of_the_value)
    if not found.says or found.quotes:
        found.says += f"{'; ' * bool(found.says)}this does not hold: {failures[0].claim.statement}"
        found.says += " (The value is right.)" if only_gradient else ""
    of_each_oracle = {}
    for result in failures:
        of_each_oracle.setdefault(result.claim.oracle, result)
    numbers = map(_numbers, failures[:1] if found.evidence else of_each_oracle.values())
    evidence = "; ".join(text for text in (found.evidence, *numbers) if text)
    line = found.line or line_of(f.f)
    return Verdict(
        WRONG, found.says, evidence, line, mistakes=found.mistakes, example=found.example
    )


def _is_of_the_value(result):
    return result.claim.tol not in (registry.T2, registry.T2C)


def _broken(f, failures):
    """Return the Verdict on a broken contract, in the words of a mistake that breaks it alike."""
    exercise, problem, samples = f.exercise, f.problem, f.samples
    named, elsewhere = same_breach(exercise, f), ""
    if not named and problem.kind not in FIRST:
        named = [mutant for mutant, _ in matching(exercise, samples, WHOLE)]
    if not named and problem.kind == "finite":  # NaN here and there, and a mistake in the rest
        samples, elsewhere = [sample for sample in samples if sample.finite], "elsewhere "
        named = [mutant for mutant, _ in matching(exercise, samples, WHOLE)]
    judged = [r for r in failures if not r.note or r.note.startswith("GradientError")]
    numbers = "; ".join(map(_numbers, judged[:1] if problem.kind != "locked" else ()))
    evidence, says = problem.evidence or numbers, problem.says
    if named:
        n, says = f"{len(samples)}/{len(f.samples)}", named[0].says
        evidence = f"matches the mistake {named[0].name} on {n} draws: {elsewhere}{problem.says}"
        evidence += f"; {numbers}" if numbers else ""
    elif problem.kind == "finite" and (where := not_finite_where(f)):
        says += f", where {where}"
    elif problem.kind == "shape" and (found := misshapen(f)):
        says, evidence = found.says, says
    names = [mutant.name for mutant in named]
    example = not_finite_example(f) if problem.kind == "finite" else []
    return Verdict(
        WRONG, says, evidence, problem.line, mistakes=names, example=example,
        traceback=problem.traceback,
    )  # fmt: skip


def _todo(exercise, id):
    return "not attempted yet" if id == exercise.id else f"needs {id}, not attempted yet"


def _numbers(result):
    """Write a failed claim in numbers: its oracle, the error reached and the one allowed."""
    if result.note:
        note = result.note.splitlines()[0].removeprefix("GradientError: ")
        return f"against {result.claim.oracle}: {note}"
    if result.error == np.inf:
        return f"against {result.claim.oracle}: no finite number"
    error = "" if result.claim.tol is T4 else "error "
    return f"against {result.claim.oracle}: {error}{result.numbers}"
