"""The checker: a fresh process and a time limit for each exercise, and the result in words."""

import json
import os
import secrets
import signal
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from ..support.clones import python
from .examine import FAULT, NOT_ATTEMPTED, RIGHT, SEEDS, WRONG, Verdict
from .explain import explanation
from .progress import own_file
from .source import is_stub

LIMIT = 30.0  # seconds a check may take
LONGEST = 400  # letters of an example's line
PRINTED = 10_000  # bytes of what it prints that are kept
SURROUNDINGS = {  # a window would wait for a click
    "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "agg",
}  # fmt: skip
WORST_FIRST = (FAULT, WRONG, NOT_ATTEMPTED, RIGHT)
WORDS = {RIGHT: "RIGHT", WRONG: "WRONG", NOT_ATTEMPTED: "TODO", FAULT: "FAULT"}


def check_all(chosen, folder, **options):
    """Yield (exercise, Verdict) in order; as many checks at once as there are cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        verdicts = pool.map(lambda e: check_file(e, folder, **options), chosen)
        yield from zip(chosen, verdicts, strict=True)


def check_file(exercise, folder, *, seed=0, limit=LIMIT, explain=False):
    """Check one exercise of the learner's folder in a process of its own; return a Verdict.

    With `explain` every wrong result comes with a small example, also one that has a name.
    """
    start = time.perf_counter()
    path = own_file(folder, exercise.stub)
    verdict = _check(exercise, path, list(range(seed, seed + SEEDS)), limit, explain)
    verdict.file = path.name
    verdict.seconds = time.perf_counter() - start
    return verdict


def _check(exercise, path, seeds, limit, explain):
    if not path.is_file():
        found = sorted([*path.parent.rglob(path.name), *path.parent.parent.glob(path.name)])
        where = f"it is at {found[0]}" if found else f"mmvae-edu reset {exercise.id} copies it"
        return Verdict(WRONG, f"{path} is missing", where)
    if is_stub(path, exercise.name):  # no process is needed to see that
        return Verdict(NOT_ATTEMPTED, "not attempted yet")
    token = secrets.token_hex(8)
    request = {"id": exercise.id, "path": str(path), "seeds": seeds, "explain": explain}
    request["token"] = token  # which the learner's file cannot know
    with tempfile.TemporaryFile() as prints:  # no pipe, which its own processes would hold open
        try:
            done = _in_a_process(request, prints, limit)
        except subprocess.TimeoutExpired:
            why = "an endless loop, or far too slow"
            return Verdict(WRONG, f"no result after {limit:.0f} s", why, printed=_end_of(prints))
        printed = _end_of(prints)
    answers = [answer for line in done.stdout.splitlines() if (answer := _answer(line, token))]
    if answers and "verdict" in answers[-1]:
        return _audited(exercise, Verdict(**{**answers[-1]["verdict"], "printed": printed}))
    if not answers:
        return Verdict(FAULT, "the check did not start", traceback=printed)
    says = "the file ended the process before the check was over"
    return Verdict(WRONG, says, _ending(done.returncode), printed=printed)


def _in_a_process(request, prints, limit):
    return subprocess.run(
        python("from mmvae_edu.course.child import main; main()"),
        input=(json.dumps(request) + "\n").encode(),
        stdout=subprocess.PIPE,
        stderr=prints,
        timeout=limit,
        env={**os.environ, **SURROUNDINGS},
    )


def _end_of(prints):
    """Return the end of what was printed into a file."""
    prints.seek(max(0, prints.seek(0, os.SEEK_END) - PRINTED))
    return prints.read().decode("utf-8", "replace")


def _ending(code):
    if code >= 0:
        return f"the process ended with code {code}"
    name = next((s.name for s in signal.Signals if s == -code), f"signal {-code}")
    return f"the process ended by {name}{', for want of memory?' if name == 'SIGKILL' else ''}"


def _answer(line, token):
    try:
        answer = json.loads(line)
        return answer if answer["token"] == token else None
    except (ValueError, TypeError, KeyError):
        return None


def _audited(exercise, verdict):
    """Accept RIGHT only if the claims that ran are those registered here, and at least one."""
    expected = [claim.name for claim in exercise.claims]
    if verdict.code == RIGHT and (not expected or verdict.claims != expected):
        ran = f"{len(verdict.claims)} of {len(expected)} claims ran"
        return Verdict(WRONG, "not every claim was checked", ran, printed=verdict.printed)
    return verdict


def message(exercise, verdict, *, verbose=False, explain=False):
    """Write the result for the learner: what is wrong, the evidence, and where to look."""
    equations = f" ({', '.join(exercise.equations)})" if exercise.equations else ""
    lines = [f"{WORDS[verdict.code]:5}  {exercise.id}{equations}"]
    if verdict.says:
        lines[0] += f": {verdict.says}"
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
        lines += explanation(exercise, verdict)
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
