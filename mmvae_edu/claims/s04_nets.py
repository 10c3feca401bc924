"""Claims about slide 4: one inference net for every x, and the draws of the generation net."""

import math
from collections import Counter

import numpy as np

from ..models import VAE
from ..slides.s05_evidence import log_joint
from .gaussian_instances import affine_model, set_exact_encoders, sigma_points
from .registry import T0, claim


@claim("S4.3", of=VAE.bound, tol=T0, oracle="O3 linear-Gaussian")
def one_net_serves_every_x(f, rng):
    """One network q_φ(z|x) gives every x a distribution of its own: with a linear decoder an affine
    one is the exact posterior of each x, and every bound is log p(x)."""
    model, theta, twin, x = affine_model(VAE, rng, {"x": 5}, 2, N=9)
    set_exact_encoders(model, theta, twin, prior=True)
    return f(model, theta, x, eps=sigma_points(1, 9, 2))[0], twin.log_prob(x)


@claim("S4.4", of=log_joint, tol=T0, oracle="counting equally likely draws")
def drawing_z_then_x_has_the_marginals_law(f, rng):
    """Draw z from P(z), then x' from P(x'|z): x' appears with probability Σ_z P(z) P(x'|z)."""
    prior = rng.permutation([1, 2, 3])
    lik = rng.permuted(np.tile([1, 2, 4], (3, 1)), axis=1)  # of 7 draws given a state
    draws = Counter()
    for z, times in enumerate(prior):
        draws.update(np.repeat(range(3), times * lik[z]).tolist())
    found = [math.fsum(np.exp(f(np.log(prior / 6), np.log(lik / 7), x))) for x in range(3)]
    return np.array(found), np.array([draws[x] / 42 for x in range(3)])
