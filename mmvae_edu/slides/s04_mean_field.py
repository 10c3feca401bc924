"""Slide 4 over finite tables: the chain rule, and the product distribution nearest to a joint one.

A joint table P holds the probabilities of n discrete variables, one axis each.  Probabilities may
be 0, with 0 · log 0 = 0; logarithms are natural, in nats.
"""

import numpy as np

from ..kernels.reference import log_sum_exp_and_weights
from .s05_evidence import LOWEST, kl, posterior


def chain_rule_logp(logP, order):
    """Compute the factors of P(x_1, …, x_n) = Π_i P(x_i | those before it in `order`).    [S4.1]

    logP an n-dimensional table, order a permutation of its axes.  Returns (n, *logP.shape), the
    factors in that order; their sum is logP, whatever the order.  After an impossible past: −∞.
    """
    factors = []
    for i in range(len(order)):
        past, present = _log_marginal(logP, order[:i]), _log_marginal(logP, order[: i + 1])
        factors.append(np.broadcast_to(present - np.maximum(past, LOWEST), logP.shape))
    return np.stack(factors)


def _log_marginal(logP, kept):
    """Compute log P(x_kept); the other axes keep length 1."""
    for axis in set(range(logP.ndim)) - set(kept):
        logP, _ = log_sum_exp_and_weights(logP, axis)
    return logP


def product_of_marginals(P):
    """Compute Q(x) = Π_i P(x_i), of P's shape, which minimises KL(P ‖ Q).                 [S4.2]"""
    Q = np.ones_like(P)
    for i in range(P.ndim):
        Q = Q * P.sum(axis=tuple(j for j in range(P.ndim) if j != i), keepdims=True)
    return Q


def total_correlation(P):
    """Compute KL(P ‖ Π_i P_i) = Σ_i H(x_i) − H(x), nats; 0 only if independent.     [S4.2]"""
    return kl(P, product_of_marginals(P))


def cavi_step(logP, q_list, i):
    """Compute the factor q_i that minimises KL(Π_j q_j ‖ P) while the others stay.         [S4.2]

        log q_i(x_i) = E_{q_j, j ≠ i} log P(x) + constant

    logP an n-dimensional table of log P plus any constant, −∞ where P is 0; q_list n factors
    (V_j,); returns the new q_i (V_i,).
    A mean-field approximation repeats this over i: coordinate ascent variational inference.
    """
    weight = np.ones_like(logP)
    for j, q in enumerate(q_list):
        if j != i:
            weight = weight * np.expand_dims(q, [k for k in range(logP.ndim) if k != j])
    others = tuple(j for j in range(logP.ndim) if j != i)
    return posterior((weight * np.where(weight > 0, logP, 0)).sum(axis=others))


def gaussian_mean_field(mu, Sigma):
    """Minimise KL(Q ‖ N(mu, Sigma)) over products of Gaussians: (mean, var), (D,) each.      [S4.2]

    var_i = 1 / (Sigma⁻¹)_ii, the variance of x_i given all others, at most Sigma_ii
    """
    return mu, 1 / np.diag(np.linalg.inv(Sigma))
