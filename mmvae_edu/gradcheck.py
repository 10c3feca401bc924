"""Checks that a pullback is the derivative of its function.

An op maps theta to y, and with J = ∂y/∂theta its pullback must map a cotangent dy to Jᵀ dy. For a
direction v, one number is computed in two ways, from the op alone and from the pullback alone:

    <dy, J v>  =  <Jᵀ dy, v>

    J v = (y(theta + h v) − y(theta − h v)) / 2h     differences: error O(h²) + O(eps |y| / h)
    J v = Im y(theta + i h v) / h                    complex step: no subtraction, so h = 1e-30

A wrong Jᵀ passes for random v and dy with probability 0. With dy = 1 it may pass: the outputs of a
softmax sum to 1, so Jᵀ 1 = 0, and a softmax pullback wrong by any factor agrees.

Every array among the arguments gets its own directions, |v| = max(1, |array|), and every array of
the value its own cotangents, so that no array's gradient hides behind a larger one's. Numbers of
one array share a scale: 1e-7 of the largest is not seen among them. The relative error is

    (|<dy, J v> − <Jᵀ dy, v>| + ‖dy ⊙ e‖) / scale,      scale = max(‖dy ⊙ J v‖, ‖Jᵀ dy ⊙ v‖)

where the norms are the size of such sums for random signs (the sum itself may cancel) and e is the
error of J v itself: the check cannot see less. Where one step h = 1e-5 does not show 1e-7 of the
gradient, steps from 0.1 to 1e-9 tell what it is: curvature (the differences converge as h², and are
extrapolated to h = 0), rounding (they diverge as 1/h), a kink (the forward difference stays apart
from the backward one) or a wrong Jᵀ (they agree with each other and not with the pullback).
At a stationary point both sides are 0 whatever the pullback's factor: the check moves beside it.
"""

import inspect
from contextlib import contextmanager
from itertools import pairwise
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np

from .kernels.arrays import check

STEP, STEPS = 1e-5, np.logspace(-1, -9, 9)
LADDERS = np.array([STEP]), STEPS[:3], STEPS  # tried in turn; large steps round least
BESIDE = 0.01  # times v: a point where a gradient that vanishes at theta does not
RTOL, RTOL_COMPLEX = 1e-7, 1e-13
HIDDEN = 1e-3  # a larger relative error must not stay hidden
DIRECTIONS = 3
MOST_ERRORS = 5  # standard errors of a mean
ROUNDING = 2 * np.finfo(np.float64).eps  # of a value, relative
TINY = np.finfo(np.float64).tiny


class GradientError(AssertionError):
    """A pullback is not the derivative of its op, breaks the convention, or cannot be checked."""


def check_pullback(op, *args, rng, **constants):
    """Check the pullback of `op` at `args` by central differences.

    op(*args, **constants) returns (value, pullback); value is an array or a tuple of arrays. args
    are float64 arrays, floats, or dicts, lists and tuples of them. The pullback takes one cotangent
    per array of the value. It returns the gradient of its one argument, or of several a tuple, each
    with the argument's structure, shapes and dtype.
    Returns a bound on the relative error of every gradient: the difference found plus the error of
    the differences themselves; at most 1e-7, or up to 1e-3 where they are no better.
    Raises GradientError if the two differ, and names the op, the coordinate and both numbers; if
    the point is at a kink, or the differences cannot show an error of 1e-3; also if an argument,
    value or gradient is empty or no finite float64, if anything is changed in place, if the value
    or the pullback changes when called again, or if the pullback is not linear.
    """
    return _check(_VectorOp(op, args, constants), rng, LADDERS, RTOL)


def complex_step(op, *args, rng, **constants):
    """Check the pullback of `op` at `args` by a complex step: as `check_pullback`, but to 1e-13.

    The op's code must take complex arrays and be analytic: no abs, ReLU or conjugate.
    """
    return _check(_VectorOp(op, args, constants), rng, [None], RTOL_COMPLEX)


class _Point(NamedTuple):
    """A point theta, the value y, a cotangent dy and the pullback's gradient dtheta for it."""

    f: "_VectorOp"
    theta: np.ndarray
    y: np.ndarray
    dy: np.ndarray
    dtheta: np.ndarray


def norm(x):
    """Compute the root of the sum of squares, without overflow or underflow."""
    largest = abs(x).max(initial=0.0)
    return largest * np.linalg.norm(x / largest) if 0 < largest < np.inf else largest


