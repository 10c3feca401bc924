"""Claims about slide 5 with a Gaussian q: z ~ N(μ, σ²), and L2 by samples."""

import math

import numpy as np

from ..gaussian import gaussian_sample
from ..objectives import elbo as mean_over_samples
from ..oracles import NonlinearModel, expect_gaussian
from ..oracles import complex_step as gradient_of
from .registry import T0, T4, claim


def _one_observation(rng):
    """A nonlinear model, an observation x (P,), and a q (mu, log_var)."""
    model = NonlinearModel.random(rng, H=3, P=12)
    return model, rng.integers(0, 2, size=12), rng.uniform(0.7, 1.2, size=2)


def _exact_l2(model, x, mu, log_var):
    return expect_gaussian(lambda z: model.log_lik(z, x), mu, log_var)


# ---- S5.12: z ~ N(mu, var) --------------------------------------------------------------------


@claim("S5.12", of=gaussian_sample, tol=T0, oracle="plain loops")
def sample_is_mean_plus_std_times_noise(f, rng):
    """z = μ + σ ε, for each sample, example and dimension with its own ε."""
    mu, log_var = rng.normal(size=(2, 3, 2))
    eps = rng.normal(size=(4, 3, 2))
    exact = np.empty_like(eps)
    for k, n, d in np.ndindex(eps.shape):
        exact[k, n, d] = mu[n, d] + math.sqrt(math.exp(log_var[n, d])) * eps[k, n, d]
    return f(mu, log_var, eps=eps)[0], exact


@claim("S5.12", of=gaussian_sample, tol=T4, oracle="moments")
def sample_has_the_right_moments(f, rng):
    """z has mean μ and variance σ², and is independent between examples and dimensions."""
    mu, log_var = rng.normal(size=(2, 2)), np.array([[1.0, -0.6], [0.7, -1.2]])
    z, _ = f(mu, log_var, eps=rng.standard_normal((5000, 2, 2)))
    z, mu, var = z.reshape(-1, 4), mu.ravel(), np.exp(log_var).ravel()
    products = (z - mu)[:, :, None] * (z - mu)[:, None]
    return np.concatenate([z[:, :, None], products], axis=2), np.column_stack([mu, np.diag(var)])


@claim("S5.12", of=gaussian_sample, tol=T4, oracle="error function")
def sample_has_the_right_distribution(f, rng):
    """The share of samples below any point is the Gaussian distribution function there."""
    mu, log_var = np.array([[0.4]]), np.array([[1.0]])
    z, _ = f(mu, log_var, eps=rng.standard_normal((8000, 1, 1)))
    points = mu + np.exp(0.5) * np.array([[-1.5, -0.7, 0.2, 1.0, 1.8]])
    exact = [0.5 * math.erfc(-(t - 0.4) / math.sqrt(2 * math.e)) for t in points[0]]
    return z[:, 0] <= points, np.array(exact)


@claim("S5.12", "S5.13", of=gaussian_sample, tol=T4, oracle="O2 quadrature")
def pathwise_gradient_is_unbiased(f, rng):
    """Through z = μ + σ ε, the gradient of log p(x|z) averages to the gradient of L2."""
    draws, exact = [], []
    for _ in range(4):
        model, x, q = _one_observation(rng)
        mu, log_var = np.repeat(q[:, None, None], 8000, axis=1)
        z, pullback = f(mu, log_var, eps=rng.standard_normal((1, 8000, 1)))
        slope = np.imag(model.log_lik(z + 1e-30j, x)) / 1e-30
        draws += pullback(slope)
        exact.append(gradient_of(lambda q, model=model, x=x: _exact_l2(model, x, *q), q))
    return np.concatenate(draws, axis=1), np.concatenate(exact)


# ---- S5.13: L2 by samples ---------------------------------------------------------------------


def _log_lik_draws(rng, L, repeats):
    """log p(x|z) at samples of q, (L, repeats), its exact mean L2 and its exact variance."""
    model, x, (mu, log_var) = _one_observation(rng)
    z = mu + np.exp(log_var / 2) * rng.standard_normal((L, repeats))
    L2 = _exact_l2(model, x, mu, log_var)

    def squared_deviation(z):
        return (model.log_lik(z, x) - L2) ** 2

    return model.log_lik(z, x), L2, expect_gaussian(squared_deviation, mu, log_var)


@claim("S5.13", of=mean_over_samples, tol=T4, oracle="O2 quadrature")
def l2_estimate_is_unbiased(f, rng):
    """(1/L) Σ log p(x|z) averages to L2 = E_q log p(x|z) already at L = 5."""
    log_lik, L2, _ = _log_lik_draws(rng, 5, 8000)
    return f(log_lik)[0], L2


@claim("S5.13", of=mean_over_samples, tol=T4, oracle="O2 quadrature")
def l2_variance_falls_as_one_over_l(f, rng):
    """With L samples the variance of the estimate is that of one sample divided by L."""
    log_lik, L2, variance = _log_lik_draws(rng, 20, 4000)
    return 20 * (f(log_lik)[0] - L2) ** 2, variance
