"""The process in which a learner's file runs: it reads a request and writes one verdict.

The verdict goes out through what was standard output, which the learner's prints never reach.
"""

import json
import os
import sys
import traceback

from .examine import FAULT, Verdict
from .exercises import exercises
from .runner import check

MEMORY = 8 * 2**30  # bytes that a check may take


def main():
    """Answer one request, a line of JSON on standard input: id, path, seeds and a token."""
    request = json.loads(sys.stdin.readline())
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # prints go to standard error
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream in sys.stdout, sys.stderr:
        stream.reconfigure(errors="replace")

    def answer(**fields):
        print(json.dumps({"token": request["token"], **fields}), file=answers, flush=True)

    try:
        limit_memory()
        exercise = exercises()[request["id"]]
        answer(started=True)
        options = {"locked": exercise.locked, "explain": request["explain"]}
        verdict = check(exercise, request["path"], request["seeds"], **options)
    except Exception:
        verdict = Verdict(FAULT, "the checker itself failed", traceback=traceback.format_exc())
    sys.stdout.flush()
    answer(verdict=verdict.as_dict())
    os._exit(0)  # a thread that the learner's file has left running does not matter


def limit_memory():
    """Set a limit that turns a list which grows for ever into a MemoryError, where there is one."""
    try:
        import resource
    except ImportError:  # on Windows
        return
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    if most == resource.RLIM_INFINITY or most > MEMORY:
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, most))
