"""L2 = E_q log p(x|z) by samples, and its gradient by q's parameters in two ways.

`log_px_z` is an op: z (K, N, D) → log p(x|z) (K, N), and a pullback.  q = N(mu, var); mu, log_var
(N, D); eps (K, N, D) is standard normal.
"""

import numpy as np

from .gaussian import gaussian_log_prob, gaussian_sample


def expected_log_lik(mu, log_var, *, eps, log_px_z):
    """L2 ≈ (1/K) Σ_k log p(x|z_k), z_k = mu + std eps_k; (N,), nats, unbiased.  [S5.12, S5.13]"""
    z, _ = gaussian_sample(mu, log_var, eps=eps)
    log_lik, _ = log_px_z(z)
    return log_lik.mean(axis=0)


def pathwise_grad(mu, log_var, *, eps, log_px_z):
    """∇L2 ≈ (1/K) Σ_k ∇z_k · ∂log p(x|z_k)/∂z: the derivative passes through the sample.  [S5.13]

    Returns dmu, dlog_var (N, D), unbiased: the gradient of `expected_log_lik` at the same eps.
    """
    z, sample_pullback = gaussian_sample(mu, log_var, eps=eps)
    log_lik, log_px_z_pullback = log_px_z(z)
    return sample_pullback(log_px_z_pullback(np.full_like(log_lik, 1 / len(eps))))


def score_function_grad(mu, log_var, *, eps, log_px_z, baseline=0.0):
    """∇L2 ≈ (1/K) Σ_k (log p(x|z_k) − baseline) ∇log q(z_k): the sample stays.            [S5.13]

    Returns dmu, dlog_var (N, D), unbiased for any baseline, a number or (N,), that does not depend
    on eps, since E_q ∇log q = 0; log p(x|z) is never differentiated, so z might be discrete.
    """
    z, _ = gaussian_sample(mu, log_var, eps=eps)
    log_lik, _ = log_px_z(z)
    _, density_pullback = gaussian_log_prob(z, mu, log_var)
    _, dmu, dlog_var = density_pullback((log_lik - baseline) / len(eps))
    return dmu, dlog_var
