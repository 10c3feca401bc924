"""The checker: a fresh process and a time limit for each exercise, and the result in words."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from ..support.files import read_source
from . import derivation
from .examine import FAULT, NOT_ATTEMPTED, RIGHT, SEEDS, WRONG, Verdict
from .exercises import DerivationExercise
from .explain import explanation
from .process import LIMITS, judge
from .progress import own_file
from .source import is_stub

LONGEST = 400  # letters of an example's line
WORST_FIRST = (FAULT, WRONG, NOT_ATTEMPTED, RIGHT)
WORDS = {RIGHT: "RIGHT", WRONG: "WRONG", NOT_ATTEMPTED: "TODO", FAULT: "FAULT"}


def check_all(chosen, folder, **options):
    """Yield (exercise, Verdict) in order; as many checks at once as there are cores.

    Whatever interrupts it ends the checks that run.
    """
    stop, pool = threading.Event(), ThreadPoolExecutor(os.cpu_count())
    try:
        verdicts = pool.map(lambda e: check_file(e, folder, stop=stop, **options), chosen)
        yield from zip(chosen, verdicts, strict=True)
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def check_file(exercise, folder, *, seed=0, limits=LIMITS, explain=False, stop=None):
    """Check one exercise of the learner's folder in a process of its own; return a Verdict.

    With `explain` every wrong result comes with a small example, also one that has a name.
    limits, stop: as in `process.judge`.
    """
    start = time.perf_counter()
    path = own_file(folder, exercise.stub)
    verdict = _unfit(exercise, path)
    if verdict is None:
        seeds = list(range(seed, seed + SEEDS))
        request = {"id": exercise.id, "path": str(path), "seeds": seeds, "explain": explain}
        verdict = _audited(exercise, judge(request, limits=limits, stop=stop))
    verdict.file = path.name
    verdict.seconds = time.perf_counter() - start
    return verdict


def _unfit(exercise, path):
    """Return the Verdict on a file that needs no process, or should not have one; else None."""
    if not path.exists():
        found = sorted([*path.parent.rglob(path.name), *path.parent.parent.glob(path.name)])
        where = f"it is at {found[0]}" if found else f"mmvae-edu reset {exercise.id} copies it"
        return Verdict(WRONG, f"{path} is missing", where)
    try:
        text = read_source(path)
    except ValueError as problem:
        return Verdict(WRONG, str(problem))
    if isinstance(exercise, DerivationExercise):  # nothing of it is executed
        return derivation.judge(exercise, text)
    if is_stub(path, exercise.name):
        return Verdict(NOT_ATTEMPTED, "not attempted yet")
    return None


def _audited(exercise, verdict):
    """Accept RIGHT only if the claims that ran are those registered here, and at least one."""
    expected = [claim.name for claim in exercise.claims]
    if verdict.code == RIGHT and (not expected or verdict.claims != expected):
        ran = f"{len(verdict.claims)} of {len(expected)} claims ran"
        return Verdict(WRONG, "not every claim was checked", ran, printed=verdict.printed)
    return verdict


def fault_of(verdict):
    """Return what a file's exercises share that were not judged one by one; None for others."""
    if verdict.claims or verdict.code == RIGHT:
        return None
    return verdict.file, verdict.code, verdict.says, verdict.line


def message(exercise, verdict, *, others=(), hints=(), verbose=False, explain=False):
    """Write the result for the learner: what is wrong, the evidence, and where to look.

    others: exercises of the same file with the same fault; hints: the numbers of those seen.
    """
    names = ", ".join([exercise.id, *(other.name for other in others)])
    equations = f" ({', '.join(exercise.equations)})" if exercise.equations and not others else ""
    lines = [f"{WORDS[verdict.code]:5}  {names}{equations}"]
    if verdict.says:
        lines[0] += f": {verdict.says}"
    if others and verdict.code == NOT_ATTEMPTED:
        return f"{lines[0]} ({verdict.file})"
    if verdict.evidence:
        lines.append(f"  evidence: {verdict.evidence}")
    if verdict.code in (WRONG, NOT_ATTEMPTED):
        place = verdict.file or exercise.stub.name
        place += f":{verdict.line}" if verdict.line else ""
        hint = 1 if verdict.code == NOT_ATTEMPTED else exercise.fitting_hint(verdict.mistakes)
        hint = f"        (mmvae-edu hint {exercise.id} {hint})"
        judged = verdict.claims or verdict.code == NOT_ATTEMPTED  # else it is no mathematics
        lines.append(f"  look at:  {place}{hint if judged else ''}")
    if explain:
        lines += explanation(exercise, verdict, hints)
    elif max(map(len, verdict.example), default=0) > LONGEST:
        lines.append(f"  smallest example: mmvae-edu check {exercise.id} --explain")
    else:
        lines += [f"  {row}" for row in verdict.example]
    detail = verdict.traceback if verbose or verdict.code == FAULT else ""
    printed = f"printed:\n{verdict.printed[-2000:]}" if verbose and verdict.printed else ""
    lines += [text.rstrip() for text in (detail, printed) if text]
    return "\n".join(lines)


def counts(verdicts, seconds):
    """Write the last line: claims, draws, seconds and the exit code, which is the worst."""
    claims = sum(len(verdict.claims) for verdict in verdicts)
    draws = sum(verdict.draws for verdict in verdicts)
    return f"{claims} claims, {draws} draws, {seconds:.1f} s        exit {worst(verdicts)}"


def worst(verdicts):
    """Return the exit code of several checks: a fault before wrong before not attempted."""
    return next(code for code in WORST_FIRST if any(v.code == code for v in verdicts))
