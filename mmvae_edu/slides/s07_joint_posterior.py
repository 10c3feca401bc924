"""Slide 7: the posterior given all modalities, over S states; flat steps and weights of terms."""

from math import comb

import numpy as np

from .s05_evidence import LOWEST, log_evidence, posterior


def posterior_joint(log_prior, log_liks):
    """Compute p(z|x_1..M) = p(z) Π_m p(x_m|z) / p(x_1..M).                                 [S7.1]

    log_prior (S,), log_liks (M, S), each row log p(x_m|z) at the observed x_m; (S,).
    """
    return posterior(log_prior + log_liks.sum(axis=0))


def posterior_from_unimodal(log_posts, log_prior):
    """Compute p(z|x_1..M) ∝ Π_m p(z|x_m) / p(z)^(M−1), normalised.                         [S7.3]

    log_posts (M, S), each row log p(z|x_m); log_prior (S,); returns (S,).
    """
    ratios = log_posts - np.maximum(log_prior, LOWEST)  # log p(x_m|z) / p(x_m)
    return posterior(log_prior + ratios.sum(axis=0))


def log_constant_eq3(log_prior, log_liks):
    """Compute log Π_m p(x_m) / p(x_1..M), which turns the ∝ of (3) into =.                 [S7.3]

    log_prior (S,), log_liks (M, S); a number in nats: minus the pointwise total correlation.
    """
    unimodal = sum(log_evidence(log_prior + log_lik) for log_lik in log_liks)
    return unimodal - log_evidence(log_prior + log_liks.sum(axis=0))


def flat_direction(dtau, deta):
    """Project a step of all experts on those that keep their joint posterior.         [S7.6]

    Expert m has the precision tau_m and eta_m = tau_m mu_m.  Only their sums over m stand in the
    joint posterior, so a step is flat for ELBO(x_1..M) if it adds up to 0.  dtau, deta (M, N, D);
    returns the nearest such step, of the same shapes.
    """
    return dtau - dtau.mean(axis=0), deta - deta.mean(axis=0)


def subset_weights(M, k):
    """Compute how often a step of S7.6 scores one subset of each size, on average.        [S7.6]

        1 if s = 1 or s = M,   k / ((M − 2) C(M, s)) if 1 < s < M

    M ≥ 3 modalities, k independent random subsets of a size that is uniform on 2..M−1; returns
    (M,) for the sizes s = 1..M.  Of all subsets the numbers add up to the 1 + M + k terms.
    """
    random = [k / ((M - 2) * comb(M, size)) for size in range(2, M)]
    return np.array([1.0, *random, 1.0])


def scored_unseen(given, scored, weight):
    """Compute how much an objective scores j from a z that saw i and not j.         [S7.6, S11.4]

        R[i, j] = Σ_t weight_t [i in given_t] [j in scored_t, j not in given_t]

    given, scored (T, M) bool, the modalities that term t encodes and those that it scores;
    weight (T,); returns (M, M).
    """
    unseen = scored & ~given
    return np.einsum("t,ti,tj->ij", weight, given, unseen)
