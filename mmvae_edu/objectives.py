"""Bounds as reductions of log-weights, and the subsets of modalities that an objective scores.

    log w = Σ_m λ_m log p(x_m|z) + β [log p(z) − log q(z|x)]                    [S6.3, S9.5]

A bound is one number per example, in nats, higher is better.
"""

import numpy as np

from .gaussian import gaussian_log_prob, neg_kl_std_normal, standard_normal_log_prob
from .kernels import reference
from .kernels.arrays import check_calls


def elbo(log_w):
    """Estimate E_q log w by the mean over K samples.  (K, N) → (N,).        [S5.13, S9.1]"""
    K = len(log_w)

    def elbo_pullback(dbound):
        return np.broadcast_to(dbound / K, log_w.shape)

    return log_w.mean(axis=0), elbo_pullback


def iwae(log_w, *, kernels=reference):
    """Compute log (1/K) Σ_k w_k; its gradient is Σ_k w̃_k ∇log w_k.  (K, N) → (N,).  [S9.2, S9.4]

    Equal to `elbo` at K = 1, and on average never below it.  Source: Burda et al. (2016).
    """
    bound, weights = kernels.importance_weights(log_w)

    def iwae_pullback(dbound):
        return dbound * weights

    return bound, iwae_pullback


def mixture_elbo(log_w, *, present=None):
    """Compute (1/M) Σ_m E_{q_m} log w: the ELBO of a mixture, a stratum an expert.  [S11.1, S12.1]

    log_w (M, K, N); present (M, N) bool leaves out the strata of absent experts; (N,).
    """
    return _mean_over_experts(log_w.mean(axis=1), _spread_evenly(log_w), present)


def mixture_iwae(log_w, *, present=None, kernels=reference):
    """Compute (1/M) Σ_m log (1/K) Σ_k w(z_m^k), the bound of MMVAE.        [S11.4, S12.3]

    log_w (M, K, N); present (M, N) bool leaves out the strata of absent experts; (N,).
    Source: Shi et al. (2019), equation 3.
    """
    M, K, N = log_w.shape
    strata = np.moveaxis(log_w, 1, 0).reshape(K, M * N)
    stratum_bound, weights = kernels.importance_weights(strata)
    weights = np.moveaxis(weights.reshape(K, M, N), 0, 1)
    return _mean_over_experts(stratum_bound.reshape(M, N), weights, present)


def stratified_iwae(log_w, *, present=None, kernels=reference):
    """Compute log (1/MK) Σ_m Σ_k w(z_m^k): the mean over experts inside the logarithm.

    Never below `mixture_iwae` on the same draws.  log_w (M, K, N), present (M, N); (N,).
    """
    M, K, N = log_w.shape
    count = M
    if present is not None:
        log_w = np.where(present[:, None], log_w, -np.inf)
        count = np.maximum(present.sum(axis=0), 1)
    bound, weights = kernels.importance_weights(log_w.reshape(M * K, N))
    bound = bound + np.log(M / count).astype(bound.dtype)
    weights = weights.reshape(M, K, N)

    def stratified_iwae_pullback(dbound):
        return dbound * weights

    return bound, stratified_iwae_pullback


def _spread_evenly(log_w):
    return np.full_like(log_w, 1 / log_w.shape[1])


def _mean_over_experts(stratum_bound, weights, present):
    """Average over present strata (M, N) → (N,), given each stratum's derivative (M, K, N)."""
    count = len(stratum_bound)
    if present is not None:
        count = np.maximum(present.sum(axis=0), 1).astype(weights.dtype)
        stratum_bound = np.where(present, stratum_bound, 0)
        weights = np.where(present[:, None], weights, 0)

    def mean_over_experts_pullback(dbound):
        return (dbound / count) * weights

    return stratum_bound.sum(axis=0) / count, mean_over_experts_pullback


def log_prior_ratio(z, mu, log_var, *, closed_form=False):
    """Compute log p(z) − log q(z|x), the weights' second part, for a Gaussian q and p = N(0, I).

    z (…, K, N, D), mu, log_var (…, N, D); returns (…, K, N).  With closed_form each sample's ratio
    is replaced by its expectation −KL(q ‖ p) [S5.11]: the same mean, less noise; ELBO only.
    """
    mu, log_var = mu[..., None, :, :], log_var[..., None, :, :]
    if closed_form:
        neg_kl, neg_kl_pullback = neg_kl_std_normal(mu, log_var)

        def closed_form_pullback(dratio):
            dmu, dlog_var = neg_kl_pullback(dratio.sum(axis=-2, keepdims=True))
            return np.zeros_like(z), dmu[..., 0, :, :], dlog_var[..., 0, :, :]

        return np.broadcast_to(neg_kl, z.shape[:-1]), closed_form_pullback

    log_pz, prior_pullback = standard_normal_log_prob(z)
    log_qz_x, posterior_pullback = gaussian_log_prob(z, mu, log_var)

    def log_prior_ratio_pullback(dratio):
        dz, dmu, dlog_var = posterior_pullback(-dratio)
        return prior_pullback(dratio) + dz, dmu[..., 0, :, :], dlog_var[..., 0, :, :]

    return log_pz - log_qz_x, log_prior_ratio_pullback


def effective_sample_size(log_w):
    """Compute 1 / Σ_k w̃_k², between 1 and K; 0 where every weight is 0.  (K, N) → (N,)."""
    _, weights = reference.importance_weights(log_w)
    total = (weights * weights).sum(axis=0)
    return (total > 0) / np.where(total > 0, total, 1)


def sample_subsets(M, k, rng):
    """Draw k random proper subsets of M ≥ 2 modalities, as (k, M) bool.            [S7.6]

    The size is uniform on 2..M−1 (1 at M = 2), and the subset is uniform among those of that
    size, as in the MVAE release.  The k draws are independent, so that repeats may occur.
    """
    if M < 2:
        raise ValueError(f"random subsets need at least 2 modalities, found {M}")
    sizes = rng.integers(2, M, size=k) if M > 2 else np.ones(k, dtype=int)
    ranks = rng.random((k, M)).argsort(axis=1).argsort(axis=1)
    return ranks < sizes[:, None]


def distinct_subsets(M, k, rng):
    """Draw k different subsets by `sample_subsets`, drawing repeats again.         [S7.6]

    Of more than 2^M − M − 2, the number of subsets of 2..M−1 modalities, the others repeat.
    """
    sampled, seen = sample_subsets(M, k, rng), set()
    for j in range(k):
        while tuple(sampled[j]) in seen and len(seen) < 2**M - M - 2:
            sampled[j] = sample_subsets(M, 1, rng)
        seen.add(tuple(sampled[j]))
    return sampled


def subsampled_terms(present, sampled=None):
    """List the subsets that MVAE's objective scores, row by row.                   [S7.6]

    They are all present modalities together, each alone, and the sampled subsets (k, M) without
    absent modalities.  present (M, N) bool; returns subsets (T, M, N) and counted (T, N), which
    is False where a subset is empty or stands earlier in that row: ELBO(x1) is not counted
    twice for a row that has only x1.
    """
    M, _ = present.shape
    candidates = [np.ones(M, dtype=bool), *np.eye(M, dtype=bool)]
    candidates += [] if sampled is None else list(sampled)
    subsets = np.stack(candidates)[:, :, None] & present
    counted = subsets.any(axis=1)
    for t in range(1, len(subsets)):
        repeats = (subsets[:t] == subsets[t]).all(axis=1).any(axis=0)
        counted[t] &= ~repeats
    return subsets, counted


check_calls(globals())
