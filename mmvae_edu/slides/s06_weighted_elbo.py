"""Slide 6: the joint density of the present modalities, their weighted ELBO, and what β keeps."""

import numpy as np


def log_joint_subset(log_pz, log_px_z, *, mask):
    """Compute log p(x_present, z) = log p(z) + Σ_{m present} log p(x_m|z).            [S6.2]

    log_pz (K, N), log_px_z (M, K, N), mask (M, N) bool, True = present; returns (K, N), nats.
    A missing modality's factor is dropped; what stands under False may be NaN.
    """
    kept = mask[:, None]

    def log_joint_subset_pullback(dlog_joint):
        return dlog_joint, np.where(kept, dlog_joint, 0)

    return log_pz + np.where(kept, log_px_z, 0).sum(axis=0), log_joint_subset_pullback


def subset_elbo(log_px_z, log_ratio, *, mask, weights, beta=1.0):
    """Estimate ELBO(X) = E_q[Σ_{m in X} λ_m log p(x_m|z)] − β KL(q ‖ p), K samples.  [S6.1, S6.3]

    log_px_z (M, K, N), log_ratio = log p(z) − log q(z|X) (K, N), mask (M, N) bool, weights λ (M,);
    returns (N,), nats, higher is better.  At λ = β = 1 its mean is at most log p(X).  What stands
    under False may be NaN.
    """
    K = len(log_ratio)
    kept, weights = mask[:, None], np.asarray(weights)[:, None, None]
    log_w = np.where(kept, weights * log_px_z, 0).sum(axis=0) + beta * log_ratio

    def subset_elbo_pullback(dbound):
        dlog_w = np.broadcast_to(dbound / K, log_w.shape)
        return np.where(kept, weights * dlog_w, 0), beta * dlog_w

    return log_w.mean(axis=0), subset_elbo_pullback


def reverse_water_filling(eigenvalues, *, noise, beta=1.0):
    """Compute what the best linear VAE keeps of each principal direction.             [S6.1]

        KL_d = ½ log max(λ_d / level, 1)     error_d = min(λ_d, level)     level = β noise²

    eigenvalues λ (P,) of the data's covariance; the decoder is N(Wz + b, noise² I), D ≥ the number
    of λ_d above the level.  Returns (KL, error), (P,) each: the mean KL(q(z_d|x) ‖ p(z_d)), nats,
    and the mean squared error of a sample's reconstruction.  Where λ_d ≤ level, z_d has collapsed.
    Source: Lucas, Tucker, Grosse and Norouzi, Don't Blame the ELBO!, 2019 (at β = 1).
    """
    level = beta * noise**2
    return 0.5 * np.log(np.maximum(eigenvalues / level, 1)), np.minimum(eigenvalues, level)
