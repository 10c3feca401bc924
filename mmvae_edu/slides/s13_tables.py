"""Slide 13's tables, read closely: limits of their numbers, and intervals.  [S13.T1-T3]

x_m and x_n are the two modalities; all log likelihoods in nats, unscaled.
"""

import numpy as np

from ..objectives import iwae


def log_conditional_exact_lg(xm, xn, W, b, sigma):
    """Compute log p(x_m|x_n) of the linear-Gaussian model, exactly.                      [S13.T3]

        z ~ N(0, I), x = W z + b + σ ε;   z|x_n ~ N(μ, Σ), Σ = (I + W_nᵀ W_n / σ_n²)⁻¹,
        μ = Σ W_nᵀ (x_n − b_n) / σ_n²;   x_m|x_n ~ N(W_m μ + b_m, W_m Σ W_mᵀ + σ_m² I)

    xm (N, P_m), xn (N, P_n); W, b, sigma: pairs, of m and of n: (P, D), (P,), a number.  (N,) nats.
    """
    (Wm, Wn), (bm, bn), (sm, sn) = W, b, sigma
    P, D = Wm.shape
    spread = np.linalg.inv(np.eye(D) + Wn.T @ Wn / sn**2)
    mean = (xn - bn) @ Wn @ spread / sn**2
    covariance = Wm @ spread @ Wm.T + sm**2 * np.eye(P)
    residual = xm - bm - mean @ Wm.T
    distance = (residual * np.linalg.solve(covariance, residual.T).T).sum(axis=1)
    return -0.5 * (distance + np.linalg.slogdet(covariance)[1] + P * np.log(2 * np.pi))


def log_conditional_is(log_pxm, log_pxn, log_pz, log_q):
    """Estimate log p(x_m|x_n) by K samples z_k ~ q, whatever q has seen.                 [S13.T3]

        log Σ_k w̃_k p(x_m|z_k),   w_k = p(x_n|z_k) p(z_k) / q(z_k),   w̃ = w / Σ_k w_k

    Samples weighted by w̃ are as if drawn from p(z|x_n); it is log p(x_m, x_n) − log p(x_n), both
    by the same samples.  Without p(x_n|z) in the weights it would be log p(x_m).
    log p(x_m|z_k), log p(x_n|z_k), log p(z_k), log q(z_k): (K, N) each → (N,) nats.
    """
    log_w = log_pxn + log_pz - log_q
    return iwae(log_pxm + log_w)[0] - iwae(log_w)[0]


def laplace_ceiling(P, b, *, unit=1.0):
    """Compute the largest log density of P features with Laplace scale b, nats.          [S13.T3]

        −P log 2b − P log unit

    It is that of x at the median.  A feature is c / unit, and the density is per unit of c: that
    is what the second term, the Jacobian, is for.
    """
    return -P * np.log(2 * b * unit)


def audit_table3(rows, *, classes, ceilings):
    """Compute by how many nats each of three rules is broken.                            [S13.T3]

        shared        log p(x_1, x_2) − log p(x_1) − log p(x_2) − log classes
        conditional   log p(x_m, x_n) − log p(x_m|x_n) − log p(x_n)
        ceiling       log p(x_m) − ceiling_m

    rows (S, 2, 4): S systems, a line for each m, columns as on the slide: the joint; log p(x_m) by
    z from both and by z from x_m, of which the higher counts since both are lower bounds; and what
    is labelled log p(x_m|x_n).  Data paired at random within `classes` share at most log classes;
    the second must be 0; ceilings (2,) are the largest possible log densities.
    Returns shared (S,), conditional (S, 2), ceiling (S, 2): above 0 a rule is broken.
    """
    joint, labelled = rows[:, 0, 0], rows[:, :, 3]
    log_pxm = rows[:, :, 1:3].max(axis=-1)
    log_px1, log_px2 = log_pxm.T
    shared = joint - log_px1 - log_px2 - np.log(classes)
    return shared, joint[:, None] - labelled - log_pxm[:, ::-1], log_pxm - ceilings


def over_seeds(values):
    """Summarise a system's seeds: median, lowest, highest, coverage.             [S13.T1, S13.T2]

    low and high are the lowest and the highest of the n values.  They enclose the median over all
    seeds unless all n fall on one side of it: the coverage is 1 − 2^(1−n), whatever the law.
    """
    coverage = 1 - 2.0 ** (1 - len(values))
    return np.median(values), np.min(values), np.max(values), coverage


def against_chance(hits, n, *, chance, z=1.96):
    """Compare `hits` of n with guessing: 1 if more, −1 if fewer, 0 if neither.

        |hits/n − chance| > z sqrt(chance (1 − chance) / n)                       [S13.T1, S13.T2]

    The chance line lies outside Wilson's interval then.  hits a number or an array.
    """
    difference = hits / n - chance
    return np.sign(difference) * (abs(difference) > z * np.sqrt(chance * (1 - chance) / n))
