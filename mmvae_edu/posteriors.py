"""Posteriors given any subset of modalities, from experts q̃(z|x_m) or q(z|x_m).

mu, log_var (M, N, D); mask (M, N) bool, True = present; values under False are ignored.
"""

from functools import partial

import numpy as np

from .kernels import reference
from .kernels.arrays import check_calls


def product_of_experts(mu, log_var, *, mask=None, kernels=reference):
    """Compute q(z|X) ∝ p(z) Π_m q̃(z|x_m) with the prior N(0, I) as one expert.    [S7.5]

        1/var = 1 + Σ_m 1/var_m        mean = var Σ_m mu_m / var_m

    Returns (mean, log_var), each (N, D); the prior where no expert is present.
    Source: Wu and Goodman (2018), equation 4.
    """
    mean, joint_log_var = kernels.product_of_experts(mu, log_var, mask)

    def product_of_experts_pullback(dmean, djoint_log_var):
        return kernels.product_of_experts_vjp(
            dmean, djoint_log_var, mu, log_var, mask, mean, joint_log_var
        )

    return (mean, joint_log_var), product_of_experts_pullback


def product_of_subsets(mu, log_var, *, subsets, kernels=reference):
    """Compute the product of experts for each of T subsets at once.          [S7.5, S7.6]

    subsets (T, M, N) bool; returns (mean, log_var), each (T, N, D).
    """
    return _over_subsets(partial(product_of_experts, kernels=kernels), mu, log_var, subsets)


def quotient_of_experts(mu, log_var, *, mask=None):
    """Compute q(z|X) ∝ Π_m q(z|x_m) / p(z)^(M'−1) over the M' present full posteriors.  [S7.3]

        1/var = Σ_m 1/var_m − (M' − 1)        mean = var Σ_m mu_m / var_m

    Returns (mean, log_var, valid), each (N, D).  If the precision is not positive, there is no
    such density: `valid` is False there, and mean and log_var are NaN, never clipped.  The prior
    where no expert is present.
    The pullback takes the cotangents of mean and log_var, and returns 0 where invalid.
    """
    M, N, _ = mu.shape
    if mask is None:
        mask = np.ones_like(mu[..., 0], dtype=bool)
    mu = np.where(mask[..., None], mu, 0)
    log_precision = np.where(mask[..., None], -log_var, -np.inf)
    excess = (mask.sum(axis=0)[:, None] - 1).astype(mu.real.dtype)  # priors to divide away
    top = np.maximum(log_precision.real.max(axis=0), 0)
    scaled = np.exp(log_precision - top)
    total = scaled.sum(axis=0) - excess * np.exp(-top)
    valid = total.real > 0
    share = scaled / np.where(valid, total, 1)
    mean = np.where(valid, (share * mu).sum(axis=0), np.nan)
    joint_log_var = np.where(valid, -top - np.log(np.where(valid, total, 1)), np.nan)

    def quotient_of_experts_pullback(dmean, djoint_log_var):
        dmean, djoint_log_var = np.where(valid, dmean, 0), np.where(valid, djoint_log_var, 0)
        from_mean = np.where(valid, mu - mean, 0)
        return share * dmean, share * (djoint_log_var - from_mean * dmean)

    return (mean, joint_log_var, valid), quotient_of_experts_pullback


def quotient_of_subsets(mu, log_var, *, subsets):
    """Compute the quotient of experts for each of T subsets at once.         [S7.3, S7.6]

    subsets (T, M, N) bool; returns (mean, log_var, valid), each (T, N, D); the prior for none.
    """
    return _over_subsets(quotient_of_experts, mu, log_var, subsets)


def _over_subsets(fuse, mu, log_var, subsets):
    """Apply fuse, an op on experts (M, N, D) with a mask (M, N), to T subsets (T, M, N)."""
    M, N, D = mu.shape
    T = len(subsets)
    mask = np.moveaxis(subsets, 0, 1).reshape(M, T * N)

    def repeated(experts):
        return np.broadcast_to(experts[:, None], (M, T, N, D)).reshape(M, T * N, D)

    outputs, fuse_pullback = fuse(repeated(mu), repeated(log_var), mask=mask)

    def over_subsets_pullback(dmean, djoint_log_var):
        gradients = fuse_pullback(dmean.reshape(T * N, D), djoint_log_var.reshape(T * N, D))
        return tuple(g.reshape(M, T, N, D).sum(axis=1) for g in gradients)

    return tuple(output.reshape(T, N, D) for output in outputs), over_subsets_pullback


def mixture_log_prob(z, mu, log_var, *, log_alpha, kernels=reference):
    """Compute log q(z|X) = log Σ_m α_m N(z; mu_m, var_m).                         [S11.3]

    z (K, N, D), mu, log_var (M, N, D), log_alpha (M, N) from `log_mixture_weights`; (K, N), nats.
    The mu and log_var of an absent expert, whose log_alpha is −∞, may be NaN.
    """
    log_q, responsibilities = kernels.mixture_log_prob(z, mu, log_var, log_alpha)

    def mixture_log_prob_pullback(dlog_q):
        return kernels.mixture_log_prob_vjp(dlog_q, responsibilities, z, mu, log_var)

    return log_q, mixture_log_prob_pullback


def log_mixture_weights(mask, dtype=np.float64):
    """Compute log α_m (M, N): −log M' for each of M' present experts, else −∞.    [S11.3]"""
    count = np.maximum(mask.sum(axis=0), 1).astype(dtype)
    return np.where(mask, -np.log(count), -np.inf)


def only_expert(mu, log_var, present):
    """Pick each row's one present expert: its mu and log_var, (N, D) each.  present (M, N) bool."""
    return tuple(np.where(present[..., None], part, 0).sum(axis=0) for part in (mu, log_var))


check_calls(globals())
