"""Claims about the logarithms inside slide 9's bounds: sums and means of numbers that underflow."""

import numpy as np

from ..ops import log_mean_exp, log_sum_exp
from ..oracles.fifty_digits import digits, exp, log, number
from .differentiate import differentiated, gradients
from .registry import T0, T1, T2C, claim, mutant


def _at_three_scales(rng):
    """Arrays (4, 3, 2) and an axis: near 0, at slide 8's CelebA, above 709.78; columns of each."""
    columns = np.array([[720.0], [0.0], [-6237.1]])
    for axis, scale in (0, 0.0), (1, -6237.1), (-1, 720.0), (0, columns):
        yield scale + rng.normal(0, 3, size=(4, 3, 2)), axis


def _values(f, sums, rng):
    """f and sums(w, axis) of w = exp(a), in 50 digits, at three scales."""
    lhs, rhs = [], []
    for a, axis in _at_three_scales(rng):
        lhs.append(f(a, axis=axis)[0])
        rhs.append(log(sums(exp(number(a)), axis)).astype(float))
    return _flat(lhs), _flat(rhs)


def _shares(f, rng):
    """f's pullback, and the cotangent times w / Σ w in 50 digits, at three scales."""
    lhs, rhs = [], []
    for a, axis in _at_three_scales(rng):
        value, pullback = f(a, axis=axis)
        dy, w = rng.standard_normal(np.shape(value)), exp(number(a))
        lhs.append(pullback(dy))
        share = w / w.sum(axis=axis, keepdims=True)
        rhs.append(np.expand_dims(dy, axis) * share.astype(float))
    return _flat(lhs), _flat(rhs)


def _impossible(f, rng):
    """f of columns with some −∞ and with nothing else: two values, whether −∞, the gradient."""
    a, b = rng.normal(-90, 1, size=2)
    column = np.array([[a, -np.inf], [-np.inf, -np.inf], [b, -np.inf]])
    value, pullback = f(column, axis=0)
    share = 1 / (1 + np.exp(b - a))
    exact = np.array([np.logaddexp(a, b), 1, share, 0, 0, 0, 1 - share, 0])
    return _flat([value[0], value[1] == -np.inf, pullback(np.ones(2))]), exact


def _flat(parts):
    return np.concatenate([np.ravel(part) for part in parts])


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


@claim("S9.5", of=log_sum_exp, tol=T2C, oracle="O7 complex step")
def log_sum_exp_has_this_gradient(f, rng):
    """The pullback of log Σ w is the derivative of that formula."""
    return gradients(f, _log_sum, rng.normal(0, 2, size=(4, 3, 2)), rng=rng, axis=1)


def _log_sum(a, *, axis):
    return np.log(np.exp(a).sum(axis=axis))


def _without_shift(a, axis, *, mean):
    """exp of a as it is: the value, and the shares w / Σ w."""
    with np.errstate(all="ignore"):
        w = np.exp(a)
        total = w.sum(axis=axis, keepdims=True)
        share = w / total
        value = np.log(total.squeeze(axis) / (a.shape[axis] if mean else 1))

    def without_shift_pullback(dy):
        return np.expand_dims(dy, axis) * share

    return value, without_shift_pullback


def _share_by_difference(a, axis, *, mean):
    """The same value, and the shares exp(a − log Σ w)."""
    value, _ = _without_shift(a, axis, mean=mean)

    def share_by_difference_pullback(dy):
        log_sum = value + (np.log(a.shape[axis]) if mean else 0)
        return np.expand_dims(dy, axis) * np.exp(a - np.expand_dims(log_sum, axis))

    return value, share_by_difference_pullback


def _one_maximum(a, axis, *, mean):
    """The largest entry of all columns is taken out of every one."""
    top = a.max()
    value, pullback = _without_shift(a - top, axis, mean=mean)

    def one_maximum_pullback(dy):
        return np.nan_to_num(pullback(dy))

    return top + value, one_maximum_pullback


def _unguarded(f, a, axis):
    """(−∞) − (−∞) in a column of nothing else."""
    value, pullback = f(a, axis=axis)
    empty = np.where(value == -np.inf, np.nan, 0.0)

    def unguarded_pullback(dy):
        return pullback(dy) + np.expand_dims(empty, axis)

    return value + empty, unguarded_pullback


UNSHIFTED = "the maximum is not taken out: exp overflows above 709.78 and is 0 below −745.13"
ONE_MAXIMUM = "one maximum for all columns: each sum has its own, or it underflows beside a larger"
UNGUARDED = "(−∞) − (−∞) = NaN: the maximum of a column of only −∞ is not finite"


@mutant(log_sum_exp, says=UNSHIFTED, hint=1)
def log_sum_exp_unshifted(a, *, axis):
    return _without_shift(a, axis, mean=False)


