"""The process in which a learner's file runs: it reads a request and writes one verdict.

The verdict goes out through what was standard output, which the learner's prints never reach.
"""

import json
import math
import os
import sys
import threading
import time
import traceback

from .examine import FAULT, WRONG, Verdict
from .exercises import exercises
from .process import end_group
from .recorded import described
from .runner import check


def main():
    """Answer one request, a line of JSON on standard input: see `checker`, `cli.gradcheck`."""
    request = json.loads(sys.stdin.readline())
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    threading.Thread(target=end_with_parent, args=(os.dup(0),), daemon=True).start()
    os.dup2(2, 1)  # prints go to standard error
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream in sys.stdout, sys.stderr:
        stream.reconfigure(errors="replace")

    def answer(**fields):
        print(json.dumps({"token": request["token"], **fields}), file=answers, flush=True)

    try:
        sys.path.insert(0, os.path.dirname(os.path.abspath(request["path"])))  # as of a script
        limit(request["cpu"], request["memory"])
        answer(started=True)
        verdict = judged(request)
    except KeyboardInterrupt:  # the file's own: Ctrl-C ends the parent, and this process with it
        found = described("raised", request["path"])
        verdict = Verdict(WRONG, found.says, line=found.line, traceback=found.traceback)
    except Exception:
        verdict = Verdict(FAULT, "the checker itself failed", traceback=traceback.format_exc())
    sys.stdout.flush()
    answer(verdict=verdict.as_dict())
    os._exit(0)  # a thread that the learner's file has left running does not matter


def judged(request):
    """Return the Verdict on an exercise, or on the pullback of a function of the learner's own."""
    path = request["path"]
    if "function" in request:
        from .gradient import check_gradient

        return check_gradient(path, request["function"], request["seed"], request["terms"])
    exercise = exercises()[request["id"]]
    options = {"locked": exercise.locked, "explain": request["explain"]}
    return check(exercise, path, request["seeds"], **options)


def end_with_parent(pipe):
    """Wait for the end of the parent, which closes the pipe; then kill this process and its group.

    The parent may have been killed itself.
    """
    os.read(pipe, 1)
    end_group(os.getpid())
    os._exit(1)


def limit(cpu, memory):
    """Limit CPU time, by a signal, and memory, by a MemoryError, where the system can do that."""
    try:
        import resource
    except ImportError:  # on Windows
        return
    seconds = math.ceil(time.process_time() + cpu)
    limits = {resource.RLIMIT_CPU: seconds, resource.RLIMIT_DATA: memory, resource.RLIMIT_CORE: 0}
    for kind, soft in limits.items():
        _, most = resource.getrlimit(kind)
        if most == resource.RLIM_INFINITY or most > soft:
            resource.setrlimit(kind, (soft, most))
