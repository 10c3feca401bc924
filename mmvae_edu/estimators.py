"""Likelihoods by importance sampling: what a trained model says about data."""

import numpy as np

from .arrays import to_host
from .gaussian import standard_normal_log_prob
from .objectives import iwae


def log_marginal(model, theta, x, *, given=None, K=1000, rng, chunk=200_000):
    """log p(x), all modalities of x together, by K importance samples from q(z|given).  [S8, S9.2]

        log (1/K) Σ_k p(x|z_k) p(z_k) / q(z_k|given),   z_k ~ q(z|given)

    x, given: dicts name → (N, P); given = x by default.  Returns (N,) in nats: on average a lower
    bound, rising to log p(x) with K, for any proposal.  λ and β play no part: these are honest
    units.  At most `chunk` rows (examples × samples) are decoded at once.
    """
    if K < 1:
        raise ValueError(f"K: expected at least 1 sample, found {K}")
    target, w = model.open(theta, x)
    proposal = target if given is None else model.open(theta, given)[0]
    step = max(1, chunk // K)
    parts = []
    for start in range(0, target.size, step):
        rows = np.arange(start, min(start + step, target.size))
        log_w = log_weights(model, w, target.take(rows), proposal.take(rows), K, rng)
        parts.append(to_host(iwae(log_w, kernels=model.backend(theta))[0]))
    return np.concatenate(parts)


def log_weights(model, w, target, proposal, K, rng):
    """log p(x|z) + log p(z) − log q(z|given) for K samples from q(z|given): (K, N), nats. [S9.5]"""
    z, log_q = model.posterior_samples(w, proposal, K, rng)
    log_px_z, _ = model.log_likelihood(w, target, z[None], weights=dict.fromkeys(target.x, 1.0))
    log_pz, _ = standard_normal_log_prob(z)
    return log_px_z[0] + log_pz - log_q
