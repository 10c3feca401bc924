"""Slide 7: the posterior given all modalities, over S states, and a joint term's flat steps."""

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
