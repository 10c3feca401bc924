"""Claims about slide 5: L2 estimated from samples, and the two estimators of its gradient."""

import numpy as np

from ..oracles import NonlinearModel, expect_gaussian
from ..oracles import complex_step as gradient_of
from ..slides.s05_evidence import expected_log_lik, pathwise_grad, score_function_grad
from .instances import noise_grid
from .registry import T0, T1, T2C, claim


def _decoder(rng, N=3, D=2):
    """A smooth log p(x|z) of z (K, N, D), real or complex, as an op."""
    W, a = rng.normal(size=(D, 4)), rng.normal(size=(N, 4))

    def log_px_z(z):
        hidden = np.tanh(z @ W + a)

        def log_px_z_pullback(dlog_lik):
            return (dlog_lik[..., None] * (1 - hidden**2)) @ W.T

        return hidden.sum(axis=-1) - 3, log_px_z_pullback

    return log_px_z


def _draw(rng, K=4, N=3, D=2):
    """mu, log_var (N, D) and eps (K, N, D)."""
    return *rng.normal(size=(2, N, D)), rng.normal(size=(K, N, D))


def _integral(rng):
    """An op log p(x|z) of one latent dimension, and L2 as a function of q = (mu, log_var)."""
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
    """f averaged over the noise by quadrature, for K = 1 and for the K = 2 samples ε and −ε."""
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
    """With ε held, it is the derivative of (1/L) Σ log p(x|μ + σ ε) by μ and log σ²."""
    mu, log_var, eps = _draw(rng)
    log_px_z = _decoder(rng)

    def estimate(q):
        return log_px_z(q[0] + np.exp(q[1] / 2) * eps)[0].sum() / 4

    exact = gradient_of(estimate, [mu, log_var])
    return np.array(f(mu, log_var, eps=eps, log_px_z=log_px_z)), exact


@claim("S5.13", of=pathwise_grad, tol=T1, oracle="O2 quadrature")
def pathwise_gradient_averages_to_that_of_l2(f, rng):
    """Integrated over the noise, it is the gradient of E_q log p(x|z): unbiased."""
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
    """It is the mean of (log p(x|z) − baseline) times ε/σ for μ, and ½ (ε² − 1) for log σ²."""
    mu, log_var, eps = _draw(rng)
    log_px_z, baseline = _decoder(rng), rng.normal(size=3)
    exact = np.zeros((2, 3, 2))
    for noise in eps:
        std = np.sqrt(np.exp(log_var))
        weight = (log_px_z((mu + std * noise)[None])[0][0] - baseline)[:, None] / 4
        exact += weight * np.array([noise / std, (noise**2 - 1) / 2])
    return np.array(f(mu, log_var, eps=eps, log_px_z=log_px_z, baseline=baseline)), exact
