"""The slides' identities where every sum is finite: plain values, small enough to read.

A joint table P holds the probabilities of n discrete variables, one axis each; a latent z takes
one of S states.  Probabilities may be 0, with 0 · log 0 = 0; logarithms are natural, in nats.
"""

import numpy as np

from .kernels.reference import log_sum_exp_and_weights
from .ops import log_sum_exp

LOWEST = np.finfo(np.float64).min  # subtracted in place of −∞: −∞ − LOWEST is −∞ and not NaN


def chain_rule_logp(logP, order):
    """The factors of P(x_1, …, x_n) = Π_i P(x_i | those before it in `order`).            [S4.1]

    logP an n-dimensional table, order a permutation of its axes.  Returns (n, *logP.shape), the
    factors in that order; their sum is logP, whatever the order.  After an impossible past: −∞.
    """
    factors = []
    for i in range(len(order)):
        past, present = _log_marginal(logP, order[:i]), _log_marginal(logP, order[: i + 1])
        factors.append(np.broadcast_to(present - np.maximum(past, LOWEST), logP.shape))
    return np.stack(factors)


def _log_marginal(logP, kept):
    """log P(x_kept); the other axes keep length 1."""
    for axis in set(range(logP.ndim)) - set(kept):
        logP, _ = log_sum_exp_and_weights(logP, axis)
    return logP


def product_of_marginals(P):
    """Q(x) = Π_i P(x_i), of P's shape: the product that minimises KL(P ‖ Q).              [S4.2]"""
    Q = np.ones_like(P)
    for i in range(P.ndim):
        Q = Q * P.sum(axis=tuple(j for j in range(P.ndim) if j != i), keepdims=True)
    return Q


def total_correlation(P):
    """KL(P ‖ Π_i P_i) = Σ_i H(x_i) − H(x), in nats; 0 only under independence.      [S4.2]"""
    return kl(P, product_of_marginals(P))


def cavi_step(logP, q_list, i):
    """The factor q_i that minimises KL(Π_j q_j ‖ P) while the others stay.                 [S4.2]

        log q_i(x_i) = E_{q_j, j ≠ i} log P(x) + constant

    logP an n-dimensional table, q_list n factors (V_j,); returns the new q_i (V_i,).
    A mean-field approximation repeats this over i: coordinate ascent variational inference.
    """
    weight = np.ones_like(logP)
    for j, q in enumerate(q_list):
        if j != i:
            weight = weight * np.expand_dims(q, [k for k in range(logP.ndim) if k != j])
    others = tuple(j for j in range(logP.ndim) if j != i)
    return posterior((weight * np.where(weight > 0, logP, 0)).sum(axis=others))


def gaussian_mean_field(mu, Sigma):
    """The product of Gaussians that minimises KL(Q ‖ N(mu, Sigma)): (mean, var), each (D,).  [S4.2]

    var_i = 1 / (Sigma⁻¹)_ii, the variance of x_i given all others, at most Sigma_ii
    """
    return mu, 1 / np.diag(np.linalg.inv(Sigma))


def log_joint(log_prior, log_lik, x):
    """log p(x, z) = log p(z) + log p(x|z).  log_prior (S,), log_lik (S, V), x < V; (S,).  [S5.8]"""
    return log_prior + log_lik[:, x]


def log_evidence(log_joint):
    """L = log p(x) = log Σ_z p(x, z), in nats.  log_joint (S,); a number.                 [S5.1]"""
    return float(log_sum_exp(log_joint, axis=0)[0])


def posterior(log_joint):
    """p(z|x) = p(x, z) / p(x).  log_joint (S,); probabilities (S,).                 [S5.3, S7.1]"""
    return log_sum_exp_and_weights(log_joint, 0)[1]


def elbo(q, log_joint):
    """L^v = Σ_z q(z) log p(x, z) / q(z), in nats, at most log p(x).  q, log_joint (S,).   [S5.7]"""
    q, log_joint = q[q > 0], log_joint[q > 0]
    return float((q * (log_joint - np.log(q))).sum())


def kl(q, p):
    """KL(q ‖ p) = Σ_z q(z) log q(z) / p(z), in nats, at least 0; ∞ where q > 0 = p.       [S5.6]"""
    q, p = q[q > 0], p[q > 0]
    if (p == 0).any():
        return np.inf
    return float((q * (np.log(q) - np.log(p))).sum())


def decompose(q, log_joint):
    """log p(x) = L^v + KL(q ‖ p(z|x)): the pair (L^v, gap), in nats.                [S5.5, S5.6]"""
    return elbo(q, log_joint), kl(q, posterior(log_joint))


def posterior_joint(log_prior, log_liks):
    """p(z|x_1..M) = p(z) Π_m p(x_m|z) / p(x_1..M).                                         [S7.1]

    log_prior (S,), log_liks (M, S), each row log p(x_m|z) at the observed x_m; (S,).
    """
    return posterior(log_prior + log_liks.sum(axis=0))


def posterior_from_unimodal(log_posts, log_prior):
    """p(z|x_1..M) ∝ Π_m p(z|x_m) / p(z)^(M−1), normalised.                                 [S7.3]

    log_posts (M, S), each row log p(z|x_m); log_prior (S,); returns (S,).
    """
    ratios = log_posts - np.maximum(log_prior, LOWEST)  # log p(x_m|z) / p(x_m)
    return posterior(log_prior + ratios.sum(axis=0))


def log_constant_eq3(log_prior, log_liks):
    """log Π_m p(x_m) / p(x_1..M), what turns the ∝ of equation (3) into =.                 [S7.3]

    log_prior (S,), log_liks (M, S); a number in nats: minus the pointwise total correlation.
    """
    unimodal = sum(log_evidence(log_prior + log_lik) for log_lik in log_liks)
    return unimodal - log_evidence(log_prior + log_liks.sum(axis=0))
