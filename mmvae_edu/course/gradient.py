"""The command gradcheck: the gradient checker on a function of one's own.

Inputs: the library's examples where the function has an exercise's name, else what `example(rng)`
in the file returns, (args, constants), a tuple of arrays and a dict of keyword arguments, else the
examples of the op of that name.
"""

import inspect
import itertools
import sys
import traceback
from pathlib import Path

import numpy as np

from .. import gradcheck
from ..claims.examples import EXAMPLES, differentiable
from .comparisons import GRADIENT, comparable
from .examine import FAULT, NOT_ATTEMPTED, RIGHT, WRONG, Verdict
from .exercises import NotAttempted, exercises
from .recorded import Recorded, call_mismatch, described
from .runner import loaded
from .stages import regression
from .trees import copied, leaves

POINTS = 5  # inputs of different shapes or values


def run(arguments):
    """Check the function, print one sentence and perhaps the terms; return the exit code."""
    path, _, name = arguments.target.rpartition(":")
    if not path or not name:
        raise ValueError(f"{arguments.target}: expected FILE:FUNCTION, such as mine.py:my_bound")
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file")
    module = loaded(path)
    if isinstance(module, Verdict):
        says = ", ".join(filter(None, (module.says, module.evidence)))
        print(f"WRONG  {path}:{module.line or 1}: {says}")
        return WRONG
    f = getattr(module, name, None)
    if not callable(f):
        own = [n for n, g in vars(module).items() if inspect.isfunction(g)]
        raise ValueError(f"{path} defines no function {name}; there are {', '.join(own) or 'none'}")
    exercise = next((e for e in exercises().values() if e.name == name), None)
    if arguments.terms and (exercise is None or exercise.of not in regression.TERMS):
        known = [e.name for e in exercises().values() if e.of in regression.TERMS]
        raise ValueError(f"the terms of {name} are not known; those of {', '.join(known)} are")
    if exercise and exercise.changes:
        raise ValueError(f"{name} works in place and has no pullback: `mmvae-edu check {name}`")
    inputs = _inputs(exercise, f, module, path, arguments.seed)
    code = _check(name, f, path, inputs, arguments.seed)
    if code != NOT_ATTEMPTED and arguments.terms:
        _print_terms(exercise, f, inputs, arguments.seed)
    return code


def _inputs(exercise, f, module, path, seed):
    """Return [(args, constants)] from the library's examples or the file's example(rng)."""
    example = getattr(module, "example", None)
    if exercise is None and callable(example):
        made = [example(np.random.default_rng(seed + i)) for i in range(POINTS)]
        if not all(_is_example(pair) for pair in made):
            raise ValueError(
                f"example(rng) in {path} must return (args, constants): a tuple, a dict"
            )
        _bind(f, made[0])
        for i, arg in enumerate(made[0][0]):
            if isinstance(arg, np.ndarray) and arg.dtype != np.float64:
                raise ValueError(
                    f"example(rng) in {path}: argument {i + 1} is {arg.dtype}, expected float64; "
                    "what is not differentiated belongs in the dict"
                )
        return made
    ops = {op.__name__: op for op in EXAMPLES if inspect.isfunction(op)}
    op = exercise.of if exercise else ops.get(f.__name__)
    if op is None:
        raise ValueError(
            f"no inputs for {f.__name__}: it has no exercise's or op's name, so {path} must define "
            "example(rng), which returns (args, constants): a tuple of float64 arrays and a dict"
        )
    if wanted := call_mismatch(f, op):
        raise ValueError(f"{op.__name__} cannot be called as {wanted}; its parameters differ")
    if op not in EXAMPLES:
        raise ValueError(f"{op.__name__} has no pullback: `mmvae-edu check {op.__name__}`")
    draws = itertools.islice(itertools.cycle(EXAMPLES[op]), POINTS)
    return [draw(np.random.default_rng(seed + i)) for i, draw in enumerate(draws)]


def _is_example(pair):
    right = isinstance(pair, tuple | list) and len(pair) == 2
    return right and isinstance(pair[0], tuple | list) and isinstance(pair[1], dict)


def _bind(f, example):
    args, constants = example
    try:
        inspect.signature(f).bind(*args, **constants)
    except TypeError as problem:
        raise ValueError(
            f"{f.__name__} cannot be called with what example(rng) returns: {problem}"
        ) from None


def _check(name, f, path, inputs, seed):
    worst = 0.0
    for args, constants in inputs:
        try:
            rng = np.random.default_rng(seed)
            error = gradcheck.check_pullback(
                differentiable(f), *copied(args), rng=rng, **copied(constants)
            )
        except NotAttempted:
            print(f"TODO   {name}: not attempted yet")
            return NOT_ATTEMPTED
        except gradcheck.GradientError as problem:
            print(f"WRONG  {problem}")
            return WRONG
        except Exception:
            problem = described("raised", path)
            if problem.line is None:
                print(f"FAULT  {name}: the checker itself failed")
                traceback.print_exc(file=sys.stdout)
                return FAULT
            print(f"WRONG  {name} {problem.says}\n  look at:  {path}:{problem.line}")
            return WRONG
        worst = max(worst, error)
    points = f"{len(inputs)} input{'s' * (len(inputs) > 1)}"
    numbers = f"error {worst:.0e} of {gradcheck.RTOL:.0e}, {points}"
    print(f"RIGHT  the pullback of {name} is its derivative: {numbers}")
    print("       (that its value is right is another question: an oracle's)")
    return RIGHT


def _print_terms(exercise, f, inputs, seed):
    """Print each term's coefficient in f's gradient, found by least squares."""
    watched = Recorded(exercise, f)
    rng = np.random.default_rng(seed)
    for args, constants in inputs:
        for _ in range(3):
            value, pullback = watched(*copied(args), **copied(constants))
            pullback(*(rng.standard_normal(np.shape(leaf)) for leaf in leaves([value])))
    fit = regression.regress(exercise, comparable(watched.samples, GRADIENT), GRADIENT)
    if fit is None:
        print("  your gradient is no sum of the terms with constant coefficients")
        return
    width = max(map(len, fit.coefficients))
    print(f"  {'term':{width}}  coefficient")
    for name, values in fit.coefficients.items():
        values = values[~np.isnan(values)]
        mark = "" if np.abs(values - 1).max() < regression.CLOSE else "   expected 1"
        shown = ", ".join(f"{value:.6f}" for value in np.unique(values.round(6)))
        print(f"  {name:{width}}  {shown}{mark}")
    print(f"  left over: {fit.residual:.0e} of the whole")
