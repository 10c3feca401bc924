"""A triple ELBO: a joint encoder for complete data and one encoder for each modality alone.

Every encoder gives a diagonal Gaussian as a pair (mu, log_var) of arrays (N, D), log_var the
logarithm of its variance.  The prior is N(0, I).  All terms are trained at once.
"""

import numpy as np


def kl_to_prior(mu, log_var):
    """KL(N(mu, var) || N(0, I)) in nats, (N,)."""
    return 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=-1)


def triple_elbo(joint, unimodal, log_lik):
    """ELBO(x_1, ..., x_M) + sum_m ELBO(x_m) in nats, (N,).

    joint: the pair of q(z|x_1, ..., x_M).  unimodal: M pairs, of q(z|x_1) to q(z|x_M).
    log_lik(m, mu, log_var): E log p(x_m|z) under N(mu, var), (N,).
    Each ELBO(X) scores the modalities in X, under the posterior given X.
    """
    mu, log_var = joint
    reconstruction = sum(log_lik(m, mu, log_var) for m in range(len(unimodal)))
    total = reconstruction - kl_to_prior(mu, log_var)
    for m, (mod_mu, mod_log_var) in enumerate(unimodal):
        reconstruction = log_lik(m, mod_mu, mod_log_var)
        total = total + reconstruction - kl_to_prior(mod_mu, log_var)
    return total


def draw(pair, *, eps):
    """One sample of an encoder's Gaussian.  eps (N, D); (N, D)."""
    mu, log_var = pair
    return mu + np.exp(0.5 * log_var) * eps
