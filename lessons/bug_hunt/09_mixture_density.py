"""The density of a mixture of experts when some modalities of an example are missing.

    q(z|X) = mean over the present experts m of N(z; mu_m, var_m)

The encoder of a missing modality is not run; its mu and log_var are filled with zeros.
"""

import numpy as np


def log_normal(z, mu, log_var):
    """log N(z; mu, var) summed over the last axis."""
    return -0.5 * (np.log(2 * np.pi) + log_var + (z - mu) ** 2 / np.exp(log_var)).sum(axis=-1)


def log_mixture(z, mu, log_var, *, present):
    """log q(z|X) in nats, (K, N), and its pullback.

    z (K, N, D), mu, log_var (M, N, D), present (M, N), 1.0 or 0.0, with a 1.0 in every column.
    """
    mu, log_var, here = mu[:, None], log_var[:, None], present[:, None]  # (M, 1, N, ...)
    log_q = log_normal(z, mu, log_var) * here  # (M, K, N): missing experts drop out
    top = log_q.max(axis=0)
    density = np.exp(log_q - top)
    value = top + np.log(density.sum(axis=0)) - np.log(present.sum(axis=0))

    def log_mixture_pullback(d):
        share = here * density / density.sum(axis=0)  # how much of q(z) is due to expert m
        scaled = (d * share)[..., None] * (z - mu) / np.exp(log_var)
        spread = 0.5 * (d * share)[..., None] * ((z - mu) ** 2 / np.exp(log_var) - 1)
        return -scaled.sum(axis=0), scaled.sum(axis=1), spread.sum(axis=1)

    return value, log_mixture_pullback
