"""The check of a learner's file: it is loaded, its function is found and examined."""

import inspect
import math
import sys
import types

import numpy as np

from ..support.files import read_source
from . import old_names
from .examine import NOT_ATTEMPTED, WRONG, Verdict, examine
from .exercises import NotAttempted
from .lock import Lock, Locked, library
from .recorded import described
from .trees import described_value


def check(exercise, path, seeds, *, locked=(), explain=False):
    """Load the file, find the function and examine it; it may call no function that is locked."""
    before, lock = _callables(), Lock(locked)
    with lock:
        module = loaded(path)
    if isinstance(module, Verdict):
        return module
    f = getattr(module, exercise.name, None)
    if refusal := not_the_learners(exercise, f, module, path):
        return refusal
    verdict = examine(exercise, f, seeds=seeds, path=path, lock=lock, explain=explain)
    for (changed, name), value in before.items():
        if vars(changed).get(name) is not value:
            says = f"it changes {changed.__name__}.{name}, which the check needs as it is"
            return Verdict(WRONG, says)
    return verdict


def loaded(path):
    """Load the file: its module, or the Verdict that says why it cannot be loaded."""
    try:
        source = read_source(path)
    except ValueError as problem:
        return Verdict(WRONG, str(problem))
    try:
        return _run(source, path)
    except Locked as problem:
        return Verdict(WRONG, f"it calls the library's own {problem} as the file is loaded")
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as problem:
        if isinstance(problem, SyntaxError) and problem.filename == str(path):
            return Verdict(WRONG, f"syntax error: {problem.msg}", line=problem.lineno)
        code = NOT_ATTEMPTED if isinstance(problem, NotAttempted) else WRONG
        found = described("raised", path, "as it is loaded", subject="the file")
        return Verdict(code, found.says, found.evidence, found.line, traceback=found.traceback)


def load(path):
    """Run the file as a module of its own."""
    return _run(read_source(path), path)


def _run(source, path):
    old_names.allow()
    module = types.ModuleType("exercise")
    module.__file__ = str(path)
    sys.modules["exercise"] = module
    exec(compile(source, str(path), "exec"), vars(module))
    return module


def not_the_learners(exercise, f, module, path):
    """Return a Verdict if the file has no such function, or somebody else's; else None."""
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


def _callables():
    """Map (module, name) to its function or class, of this package, NumPy and math."""
    names = [(module, name) for module in (*library(), np, math) for name in vars(module)]
    return {(m, name): vars(m)[name] for m, name in names if callable(vars(m)[name])}
