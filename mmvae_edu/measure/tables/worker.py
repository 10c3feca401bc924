"""The process of one job: it reads the job as JSON from standard input, and writes its result.

Arguments: the folder for checkpoints, and the device.
"""

import json
import os
import sys
from threading import Thread

from ...support.spelling import spell_out
from .jobs import run


def main():
    spell_out(sys.stderr)
    job = json.loads(sys.stdin.readline())
    Thread(target=end_with_parent, daemon=True).start()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever is printed on the way goes to standard error
    try:
        result = run(job, sys.argv[1], device=sys.argv[2])
    except (ValueError, OSError) as problem:
        sys.exit(str(problem))
    answers.write(json.dumps(result))
    answers.close()


def end_with_parent():
    """End this process once standard input is closed: nobody waits for the result."""
    while os.read(0, 1):
        pass
    os._exit(1)