@mutant(log_sum_exp, says=UNSHIFTED, hint=1)
def log_sum_exp_unshifted_by_difference(a, *, axis):
    return _share_by_difference(a, axis, mean=False)


@mutant(log_sum_exp, says=UNGUARDED, hint=3)
def log_sum_exp_unguarded(a, *, axis):
    return _unguarded(log_sum_exp, a, axis)


@mutant(log_sum_exp, says=ONE_MAXIMUM)
def log_sum_exp_one_maximum(a, *, axis):
    return _one_maximum(a, axis, mean=False)


@mutant(log_sum_exp, says="the sum runs over axis 0, whatever axis is asked for")
def log_sum_exp_over_axis_0(a, *, axis):
    return log_sum_exp(a, axis=0)


@mutant(log_sum_exp, says="log K is subtracted: that is the mean of S9.2, not yet its sum")
def log_sum_exp_is_the_mean(a, *, axis):
    return log_mean_exp(a, axis=axis)


@mutant(log_sum_exp, says="only the largest term: the others are missing from Σ w")
def log_sum_exp_is_the_maximum(a, *, axis):
    top = a.max(axis=axis, keepdims=True)

    def maximum_pullback(dy):
        return np.expand_dims(dy, axis) * (a == top)

    return top.squeeze(axis), maximum_pullback


@mutant(log_sum_exp, says="w itself in the gradient: S9.5 divides it by Σ w", hint=3)
def log_sum_exp_unnormalised_gradient(a, *, axis):
    def unnormalised_pullback(dy):
        return np.expand_dims(dy, axis) * np.exp(a)

    return log_sum_exp(a, axis=axis)[0], unnormalised_pullback


# ---- log (1/K) Σ_k w_k ------------------------------------------------------------------------


@claim("S9.2", of=log_mean_exp, tol=T1, oracle="O5 mpmath, 50 digits")
def log_mean_exp_survives_every_scale(f, rng):
    """log (1/K) Σ w of log-weights near 0, −6237 and 720 loses no digit, along any axis."""
    return _values(f, lambda w, axis: w.sum(axis=axis) / digits.mpf(w.shape[axis]), rng)


@claim("S9.2", of=log_mean_exp, tol=T0, oracle="equal terms")
def the_mean_of_equal_weights_is_that_weight(f, rng):
    """If all K log-weights are equal, log (1/K) Σ w is that log-weight, for every K."""
    level = rng.normal(-300, 300, size=3)
    return np.array([f(np.tile(level, (K, 1)), axis=0)[0] for K in (1, 2, 7)]), np.tile(
        level, (3, 1)
    )


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


@claim("S9.5", of=log_mean_exp, tol=T2C, oracle="O7 complex step")
def log_mean_exp_has_this_gradient(f, rng):
    """The pullback of log (1/K) Σ w is the derivative of that formula."""
    return gradients(f, _log_mean, rng.normal(0, 2, size=(4, 3, 2)), rng=rng, axis=1)


def _log_mean(a, *, axis):
    return np.log(np.exp(a).mean(axis=axis))


@mutant(log_mean_exp, says="−log K is missing: that is log Σ w, S9.2 has 1/K", hint=1)
def log_mean_exp_is_the_sum(a, *, axis):
    return log_sum_exp(a, axis=axis)


@mutant(log_mean_exp, says=UNSHIFTED)
def log_mean_exp_unshifted(a, *, axis):
    return _without_shift(a, axis, mean=True)


@mutant(log_mean_exp, says=UNSHIFTED)
def log_mean_exp_unshifted_by_difference(a, *, axis):
    return _share_by_difference(a, axis, mean=True)


@mutant(log_mean_exp, says=UNGUARDED)
def log_mean_exp_unguarded(a, *, axis):
    return _unguarded(log_mean_exp, a, axis)


@mutant(log_mean_exp, says=ONE_MAXIMUM)
def log_mean_exp_one_maximum(a, *, axis):
    return _one_maximum(a, axis, mean=True)


@mutant(log_mean_exp, says="K is the length of axis 0, not of the axis asked for")
def log_mean_exp_wrong_K(a, *, axis):
    value, pullback = log_sum_exp(a, axis=axis)
    return value - np.log(len(a)), pullback


@mutant(log_mean_exp, says="the mean of log w: S9.2 averages w inside the logarithm", hint=1)
@differentiated
def log_mean_exp_mean_of_logs(a, *, axis):
    return a.mean(axis=axis)


@mutant(log_mean_exp, says="the gradient is divided by K: in w̃ of S9.5 the 1/K cancels", hint=3)
def log_mean_exp_gradient_over_K(a, *, axis):
    value, pullback = log_mean_exp(a, axis=axis)

    def gradient_over_K_pullback(dy):
        return pullback(dy) / a.shape[axis]

    return value, gradient_over_K_pullback
