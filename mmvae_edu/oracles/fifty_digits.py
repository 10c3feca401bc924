"""The kernels' functions in arithmetic of 50 digits, and the sizes of the terms that they add.

Each function returns a pair (value, size) for each output of the kernel of its name, as arrays of
mpmath numbers; nothing overflows, so each is its equation as written, without a shift.  The size
is the sum of the magnitudes of the terms, and an error is measured relative to it:

    y = Σ t_i            size Σ |t_i|:  rounding a term costs half an ulp of the term, not of y
    e^a  as a factor     counts 1 + |a| times, since an exponent wrong by |a|δ changes e^a by that
                         share; |a| is the size of a, and 0 where a is given and not computed
    log Σ e^(a_i)        size Σ w_i (1 + |a_i|) + log Σ e^(a_i − top),  w_i = e^(a_i) / Σ e^(a_j)
"""

import mpmath
import numpy as np

from ..kernels.arrays import check_calls

digits = mpmath.MPContext()
digits.dps = 50
number, exp, log, log1p = (
    np.frompyfunc(f, 1, 1) for f in (digits.mpf, digits.exp, digits.log, digits.log1p)
)
LOG_2PI = digits.log(2 * digits.pi)


def product_of_experts(mu, log_var):
    """Compute mean and log var: 1/var = 1 + Σ_m 1/var_m,  mean = var Σ_m mu_m / var_m.    [S7.5]"""
    mu, log_var = number(mu), number(log_var)
    log_precision = np.concatenate([np.full_like(log_var[:1], digits.zero), -log_var])
    log_total, share, size = _log_sum_exp(log_precision, abs(log_precision))
    share = share[1:]
    terms = share * mu
    return (terms.sum(axis=0), (abs(terms) * (1 - log(share))).sum(axis=0)), (-log_total, size)


def product_of_experts_vjp(dmean, djoint_log_var, mu, log_var, mean, joint_log_var):
    """Compute s_m dmean and s_m (dlog_var − (mu_m − mean) dmean),  s_m = var / var_m."""
    dmean, djoint_log_var, mu, log_var, mean, joint_log_var = map(
        number, (dmean, djoint_log_var, mu, log_var, mean, joint_log_var)
    )
    share = exp(joint_log_var - log_var)
    size = share * (1 + abs(joint_log_var - log_var))
    terms = abs(djoint_log_var) + (abs(mu) + abs(mean)) * abs(dmean)
    dlog_var = share * (djoint_log_var - (mu - mean) * dmean)
    return (share * dmean, size * abs(dmean)), (dlog_var, size * terms)


def importance_weights(log_w):
    """Compute log (1/K) Σ_k w_k and w_k / Σ_j w_j.                                  [S9.2, S9.5]"""
    log_w = number(log_w)
    log_sum, weights, size = _log_sum_exp(log_w, abs(log_w))
    log_K = digits.log(len(log_w))
    return (log_sum - log_K, size + log_K), (weights, weights * (1 - log(weights)))


def mixture_log_prob(z, mu, log_var, log_alpha):
    """Compute log Σ_m α_m N(z; mu_m, var_m) and the responsibilities.                    [S11.3]"""
    z, mu, log_var, log_alpha = map(number, (z, mu, log_var, log_alpha))
    squared = (z - mu[:, None]) ** 2 * exp(-log_var)[:, None]
    log_joint = log_alpha[:, None] - (squared + (LOG_2PI + log_var)[:, None]).sum(axis=-1) / 2
    size = abs(log_alpha)[:, None] + (squared + (LOG_2PI + abs(log_var))[:, None]).sum(axis=-1) / 2
    log_q, r, log_q_size = _log_sum_exp(log_joint, size)
    return (log_q, log_q_size), (r, r * (1 + size + (r * size).sum(axis=0)))


def mixture_log_prob_vjp(dlog_q, responsibilities, z, mu, log_var):
    """Compute dz = −Σ_m, dmu = Σ_k of dlog_q r (z − mu)/var; dlog_var = Σ_k ½ dlog_q r (s² − 1)."""
    dlog_q, r, z, mu, log_var = map(number, (dlog_q, responsibilities, z, mu, log_var))
    weight, precision = (dlog_q * r)[..., None], exp(-log_var)[:, None]
    terms = weight * (z - mu[:, None]) * precision
    squared = (z - mu[:, None]) ** 2 * precision
    dlog_var = (weight * (squared - 1)).sum(axis=1) / 2
    return (
        (-terms.sum(axis=0), abs(terms).sum(axis=0)),
        (terms.sum(axis=1), abs(terms).sum(axis=1)),
        (dlog_var, (abs(weight) * (squared + 1)).sum(axis=1) / 2),
    )


def binomial_log_prob(logits, x):
    """Compute Σ_P x·l − softplus(l)."""
    logits, x = number(logits), number(x)
    softplus = log(1 + exp(logits))
    size = (abs(x * logits) + softplus).sum(axis=-1)
    return (((x * logits - softplus).sum(axis=-1), size),)


def binomial_log_prob_vjp(dlog_p, logits, x):
    """Compute dlog_p (x − sigmoid(l))."""
    dlog_p, logits, x = number(dlog_p)[..., None], number(logits), number(x)
    gate = 1 / (1 + exp(-logits))
    return ((dlog_p * (x - gate), abs(dlog_p) * (x + gate)),)


def bias_swish(a, b):
    """Compute y = c·sigmoid(c) and dy/dc = sigmoid(c) + y − y·sigmoid(c),  c = a + b."""
    a, b = number(a), number(b)
    c, size = a + b, abs(a) + abs(b)
    gate = 1 / (1 + exp(-c))
    gate_size = gate * (1 + (1 - gate) * size)  # d sigmoid(c) / dc is gate (1 − gate)
    slope = gate + c * gate * (1 - gate)
    return (c * gate, size * gate_size), (slope, gate_size * (1 + size * (1 + gate)))


def _log_sum_exp(a, size):
    """Compute log Σ_i e^(a_i) along axis 0, the weights, and the sum's size, given that of a."""
    top = a.max(axis=0)
    log_sum = top + log(exp(a - top).sum(axis=0))
    weights = exp(a - log_sum)
    return log_sum, weights, (weights * (1 + size)).sum(axis=0) + log_sum - top


check_calls(globals(), "iufO")  # an mpmath number is an object
