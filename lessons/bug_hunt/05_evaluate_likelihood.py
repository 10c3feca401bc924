"""Test log likelihood by importance sampling, as it stands in the results table.

    log p(x) ~ log 1/K sum_k p(x, z_k) / q(z_k|x),   z_k ~ q(z|x) = N(mu, var)

The decoder takes flat batches, so all samples of all images go through it at once.
"""

import numpy as np


def log_normal(z, mu, log_var):
    """log N(z; mu, var) summed over the last axis."""
    return -0.5 * (np.log(2 * np.pi) + log_var + (z - mu) ** 2 / np.exp(log_var)).sum(axis=-1)


def log_mean_exp(a, axis):
    """log of the mean of exp(a) along an axis, safe for log-weights of any size."""
    top = a.max(axis=axis, keepdims=True)
    return np.squeeze(top, axis) + np.log(np.exp(a - top).mean(axis=axis))


def log_evidence(x, mu, log_var, log_joint, *, eps):
    """The estimate of log p(x_n) in nats for each image, (N,).

    x (N, P), mu, log_var (N, D), standard normal eps (K, N, D).
    log_joint(x, z): log p(x, z) row by row, (R, P) and (R, D) to (R,).
    """
    K, N, D = eps.shape
    z = mu + np.exp(0.5 * log_var) * eps  # (K, N, D)
    log_q = log_normal(z, mu, log_var).reshape(K * N)

    log_p = log_joint(np.tile(x, (K, 1)), z.reshape(K * N, D))
    log_w = (log_p - log_q).reshape(N, K)
    return log_mean_exp(log_w, axis=1)


def table_row(name, estimates):
    """Mean and standard error over the test set, as text."""
    error = estimates.std(ddof=1) / np.sqrt(len(estimates))
    return f"{name:12} {estimates.mean():9.2f} +- {error:.2f}"
