"""Slide 13's tables, read closely: limits of their numbers, and intervals.

x_m and x_n are the two modalities; all log likelihoods in nats.
"""

import numpy as np

from mmvae_edu.course import todo


def log_conditional_exact_lg(xm, xn, W, b, sigma):
    """Compute log p(x_m|x_n), z ~ N(0, I) and x = W z + b + sigma eps, exactly.          [S13.T3]

    xm (N, P_m), xn (N, P_n); W, b, sigma are pairs, first of m and then of n: (P, D), (P,) and a
    number -> (N,)
    """
    return todo("L22.log_conditional_exact_lg")


def log_conditional_is(log_pxm, log_pxn, log_pz, log_q):
    """Estimate log p(x_m|x_n) by K samples z_k ~ q, perhaps no exact posterior.          [S13.T3]

    log p(x_m|z_k), log p(x_n|z_k), log p(z_k), log q(z_k): (K, N) each -> (N,), also where they
    are in the thousands
    """
    return todo("L22.log_conditional_is")


def laplace_ceiling(P, b, *, unit=1.0):
    """Maximise the log density of P features with Laplace scale b, per original unit.    [S13.T3]

    A feature is an original number divided by unit -> a number
    """
    return todo("L22.laplace_ceiling")


def audit_table3(rows, *, classes, ceilings):
    """Compute by how many nats each of three rules is broken.                            [S13.T3]

    rows (S, 2, 4): S systems, a line for each m, columns: the joint; log p(x_m) by z from both and
    by z from x_m, both lower bounds; what is labelled log p(x_m|x_n).  ceilings (2,).
    -> shared (S,): joint - log p(x_1) - log p(x_2) - log classes
       conditional (S, 2): joint - log p(x_m|x_n) - log p(x_n)
       ceiling (S, 2): log p(x_m) - ceilings
    """
    return todo("L22.audit_table3")


def over_seeds(values):
    """Summarise a system's n seeds: median, low, high, coverage.                 [S13.T1, S13.T2]

    values (n,) -> four numbers: the median, the lowest, the highest, and the probability that these
    two enclose the median over all seeds
    """
    return todo("L22.over_seeds")


def against_chance(hits, n, *, chance, z=1.96):
    """Compare hits of n with guessing: 1 if more, -1 if fewer, 0 if neither.             [S13.T1]

    Guesses hit with probability chance; more or fewer: by over z of their standard errors.
    hits a number or an array -> like it
    """
    return todo("L22.against_chance")
