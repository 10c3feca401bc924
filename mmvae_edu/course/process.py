"""A process of its own for a learner's file: its limits, its verdict, and the end of its children.

The process leads a session, and so a group, of its own: on POSIX the whole group is killed at the
verdict, at a limit, at Ctrl-C; it kills itself when this process is gone (see `child`).
"""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from ..support.clones import python
from .examine import FAULT, WRONG, Verdict

LOOK = 0.1  # seconds between looks at what may end a check, besides its verdict
PRINTED = 10_000  # bytes of what it prints that are kept
SURROUNDINGS = {  # a window would wait for a click, idle threads of BLAS take CPU time
    "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "agg",
    "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
    "PYTHONOPTIMIZE": "",  # else a learner's assert checks nothing
}  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """Seconds of CPU time, of all threads together; seconds on the clock; bytes of memory.

    Windows limits the clock alone.
    """

    cpu: float = 30
    wall: float = 300 if os.name == "posix" else 30
    memory: int = 8 * 2**30


LIMITS = Limits()


def judge(request, *, limits=LIMITS, stop=None):
    """Return the Verdict of a new process on a request, a dict that `child.main` understands.

    stop: a threading.Event that ends the process.
    """
    token = secrets.token_hex(8)  # which the learner's file cannot know
    request = {**request, "token": token, "cpu": limits.cpu, "memory": limits.memory}
    with tempfile.TemporaryFile() as prints:  # no pipe, which its own processes would hold open
        process = subprocess.Popen(
            python("from mmvae_edu.course.child import main; main()"),
            stdin=subprocess.PIPE,  # open as long as this process lives
            stdout=subprocess.PIPE,
            stderr=prints,
            env={**os.environ, **SURROUNDINGS},
            start_new_session=True,
        )
        try:
            with contextlib.suppress(OSError):  # it is gone already
                process.stdin.write(f"{json.dumps(request)}\n".encode())
                process.stdin.flush()
            last = _last_answer(process, token, limits.wall, stop or threading.Event())
        finally:
            end_group(process.pid)
            process.kill()
            process.wait()
            with contextlib.suppress(OSError):
                process.stdin.close()
        printed = _end_of(prints)
    if "verdict" in last:
        return Verdict(**{**last["verdict"], "printed": printed})
    return _without_verdict(last, process.returncode, limits, printed)


def _last_answer(process, token, wall, stop):
    """Return the last of the process's answers, {} without any; {"late": ...} at the wall limit."""
    lines, last, end = SimpleQueue(), {}, time.monotonic() + wall
    threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
    while time.monotonic() < end and not stop.is_set():
        gone = process.poll() is not None
        try:
            line = lines.get(timeout=LOOK)
        except Empty:
            if gone:  # though a process of its own may hold the pipe open
                return last
            continue
        if line is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1)  # it is about to end, with a code of its own
            return last
        last = _answer(line, token) or last
        if "verdict" in last:
            return last
    return {"late": True}


def _read(pipe, lines):
    """Put the lines of a pipe into a queue, and None at its end."""
    with pipe:
        for line in pipe:
            lines.put(line)
    lines.put(None)


def _answer(line, token):
    try:
        answer = json.loads(line)
        return answer if answer["token"] == token else None
    except (ValueError, TypeError, KeyError):
        return None


def end_group(leader):
    """Kill the processes of a group, where there are groups."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)


def _end_of(prints):
    """Return the end of what was printed into a file."""
    prints.seek(max(0, prints.seek(0, os.SEEK_END) - PRINTED))
    return prints.read().decode("utf-8", "replace")


def _without_verdict(last, code, limits, printed):
    """Return the Verdict on a process that gave none."""
    name = next((s.name for s in signal.Signals if s == -code), f"signal {-code}")
    if "late" in last:
        says, why = f"no result after {limits.wall:.0f} s", "it waits, or is far too slow"
    elif name == "SIGXCPU":
        says = f"no result after {limits.cpu:.0f} s of CPU time"
        why = "an endless loop, or far too slow"
    elif not last:
        return Verdict(FAULT, "the check did not start", traceback=printed)
    else:
        says, why = "the file ended the process before the check was over", _ending(code, name)
    return Verdict(WRONG, says, why, printed=printed)


def _ending(code, name):
    if code >= 0:
        return f"the process ended with code {code}"
    return f"the process ended by {name}{', for want of memory?' if name == 'SIGKILL' else ''}"
