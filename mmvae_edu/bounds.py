"""The slides' short formulas as functions: what a subset scores, how samples are weighed, and
what the mean outside the logarithm costs.

`models` compute the same quantities inside their bounds; these are the formulas on their own.
"""

import numpy as np

from .kernels import reference


def log_joint_subset(log_pz, log_px_z, *, mask):
    """log p(x_present, z) = log p(z) + Σ_{m present} log p(x_m|z).                    [S6.2]

    log_pz (K, N), log_px_z (M, K, N), mask (M, N) bool, True = present; returns (K, N), nats.
    A missing modality's factor is dropped; what stands under False may be NaN.
    """
    kept = mask[:, None]

    def log_joint_subset_pullback(dlog_joint):
        return dlog_joint, np.where(kept, dlog_joint, 0)

    return log_pz + np.where(kept, log_px_z, 0).sum(axis=0), log_joint_subset_pullback


def subset_elbo(log_px_z, log_ratio, *, mask, weights, beta=1.0):
    """ELBO(X) = E_q[Σ_{m in X} λ_m log p(x_m|z)] − β KL(q ‖ p), by K samples.   [S6.1, S6.3]

    log_px_z (M, K, N), log_ratio = log p(z) − log q(z|X) (K, N), mask (M, N) bool, weights λ (M,);
    returns (N,), nats, higher is better.  At λ = β = 1 its mean is at most log p(X).
    """
    K = len(log_ratio)
    kept, weights = mask[:, None], np.asarray(weights)[:, None, None]
    log_w = np.where(kept, weights * log_px_z, 0).sum(axis=0) + beta * log_ratio

    def subset_elbo_pullback(dbound):
        dlog_w = np.broadcast_to(dbound / K, log_w.shape)
        return np.where(kept, weights * dlog_w, 0), beta * dlog_w

    return log_w.mean(axis=0), subset_elbo_pullback


def vae_grad(g):
    """(1/K) Σ_k ∇log w_k: every sample counts the same.                               [S9.3]

    g = ∇log w, (K, N, P) for P parameters; returns (N, P).
    """
    return g.mean(axis=0)


def iwae_grad(log_w, g):
    """Σ_k w̃_k ∇log w_k: a sample counts by its share of the weight.                    [S9.4]

    log_w (K, N), g = ∇log w (K, N, P); returns (N, P).
    """
    _, weights = reference.importance_weights(log_w)
    return (weights[..., None] * g).sum(axis=0)


def responsibility(posterior, experts):
    """a_m = E_{p(z|x)}[q_m(z) / Σ_j q_j(z)], what share of the posterior expert m speaks for.

    posterior (S,), experts (M, S), rows that sum to 1; returns (M,), which sums to 1.
    Raises ValueError where the posterior has mass that no expert covers.
    """
    total = experts.sum(axis=0)
    if (posterior[total == 0] > 0).any():
        raise ValueError("the posterior has mass where every expert has none")
    return (posterior * experts / np.where(total > 0, total, 1)).sum(axis=1)


def looseness_gap(a):
    """KL(uniform ‖ a) = −log M − (1/M) Σ_m log a_m, what S11.4 misses of log p(x) at any K.

    Since E_{q_m} w = M p(x) a_m, stratum m tends to log p(x) + log(M a_m) as K grows, and the
    mean over m to log p(x) − KL(uniform ‖ a).  a (M, …) from `responsibility`; (…), nats.
    """
    return -np.log(len(a)) - np.log(a).mean(axis=0)
