"""Claims about slide 5: z ~ N(μ, σ²), L2 by samples, and two estimators of L2's gradient."""

import math

import numpy as np

from ..gaussian import gaussian_sample
from ..objectives import elbo as mean_over_samples
from ..oracles import LinearGaussian, NonlinearModel, expect_gaussian
from ..oracles import complex_step as gradient_of
from ..slides.s05_evidence import expected_log_lik, pathwise_grad, refine, score_function_grad
from .gaussian_instances import sigma_points
from .instances import noise_grid, violation
from .registry import T0, T1, T2C, T4, claim


def _one_observation(rng):
    """Draw a nonlinear model, an observation x (P,), and a q (mu, log_var)."""
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
    """Draw log p(x|z) at samples of q, (L, repeats); its exact mean L2 and exact variance."""
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


def _decoder(rng, N=3, D=2):
    """Draw a smooth log p(x|z) of z (K, N, D), real or complex, as an op."""
    W, a = rng.normal(size=(D, 4)), rng.normal(size=(N, 4))

    def log_px_z(z):
        hidden = np.tanh(z @ W + a)

        def log_px_z_pullback(dlog_lik):
            return (dlog_lik[..., None] * (1 - hidden**2)) @ W.T

        return hidden.sum(axis=-1) - 3, log_px_z_pullback

    return log_px_z


def _draw(rng, K=4, N=3, D=2):
    """Draw mu, log_var (N, D) and eps (K, N, D)."""
    return *rng.normal(size=(2, N, D)), rng.normal(size=(K, N, D))


def _integral(rng):
    """Return an op log p(x|z) of one latent dimension, and L2 as a function of (mu, log_var)."""
    model, x = NonlinearModel.random(rng, H=3, P=4), rng.integers(0, 2, size=4)

    def log_px_z(z):
        slope = np.imag(model.log_lik(z + 1e-30j, x)) / 1e-30

        def log_px_z_pullback(dlog_lik):
            return dlog_lik[..., None] * slope

        return model.log_lik(z[..., 0], x), log_px_z_pullback

    def exact_l2(q):
        return expect_gaussian(lambda z: model.log_lik(z, x), q[0], q[1])

    return log_px_z, exact_l2


def _averaged(f, q, log_px_z, **constants):
    """Average f over the noise by quadrature, for K = 1 and for the K = 2 samples ε and −ε."""
    eps, chance = noise_grid(1, nodes=601)
    mu, log_var = np.repeat(np.reshape(q, (2, 1, 1)), len(chance), axis=1)
    estimates = [
        f(mu, log_var, eps=noise[..., None], log_px_z=log_px_z, **constants)
        for noise in (eps, np.concatenate([eps, -eps]))
    ]
    return np.array(estimates).reshape(2, -1, len(chance)) @ chance


# ---- S5.13: L2 ≈ (1/L) Σ log p(x|z) -----------------------------------------------------------


@claim("S5.13", of=expected_log_lik, tol=T0, oracle="plain loops")
def l2_averages_the_log_likelihood(f, rng):
    """L2 is estimated by the mean over samples of log p(x|z) at z = μ + σ ε."""
    mu, log_var, eps = _draw(rng)
    log_px_z, exact = _decoder(rng), np.zeros(3)
    for noise in eps:
        exact += log_px_z((mu + np.sqrt(np.exp(log_var)) * noise)[None])[0][0] / 4
    return f(mu, log_var, eps=eps, log_px_z=log_px_z), exact


@claim("S5.12", "S5.13", of=expected_log_lik, tol=T1, oracle="O2 quadrature")
def l2_is_the_expected_estimate(f, rng):
    """Integrated over the noise, the estimate is E_q log p(x|z), with one sample or two."""
    log_px_z, exact_l2 = _integral(rng)
    q = rng.uniform(-0.5, 0.5, size=2)
    return _averaged(f, q, log_px_z), np.full((2, 1), exact_l2(q))


# ---- its gradient, through the sample ---------------------------------------------------------


@claim("S5.13", "S5.12", of=pathwise_grad, tol=T2C, oracle="O7 complex step")
def pathwise_gradient_differentiates_the_estimate(f, rng):
    """With ε held, the pathwise gradient is the derivative of (1/L) Σ log p(x|μ + σ ε) by μ and
    log σ².
    """
    mu, log_var, eps = _draw(rng)
    log_px_z = _decoder(rng)

    def estimate(q):
        return log_px_z(q[0] + np.exp(q[1] / 2) * eps)[0].sum() / 4

    exact = gradient_of(estimate, [mu, log_var])
    return np.array(f(mu, log_var, eps=eps, log_px_z=log_px_z)), exact


@claim("S5.13", of=pathwise_grad, tol=T1, oracle="O2 quadrature")
def pathwise_gradient_averages_to_that_of_l2(f, rng):
    """Integrated over the noise, the pathwise gradient is that of E_q log p(x|z): unbiased."""
    log_px_z, exact_l2 = _integral(rng)
    q = rng.uniform(-0.5, 0.5, size=2)
    return _averaged(f, q, log_px_z), np.tile(gradient_of(exact_l2, q), (2, 1))


# ---- its gradient, through the density --------------------------------------------------------


@claim("S5.12", "S5.13", of=score_function_grad, tol=T1, oracle="O2 quadrature")
def score_gradient_averages_to_that_of_l2(f, rng):
    """Integrated over the noise, log p(x|z) ∇log q(z) is the gradient of L2: unbiased too."""
    log_px_z, exact_l2 = _integral(rng)
    q = rng.uniform(-0.5, 0.5, size=2)
    return _averaged(f, q, log_px_z), np.tile(gradient_of(exact_l2, q), (2, 1))


