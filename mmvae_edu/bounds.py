"""The slides' short formulas as functions: what a subset scores and a joint term does not feel,
how samples are weighed, and what the mean outside the logarithm costs.

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


def flat_direction(dtau, deta):
    """The part of a step of all experts that leaves their joint posterior in place.   [S7.6]

    Expert m has the precision tau_m and eta_m = tau_m mu_m.  Only their sums over m stand in the
    joint posterior, so a step is flat for ELBO(x_1..M) if it adds up to 0.  dtau, deta (M, N, D);
    returns the nearest such step, of the same shapes.
    """
    return dtau - dtau.mean(axis=0), deta - deta.mean(axis=0)


def normalised_weights(log_w):
    """w̃_k = w_k / Σ_j w_j, what share of the K samples' weight each has.                [S9.5]

    log_w (K, N); returns (K, N), columns that sum to 1, or 0 where every weight is 0.
    """
    return reference.importance_weights(log_w)[1]


def vae_grad(g):
    """(1/K) Σ_k ∇log w_k: every sample counts the same.                               [S9.3]

    g = ∇log w, (K, N, P) for P parameters; returns (N, P).
    """
    return g.mean(axis=0)


def iwae_grad(log_w, g):
    """Σ_k w̃_k ∇log w_k: a sample counts by its share of the weight.                    [S9.4]

    log_w (K, N), g = ∇log w (K, N, P); returns (N, P).
    """
    return (normalised_weights(log_w)[..., None] * g).sum(axis=0)


def dreg_grads(log_w, dlog_w_dz, log_var, eps):
    """Σ_k w̃_k² (∂log w_k/∂z_k) ∂z_k/∂(mu, log_var) with z = mu + std · eps.             [S9.4]

    An estimator of the same expectation as `iwae_grad` and of less variance: it has no term from
    q's own parameters.  log_w (K, N), dlog_w_dz, eps (K, N, D), log_var (N, D); returns the
    gradients of mu and log_var, (N, D) each.  Source: Tucker et al. (2019).
    """
    dz = normalised_weights(log_w)[..., None] ** 2 * dlog_w_dz
    return dz.sum(axis=0), (dz * 0.5 * np.exp(0.5 * log_var) * eps).sum(axis=0)


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
