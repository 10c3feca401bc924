"""Checks that a pullback is the derivative of its function.

An op maps theta to y, and with J = ∂y/∂theta its pullback must map a cotangent dy to Jᵀ dy. For a
direction v, one number is computed in two ways, from the op alone and from the pullback alone:

    <dy, J v>  =  <Jᵀ dy, v>

    J v = (y(theta + h v) − y(theta − h v)) / 2h     differences: error O(h²) + O(eps |y| / h)
    J v = Im y(theta + i h v) / h                    complex step: no subtraction, so h = 1e-30

A wrong Jᵀ passes for random v and dy with probability 0. With dy = 1 it may pass: the outputs of a
softmax sum to 1, so Jᵀ 1 = 0, and a softmax pullback wrong by any factor agrees.

Every array among the arguments gets its own directions, |v| = max(1, |array|) and h = 1e-5, so that
no gradient hides behind a larger one. The two numbers may differ by

    rtol · scale,    scale = max(‖dy ⊙ J v‖, ‖Jᵀ dy ⊙ v‖) + ‖dy ⊙ noise‖ / rtol

where the norms are the size of such sums for random signs (the sum itself may cancel) and noise is
the rounding of the quotient, 10 eps |y| / h for differences and 10 eps |y| for a complex step.
So an error below 1e-7 of its whole array's gradient passes; the complex step sees 1e-13 of it.
If value and gradient both vanish, differences are rounding only: check at a point beside it.
"""

import inspect
from contextlib import contextmanager
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.linalg import norm

STEP = 1e-5
RTOL = 1e-7
RTOL_COMPLEX = 1e-13
DIRECTIONS = 3
MOST_ERRORS = 5  # standard errors of a mean
EPS = np.finfo(np.float64).eps


class GradientError(AssertionError):
    """A pullback is not the derivative of its op, or one of the two breaks the convention."""


def check_pullback(op, *args, rng, **constants):
    """Check the pullback of `op` at `args` by central differences.

    op(*args, **constants) returns (value, pullback); value is an array or a tuple of arrays. args
    are float64 arrays, floats, or dicts, lists and tuples of them. The pullback takes one cotangent
    per array of the value. It returns the gradient of its one argument, or of several a tuple, each
    with the argument's structure, shapes and dtype.
    Returns the largest relative error, at most 1e-7.
    Raises GradientError if the two differ, and names the op, the coordinate and both numbers; also
    if an argument, value or gradient is no finite float64, if an input is changed in place, if the
    value or the pullback changes when called again, or if the pullback is not linear.
    """
    return _check(_VectorOp(op, args, constants), rng, _central_difference, RTOL)


def complex_step(op, *args, rng, **constants):
    """Check the pullback of `op` at `args` by a complex step: as `check_pullback`, but to 1e-13.

    The op's code must take complex arrays and be analytic: no abs, ReLU or conjugate.
    """
    return _check(_VectorOp(op, args, constants), rng, _complex_difference, RTOL_COMPLEX)


def _check(f, rng, derivative, rtol):
    rng = np.random.default_rng(rng)
    y, pullback = f(f.theta)
    _check_convention(f, rng)
    worst = 0.0
    for part in f.parts:
        for _ in range(DIRECTIONS):
            dy = rng.standard_normal(y.size)
            dtheta = pullback(dy)
            v = _direction(f.theta, part, rng)
            left, right, scale = _two_sides(f, dy, dtheta, v, derivative)
            if not np.isfinite(scale):
                f.fail("its numbers are too large to check; take a smaller point")
            error = abs(left - right) / scale if left != right else 0.0
            if error > rtol:
                raise GradientError(
                    f"{_locate(f, dy, dtheta, v, part, derivative)}\n  weighed by a random "
                    f"cotangent; along a random direction {right:.9g} and {left:.9g}: error "
                    f"{error:.1e}, tolerance {rtol:.0e}"
                )
            worst = max(worst, float(error))
    return worst


def _check_convention(f, rng):
    """Check that value and pullback repeat when called again, and that the pullback is linear."""
    y, pullback = f(f.theta)
    dy, dy2 = rng.standard_normal((2, y.size))
    dtheta, dtheta2 = pullback(dy), pullback(dy2)
    size = norm(dtheta) + norm(dtheta2) + norm(dy)
    if norm(f(f.theta)[0] - y) > 1e-12 * norm(y):
        f.fail("the value changes when called again; pass its noise as a constant")
    f(f.theta + STEP * _direction(f.theta, slice(None), rng))  # must not reach the first pullback
    if norm(pullback(dy) - dtheta) > 1e-12 * size:
        f.fail("the pullback gives another result when called again")
    if norm(pullback(2 * dy - 3 * dy2) - 2 * dtheta + 3 * dtheta2) > 1e-12 * size:
        f.fail("the pullback is not linear in its cotangent")


def _direction(theta, part, rng):
    """Draw a random v, zero outside `part`, of length max(1, |theta[part]|)."""
    v = np.zeros_like(theta)
    v[part] = rng.standard_normal(theta[part].size)
    return v * max(1.0, norm(theta[part])) / (norm(v) or 1.0)


