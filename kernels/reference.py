"""The hot paths in NumPy: the specification that every other backend must agree with.

A backend is a module with these functions.  Each differentiable `f` comes with a plain
`f_vjp`, since neither Numba nor CUDA compiles closures.  CuPy arrays dispatch through the same
code.  Complex arrays are accepted where the function is analytic, for complex-step checks.
"""

import numpy as np

from ._inputs import counted
from .arrays import check_calls

LOG_2PI = float(np.log(2 * np.pi))


def log_sum_exp_and_weights(a, axis):
    """log Σ exp(a) along `axis` (kept, length 1) and its derivative, the weights exp(a) / Σ exp(a).

    −∞ weighs 0; only −∞ gives −∞ and weights 0; +∞ gives +∞, its weight shared among the +∞;
    NaN stays NaN.  The maximum is the real part's, so that complex step passes through.
    """
    top = a.real.max(axis=axis, keepdims=True)
    with np.errstate(invalid="ignore"):  # ∞ − ∞, which `where` replaces
        shifted = np.where(a == top, 0, a - np.maximum(top, np.finfo(a.dtype).min))
    exp = np.exp(shifted)
    total = np.expand_dims(pairwise_sum(np.moveaxis(exp, axis, 0)), axis)
    weights = np.where(top == -np.inf, 0, exp / total)
    return top + np.log(total), weights


def pairwise_sum(a):
    """Σ along axis 0 by halves: 5,000 terms lose hardly more digits than two.

    NumPy sums pairwise along the contiguous axis only.
    """
    half = len(a) // 2
    return a.sum(axis=0) if half < 8 else pairwise_sum(a[:half]) + pairwise_sum(a[half:])


def product_of_experts(mu, log_var, mask=None):
    """The prior N(0, I) times the present Gaussian experts, normalised.               [S7.5]

        1/var = 1 + Σ_m 1/var_m        mean = var Σ_m mu_m / var_m

    mu, log_var (M, N, D), mask (M, N) bool, True = present; returns mean, log_var (N, D).
    Shares of precision neither overflow nor divide by zero.  All masked: the prior.
    """
    mu, log_var = _present(mu, log_var, mask)
    prior = np.zeros_like(log_var, shape=(1, *log_var.shape[1:]))
    log_precision = np.concatenate([prior, -log_var])
    log_total, share = log_sum_exp_and_weights(log_precision, axis=0)
    return (share[1:] * mu).sum(axis=0), -log_total[0]


def product_of_experts_vjp(dmean, djoint_log_var, mu, log_var, mask, mean, joint_log_var):
    """Cotangents of mu and log_var, (M, N, D) each; exact zeros for masked experts.

    With share_m = var / var_m:  ∂mean/∂mu_m = share_m,  ∂log var/∂log var_m = share_m,
    ∂mean/∂log var_m = −share_m (mu_m − mean).
    """
    mu, log_var = _present(mu, log_var, mask)
    share = np.exp(joint_log_var - log_var)
    return share * dmean, share * (djoint_log_var - (mu - mean) * dmean)


def _present(mu, log_var, mask):
    """Give masked experts mean 0 and precision 0, before any arithmetic: NaN cannot leak."""
    if mask is None:
        return mu, log_var
    return np.where(mask[..., None], mu, 0), np.where(mask[..., None], log_var, np.inf)


def importance_weights(log_w):
    """log (1/K) Σ_k w_k and the normalised weights w̃, which are its derivative.  [S9.2, S9.5]

    log_w (K, N); returns (N,) in nats and (K, N).  −∞ weighs 0; a column of only −∞ gives −∞
    and weights 0; NaN stays NaN.
    """
    log_sum, weights = log_sum_exp_and_weights(log_w, axis=0)
    return log_sum[0] - float(np.log(len(log_w))), weights