def _generator(rng):
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError):
        raise ValueError(f"rng: expected a generator or a seed, found {rng!r}") from None


def _check(f, rng, ladders, rtol):
    rng = _generator(rng)
    y, pullback = f(f.theta)
    _check_convention(f, rng)
    worst = 0.0
    for _ in range(DIRECTIONS):
        for output in f.outputs.values():
            dy = np.zeros_like(y)
            dy[output] = rng.standard_normal(y[output].size)
            point = _Point(f, f.theta, y, dy, pullback(dy))
            for part in f.parts.values():
                v = _direction(f.theta, part, rng)
                worst = max(worst, _relative_error(point, v, ladders, rtol))
    return float(worst)


def _check_convention(f, rng):
    """Check that value and pullback repeat when called again, and that the pullback is linear."""
    y, pullback = f(f.theta)
    dy, dy2 = rng.standard_normal((2, y.size))
    dtheta, dtheta2 = pullback(dy), pullback(dy2)
    size = norm(dtheta) + norm(dtheta2) + norm(dy)
    if norm(f(f.theta)[0] - y) > 1e-12 * norm(y):
        f.fail("the value changes when called again; pass its noise as a constant")
    _value(f, f.theta + STEP * _direction(f.theta, slice(None), rng))  # not for the first pullback
    if norm(pullback(dy) - dtheta) > 1e-12 * size:
        f.fail("the pullback gives another result when called again")
    if norm(pullback(2 * dy - 3 * dy2) - 2 * dtheta + 3 * dtheta2) > 1e-12 * size:
        f.fail("the pullback is not linear in its cotangent")


def _direction(theta, part, rng):
    """Draw a random v, zero outside `part`, of length max(1, |theta[part]|)."""
    v = np.zeros_like(theta)
    v[part] = rng.standard_normal(theta[part].size)
    return v * max(1.0, norm(theta[part])) / (norm(v) or 1.0)


def _relative_error(point, v, ladders, rtol):
    """Compare the two sides along v with the first steps that resolve rtol; fail if they differ."""
    f, theta, y, dy, dtheta = point
    if _is_constant(point, v):
        return 0.0
    for steps in ladders:
        left, right, hidden, scale = _sides(point, v, steps)
        gap = abs(left - right)
        if gap + hidden <= rtol * scale and 0 < scale < np.inf:
            return (gap + hidden) / scale
    if not np.isfinite(scale + hidden):
        f(theta + STEP * v), f(theta - STEP * v)  # fail where the value is not finite
        f.fail("its numbers are too large to check; take a smaller point")
    if hidden < HIDDEN * scale:
        if gap > hidden + rtol * scale:
            _blame(point, v, steps, f"{right:.9g} and {left:.9g}: error {gap / scale:.1e}", rtol)
        return (gap + hidden) / scale
    if _kink(point, v) > hidden:
        _blame(point, v, steps)
    beside = theta + BESIDE * v
    slope = norm(dy * (_value(f, beside) - y)) / BESIDE
    if theta is f.theta and hidden < HIDDEN * slope:
        y, pullback = f(beside)
        return _relative_error(_Point(f, beside, y, dy, pullback(dy)), v, ladders, rtol)
    part = next(name for name, part in f.parts.items() if v[part].any())
    times = norm(dy * y) / max(scale, ROUNDING * norm(dy * y), TINY)
    if times > 1e5:
        reason = f"the value is {times:.0e} times its gradient: subtract a constant"
    else:
        reason = (
            "the value jumps or is too curved or noisy for steps from 0.1 to 1e-9: move the point"
        )
    f.fail(f"a wrong gradient of {part} would not show; {reason}")


def _is_constant(point, v):
    """Are the gradient along v and the change beside it only rounding, of a value not huge?"""
    f, theta, y, dy, dtheta = point
    unit = max(1.0, norm(theta))
    rounding = ROUNDING * norm(dy * np.minimum(abs(y), unit))
    if norm(dtheta * v) > rounding or norm(dy * y) > 1e8 * unit * norm(dy):
        return False
    return all(norm(dy * (_value(f, theta + h * v) - y)) <= rounding for h in (BESIDE, -BESIDE))


def _sides(point, v, steps):
    """Compute <dy, J v>, <dtheta, v>, the error of the first, and the scale of the two."""
    dy, dtheta = point.dy, point.dtheta
    Jv, error = _derivative(point, v, steps)
    return dy @ Jv, dtheta @ v, norm(dy * error), max(norm(dy * Jv), norm(dtheta * v))


