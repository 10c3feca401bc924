"""Slide 11: the mixture's moments, its cross reconstruction, each expert's share, and their gap."""

import numpy as np

from ..posteriors import log_mixture_weights


def mixture_moments(mu, log_var, *, mask=None):
    """Compute the mean and the log variance of the even mixture of the present experts.  [S11.3]

        mean = Σ_m α_m mu_m        var = Σ_m α_m (var_m + (mu_m − mean)²)

    mu, log_var (M, N, D); mask (M, N) bool, True = present, at least one in each column; returns
    (mean, log_var), each (N, D).
    """
    if mask is None:
        mask = np.ones(mu.shape[:2], dtype=bool)
    alpha = np.exp(log_mixture_weights(mask))[..., None]
    mu, var = np.where(alpha > 0, mu, 0), np.where(alpha > 0, np.exp(log_var), 0)
    mean = (alpha * mu).sum(axis=0)
    return mean, np.log((alpha * (var + (mu - mean) ** 2)).sum(axis=0))


def cross_reconstruction(joint, q, decoder):
    """Compute E_{p(x_m, x_n)} E_{q(z|x_m)} log p(x_n|z), one modality given and another scored.

    joint (U, V) p(x_m, x_n), a row for each x_m; q (U, S) q(z|x_m); decoder (S, V) p(x_n|z); nats.
    Pairs (z, x_n) that never occur add nothing; −∞ if one that occurs cannot be decoded.
    """
    together = q.T @ joint  # p(z, x_n)
    with np.errstate(divide="ignore"):
        scores = np.where(together > 0, np.log(decoder), 0)
    return (together * scores).sum()


def reconstruction_cap(joint):
    """Compute −H(x_n|x_m), which no `cross_reconstruction` exceeds.  joint (U, V); nats."""
    occurs = joint > 0
    given = joint.sum(axis=1, keepdims=True)
    conditional = np.where(occurs, joint, 1) / np.where(occurs, given, 1)
    return (joint * np.log(conditional)).sum()


def responsibility(posterior, experts):
    """Compute a_m = E_{p(z|x)}[q_m(z) / Σ_j q_j(z)], expert m's mean responsibility.

    posterior (S,), experts (M, S), rows that sum to 1; returns (M,), which sums to 1.
    Raises ValueError where the posterior has mass that no expert covers.
    """
    total = experts.sum(axis=0)
    if (posterior[total == 0] > 0).any():
        raise ValueError("the posterior has mass where every expert has none")
    return (posterior * experts / np.where(total > 0, total, 1)).sum(axis=1)


def looseness_gap(a):
    """Compute KL(uniform ‖ a) = −log M − (1/M) Σ_m log a_m, S11.4's gap to log p(x) at any K.

    Since E_{q_m} w = M p(x) a_m, stratum m tends to log p(x) + log(M a_m) as K grows, and the
    mean over m to log p(x) − KL(uniform ‖ a).  a (M, …) from `responsibility`; (…), nats.
    """
    return -np.log(len(a)) - np.log(a).mean(axis=0)
