"""The gradient checker on a function in a learner's file: a Verdict on its pullback.

Inputs: the library's examples where the function has an exercise's name, else what `example(rng)`
in the file returns, (args, constants), a tuple of arrays and a dict of keyword arguments, else the
examples of the op of that name.
"""

import inspect
import itertools

import numpy as np

from .. import gradcheck
from ..claims.examples import EXAMPLES, differentiable
from ..kernels.arrays import check
from .comparisons import GRADIENT, comparable
from .examine import FAULT, NOT_ATTEMPTED, RIGHT, USAGE, WRONG, Verdict
from .exercises import NotAttempted, exercises
from .recorded import Raised, Recorded, call_mismatch, described
from .runner import loaded
from .stages import regression
from .trees import copied, leaves

POINTS = 5  # inputs of different shapes or values
NO_TERMS = "  your gradient is no sum of the terms with constant coefficients"


class Misuse(Exception):
    """The function cannot be checked as asked; the text is for the learner."""


def check_gradient(path, name, seed, terms):
    """Check the function `name` of a file; terms: also list their coefficients, as the example."""
    module = loaded(path)
    if isinstance(module, Verdict):
        says = ", ".join(filter(None, (module.says, module.evidence)))
        return Verdict(module.code, f"{path}:{module.line or 1}: {says}")
    running = "example(rng)"
    try:
        f, exercise = _function(module, name, path, terms)
        inputs = _inputs(exercise, name, f, module, path, seed)
        running = name
        verdict = _check(name, f, inputs, seed)
        if terms:
            verdict.example = _terms(exercise, f, inputs, seed)
    except Misuse as problem:
        return Verdict(USAGE, str(problem))
    except NotAttempted:
        return Verdict(NOT_ATTEMPTED, f"{name}: not attempted yet")
    except BaseException:  # sys.exit() as well
        found = described("raised", path, subject=running)
        if found.line is None:
            says = f"{name}: the checker itself failed"
            return Verdict(FAULT, says, traceback=found.traceback)
        return Verdict(WRONG, found.says, line=found.line)
    return verdict


def _function(module, name, path, terms):
    """Return the function and the exercise that has its name, or None."""
    f = getattr(module, name, None)
    if not callable(f):
        own = [n for n, g in vars(module).items() if inspect.isfunction(g)]
        raise Misuse(f"{path} defines no function {name}; there are {', '.join(own) or 'none'}")
    exercise = next((e for e in exercises().values() if e.name == name), None)
    if terms and (exercise is None or exercise.of not in regression.TERMS):
        known = [e.name for e in exercises().values() if e.of in regression.TERMS]
        raise Misuse(f"the terms of {name} are not known; those of {', '.join(known)} are")
    if exercise and exercise.changes:
        raise Misuse(f"{name} works in place and has no pullback: `mmvae-edu check {name}`")
    return f, exercise


def _inputs(exercise, name, f, module, path, seed):
    """Return [(args, constants)] from the library's examples or the file's example(rng)."""
    example = getattr(module, "example", None)
    if exercise is None and callable(example):
        _bind("example", example, ((None,), {}), "with a generator: example(rng)")
        made = [example(np.random.default_rng(seed + i)) for i in range(POINTS)]
        if not all(_is_example(pair) for pair in made):
            raise Misuse(f"example(rng) in {path} must return (args, constants): a tuple, a dict")
        _bind(name, f, made[0], "with what example(rng) returns")
        for i, arg in enumerate(made[0][0]):
            if isinstance(arg, np.ndarray) and arg.dtype != np.float64:
                raise Misuse(
                    f"example(rng) in {path}: argument {i + 1} is {arg.dtype}, expected float64; "
                    "what is not differentiated belongs in the dict"
                )
        try:
            for args, constants in made:
                check("args", args, "f")
                for key, constant in constants.items():
                    check(key, constant, "biufc")
        except ValueError as problem:
            raise Misuse(f"example(rng) in {path}: {problem}") from None
        return made
    ops = {op.__name__: op for op in EXAMPLES if inspect.isfunction(op)}
    op = exercise.of if exercise else ops.get(getattr(f, "__name__", name))
    if op is None:
        raise Misuse(
            f"no inputs for {name}: it has no exercise's or op's name, so {path} must define "
            "example(rng), which returns (args, constants): a tuple of float64 arrays and a dict"
        )
    if wanted := call_mismatch(f, op):
        raise Misuse(f"{op.__name__} cannot be called as {wanted}; its parameters differ")
    if op not in EXAMPLES:
        raise Misuse(f"{op.__name__} has no pullback: `mmvae-edu check {op.__name__}`")
    draws = itertools.islice(itertools.cycle(EXAMPLES[op]), POINTS)
    return [draw(np.random.default_rng(seed + i)) for i, draw in enumerate(draws)]


def _is_example(pair):
    right = isinstance(pair, tuple | list) and len(pair) == 2
    return right and isinstance(pair[0], tuple | list) and isinstance(pair[1], dict)


def _bind(name, f, example, what):
    args, constants = example
    try:
        inspect.signature(f).bind(*args, **constants)
    except (TypeError, ValueError) as problem:
        raise Misuse(f"{name} cannot be called {what}: {problem}") from None


def _check(name, f, inputs, seed):
    worst = 0.0
    for args, constants in inputs:
        rng = np.random.default_rng(seed)
        try:
            error = gradcheck.check_pullback(
                differentiable(f), *copied(args), rng=rng, **copied(constants)
            )
        except gradcheck.GradientError as problem:
            return Verdict(WRONG, str(problem))
        worst = max(worst, error)
    points = f"{len(inputs)} input{'s' * (len(inputs) > 1)}"
    numbers = f"no error above {worst:.0e} of the gradient, {points}"
    says = f"the pullback of {name} is its derivative: {numbers}\n"
    return Verdict(
        RIGHT, f"{says}       (that its value is right is another question: an oracle's)"
    )


def _terms(exercise, f, inputs, seed):
    """List each term's coefficient in f's gradient, found by least squares."""
    watched = Recorded(exercise, f)
    rng = np.random.default_rng(seed)
    try:
        for args, constants in inputs:
            for _ in range(3):
                value, pullback = watched(*copied(args), **copied(constants))
                pullback(*(rng.standard_normal(np.shape(leaf)) for leaf in leaves([value])))
    except (Raised, TypeError, ValueError):  # no pair, or a pullback that takes something else
        return [NO_TERMS]
    fit = regression.regress(exercise, comparable(watched.samples, GRADIENT), GRADIENT)
    if fit is None:
        return [NO_TERMS]
    width = max(map(len, fit.coefficients))
    lines = [f"  {'term':{width}}  coefficient"]
    for name, values in fit.coefficients.items():
        values = values[~np.isnan(values)]
        mark = "" if np.abs(values - 1).max() < regression.CLOSE else "   expected 1"
        shown = ", ".join(f"{value:.6f}" for value in np.unique(values.round(6)))
        lines.append(f"  {name:{width}}  {shown}{mark}")
    return [*lines, f"  left over: {fit.residual:.0e} of the whole"]
