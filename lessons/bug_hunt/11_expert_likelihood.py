"""How well does one modality's encoder explain all of the data?  A mixture-of-experts model.

    log p(x) ~ log 1/K sum_k p(x, z_k) / r(z_k),   z_k ~ r

Any proposal r gives an estimate of the same log p(x); a bad one only needs more samples.  Here r
is the Gaussian expert of one modality, as a study of missing modalities asks for.
"""

import numpy as np


def log_normal(z, mu, log_var):
    """log N(z; mu, var) summed over the last axis."""
    return -0.5 * (np.log(2 * np.pi) + log_var + (z - mu) ** 2 / np.exp(log_var)).sum(axis=-1)


def log_mean_exp(a, axis):
    """log of the mean of exp(a) along an axis, safe for log-weights of any size."""
    top = a.max(axis=axis, keepdims=True)
    return np.squeeze(top, axis) + np.log(np.exp(a - top).mean(axis=axis))


def log_posterior(z, mu, log_var):
    """The model's q(z|x), the even mixture of its experts: its log density at z (K, N, D)."""
    return log_mean_exp(log_normal(z, mu[:, None], log_var[:, None]), axis=0)


def log_evidence(mu, log_var, log_joint, *, expert, eps):
    """The estimate of log p(x) in nats from samples of the expert of that index, (N,).

    mu, log_var (M, N, D), standard normal eps (K, N, D).
    log_joint(z): log p(x, z), (K, N, D) to (K, N).
    """
    z = mu[expert] + np.exp(0.5 * log_var[expert]) * eps
    log_w = log_joint(z) - log_posterior(z, mu, log_var)
    return log_mean_exp(log_w, axis=0)


def compare(mu, log_var, log_joint, *, eps):
    """The estimate from every expert in turn, (M, N)."""
    experts = range(len(mu))
    return np.stack([log_evidence(mu, log_var, log_joint, expert=m, eps=eps) for m in experts])
