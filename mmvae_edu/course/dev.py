"""The checker's own check: stubs, solutions, and every mistake by name, at every seed."""

import multiprocessing
import os
import re
import textwrap
from concurrent.futures import ProcessPoolExecutor
from inspect import signature

import numpy as np

from ..claims import CLAIMS
from ..claims.examples import AXES
from ..claims.inputs import KERNELS, rows_of
from ..claims.laws import letters_of
from ..mistakes import faults as faults_of_rows
from . import derivation
from .examine import NOT_ATTEMPTED, RIGHT, WRONG, examine
from .exercises import DerivationExercise, exercises
from .runner import load

OUTCOMES = ("itself", "others", "unnamed", "accepted")
WIDTH = 100


def dev_check(seeds):
    """Print what fails and the confusion matrix as counts; 0 if every check can be trusted."""
    if seeds < 1:
        raise ValueError(f"--seeds {seeds}: at least one is needed")
    functions = dict.fromkeys(claim.of for claim in CLAIMS.values())
    faults, exceptions, counts = faults_of_rows(functions), [], dict.fromkeys(OUTCOMES, 0)
    spawn = multiprocessing.get_context("spawn")  # no thread's lock is copied half way
    longest_first = sorted(exercises(), key=lambda id: -len(exercises()[id].mutants))
    with ProcessPoolExecutor(os.cpu_count(), mp_context=spawn) as pool:
        reports = pool.map(report, longest_first, [seeds] * len(longest_first))
        reports = dict(zip(longest_first, reports, strict=True))
    for exercise_faults, outcomes in map(reports.get, exercises()):
        faults += exercise_faults
        for outcome, exception in outcomes:
            counts[outcome] += 1
            exceptions += [exception] if exception else []
    print(f"{len(exercises())} exercises, {sum(counts.values())} mistakes, each at {seeds} seeds")
    print(f"rejected: named as itself {counts['itself']}, as another {counts['others']}, ", end="")
    print(f"not named {counts['unnamed']}; accepted {counts['accepted']}")
    for line in [*exceptions, *faults]:
        print("\n".join(textwrap.wrap(line, WIDTH, initial_indent="  ", subsequent_indent="    ")))
    return 1 if faults or counts["accepted"] or counts["others"] or counts["unnamed"] else 0


def report(id, seeds):
    """Return an exercise's faults, and for each of its mistakes (outcome, what to say of it)."""
    exercise = exercises()[id]
    return faults_of(exercise, seeds), [_outcome(exercise, m, seeds) for m in exercise.mutants]


def _outcome(exercise, mutant, seeds):
    """Return a mistake's worst outcome over the seeds, each on its own: none may pass by luck."""
    worst, exception = "itself", ""
    for seed in range(seeds):
        verdict = _verdict(exercise, mutant, seed)
        outcome = outcome_of(verdict, mutant)
        if OUTCOMES.index(outcome) > OUTCOMES.index(worst):
            worst, exception = outcome, ""
        if (outcome != "itself" or len(verdict.mistakes) > 1) and not exception:
            named = ", ".join(verdict.mistakes) or verdict.says
            exception = f"{exercise.id}, {mutant.name}, seed {seed}: {outcome}: {named}"
    return worst, exception


def _verdict(exercise, mutant, seed):
    """Examine a mistake up to the first claim that fails, if it alone is named by then.

    Further claims would only leave out mistakes that match.
    """
    verdict = examine(exercise, mutant.f, seeds=[seed], most=1)
    if verdict.mistakes == [mutant.name] and outcome_of(verdict, mutant) == "itself":
        return verdict
    return examine(exercise, mutant.f, seeds=[seed])


def outcome_of(verdict, mutant):
    """Classify a mistake: "accepted", named as "itself", as "others", or "unnamed"."""
    if verdict.code != WRONG:
        return "accepted"
    if mutant.name in verdict.mistakes and verdict.says == mutant.says:
        return "itself"
    return "others" if verdict.mistakes else "unnamed"


def faults_of(exercise, seeds):
    """List the faults of an exercise itself: its stub, its solution, its hints, its claims."""
    if isinstance(exercise, DerivationExercise):
        solution = derivation.judge(exercise, derivation.solved(exercise))
        found = {f"the solution fails: {solution.says}": solution.code != RIGHT}
        return [f"{exercise.id}: {fault}" for fault, there in found.items() if there]
    stub = getattr(load(exercise.stub), exercise.name, None)
    found = {
        "the stub is no stub": stub is None
        or examine(exercise, stub, seeds=[0]).code != NOT_ATTEMPTED,
        "the solution fails": examine(exercise, exercise.of, seeds=range(seeds)).code != RIGHT,
        "there are not three hints": len(exercise.hints) != 3 or not all(exercise.hints),
        "it has no claims": not exercise.claims,
        "it has no mistakes": not exercise.mutants,
        "an equation is unknown": not _equations_known(exercise),
    }
    faults = [fault for fault, there in found.items() if there] + unvaried(exercise, stub)
    return [f"{exercise.id}: {fault}" for fault in faults]


def unvaried(exercise, stub):
    """List the options in an exercise's signature, and its docstring's axes, that no law varies.

    The bug hunt and kernels, which are launched, have no rows of inputs.
    """
    rows, parameters = rows_of(exercise.of), signature(exercise.of).parameters
    if not rows:
        without = not parameters or "file" in parameters or exercise.of in KERNELS
        return [] if without else ["it has no row in claims/inputs.py"]
    given = [row(np.random.default_rng(0))[1].keys() for row in rows]
    found = []
    for name, p in parameters.items():
        if p.kind is p.KEYWORD_ONLY and name not in ("kernels", "file"):
            wanted = {True} if p.default is p.empty else {True, False}
            if {name in names for names in given} != wanted:
                found.append(f"claims/inputs.py does not vary {name}")
    groups = re.findall(r"\([^()]*,[^()]*\)", stub.__doc__ or "")
    axes = {axis for group in groups for axis in re.findall(r"\b[A-Z]\b(?!\^)", group)} & set(AXES)
    lost = sorted(axes - {axis for row in rows for axis in letters_of(exercise.of, row)})
    return found + [f"claims/inputs.py does not vary the axis {axis}" for axis in lost]


def _equations_known(exercise):
    from ..slides.equations import load_equations

    return set(exercise.equations) <= {equation.id for equation in load_equations()}
