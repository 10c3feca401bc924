"""The stochastic layer of a VAE: samples of q(z|x) and the KL term, forward and backward.

The encoder has two heads of shape (N, D): `mu`, and `log_var`, the logarithm of the variance.
Every function returns (value, pullback).  Noise comes from outside, so that a run can be repeated.
"""

import numpy as np


def sample(mu, log_var, *, eps):
    """K samples z ~ N(mu, var) for every example, independent of each other.

    mu, log_var (N, D), standard normal eps (K, N, D); z (K, N, D).
    """
    std = np.exp(log_var)
    z = mu + std * eps

    def sample_pullback(dz):
        dmu = dz.sum(axis=0)  # every sample of an example moves with its mean
        dlog_var = (dz * eps * std).sum(axis=0)
        return dmu, dlog_var

    return z, sample_pullback


def neg_kl(mu, log_var):
    """-KL(N(mu, var) || N(0, I)) in nats, (N,)."""
    var = np.exp(log_var)
    value = 0.5 * (1 + log_var - mu**2 - var).sum(axis=-1)

    def neg_kl_pullback(d):
        return -d[:, None] * mu, 0.5 * d[:, None] * (1 - var)

    return value, neg_kl_pullback