@claim("S5.12", of=score_function_grad, tol=T1, oracle="O2 quadrature")
def a_baseline_adds_no_bias(f, rng):
    """Since E_q ∇log q = 0, a number may be subtracted from log p(x|z) without a bias."""
    log_px_z, exact_l2 = _integral(rng)
    q, baseline = rng.uniform(-0.5, 0.5, size=2), rng.normal(-3, 1)
    averaged = _averaged(f, q, log_px_z, baseline=baseline)
    return averaged, np.tile(gradient_of(exact_l2, q), (2, 1))


@claim("S5.13", of=score_function_grad, tol=T0, oracle="plain loops")
def score_gradient_weighs_the_score(f, rng):
    """The estimate is the mean of (log p(x|z) − baseline) times ε/σ for μ, and ½ (ε² − 1) for
    log σ².
    """
    mu, log_var, eps = _draw(rng)
    log_px_z, baseline = _decoder(rng), rng.normal(size=3)
    exact = np.zeros((2, 3, 2))
    for noise in eps:
        std = np.sqrt(np.exp(log_var))
        weight = (log_px_z((mu + std * noise)[None])[0][0] - baseline)[:, None] / 4
        exact += weight * np.array([noise / std, (noise**2 - 1) / 2])
    return np.array(f(mu, log_var, eps=eps, log_px_z=log_px_z, baseline=baseline)), exact


# ---- S5.0: min KL(q(z|x) ‖ p(z|x)), for one x at a time ----------------------------------------


def _refinable(rng, T):
    """Draw a linear-Gaussian model, x, q (mu, log_var), and log p(x|z) with T steps of noise for
    which its averages are exact.
    """
    model = LinearGaussian.random(rng, 2, {"x": 4}, orthogonal=False)
    _, x = model.sample(rng, 3)
    q = np.stack(model.best_diagonal(x)) + rng.normal(0, 0.5, (2, 3, 2))

    def log_px_z(z):
        residual = x["x"] - model.b["x"] - z @ model.W["x"].T

        def log_px_z_pullback(dlog_lik):
            return dlog_lik[..., None] * residual @ model.W["x"] / model.sigma["x"] ** 2

        return model.log_lik(z, x["x"], "x"), log_px_z_pullback

    eps = np.broadcast_to(sigma_points(1, 3, 2), (T, 4, 3, 2))
    return model, x, q, {"eps": eps, "log_px_z": log_px_z}


@claim("S5.0", of=refine, tol=T0, oracle="O3 linear-Gaussian and O7 complex step")
def a_refining_step_is_scaled_by_the_variance(f, rng):
    """A step adds the rate times (σ², 2) times the gradient of L^v by (μ, log σ²)."""
    model, x, (mu, log_var), noise = _refinable(rng, 1)

    def elbo(q):
        quadratic = (q[0] ** 2 + np.exp(q[1]) - 1 - q[1]).sum() / 2
        return model.expected_log_lik(*q, x["x"], "x").sum() - quadratic

    dmu, dlog_var = gradient_of(elbo, [mu, log_var])
    exact = mu + 0.03 * np.exp(log_var) * dmu, log_var + 0.06 * dlog_var
    return np.stack(f(mu, log_var, **noise, rate=0.03)), np.stack(exact)


@claim("S5.0", of=refine, tol=T1, oracle="O3 linear-Gaussian")
def refining_ends_at_the_best_gaussian(f, rng):
    """From any start near it, many steps reach the diagonal Gaussian with the highest ELBO."""
    model, x, q, noise = _refinable(rng, 400)
    return np.stack(f(*q, **noise)), np.stack(model.best_diagonal(x))


@claim("S5.0", of=refine, tol=T0, oracle="O3 linear-Gaussian")
def refining_raises_the_bound_and_no_evidence(f, rng):
    """Each x's bound rises with every few steps, and stays at most log p(x)."""
    model, x, q, noise = _refinable(rng, 3)
    bounds = [model.elbo(*q, x)]
    for _ in range(4):
        q = f(*q, **noise)
        bounds.append(model.elbo(*q, x))
    return violation(bounds, [*bounds[1:], model.log_prob(x)])


@claim("S5.0", of=refine, tol=T0, oracle="O7 complex step")
def both_parts_of_a_step_start_at_the_old_q(f, rng):
    """The steps of μ and of log σ² have the gradient of L^v at the same q and the same noise."""
    (mu, log_var, eps), log_px_z = _draw(rng), _decoder(rng)

    def bound(q):
        log_lik, _ = log_px_z(q[0] + np.exp(q[1] / 2) * eps)
        return log_lik.sum() / len(eps) - (q[0] ** 2 + np.exp(q[1]) - 1 - q[1]).sum() / 2

    dmu, dlog_var = gradient_of(bound, [mu, log_var])
    exact = mu + 0.5 * np.exp(log_var) * dmu, log_var + dlog_var
    return np.stack(f(mu, log_var, eps=eps[None], log_px_z=log_px_z, rate=0.5)), np.stack(exact)


@claim("S5.0", of=refine, tol=T0, oracle="one step at a time")
def each_refining_step_has_its_own_noise(f, rng):
    """Three steps are one step after the other, each with its own noise."""
    (mu, log_var, _), log_px_z = _draw(rng), _decoder(rng)
    eps, q = rng.normal(size=(3, 4, 3, 2)), (mu, log_var)
    for step in range(3):
        q = f(*q, eps=eps[step : step + 1], log_px_z=log_px_z)
    return np.stack(f(mu, log_var, eps=eps, log_px_z=log_px_z)), np.stack(q)