def mixture_log_prob(z, mu, log_var, log_alpha):
    """log Σ_m α_m N(z; mu_m, var_m) and the responsibilities r_m.                    [S11.3]

    z (K, N, D), mu, log_var (M, N, D), log_alpha (M, N), −∞ for an absent expert; returns
    (K, N) in nats and (M, K, N).  No expert present: −∞ and zero responsibilities.
    """
    present = (log_alpha > -np.inf)[..., None]
    mu, log_var = np.where(present, mu, 0), np.where(present, log_var, 0)
    difference, precision = z - mu[:, None], np.exp(-log_var)[:, None]
    normaliser = (LOG_2PI + log_var).sum(axis=-1)
    log_q = -0.5 * ((difference * difference * precision).sum(axis=-1) + normaliser[:, None])
    log_sum, responsibilities = log_sum_exp_and_weights(log_alpha[:, None] + log_q, axis=0)
    return log_sum[0], responsibilities


def mixture_log_prob_vjp(dlog_q, responsibilities, z, mu, log_var):
    """Cotangents of z (K, N, D), mu and log_var (M, N, D)."""
    present = (responsibilities != 0).any(axis=1)[..., None]  # NaN under a mask must not leak
    mu, log_var = np.where(present, mu, 0), np.where(present, log_var, 0)
    difference, precision = z - mu[:, None], np.exp(-log_var)[:, None]
    weight = (dlog_q * responsibilities)[..., None]
    dmu = weight * difference * precision
    dlog_var = 0.5 * (dmu * difference - weight)  # a square may be ∞, and 0 · ∞ is NaN
    return -dmu.sum(axis=0), dmu.sum(axis=1), dlog_var.sum(axis=1)


def binomial_log_prob(logits, x, n=1):
    """Σ_P x·l − n·softplus(l): the binomial log likelihood without its coefficient.

    logits (…, N, P), x (N, P) counts out of n; returns (…, N) in nats.  Bernoulli at n = 1.
    """
    return (x * logits - float(n) * softplus(logits)).sum(axis=-1)


def binomial_log_prob_vjp(dlog_p, logits, x, n=1):
    """Cotangent of the logits, (…, N, P):  x − n·sigmoid(l), scaled."""
    return dlog_p[..., None] * (x - float(n) * sigmoid(logits))


def bias_swish(a, b, overwrite_a=False, slope=True):
    """y = (a + b) · sigmoid(a + b), and its derivative: a (N, H), b (H,) → (N, H) each.

    With overwrite_a a backend may put a result where a was, and without `slope` the derivative is
    None: both save memory traffic.
    """
    a = a + b
    gate = sigmoid(a)
    y = a * gate
    return y, gate + y * (1 - gate) if slope else None


def bias_activation_vjp(dy, slope, overwrite_dy=False):
    """Cotangents of a and b in y = f(a + b): dy and f's slope (…, H) → da (…, H), db (H,)."""
    da = dy * slope
    return da, da.sum(axis=tuple(range(da.ndim - 1)))


def matmul(a, b, out=None):
    """The product of two matrices: (n, k), (k, m) → (n, m)."""
    return np.matmul(a, b, out=out)


def sigmoid(a):
    """1 / (1 + exp(−a)), without overflow on either side."""
    decay = np.exp(np.where(a.real > 0, -a, a))
    return np.where(a.real > 0, 1, decay) / (1 + decay)


def softplus(a):
    """log(1 + exp(a)) = max(a, 0) + log(1 + exp(−|a|))."""
    positive = a.real > 0
    return np.where(positive, a, 0) + np.log1p(np.exp(np.where(positive, -a, a)))


def adam_step(
    theta, grad, m, v, *, step, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8
):  # fmt: skip
    """One Adam step, in place on theta, m and v; `step` counts from 1.

    m ← β1 m + (1−β1) g,  v ← β2 v + (1−β2) g²,  θ ← θ − η m̂ / (√v̂ + ε)   (Kingma and Ba, 2015)
    """
    counted(step)
    m += (1 - beta1) * (grad - m)
    v += (1 - beta2) * (grad * grad - v)
    denominator = np.sqrt(v / (1 - beta2**step)) + epsilon
    theta -= learning_rate / (1 - beta1**step) * m / denominator


check_calls(globals())
