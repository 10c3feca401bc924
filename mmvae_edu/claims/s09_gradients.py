"""Claims about slide 9: the gradients of both bounds, with samples held by their noise."""

import numpy as np

from ..oracles import complex_step as differentiate
from ..oracles import iwae_exact
from ..slides.s09_importance import iwae_grad, vae_grad
from .instances import discrete_weights, every_draw, log_normal_sum
from .registry import T0, T1, T2C, claim

# S9.3, S9.4: the gradients, samples held by their noise, z = mu + std · eps


def _toy(mu, log_var, eps, x):
    """log w of z ~ N(0, 1), x|z ~ N(z, 1), q = N(mu, var): (K, N)."""
    z = mu + np.exp(log_var / 2) * eps
    log_q = log_normal_sum(z[..., None], mu[..., None], log_var[..., None])
    return (
        log_normal_sum(x[..., None], z[..., None], 0) + log_normal_sum(z[..., None], 0, 0) - log_q
    )


def _toy_gradients(mu, log_var, eps, x):
    """∇log w_k with respect to (mu, log_var), by complex step: (K, N, 2)."""
    shifted = _toy(mu + 1e-30j, log_var, eps, x), _toy(mu, log_var + 1e-30j, eps, x)
    return np.stack(shifted, axis=-1).imag / 1e-30


def _toy_draw(rng, K=4, N=3):
    x, mu, log_var = rng.normal(1, 2, N), rng.normal(0, 1, N), rng.uniform(-2, 1, N)
    return mu, log_var, rng.standard_normal((K, N)), x


def _fixture():
    """Five samples of default_rng(0) at x = 1.7, mu = 0.3, log_var = −0.4."""
    eps = np.random.default_rng(0).standard_normal(5)[:, None]
    return np.array([0.3]), np.array([-0.4]), eps, np.array([1.7])


@claim("S9.3", of=vae_grad, tol=T2C, oracle="O7 complex step")
def vae_gradient_weighs_samples_evenly(f, rng):
    """(1/K) Σ ∇log w_k is the gradient of the VAE bound at fixed noise."""
    mu, log_var, *rest = toy = _toy_draw(rng)
    shifted = [_toy(mu + 1e-30j, log_var, *rest), _toy(mu, log_var + 1e-30j, *rest)]
    expected = np.stack([a.imag.sum(axis=0) / len(a) for a in shifted], axis=-1) / 1e-30
    return f(_toy_gradients(*toy)), expected


@claim("S9.3", of=vae_grad, tol=T0, oracle="a fixture to 8 digits")
def vae_gradient_of_the_fixture(f, rng):
    """At five fixed samples, x = 1.7 and q = N(0.3, e^−0.4), it is (1.03342777, 0.41891946)."""
    gradient = f(_toy_gradients(*_fixture()))
    return np.round(gradient, 8), np.array([[1.03342777, 0.41891946]])


@claim("S9.4", of=iwae_grad, tol=T2C, oracle="O7 complex step")
def iwae_gradient_weighs_samples_by_their_share(f, rng):
    """Σ w̃_k ∇log w_k is the gradient of log (1/K) Σ w_k at fixed noise."""
    mu, log_var, *rest = toy = _toy_draw(rng)
    shifted = [_toy(mu + 1e-30j, log_var, *rest), _toy(mu, log_var + 1e-30j, *rest)]
    expected = [np.log(np.exp(a).mean(axis=0)).imag / 1e-30 for a in shifted]
    return f(_toy(*toy), _toy_gradients(*toy)), np.stack(expected, axis=-1)


@claim("S9.4", of=iwae_grad, tol=T1, oracle="O4 Frullani")
def iwae_gradient_is_unbiased(f, rng):
    """Averaged over all outcomes, Σ w̃_k ∇log w_k is the gradient of L_K by Frullani's integral."""
    q, log_w, _ = discrete_weights(rng, 4)
    slopes = rng.standard_normal((4, 2))  # ∂log w(z) / ∂θ

    def bound(theta):
        return iwae_exact(q, np.exp(log_w + slopes @ theta), K)

    lhs, rhs = [], []
    for K in 1, 2, 4:
        (states,), chance = every_draw(q, K=K)
        lhs.append(chance @ f(log_w[states], slopes[states]))
        rhs.append(differentiate(bound, np.zeros(2)))
    return np.array(lhs), np.array(rhs)


@claim("S9.4", "S9.3", of=iwae_grad, tol=T0, oracle="a plain mean")
def equal_weights_give_the_vae_gradient(f, rng):
    """Where all weights are equal, and at K = 1, the IWAE gradient is the VAE gradient."""
    g, level = rng.standard_normal((4, 3, 2)), rng.normal(-90, 9, size=(1, 3))
    lhs = [f(np.repeat(level, 4, axis=0), g), f(level, g[:1])]
    return np.array(lhs), np.array([g.sum(axis=0) / 4, g[0]])


@claim("S9.4", of=iwae_grad, tol=T0, oracle="a fixture to 8 digits")
def iwae_gradient_of_the_fixture(f, rng):
    """At five fixed samples, x = 1.7 and q = N(0.3, e^−0.4), it is (0.82840808, 0.46252055)."""
    gradient = f(_toy(*_fixture()), _toy_gradients(*_fixture()))
    return np.round(gradient, 8), np.array([[0.82840808, 0.46252055]])
