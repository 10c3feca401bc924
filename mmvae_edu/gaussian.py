"""Diagonal Gaussians with mean `mu` and log-variance `log_var`: std = exp(log_var / 2).

Densities are sums over the last axis (the D latent dimensions), in nats.
"""

import numpy as np

from .kernels.arrays import check_calls
from .kernels.reference import LOG_2PI
from .ops import unbroadcast


def gaussian_log_prob(z, mu, log_var):
    """Compute log N(z; mu, var) = −½ Σ_d [log 2π + log var + (z − mu)² / var].

    z (…, N, D), mu and log_var broadcastable to it; returns (…, N), nats.
    """
    inverse_std = np.exp(-0.5 * log_var)
    standardised = (z - mu) * inverse_std
    log_prob = -0.5 * (LOG_2PI + log_var + standardised * standardised).sum(axis=-1)

    def gaussian_log_prob_pullback(dlog_prob):
        d = dlog_prob[..., None]
        dmu = d * standardised * inverse_std
        dlog_var = 0.5 * d * (standardised * standardised - 1)
        return (
            unbroadcast(-dmu, z.shape),
            unbroadcast(dmu, mu.shape),
            unbroadcast(dlog_var, log_var.shape),
        )

    return log_prob, gaussian_log_prob_pullback


def standard_normal_log_prob(z):
    """Compute the prior log N(z; 0, I).  z (…, N, D); returns (…, N), nats."""
    D = z.shape[-1]

    def standard_normal_log_prob_pullback(dlog_prob):
        return -z * dlog_prob[..., None]

    return -0.5 * ((z * z).sum(axis=-1) + D * LOG_2PI), standard_normal_log_prob_pullback


def gaussian_sample(mu, log_var, *, eps):
    """Compute z = mu + std · eps, which is N(mu, var) when eps ~ N(0, I).         [S5.12]

    mu, log_var (…, N, D), eps (…, K, N, D); returns z (…, K, N, D).
    """
    noise = np.exp(0.5 * log_var)[..., None, :, :] * eps
    z = mu[..., None, :, :] + noise

    def gaussian_sample_pullback(dz):
        return dz.sum(axis=-3), 0.5 * (dz * noise).sum(axis=-3)

    return z, gaussian_sample_pullback


def neg_kl_std_normal(mu, log_var):
    """Compute L1 = −KL(N(mu, var) ‖ N(0, I)) = ½ Σ_d [1 + log var − mu² − var].   [S5.11]

    mu, log_var (…, N, D); returns (…, N) in nats, at most 0, and 0 only at the prior.
    """
    var_minus_1 = np.expm1(log_var)  # keeps the digits that 1 + log var − var loses near the prior
    neg_kl = 0.5 * (log_var - var_minus_1 - mu * mu).sum(axis=-1)

    def neg_kl_std_normal_pullback(dneg_kl):
        d = dneg_kl[..., None]
        return -d * mu, -0.5 * d * var_minus_1

    return neg_kl, neg_kl_std_normal_pullback


def kl_gauss(mu1, log_var1, mu2, log_var2):
    """Compute KL(N(mu1, var1) ‖ N(mu2, var2)).

        ½ Σ_d [r − 1 − log r + (mu1 − mu2)² / var2],   r = var1 / var2

    All (…, N, D); returns (…, N) in nats, at least 0.
    """
    log_ratio = log_var1 - log_var2
    ratio_minus_1 = np.expm1(log_ratio)
    inverse_var2 = np.exp(-log_var2)
    difference = mu1 - mu2
    distance = difference * difference * inverse_var2
    kl = 0.5 * (ratio_minus_1 - log_ratio + distance).sum(axis=-1)

    def kl_gauss_pullback(dkl):
        d = dkl[..., None]
        dmu1 = d * difference * inverse_var2
        return dmu1, 0.5 * d * ratio_minus_1, -dmu1, -0.5 * d * (ratio_minus_1 + distance)

    return kl, kl_gauss_pullback


check_calls(globals())
