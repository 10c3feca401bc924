"""Slide 8's Table 2: three estimates from log densities, and whether a table can be true.

x1 is the image and x2 the label; z_k ~ q(z|x1) are K samples of each of N examples.  In nats:

    log_px1, log_px2 (K, N)   log p(x1|z_k), log p(x2|z_k)
    log_pz, log_q (K, N)      log p(z_k), log q(z_k|x1)

They may be near -6237, where every exp gives 0, and differ by thousands.
"""

import numpy as np

from mmvae_edu.course import todo


def is_log_marginal(log_px1, log_pz, log_q):
    """Estimate log p(x1) by importance sampling.                                          [S8.T2]

    (K, N) each -> (N,)
    """
    return todo("L15.is_log_marginal")


def is_log_joint(log_px1, log_px2, log_pz, log_q):
    """Estimate log p(x1, x2) by the same samples from q(z|x1).                            [S8.T2]

    (K, N) each -> (N,)
    """
    return todo("L15.is_log_joint")


def is_log_conditional(log_px1, log_px2, log_pz, log_q, log_px2_prior):
    """log p(x1|x2) = log p(x1, x2) - log p(x2), the second by samples z_l ~ p(z).         [S8.T2]

    log_px2_prior (L, N): log p(x2|z_l) -> (N,)
    """
    return todo("L15.is_log_conditional")


def consistency_report(table, *, entropy=0.0, slack=0.001):
    """Derive log p(x2|x1), log p(x2), ... for a discrete x2; flag impossible cells.       [S8.T2]

    table (S, 3): a row a system, its means of log p(x1), log p(x1, x2), log p(x1|x2), NaN where
    there is none; entropy: that of x2 over the same examples, nats, a number or (S,).
    -> implied (S, 3): log p(x2|x1), log p(x2), log p(x1|x2) - log p(x1), each a difference of two
       columns; flags (S, 3) bool: True where log p(x2|x1) is above 0, log p(x2) above -entropy,
       or the third below 0, by more than slack.
    """
    return todo("L15.consistency_report")


def bootstrap_ci(values, rng, *, level=0.95, resamples=2000):
    """Compute the bootstrap's percentile interval for the mean of the values: low, high.  [S8.T2]

    values (N,), one an example; resamples draws of N of them with replacement.
    -> two numbers, between which lies the fraction `level` of the resampled means.  All randomness
    comes from rng, a numpy Generator.
    """
    return todo("L15.bootstrap_ci")
