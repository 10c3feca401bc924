"""The process in which a learner's file runs: reads a request, writes one verdict.

The verdict goes out through what was standard output, which the learner's prints never reach.
"""

import inspect
import json
import math
import os
import sys
import tokenize
import traceback
import types

import numpy as np

from .examine import FAULT, NOT_ATTEMPTED, WRONG, Verdict, examine
from .exercises import exercises
from .lock import Extent, Locked, lock
from .recorded import described


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
        exercise = exercises()[request["id"]]
        extent = Extent()
        ready(exercise, extent)
        answer(started=True)
        explain = request.get("explain", False)
        verdict = check(exercise, request["path"], request["seeds"], extent, explain=explain)
    except Exception:
        verdict = Verdict(FAULT, "the checker itself failed", traceback=traceback.format_exc())
    sys.stdout.flush()
    answer(verdict=verdict.as_dict())


def ready(exercise, extent):
    """Lock the library's version of the function that is being solved."""
    for function in exercise.locked:
        lock(function, extent)


def check(exercise, path, seeds, extent, *, explain=False):
    """Load the file, find the function, examine it; what is locked is so within the extent."""
    before = _state()
    try:
        with extent:
            module = load(path)
    except SyntaxError as problem:
        if problem.filename != str(path):
            return _of(described("raised", path))
        return Verdict(WRONG, f"syntax error: {problem.msg}", line=problem.lineno)
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except Locked as problem:
        return Verdict(WRONG, f"calls the library's own {problem} as the file is loaded")
    except BaseException:
        return _of(described("raised", path))
    f = getattr(module, exercise.name, None)
    if refusal := not_the_learners(exercise, f, module, path):
        return refusal
    verdict = examine(exercise, f, seeds=seeds, path=path, extent=extent, explain=explain)
    if changed := _changed(before):
        return Verdict(WRONG, f"changes {changed}, which the check needs as it is")
    return verdict


def load(path):
    """Run the file as a module of its own."""
    with tokenize.open(path) as file:
        source = file.read()
    module = types.ModuleType("exercise")
    module.__file__ = str(path)
    sys.modules["exercise"] = module
    exec(compile(source, str(path), "exec"), vars(module))
    return module


def not_the_learners(exercise, f, module, path):
    """A Verdict where the file has no such function, or has somebody else's; else None."""
    if f is None:
        own = [n for n, g in vars(module).items() if callable(g) and _is_in(g, path)]
        return Verdict(
            WRONG,
            f"the file defines no function {exercise.name}",
            f"it defines {', '.join(own) or 'no function'}",
        )
    if not callable(f) or not _is_in(f, path):
        says = f"{exercise.name} is not defined in the file; write it yourself"
        return Verdict(WRONG, says, f"it comes from {getattr(f, '__module__', type(f).__name__)}")
    return None


def _is_in(f, path):
    """Is the code of f, or of what a decorator wraps, in the learner's file?"""
    codes = [getattr(g, "__code__", None) for g in (f, inspect.unwrap(f))]
    return any(code.co_filename == str(path) for code in codes if code)


def _of(problem):
    code = NOT_ATTEMPTED if "NotAttempted" in problem.says else WRONG
    return Verdict(
        code, problem.says, "as the file is loaded", problem.line, traceback=problem.traceback
    )


def _state():
    """Every name of this package, NumPy and math, to see afterwards whether one was replaced."""
    modules = [m for n, m in sys.modules.items() if n == "mmvae_edu" or n.startswith("mmvae_edu.")]
    return {
        module: {name: value for name, value in vars(module).items() if callable(value)}
        for module in (*modules, np, math)
    }


def _changed(before):
    for module, names in before.items():
        for name, value in names.items():
            if vars(module).get(name) is not value:
                return f"{module.__name__}.{name}"
    return None