def _derivative(point, v, steps):
    """Compute J v and its error: by a complex step where `steps` is None, else by differences.

    The error of a single step is its rounding. Of several, two neighbours extrapolate to h = 0; the
    error is the largest distance to the limits of the step before and of all smaller ones, beyond
    their rounding. Every number of the value takes the steps that suit it best; not those within a
    stair, where it stays the same though larger steps agree on a slope.
    """
    if steps is None:
        y = point.f(point.theta + 1e-30j * v)[0]
        return y.imag / 1e-30, ROUNDING * abs(y.real)
    Jv, rounding, change = _differences(point, v, steps)
    if len(steps) == 1:
        return Jv[0], rounding[0]
    limit = (100 * Jv[1:] - Jv[:-1]) / 99  # cancels the error in h²
    beyond = [abs(limit[k - 1 :] - limit[k]) - rounding[k:] for k in range(1, len(limit))]
    error = np.array([b.max(axis=0) for b in beyond]).clip(0) + rounding[2:]
    slope = abs(Jv[1:])
    agree = (abs(Jv[1:] - Jv[:-1]) < slope / 10) & (abs(change[1:]) < slope / 2)
    stair = (Jv[1:-1] == 0) | (Jv[2:] == 0)
    error = np.where(stair & agree.any(axis=0), abs(Jv).max(axis=0), error)
    best = np.where(np.isnan(error), np.inf, error).argmin(axis=0), np.arange(Jv.shape[1])
    return limit[1:][best], error[best]


def _kink(point, v):
    """Sum how far the slopes before and after the point differ, if as far with a smaller step."""
    _, rounding, change = _differences(point, v, STEPS[[3, 5]])
    coarse, fine = abs(change)
    apart = (fine < 2 * coarse) & (coarse < 2 * fine) & (fine > rounding[1])
    return abs(point.dy) @ np.where(apart, fine, 0.0)


def _differences(point, v, steps):
    """Compute for each step J v, its rounding, and the forward less the backward difference."""
    (f, theta, y, *_), h = point, steps[:, None]
    plus, minus = (np.array([_value(f, theta + s * v) for s in side]) for side in (steps, -steps))
    rounding = ROUNDING * (abs(plus) + abs(minus)) / (2 * h)
    return (plus - minus) / (2 * h), rounding, (plus - 2 * y + minus) / h


def _value(f, theta):
    """Compute the value, NaN where there is none."""
    try:
        with np.errstate(all="ignore"):
            return f(theta)[0]
    except (GradientError, ValueError, ArithmeticError):
        return np.full(f.size, np.nan)


def _blame(point, v, steps, numbers=None, rtol=None):
    """Fail with a wrong coordinate or, without numbers, with one at a kink.

    Halve v and keep the half with the larger gap and kink. The gaps of two halves add up to that of
    the whole, so no gap is less than half of the last.
    """
    f, theta, _, dy, _ = point

    def gap_and_kink(v):
        left, right, *_ = _sides(point, v, steps)
        return abs(left - right) + _kink(point, v)

    i, index = np.flatnonzero(v), np.arange(v.size)
    while i.size > 1:
        halves = np.array_split(i, 2)
        i = max(halves, key=lambda half: gap_and_kink(np.where(np.isin(index, half), v, 0.0)))
    length = max(1.0, abs(theta[i[0]]))
    v = np.where(index == i, length, 0.0)
    left, right, *_ = _sides(point, v, steps)
    place = _coordinate(f.leaves, i[0])
    if not numbers or abs(left - right) < 0.6 * _kink(point, v):  # a slope is half of it off
        f.fail(f"{place} is at a kink, where the slopes before and after differ: move the point")
    output = next(name for name, rows in f.outputs.items() if dy[rows].any())
    means = "complex step" if steps is None else "central differences"
    beside = "" if theta is f.theta else "beside this stationary point, "
    f.fail(
        f"{beside}gradient of {place} is {right / length:.9g}, by {means} {left / length:.9g}\n  "
        f"weighed by a random cotangent of {output}; along a random direction {numbers}, "
        f"tolerance {rtol:.0e}"
    )


class Unbiased(NamedTuple):
    """The mean of an estimator's draws, its standard error, and its distance from the expected."""

    mean: np.ndarray
    error: np.ndarray
    z: np.ndarray  # (mean − expected) / error


