"""Claims about slide 6: the weighted ELBO."""

import numpy as np

from ..gradcheck import complex_step
from ..models import VAE
from .gaussian_instances import (
    affine_model,
    expert_parameters,
    kl_to_prior,
    set_exact_encoders,
    sigma_points,
)
from .instances import violation
from .registry import T0, T2C, claim

# S6.1: ELBO(x) = E_q[λ log p(x|z)] − β KL(q ‖ p)


@claim("S6.1", of=VAE.bound, tol=T0, oracle="O3 linear-Gaussian")
def lambda_scales_the_likelihood_and_beta_the_kl(f, rng):
    """The bound is λ times the expected log likelihood minus β times KL(q ‖ p)."""
    lam, beta = rng.uniform(0.3, 3.0, size=2)
    lhs, rhs = [], []
    for kl in "closed_form", "monte_carlo":
        model, theta, twin, x = affine_model(VAE, rng, {"x": 3}, 2, kl=kl, weights={"x": lam})
        (mu,), (log_var,) = expert_parameters(model, theta, x)
        lhs.append(f(model, theta, x, eps=sigma_points(1, 4, 2), beta=beta)[0])
        rhs.append(lam * twin.expected_log_lik(mu, log_var, x["x"], "x"))
        rhs[-1] = rhs[-1] - beta * kl_to_prior(mu, log_var)
    return np.array(lhs), np.array(rhs)


@claim("S6.1", of=VAE.bound, tol=T0, oracle="O3 linear-Gaussian")
def the_exact_posterior_makes_every_weight_the_evidence(f, rng):
    """With q the exact posterior and λ = β = 1, any samples give log p(x) itself."""
    model, theta, twin, x = affine_model(VAE, rng, {"x": 4}, 3, N=5, kl="monte_carlo")
    set_exact_encoders(model, theta, twin, prior=True)
    return f(model, theta, x, eps=rng.standard_normal((1, 2, 5, 3)))[0], twin.log_prob(x)


@claim("S6.1", of=VAE.bound, tol=T0, oracle="O3 linear-Gaussian")
def the_elbo_is_a_bound_at_lambda_beta_one(f, rng):
    """At λ = β = 1 the expected bound never exceeds log p(x), however near q is."""
    model, theta, twin, x = affine_model(VAE, rng, {"x": 3}, 2, N=20, kl="monte_carlo")
    set_exact_encoders(model, theta, twin, prior=True)
    theta += 0.1 * rng.standard_normal(theta.shape) * (theta == 0)  # the log-variances' weights
    return violation(f(model, theta, x, eps=sigma_points(1, 20, 2))[0], twin.log_prob(x))


@claim("S6.1", of=VAE.bound, tol=T0, oracle="O3 linear-Gaussian")
def beta_below_one_is_no_bound(f, rng):
    """At β < 1 the exact posterior scores (1 − β) KL(q ‖ p) above log p(x)."""
    model, theta, twin, x = affine_model(VAE, rng, {"x": 4}, 2)
    set_exact_encoders(model, theta, twin, prior=True)
    beta = rng.uniform(0.1, 0.9)
    mean, cov = twin.posterior(x)
    excess = (1 - beta) * kl_to_prior(mean, np.broadcast_to(np.log(np.diag(cov)), mean.shape))
    bound, _ = f(model, theta, x, eps=sigma_points(1, 4, 2), beta=beta)
    return bound - twin.log_prob(x), excess


@claim("S6.1", of=VAE.bound, tol=T0, oracle="O3 linear-Gaussian")
def lambda_above_one_is_no_bound_on_densities(f, rng):
    """With λ > 1 the exact posterior scores (λ − 1) E log p(x|z) above log p(x), if that is > 0."""
    lam = rng.uniform(1.1, 2.0)
    model, theta, twin, x = affine_model(VAE, rng, {"x": 4}, 2, sigma=0.05, weights={"x": lam})
    set_exact_encoders(model, theta, twin, prior=True)
    mean, cov = twin.posterior(x)
    log_var = np.broadcast_to(np.log(np.diag(cov)), mean.shape)
    excess = (lam - 1) * twin.expected_log_lik(mean, log_var, x["x"], "x")
    bound, _ = f(model, theta, x, eps=sigma_points(1, 4, 2))
    return bound - twin.log_prob(x), np.maximum(excess, 0)


@claim("S6.1", of=VAE.bound, tol=T2C, oracle="O7 complex step")
def the_weighted_elbo_has_this_gradient(f, rng):
    """The pullback of the weighted ELBO is its derivative with respect to every parameter."""
    model, _, _, x = affine_model(VAE, rng, {"x": 3}, 2, weights={"x": 0.7})
    model = VAE(model.modalities, latent=2, hidden=(5,), activation="tanh", weights=model.weights)
    theta = 0.5 * rng.standard_normal(model.tree.size)
    eps = rng.standard_normal((1, 3, 4, 2))

    def bound(theta):
        return f(model, theta, x, eps=eps, beta=1.6)

    return complex_step(bound, theta, rng=rng), 0.0
