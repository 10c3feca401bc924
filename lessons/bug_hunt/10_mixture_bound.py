"""The objective of an MMVAE: an importance-weighted bound for each expert, and their mean.

    1/M sum_m log 1/K sum_k p(z_mk, x) / q(z_mk|x),   q(z|x) = 1/M sum_j q_j(z),   z_mk ~ q_m

x stands for all modalities together, q_m for the Gaussian expert of modality m.
"""

import numpy as np


def log_normal(z, mu, log_var):
    """log N(z; mu, var) summed over the last axis."""
    return -0.5 * (np.log(2 * np.pi) + log_var + (z - mu) ** 2 / np.exp(log_var)).sum(axis=-1)


def log_sum_exp(a, axis):
    """log of the sum of exp(a) along an axis, safe for log-weights of any size."""
    top = a.max(axis=axis, keepdims=True)
    return np.squeeze(top, axis) + np.log(np.exp(a - top).sum(axis=axis))


def samples(mu, log_var, *, eps):
    """z_mk of every expert.  mu, log_var (M, N, D), eps (M, K, N, D); (M, K, N, D)."""
    return mu[:, None] + np.exp(0.5 * log_var)[:, None] * eps


def mixture_bound(mu, log_var, log_joint, *, eps):
    """The objective in nats, (N,).

    mu, log_var (M, N, D), standard normal eps (M, K, N, D).
    log_joint(z): log p(z, x), (..., N, D) to (..., N).
    """
    M, K, N, _ = eps.shape
    z = samples(mu, log_var, eps=eps)
    log_q_each = log_normal(z, mu[:, None, None], log_var[:, None, None])  # every z under q_j
    log_q = log_sum_exp(log_q_each, axis=0)
    log_w = log_joint(z) - log_q + np.log(M)
    bounds = log_sum_exp(log_w, axis=1) - np.log(K)  # (M, N)
    return bounds.mean(axis=0)