def check_unbiased(estimator, expected, *, rng, draws=1000, bias=0.1):
    """Check that the mean of a random gradient is the expected one, by z-scores.

        z = (mean − expected) / error,    error = their standard deviation / √draws

    estimator(rng) returns a draw, an array like `expected`; it may itself be a mean over many, such
    as a pullback of the bounds of one example N times.  error is at least 1e-7 of the largest
    expected number.  Returns the mean, error and z, like `expected`.
    Raises GradientError if some |z| is above 5, and names the coordinate: by chance this happens
    once in 1.7 million coordinates.  It also raises if the control passes, these draws times
    1 + bias: then there are too few to see such a bias.  An expected gradient of 0 has no control.
    """
    check("expected", expected, "iuf")
    expected, rng = np.asarray(expected, dtype=float), _generator(rng)
    if not np.isfinite(expected).all():
        raise ValueError("expected: expected finite numbers, found NaN or inf")
    if not isinstance(draws, Integral):
        raise ValueError(f"draws: expected a whole number, at least 2, found {draws!r}")
    if not (isinstance(bias, Real) and 0 < bias < np.inf):
        raise ValueError(f"bias: expected a finite number above 0, found {bias!r}")
    name = getattr(estimator, "__name__", repr(estimator))
    if draws < 2 or not expected.size:
        raise GradientError(f"{name}: expected 2 draws or more of one number or more")
    total = squares = np.zeros_like(expected)
    for _ in range(draws):
        gradient = np.asarray(estimator(rng))
        if gradient.shape != expected.shape or not np.isfinite(gradient).all():
            raise GradientError(f"{name}: a draw is no finite array of shape {expected.shape}")
        off = gradient - expected
        total, squares = total + off, squares + off * off
    off = total / draws
    variance = np.maximum(squares / draws - off * off, 0) / (draws - 1)
    error = np.maximum(np.sqrt(variance), RTOL * max(abs(expected).max(), np.finfo(float).tiny))
    found = Unbiased(expected + off, error, off / error)
    i = np.unravel_index(abs(found.z).argmax(), expected.shape)
    if abs(found.z[i]) > MOST_ERRORS:
        raise GradientError(
            f"{name}: the mean of {draws} draws at {[int(k) for k in i]} is {found.mean[i]:.6g} ± "
            f"{error[i]:.2g}, expected {expected[i]:.6g}: {abs(found.z[i]):.1f} standard errors off"
        )
    control = abs(found.z + bias * found.mean / error).max() / (1 + bias)
    if control <= MOST_ERRORS and expected.any():
        raise GradientError(
            f"{name}: {draws} draws are too few to see a gradient off by the factor {1 + bias:g}: "
            f"take {int(draws * (2 * MOST_ERRORS / control) ** 2)}"
        )
    return found


