"""Diagonal Laplace distributions with location `mu` and `log_scale`; the variance is 2·scale².

The MMVAE paper uses them as prior, posteriors and likelihoods.  Densities are sums over the last
axis, in nats.
"""

import numpy as np

from .kernels import reference
from .kernels.arrays import check_calls
from .ops import log_sum_exp, unbroadcast

LOG_2 = float(np.log(2))


def laplace_log_prob(z, mu, log_scale):
    """Compute log Laplace(z; mu, b) = −Σ_d [log 2b + |z − mu| / b], with b = exp(log_scale).

    z (…, N, D), mu and log_scale broadcastable to it; returns (…, N), nats.
    The derivative at z = mu is taken as 0.
    """
    inverse_scale = np.exp(-log_scale)
    difference = z - mu
    distance = np.abs(difference) * inverse_scale
    log_prob = -(LOG_2 + log_scale + distance).sum(axis=-1)

    def laplace_log_prob_pullback(dlog_prob):
        d = dlog_prob[..., None]
        dmu = d * np.sign(difference) * inverse_scale
        dlog_scale = d * (distance - 1)
        return (
            unbroadcast(-dmu, z.shape),
            unbroadcast(dmu, mu.shape),
            unbroadcast(dlog_scale, log_scale.shape),
        )

    return log_prob, laplace_log_prob_pullback


def laplace_sample(mu, log_scale, *, eps):
    """Compute z = mu + scale · eps, where eps has density exp(−|eps|) / 2.

    mu, log_scale (…, N, D), eps (…, K, N, D) from `laplace_noise`; returns z (…, K, N, D).
    """
    noise = np.exp(log_scale)[..., None, :, :] * eps
    z = mu[..., None, :, :] + noise

    def laplace_sample_pullback(dz):
        return dz.sum(axis=-3), (dz * noise).sum(axis=-3)

    return z, laplace_sample_pullback


def laplace_noise(rng, shape, dtype=np.float64):
    """Draw standard Laplace noise: an exponential variable with a random sign."""
    sign = 1 - 2 * rng.integers(0, 2, size=shape).astype(dtype)
    return sign * rng.standard_exponential(shape, dtype=dtype)


def competing_scales(head):
    """Compute log b of the scales b = D softmax(head), whose mean over the D dimensions is 1."""
    log_sum, log_sum_exp_pullback = log_sum_exp(head, axis=-1)
    log_D = float(np.log(head.shape[-1]))

    def competing_scales_pullback(dlog_scale):
        return dlog_scale - log_sum_exp_pullback(dlog_scale.sum(axis=-1))

    return head - log_sum[..., None] + log_D, competing_scales_pullback


def mixture_log_prob(z, mu, log_scale, log_alpha):
    """Compute log Σ_m α_m Laplace(z; mu_m, b_m) and the responsibilities r_m.     [S11.3]

    z (K, N, D), mu, log_scale (M, N, D), log_alpha (M, N), −∞ for an absent expert, whose mu and
    log_scale must be finite all the same; returns (K, N) in nats and (M, K, N).
    """
    log_q, _ = laplace_log_prob(z, mu[:, None], log_scale[:, None])
    log_sum, responsibilities = reference.log_sum_exp_and_weights(
        log_alpha[:, None] + log_q, axis=0
    )
    return log_sum[0], responsibilities


def mixture_log_prob_vjp(dlog_q, responsibilities, z, mu, log_scale):
    """Compute the cotangents of z (K, N, D), mu and log_scale (M, N, D)."""
    _, laplace_pullback = laplace_log_prob(z, mu[:, None], log_scale[:, None])
    dz, dmu, dlog_scale = laplace_pullback(dlog_q * responsibilities)
    return dz, dmu[:, 0], dlog_scale[:, 0]


def kl_laplace(mu1, log_scale1, mu2, log_scale2):
    """Compute KL(Laplace(mu1, b1) ‖ Laplace(mu2, b2)).

        Σ_d [log b2/b1 + (b1 e^(−δ/b1) + δ)/b2 − 1],   δ = |mu1 − mu2|

    All (…, N, D); returns (…, N) in nats, at least 0.
    """
    difference = mu1 - mu2
    delta = np.abs(difference)
    ratio = np.exp(log_scale1 - log_scale2)
    decay = np.exp(-delta * np.exp(-log_scale1))
    distance = delta * np.exp(-log_scale2)
    kl = (log_scale2 - log_scale1 + ratio * decay + distance - 1).sum(axis=-1)

    def kl_laplace_pullback(dkl):
        d = dkl[..., None]
        dmu1 = d * np.sign(difference) * np.exp(-log_scale2) * (1 - decay)
        dlog_scale1 = d * (ratio * decay + distance * decay - 1)
        dlog_scale2 = d * (1 - ratio * decay - distance)
        return dmu1, dlog_scale1, -dmu1, dlog_scale2

    return kl, kl_laplace_pullback


check_calls(globals())
