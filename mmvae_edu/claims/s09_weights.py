"""Claims about slide 9: the importance weights, and IWAE as a model."""

import mpmath
import numpy as np

from ..kernels.reference import importance_weights
from ..models import IWAE
from ..oracles import bound_gradient, iwae_continuous
from .gaussian_instances import (
    affine_encoder_gradient,
    affine_model,
    average_over_noise,
    expert_parameters,
    one_dimensional,
    set_exact_encoders,
)
from .instances import log_normal_sum, noise_grid
from .registry import T0, T1, claim

# S9.5: w = p(x, z) / q(z|x), w̃ = w / Σ w


@claim("S9.5", "S9.2", of=importance_weights, tol=T1, oracle="O5 mpmath, 50 digits")
def normalised_weights_are_shares(f, rng):
    """w̃_k = w_k / Σ_j w_j over the samples of each example, at any scale of log w."""
    log_w = np.array([0.0, -6237.1, 700.0]) + rng.normal(0, 3, size=(5, 3))
    with mpmath.workdps(50):
        w = [[mpmath.exp(a) for a in row] for row in log_w]
        totals = [mpmath.fsum(column) for column in zip(*w, strict=True)]
        shares = [[float(a / s) for a, s in zip(row, totals, strict=True)] for row in w]
        bound = [float(mpmath.log(total / 5)) for total in totals]
    return np.vstack(f(log_w)), np.vstack([bound, shares])


@claim("S9.5", of=importance_weights, tol=T0, oracle="counting")
def an_impossible_sample_weighs_nothing(f, rng):
    """A sample with log w = −∞ weighs 0; where all are −∞ the bound is −∞, and nothing is NaN."""
    a = rng.normal()
    log_w = np.array([[a, -np.inf], [-np.inf, -np.inf], [a, -np.inf]])
    bound, weights = f(log_w)
    lhs = np.append(weights.ravel(), [bound[0], float(bound[1] == -np.inf)])
    return lhs, np.array([0.5, 0, 0, 0, 0.5, 0, a + np.log(2 / 3), 1])


@claim("S9.5", of=IWAE.log_weights, tol=T0, oracle="O3 linear-Gaussian")
def a_weight_is_joint_over_posterior(f, rng):
    """log w_k = log p(x|z_k) + log p(z_k) − log q(z_k|x) at z_k = μ + σ ε_k."""
    model, theta, twin, x = affine_model(IWAE, rng, {"x": 3}, 2)
    (mu,), (log_var,) = expert_parameters(model, theta, x)
    eps = rng.standard_normal((1, 5, 4, 2))
    z = mu + np.exp(log_var / 2) * eps[0]
    return f(model, theta, x, eps=eps)[0], twin.log_joint(z, x) - log_normal_sum(z, mu, log_var)


@claim("S9.5", of=IWAE.log_weights, tol=T0, oracle="O3 linear-Gaussian")
def with_the_posterior_every_weight_is_the_evidence(f, rng):
    """With q the exact posterior every log-weight is log p(x): no variance is left."""
    model, theta, twin, x = affine_model(IWAE, rng, {"x": 4}, 3)
    set_exact_encoders(model, theta, twin, prior=True)
    log_w, _ = f(model, theta, x, eps=rng.standard_normal((1, 6, 4, 3)))
    return log_w, np.broadcast_to(twin.log_prob(x), (6, 4))


@claim("S9.2", "S9.4", of=IWAE.bound, tol=T1, oracle="O4 Frullani")
def iwae_model_reaches_its_exact_bound(f, rng):
    """The model's bound and gradient, integrated over the noise of K = 2, are the exact L_2's."""
    instance, expected = _one_dimensional_iwae(rng)
    return average_over_noise(f, *instance), expected


@claim(of=IWAE.doubly_reparameterised, tol=T1, oracle="O4 Frullani")
def double_reparameterisation_keeps_the_mean(f, rng):
    """The w̃² estimator, integrated over the noise of K = 2, is the gradient of L_2."""
    instance, expected = _one_dimensional_iwae(rng)
    return average_over_noise(f, *instance), expected


def _one_dimensional_iwae(rng):
    model, theta, twin, x = one_dimensional(IWAE, rng, {"x": 2})
    mu, log_var = (a.ravel() for a in expert_parameters(model, theta, x))
    eps, chance = noise_grid(2)

    def log_joint(z):
        return twin.log_joint(z[:, None], x)

    bound = iwae_continuous(log_joint, mu[0], log_var[0], 2, nodes=401)
    grads = bound_gradient(iwae_continuous, log_joint, mu[0], log_var[0], 2)
    gradient = affine_encoder_gradient(x, *(np.atleast_1d(d) for d in grads))
    return (model, theta, x, eps[None, :, :, None], chance), np.append(gradient, bound)
