"""A mixture as the posterior, and the bounds that can be built on it.

log_w may be thousands from 0, where exp(log_w) is 0 or inf.  An absent expert has no part: what is
given for it may be NaN.
"""

import numpy as np

from mmvae_edu.course import todo


def mixture_log_prob(z, mu, log_var, *, log_alpha):
    """log sum_m alpha_m N(z; mu_m, var_m).                                            [S11.3]

    z (K, N, D), mu, log_var (M, N, D), log_alpha (M, N), -inf for an absent expert -> (K, N),
    and its pullback: (K, N) -> (K, N, D), (M, N, D), (M, N, D)
    """
    return todo("L20.mixture_log_prob")


def mixture_elbo(log_w, *, present=None):
    """Compute the ELBO of a mixture, with K samples of every expert.          [S11.1, S12.1]

    (M, K, N), present (M, N) bool or None -> (N,), and its pullback: (N,) -> (M, K, N).
    """
    return todo("L20.mixture_elbo")


def mixture_iwae(log_w, *, present=None):
    """Compute the mean over experts of log (1/K) sum_k w, the bound of MMVAE.          [S11.4]

    (M, K, N), present (M, N) bool or None -> (N,), and its pullback: (N,) -> (M, K, N)
    """
    return todo("L20.mixture_iwae")


def stratified_iwae(log_w, *, present=None):
    """Compute the same with one logarithm: log (1/MK) sum_m sum_k w.

    (M, K, N), present (M, N) bool or None -> (N,), and its pullback: (N,) -> (M, K, N)
    """
    return todo("L20.stratified_iwae")


def responsibility(posterior, experts):
    """Compute a_m = E_{p(z|x)} [q_m / sum_j q_j], expert m's mean responsibility.

    (S,), (M, S) rows that sum to 1 -> (M,), which sums to 1.  Where no expert has mass, neither
    may the posterior: otherwise ValueError.
    """
    return todo("L20.responsibility")


def looseness_gap(a):
    """Compute KL(uniform || a), the gap of S11.4 to log p(x) at any K, in nats.

    (M, ...) from `responsibility` -> (...)
    """
    return todo("L20.looseness_gap")
