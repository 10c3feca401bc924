"""Modalities of very different size: their likelihoods are rescaled so that none dominates.

Modality m with P_m features has the weight max(P) / P_m in the training objective, as is usual for
digits with photographs.  The latent is N(0, I) a priori, q(z|x) = N(mu, var).
"""

import numpy as np


def log_normal(z, mu, log_var):
    """log N(z; mu, var) summed over the last axis."""
    return -0.5 * (np.log(2 * np.pi) + log_var + (z - mu) ** 2 / np.exp(log_var)).sum(axis=-1)


def size_weights(x):
    """max(P) / P_m for each of the modalities x, a list of (N, P_m)."""
    sizes = np.array([x_m.shape[1] for x_m in x])
    return sizes.max() / sizes


def log_weights(x, mu, log_var, log_lik, *, eps, weights):
    """log w = sum_m weights_m log p(x_m|z) + log p(z) - log q(z|x) at K samples of q, (K, N)."""
    z = mu + np.exp(0.5 * log_var) * eps
    log_px_z = sum(weight * log_lik(m, z) for m, weight in enumerate(weights))
    return log_px_z + log_normal(z, 0.0, np.zeros_like(z)) - log_normal(z, mu, log_var)


def training_objective(x, mu, log_var, log_lik, *, eps):
    """What is maximised: the ELBO with rescaled likelihoods, (N,).  No bound on log p(x)."""
    log_w = log_weights(x, mu, log_var, log_lik, eps=eps, weights=size_weights(x))
    return log_w.mean(axis=0)


def log_evidence(x, mu, log_var, log_lik, *, eps):
    """What is reported: the importance-sampled estimate of log p(x_1, ..., x_M) in nats, (N,).

    x: list of (N, P_m).  mu, log_var (N, D), standard normal eps (K, N, D).
    log_lik(m, z): log p(x_m|z), (K, N, D) to (K, N).
    """
    log_w = log_weights(x, mu, log_var, log_lik, eps=eps, weights=size_weights(x))
    top = log_w.max(axis=0)
    return top + np.log(np.exp(log_w - top).mean(axis=0))
