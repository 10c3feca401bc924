"""The chain rule is exact; mean field is not.  Logarithms are natural, 0 · log 0 = 0."""

import numpy as np

from mmvae_edu.course import todo


def chain_rule_logp(logP, order):
    """Compute the factors P(x_i | those before it in `order`), in logs.               [S4.1]

    logP, a table with one axis a variable, and a permutation of its axes -> (n, *logP.shape),
    the factors in that order; they sum to logP.  After an impossible past: -inf.
    """
    return todo("L02.chain_rule_logp")


def product_of_marginals(P):
    """Q(x) = P_1(x_1) ... P_n(x_n), a table of P's shape.                             [S4.2]"""
    return todo("L02.product_of_marginals")


def total_correlation(P):
    """Compute the KL from P to the product of its marginals, in nats: a float.        [S4.2]"""
    return todo("L02.total_correlation")


def cavi_step(logP, q_list, i):
    """Compute the factor q_i that minimises KL(Q || P) while the others stay.         [S4.2]

    logP, a table of log P plus any constant, -inf where P is 0; q_list, n arrays (V_j,) of
    probabilities, also of 0 where P is above 0 -> (V_i,), which sums to 1.
    """
    return todo("L02.cavi_step")


def gaussian_mean_field(mu, Sigma):
    """Compute the product of Gaussians nearest N(mu, Sigma) in KL(Q || P): mean, variance.  [S4.2]

    (D,), (D, D) -> (D,), (D,)
    """
    return todo("L02.gaussian_mean_field")