class _VectorOp:
    """An op as y = f(theta) between vectors; every call checks the convention.

    leaves: path -> array, such as "params['W']"; theta: these end to end; parts: their slices;
    outputs: the slices of the value's arrays in y, and size: its length.
    """

    def __init__(self, op, args, constants):
        if not callable(op):
            raise ValueError(f"op: expected a function, found {op!r}")
        self.op, self.args, self.constants = op, args, constants
        self.name = getattr(op, "__name__", repr(op))
        self.names = _positional_names(op, len(args))
        self.leaves = _flatten(dict(zip(self.names, args, strict=True)))
        for path, leaf in (self.leaves | _flatten(constants)).items():
            check(path, leaf, "biufc" if path in constants else "iufc")
        if not self.leaves:
            self.fail("no positional argument to differentiate")
        self.theta = self._join(self.leaves, self.leaves)
        if np.iscomplexobj(self.theta):
            self.fail("expected arguments of float64, found complex128")
        self.parts = _slices(self.leaves)

    def fail(self, message):
        raise GradientError(f"{self.name}: {message}")

    def __call__(self, theta):
        inputs = _split(theta, self.leaves)
        args = _unflatten(self.args, iter(inputs.values()))
        inputs |= _flatten(self.constants)
        with self._untouched(inputs, "the op"):
            result = self.op(*args, **self.constants)
        if not (isinstance(result, tuple) and len(result) == 2 and callable(result[1])):
            self.fail("must return a pair (value, pullback)")
        value, pullback = result
        values = _flatten({"value": value})
        if not values:
            self.fail("the value holds no array")
        y = self._join(values, values, "" if theta is self.theta else "a step beside the point, ")
        self.outputs, self.size, given = _slices(values), y.size, {}

        def vector_pullback(dy):
            cotangents = _split(dy, values)
            watched = {f"d{path}": dvalue for path, dvalue in cotangents.items()}
            watched |= values | inputs | given
            with self._untouched(watched, "the pullback"):
                gradient = pullback(*cotangents.values())
            if len(self.names) == 1:
                several = isinstance(gradient, list | tuple)
                if several and not isinstance(self.args[0], list | tuple):
                    kind = type(gradient).__name__
                    self.fail(f"the pullback returns a {kind} for {self.names[0]}: return it bare")
                gradient = (gradient,)
            if not isinstance(gradient, tuple) or len(gradient) != len(self.names):
                self.fail(f"the pullback must return a tuple, one for each of {self.names}")
            gradients = _flatten(dict(zip(self.names, gradient, strict=True)))
            joined = self._join(gradients, self.leaves, "gradient of ")
            given.update((f"its earlier gradient of {p}", leaf) for p, leaf in gradients.items())
            return joined

        return y, vector_pullback

    def _join(self, arrays, like, what=""):
        """Join the arrays end to end; fail unless they are finite and in form like `like`."""
        for path in arrays | like:
            kind, expected = _kind(arrays.get(path)), _kind(like.get(path))
            if kind != expected:
                self.fail(f"{what}{path} is {kind}, expected {expected}")
            if not kind.startswith(("float64", "complex128")):
                self.fail(f"{what}{path} is {kind}, expected float64")
            if not np.size(like[path]):
                self.fail(f"{what}{path} is empty, {np.shape(like[path])}: it has no gradient")
        vector = np.concatenate([np.ravel(arrays[path]) for path in like])
        for i in np.flatnonzero(~np.isfinite(vector))[:1]:
            self.fail(f"{what}{_coordinate(like, i)} is {vector[i]}")
        return vector

    @contextmanager
    def _untouched(self, leaves, who):
        arrays = {path: leaf for path, leaf in leaves.items() if isinstance(leaf, np.ndarray)}
        before = {path: array.tobytes() for path, array in arrays.items()}  # bytes: NaN is NaN
        yield
        for path, array in arrays.items():
            if array.tobytes() != before[path]:
                self.fail(f"{who} changes {path} in place")


def _positional_names(op, n):
    """Name the first n positional parameters; those of *xs are xs[0], xs[1], ..."""
    parameters = inspect.signature(op).parameters.values()
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = "".join(p.name for p in parameters if p.kind == p.VAR_POSITIONAL)
    return (names + [f"{rest}[{i}]" for i in range(n)])[:n]


def _flatten(trees):
    """Collect the leaves of nested dicts, lists and tuples, each under the expression for it."""
    leaves = {}
    for path, tree in trees.items():
        children = dict(enumerate(tree)) if isinstance(tree, list | tuple) else tree
        if isinstance(children, dict):
            leaves |= _flatten({f"{path}[{key!r}]": child for key, child in children.items()})
        else:
            leaves[path] = tree
    return leaves


def _unflatten(like, leaves):
    """Build the containers of `like` around the next leaves."""
    if isinstance(like, dict):
        return {key: _unflatten(child, leaves) for key, child in like.items()}
    if isinstance(like, list | tuple):
        return type(like)(_unflatten(child, leaves) for child in like)
    return next(leaves)


def _split(vector, like):
    """Cut a vector into views of the shapes of `like`; shape () becomes a NumPy scalar."""
    parts = _slices(like).items()
    return {path: vector[part].reshape(np.shape(like[path]))[()] for path, part in parts}


def _slices(leaves):
    """Give each leaf its slice of the leaves laid end to end."""
    ends = np.cumsum([0, *map(np.size, leaves.values())]).tolist()
    return {path: slice(*ends) for path, ends in zip(leaves, pairwise(ends), strict=True)}


def _coordinate(leaves, i):
    """Name coordinate i of the leaves laid end to end, such as W[2, 1]."""
    for path, leaf in leaves.items():
        if i < np.size(leaf):
            index = [int(k) for k in np.unravel_index(i, np.shape(leaf))]
            return f"{path}{index}" if index else path
        i -= np.size(leaf)


def _kind(leaf):
    return "nothing" if leaf is None else f"{np.asarray(leaf).dtype} {np.shape(leaf)}"
