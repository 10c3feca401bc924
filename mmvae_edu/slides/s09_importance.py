"""Slide 9: importance weights, and the gradients that VAE and IWAE make of them."""

import numpy as np

from ..kernels import reference


def normalised_weights(log_w):
    """Compute w̃_k = w_k / Σ_j w_j, each sample's share of the weight.                   [S9.5]

    log_w (K, N); returns (K, N), columns that sum to 1, or 0 where every weight is 0.
    """
    return reference.importance_weights(log_w)[1]


def vae_grad(g):
    """Compute (1/K) Σ_k ∇log w_k: every sample counts the same.                       [S9.3]

    g = ∇log w, (K, N, P) for P parameters; returns (N, P).
    """
    return g.mean(axis=0)


def iwae_grad(log_w, g):
    """Compute Σ_k w̃_k ∇log w_k: a sample counts by its share of the weight.            [S9.4]

    log_w (K, N), g = ∇log w (K, N, P); returns (N, P).
    """
    return (normalised_weights(log_w)[..., None] * g).sum(axis=0)


def dreg_grads(log_w, dlog_w_dz, log_var, eps):
    """Compute Σ_k w̃_k² (∂log w_k/∂z_k) ∂z_k/∂(mu, log_var) with z = mu + std · eps.

    An estimator of the same expectation as `iwae_grad`, without a term from q's own parameters.
    Its variance is lower where q is near the posterior; elsewhere it may be many times higher.
    log_w (K, N), dlog_w_dz, eps (K, N, D), log_var (N, D); returns the gradients of mu and log_var,
    (N, D) each.  Source: Tucker et al. (2019).
    """
    dz = normalised_weights(log_w)[..., None] ** 2 * dlog_w_dz
    return dz.sum(axis=0), (dz * 0.5 * np.exp(0.5 * log_var) * eps).sum(axis=0)
