"""Claims about slide 11: MMVAE's encoders, samples, decoders and mixture density together."""

import itertools
import math

import numpy as np

from ..gradcheck import complex_step
from ..models import MMVAE
from .gaussian_instances import affine_model, expert_parameters
from .instances import log_mean, log_normal_sum
from .registry import T0, T2C, claim

# S11.4 as a model: encoders, samples, decoders and the mixture's density together


@claim("S11.4", "S6.2", of=MMVAE.bound, tol=T0, oracle="O3 linear-Gaussian")
def mmvae_scores_every_modality_at_every_experts_sample(f, rng):
    """Each expert's samples are weighed by p(z, x_1:M) / q_Φ(z|x_1:M) of the modalities present."""
    lam, beta = {"a": 0.7, "b": 1.0, "c": 1.8}, 1.3
    model, theta, twin, x = affine_model(MMVAE, rng, {"a": 2, "b": 3, "c": 4}, 2, weights=lam)
    mask = np.array([[1, 1, 0, 1], [1, 0, 1, 0], [1, 1, 0, 0]], bool)
    mask[0, 2] = True
    eps = rng.standard_normal((3, 5, 4, 2))
    bound, _ = f(model, theta, x, mask=mask, eps=eps, beta=beta)
    mu, log_var = expert_parameters(model, theta, x)
    rhs = np.empty(4)
    for n, kept in enumerate(mask.T):
        strata = []
        for m in np.flatnonzero(kept):
            z = mu[m, n] + np.exp(log_var[m, n] / 2) * eps[m, :, n]
            experts = [log_normal_sum(z, mu[j, n], log_var[j, n]) for j in np.flatnonzero(kept)]
            ratio = log_normal_sum(z, 0, np.zeros(2)) - log_mean(np.array(experts))
            names = itertools.compress(x, kept)
            score = sum(lam[j] * twin.log_lik(z, x[j][n], j) for j in names)
            strata.append(log_mean(score + beta * ratio))
        rhs[n] = math.fsum(strata) / len(strata)
    return bound, rhs


@claim("S11.4", of=MMVAE.bound, tol=T2C, oracle="O7 complex step")
def mmvae_has_this_gradient(f, rng):
    """Expert m's gradient comes through its samples and through q_m in every log q_Φ(z_j)."""
    model, _, _, x = affine_model(MMVAE, rng, {"a": 2, "b": 3}, 2)
    model = MMVAE(model.modalities, latent=2, hidden=(4,), activation="tanh")
    theta = 0.5 * rng.standard_normal(model.tree.size)
    eps = rng.standard_normal((2, 3, 4, 2))

    def bound(theta):
        return f(model, theta, x, eps=eps, beta=1.4)

    return complex_step(bound, theta, rng=rng), 0.0