def _central_difference(f, v, step=STEP):
    """Compute J v and its noise / rtol."""
    plus, minus = f(f.theta + step * v)[0], f(f.theta - step * v)[0]
    return (plus - minus) / (2 * step), 5 * EPS * (abs(plus) + abs(minus)) / step / RTOL


def _complex_difference(f, v):
    """Compute J v and its noise / rtol."""
    y = f(f.theta + 1e-30j * v)[0]
    return y.imag / 1e-30, 10 * EPS * abs(y.real) / RTOL_COMPLEX


def _two_sides(f, dy, dtheta, v, derivative):
    """Compute <dy, J v>, <dtheta, v> and the scale of their difference."""
    Jv, floor = derivative(f, v)
    scale = max(norm(dy * Jv), norm(dtheta * v))
    return dy @ Jv, dtheta @ v, scale + norm(dy * floor)


def _locate(f, dy, dtheta, v, part, derivative):
    """Name a wrong coordinate: halve `part` and keep the half with the larger gap.

    The gaps of two halves add up to that of the whole, so no gap is less than half of the last.
    """

    def sides(half, v):
        inside = np.zeros_like(v)
        inside[half] = v[half]
        return np.array(_two_sides(f, dy, dtheta, inside, derivative)[:2])

    i = np.arange(part.start, part.stop)
    while i.size > 1:
        i = max(np.array_split(i, 2), key=lambda half: abs(np.subtract(*sides(half, v))))
    length = np.maximum(1.0, abs(f.theta))
    left, right = sides(i, length) / length[i]
    place = f"{f.name}: gradient of {_coordinate(f.leaves, i[0])}"
    if derivative is _complex_difference:
        return f"{place} is {right:.9g}, by complex step {left:.9g}"
    v = np.zeros_like(f.theta)
    v[i] = length[i]
    finer = dy @ _central_difference(f, v, STEP / 100)[0] / length[i[0]]
    found = f"{place} is {right:.9g}, by central differences {left:.9g}"
    if abs(finer - left) > 0.1 * abs(left - right):
        found += f" and with a hundredth of the step {finer:.9g}: take a point away from kinks"
    return found


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
    expected, rng = np.asarray(expected, dtype=float), np.random.default_rng(rng)
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

    leaves: path -> array, such as "params['W']"; theta: these end to end; parts: their slices.
    """

    def __init__(self, op, args, constants):
        self.op, self.args, self.constants = op, args, constants
        self.name = getattr(op, "__name__", repr(op))
        self.names = _positional_names(op, len(args))
        self.leaves = _flatten(dict(zip(self.names, args, strict=True)))
        if not self.leaves:
            self.fail("no positional argument to differentiate")
        self.theta = self._join(self.leaves, self.leaves)
        if np.iscomplexobj(self.theta):
            self.fail("expected arguments of float64, found complex128")
        ends = np.cumsum([0, *map(np.size, self.leaves.values())]).tolist()
        self.parts = [slice(*ends) for ends in pairwise(ends)]

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
        y = self._join(values, values, "" if theta is self.theta else "a step beside the point, ")

        def vector_pullback(dy):
            cotangents = _split(dy, values)
            watched = inputs | {f"d{path}": dvalue for path, dvalue in cotangents.items()}
            with self._untouched(watched, "the pullback"):
                gradient = pullback(*cotangents.values())
            if len(self.names) == 1:
                gradient = (gradient,)
            if not isinstance(gradient, tuple) or len(gradient) != len(self.names):
                self.fail(f"the pullback must return a tuple, one for each of {self.names}")
            gradients = _flatten(dict(zip(self.names, gradient, strict=True)))
            return self._join(gradients, self.leaves, "gradient of ")

        return y, vector_pullback

    def _join(self, arrays, like, what=""):
        """Join the arrays end to end; fail unless they are finite and in form like `like`."""
        for path in arrays | like:
            kind, expected = _kind(arrays.get(path)), _kind(like.get(path))
            if kind != expected:
                self.fail(f"{what}{path} is {kind}, expected {expected}")
            if not kind.startswith(("float64", "complex128")):
                self.fail(f"{what}{path} is {kind}, expected float64")
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
    parts = np.split(vector, np.cumsum([*map(np.size, like.values())]))[:-1]
    pairs = zip(like.items(), parts, strict=True)
    return {path: part.reshape(np.shape(leaf))[()] for (path, leaf), part in pairs}


def _coordinate(leaves, i):
    """Name coordinate i of the leaves laid end to end, such as W[2, 1]."""
    for path, leaf in leaves.items():
        if i < np.size(leaf):
            index = [int(k) for k in np.unravel_index(i, np.shape(leaf))]
            return f"{path}{index}" if index else path
        i -= np.size(leaf)


def _kind(leaf):
    return "nothing" if leaf is None else f"{np.asarray(leaf).dtype} {np.shape(leaf)}"
