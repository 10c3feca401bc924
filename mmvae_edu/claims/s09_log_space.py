"""Claims about the logarithms inside slide 9's bounds: sums and means of numbers that underflow."""

import numpy as np

from ..ops import log_mean_exp, log_sum_exp
from ..oracles.fifty_digits import digits, exp, log, number
from .instances import flat
from .registry import T0, T1, claim


def _at_three_scales(rng):
    """Draw arrays (4, 3, 2) near 0, −6237 and above 709.78, each with an axis, and its columns."""
    columns = np.array([[720.0], [0.0], [-6237.1]])
    for axis, scale in (0, 0.0), (1, -6237.1), (-1, 720.0), (0, columns):
        yield scale + rng.normal(0, 3, size=(4, 3, 2)), axis


def _values(f, sums, rng):
    """Compute f, and sums(w, axis) of w = exp(a) in 50 digits, at three scales."""
    lhs, rhs = [], []
    for a, axis in _at_three_scales(rng):
        lhs.append(f(a, axis=axis)[0])
        rhs.append(log(sums(exp(number(a)), axis)).astype(float))
    return flat(lhs), flat(rhs)


def _shares(f, rng):
    """Compute f's pullback, and the cotangent times w / Σ w in 50 digits, at three scales."""
    lhs, rhs = [], []
    for a, axis in _at_three_scales(rng):
        value, pullback = f(a, axis=axis)
        dy, w = rng.standard_normal(np.shape(value)), exp(number(a))
        lhs.append(pullback(dy))
        share = w / w.sum(axis=axis, keepdims=True)
        rhs.append(np.expand_dims(dy, axis) * share.astype(float))
    return flat(lhs), flat(rhs)


def _impossible(f, rng):
    """Apply f to columns with some −∞ and with nothing else: values, whether −∞, the gradient."""
    a, b = rng.normal(-90, 1, size=2)
    column = np.array([[a, -np.inf], [-np.inf, -np.inf], [b, -np.inf]])
    value, pullback = f(column, axis=0)
    share = 1 / (1 + np.exp(b - a))
    exact = np.array([np.logaddexp(a, b), 1, share, 0, 0, 0, 1 - share, 0])
    return flat([value[0], value[1] == -np.inf, pullback(np.ones(2))]), exact


# ---- log Σ_k w_k ------------------------------------------------------------------------------


@claim("S9.2", of=log_sum_exp, tol=T1, oracle="O5 mpmath, 50 digits")
def log_sum_exp_survives_every_scale(f, rng):
    """log Σ w of log-weights near 0, −6237 and 720 loses no digit, along any axis."""
    return _values(f, lambda w, axis: w.sum(axis=axis), rng)


@claim("S9.2", of=log_sum_exp, tol=T0, oracle="shift by a constant")
def log_sum_exp_moves_with_its_terms(f, rng):
    """Adding c to every log-weight adds c to log Σ w: that is why the maximum may be taken out."""
    a = rng.normal(size=(4, 3))
    shifts = rng.uniform(-(10**4), 10**3, size=5)
    base = np.log(np.exp(a).sum(axis=0))
    moved = [f(a + c, axis=0)[0] for c in shifts]
    return np.array(moved), base + shifts[:, None]


@claim("S9.2", of=log_sum_exp, tol=T0, oracle="hand calculation")
def impossible_terms_add_nothing(f, rng):
    """Terms with log w = −∞ add 0 to Σ w; of nothing else log Σ w is −∞, and its gradient 0."""
    return _impossible(f, rng)


@claim("S9.5", of=log_sum_exp, tol=T1, oracle="O5 mpmath, 50 digits")
def log_sum_exp_shares_out_its_gradient(f, rng):
    """The derivative of log Σ w by log w_k is the share w_k / Σ w, at any scale."""
    return _shares(f, rng)


# ---- log (1/K) Σ_k w_k ------------------------------------------------------------------------


@claim("S9.2", of=log_mean_exp, tol=T1, oracle="O5 mpmath, 50 digits")
def log_mean_exp_survives_every_scale(f, rng):
    """log (1/K) Σ w of log-weights near 0, −6237 and 720 loses no digit, along any axis."""
    return _values(f, lambda w, axis: w.sum(axis=axis) / digits.mpf(w.shape[axis]), rng)


@claim("S9.2", of=log_mean_exp, tol=T0, oracle="hand calculation")
def impossible_samples_count_in_K(f, rng):
    """A sample with log w = −∞ adds 0 to Σ w but counts in K; of nothing else the mean is −∞."""
    lhs, exact = _impossible(f, rng)
    exact[0] -= np.log(3)
    return lhs, exact


@claim("S9.5", of=log_mean_exp, tol=T1, oracle="O5 mpmath, 50 digits")
def log_mean_exp_shares_out_its_gradient(f, rng):
    """The derivative of log (1/K) Σ w by log w_k is w_k / Σ w as well: the 1/K cancels."""
    return _shares(f, rng)
