"""Slide 5: log p(x) and its bound where every sum is finite, and L2 = E_q log p(x|z) by samples.

A latent z takes one of S states.  Probabilities may be 0, with 0 · log 0 = 0; logarithms are
natural, in nats.  For L2, `log_px_z` is an op: z (K, N, D) → log p(x|z) (K, N), and a pullback;
q = N(mu, var), mu, log_var (N, D); eps (K, N, D) is standard normal.
"""

import numpy as np

from ..gaussian import gaussian_log_prob, gaussian_sample, neg_kl_std_normal
from ..kernels.reference import log_sum_exp_and_weights
from ..ops import log_sum_exp

LOWEST = np.finfo(np.float64).min  # subtracted in place of −∞: −∞ − LOWEST is −∞ and not NaN


def log_joint(log_prior, log_lik, x):
    """Compute log p(x, z) = log p(z) + log p(x|z): (S,), (S, V), x < V → (S,).            [S5.8]"""
    return log_prior + log_lik[:, x]


def log_evidence(log_joint):
    """Compute L = log p(x) = log Σ_z p(x, z), in nats: log_joint (S,) → a number.         [S5.1]"""
    return float(log_sum_exp(log_joint, axis=0)[0])


def posterior(log_joint):
    """Compute p(z|x) = p(x, z) / p(x).  log_joint (S,); probabilities (S,).         [S5.3, S7.1]"""
    return log_sum_exp_and_weights(log_joint, 0)[1]


def elbo(q, log_joint):
    """Compute L^v = Σ_z q(z) log p(x, z) / q(z), nats, at most log p(x).  (S,), (S,).     [S5.7]"""
    q, log_joint = q[q > 0], log_joint[q > 0]
    return float((q * (log_joint - np.log(q))).sum())


def kl(q, p):
    """Compute KL(q ‖ p) = Σ_z q(z) log q(z) / p(z), in nats, at least 0; ∞ if q > 0 = p.  [S5.6]"""
    q, p = q[q > 0], p[q > 0]
    if (p == 0).any():
        return np.inf
    return float((q * (np.log(q) - np.log(p))).sum())


def decompose(q, log_joint):
    """Split log p(x) into L^v and KL(q ‖ p(z|x)): the pair (L^v, gap), in nats.     [S5.5, S5.6]"""
    return elbo(q, log_joint), kl(q, posterior(log_joint))


def expected_log_lik(mu, log_var, *, eps, log_px_z):
    """Estimate L2 by (1/K) Σ_k log p(x|z_k), z_k = mu + std eps_k; (N,), nats.  [S5.12, S5.13]"""
    z, _ = gaussian_sample(mu, log_var, eps=eps)
    log_lik, _ = log_px_z(z)
    return log_lik.mean(axis=0)


def pathwise_grad(mu, log_var, *, eps, log_px_z):
    """Estimate ∇L2 by (1/K) Σ_k ∇z_k · ∂log p(x|z_k)/∂z, through the sample.              [S5.13]

    Returns dmu, dlog_var (N, D), unbiased: the gradient of `expected_log_lik` at the same eps.
    """
    z, sample_pullback = gaussian_sample(mu, log_var, eps=eps)
    log_lik, log_px_z_pullback = log_px_z(z)
    return sample_pullback(log_px_z_pullback(np.full_like(log_lik, 1 / len(eps))))


def score_function_grad(mu, log_var, *, eps, log_px_z, baseline=0.0):
    """Estimate ∇L2 by (1/K) Σ_k (log p(x|z_k) − baseline) ∇log q(z_k), z held.            [S5.13]

    Returns dmu, dlog_var (N, D), unbiased for any baseline, a number or (N,), that does not depend
    on eps, since E_q ∇log q = 0; log p(x|z) is never differentiated, so z might be discrete.
    """
    z, _ = gaussian_sample(mu, log_var, eps=eps)
    log_lik, _ = log_px_z(z)
    _, density_pullback = gaussian_log_prob(z, mu, log_var)
    _, dmu, dlog_var = density_pullback((log_lik - baseline) / len(eps))
    return dmu, dlog_var


def refine(mu, log_var, *, eps, log_px_z, rate=0.1):
    """Climb the bound of each x by its own q(z|x), which min KL(q ‖ p(z|x)) asks for.      [S5.0]

        mu ← mu + rate · var · ∂L^v/∂mu     log_var ← log_var + rate · 2 · ∂L^v/∂log_var

    eps (T, K, N, D): T steps, in each L^v = L1 + (1/K) Σ_k log p(x|z_k) with noise eps[t]; returns
    mu, log_var (N, D).  var and 2 are q's inverse Fisher information: such a step is as long in any
    unit of z.  The model stays as it is, and so does log p(x).
    """
    for noise in eps:
        _, l1_pullback = neg_kl_std_normal(mu, log_var)
        l1_dmu, l1_dlog_var = l1_pullback(np.ones(len(mu)))
        dmu, dlog_var = pathwise_grad(mu, log_var, eps=noise, log_px_z=log_px_z)
        mu = mu + rate * np.exp(log_var) * (l1_dmu + dmu)
        log_var = log_var + rate * 2 * (l1_dlog_var + dlog_var)
    return mu, log_var
