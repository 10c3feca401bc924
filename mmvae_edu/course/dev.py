"""Checks the checker, in one process: stubs, solutions, and every catalogued mistake by name."""

from .examine import NOT_ATTEMPTED, RIGHT, WRONG, examine
from .exercises import exercises
from .runner import load


def dev_check(seeds):
    """Print what fails and the confusion matrix as counts; 0 if every check can be trusted."""
    if seeds < 1:
        raise ValueError(f"--seeds {seeds}: at least one is needed")
    faults, exceptions, counts = [], [], {"itself": 0, "others": 0, "unnamed": 0, "accepted": 0}
    for exercise in exercises().values():
        faults += faults_of(exercise, seeds)
        for mutant in exercise.mutants:
            verdict = examine(exercise, mutant.f, seeds=range(seeds))
            outcome = confusion(verdict, mutant)
            counts[outcome] += 1
            if outcome != "itself" or len(verdict.mistakes) > 1:
                named = ", ".join(verdict.mistakes) or verdict.says
                exceptions.append(f"{exercise.id}, {mutant.name}: {outcome}: {named}")
    print(f"{len(exercises())} exercises, {sum(counts.values())} mistakes, {seeds} seeds")
    print(f"rejected: named as itself {counts['itself']}, as another {counts['others']}, ", end="")
    print(f"not named {counts['unnamed']}; accepted {counts['accepted']}")
    for line in [*exceptions, *faults]:
        print(f"  {line}")
    return 1 if faults or counts["accepted"] or counts["others"] else 0


def confusion(verdict, mutant):
    """Where a mistake falls: "accepted", named as "itself", as "others", or "unnamed"."""
    if verdict.code != WRONG:
        return "accepted"
    if mutant.name in verdict.mistakes and verdict.says == mutant.says:
        return "itself"
    return "others" if verdict.mistakes else "unnamed"


def faults_of(exercise, seeds):
    """What is wrong with an exercise itself: its stub, its solution, its hints, its claims."""
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
    return [f"{exercise.id}: {fault}" for fault, there in found.items() if there]


def _equations_known(exercise):
    from ..ledger import load_equations

    return set(exercise.equations) <= {equation.id for equation in load_equations()}
