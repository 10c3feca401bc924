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

from . import old_names
from .examine import FAULT, NOT_ATTEMPTED, WRONG, Verdict, examine
from .exercises import exercises
from .lock import Extent, Locked, lock
from .recorded import described
from .trees import described_value

MEMORY = 8 * 2**30  # bytes that a check may take
NO_TEXT = "the file cannot be read as text: save it as UTF-8"


class Unreadable(Exception):
    """A file that is no text; why."""


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
        extent = Extent()
        ready(exercise, extent)
        answer(started=True)
        explain = request.get("explain", False)
        verdict = check(exercise, request["path"], request["seeds"], extent, explain=explain)
    except Exception:
        verdict = Verdict(FAULT, "the checker itself failed", traceback=traceback.format_exc())
    sys.stdout.flush()
    answer(verdict=verdict.as_dict())
    os._exit(0)  # a thread that the learner's file has left running does not matter


def limit_memory():
    """End a list that grows for ever by a MemoryError, where the system can."""
    try:
        import resource
    except ImportError:  # on Windows
        return
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    if most == resource.RLIM_INFINITY or most > MEMORY:
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, most))


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
    except Unreadable as problem:
        return Verdict(WRONG, NO_TEXT, str(problem))
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
    source = text_of(path)
    old_names.allow()
    module = types.ModuleType("exercise")
    module.__file__ = str(path)
    sys.modules["exercise"] = module
    exec(compile(source, str(path), "exec"), vars(module))
    return module


def text_of(path):
    """The text of a file in the encoding that it declares; raises Unreadable."""
    try:
        with tokenize.open(path) as file:
            text = file.read()
    except (SyntaxError, UnicodeDecodeError) as problem:
        raise Unreadable(str(problem).replace(f" for {str(path)!r}", "")) from None
    if "\0" in text:
        raise Unreadable("it holds null bytes")
    return text


def not_the_learners(exercise, f, module, path):
    """A Verdict where the file has no such function, or has somebody else's; else None."""
    if f is None:
        own = [n for n, g in vars(module).items() if callable(g) and _is_in(g, path)]
        return Verdict(
            WRONG,
            f"the file defines no function {exercise.name}",
            f"it defines {', '.join(own) or 'no function'}",
        )
    if not callable(f):
        return Verdict(WRONG, f"{exercise.name} is {described_value(f)}, not a function")
    if not _is_in(f, path):
        says = f"{exercise.name} is not defined in the file; write it yourself"
        return Verdict(WRONG, says, f"it comes from {_origin(f)}")
    return None


def _is_in(f, path):
    """Is the code of f, of its class or of what a decorator wraps, in the learner's file?"""
    functions = (f, inspect.unwrap(f), type(f).__call__)
    codes = [getattr(g, "__code__", None) for g in functions]
    return any(code.co_filename == str(path) for code in codes if code)


def _origin(f):
    module = getattr(f, "__module__", type(f).__name__)
    code = getattr(inspect.unwrap(f), "__code__", None)
    return code.co_filename if code and module == "exercise" else module


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
