"""Claims about slide 9: importance weights, their shares, and the gradients that they weigh."""

import math

import numpy as np

from ..kernels.reference import importance_weights
from ..models import IWAE
from ..objectives import effective_sample_size
from ..oracles import bound_gradient, gaussian_grid, iwae_continuous, iwae_exact, log_normal
from ..oracles import complex_step as differentiate
from ..oracles.fifty_digits import exp, log, number
from ..slides.s09_importance import dreg_grads, iwae_grad, normalised_weights, vae_grad
from .gaussian_instances import (
    affine_model,
    expert_parameters,
    over_all_noise,
    set_exact_encoders,
)
from .instances import discrete_weights, every_draw, log_normal_sum, noise_grid, violation
from .registry import T0, T1, T2C, claim

# S9.5: w = p(x, z) / q(z|x), w̃ = w / Σ w


def _log_weights(rng):
    """Draw log-weights at the scales of a label, of slide 8's CelebA, and of a sharp density."""
    return np.array([0.0, -6237.1, 700.0]) + rng.normal(0, 3, size=(5, 3))


def _shares(log_w):
    """Compute w̃ with 50 digits, (K, N)."""
    w = exp(number(log_w))
    return w / w.sum(axis=0)


@claim("S9.5", "S9.2", of=importance_weights, tol=T1, oracle="O5 mpmath, 50 digits")
def normalised_weights_are_shares(f, rng):
    """w̃_k = w_k / Σ_j w_j over the samples of each example, at any scale of log w."""
    log_w = _log_weights(rng)
    bound = log(exp(number(log_w)).sum(axis=0) / 5).astype(float)
    return np.vstack(f(log_w)), np.vstack([bound, _shares(log_w).astype(float)])


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
    set_exact_encoders(model.tree.views(theta), twin, prior=True)
    log_w, _ = f(model, theta, x, eps=rng.standard_normal((1, 6, 4, 3)))
    return log_w, np.broadcast_to(twin.log_prob(x), (6, 4))


@claim("S9.2", "S9.4", of=IWAE.bound, tol=T1, oracle="O4 Frullani")
def iwae_model_reaches_its_exact_bound(f, rng):
    """The model's bound and gradient, integrated over the noise of K = 2, are the exact L_2's."""
    return over_all_noise(f, IWAE, rng, {"x": 2})


@claim(of=IWAE.doubly_reparameterised, tol=T1, oracle="O4 Frullani")
def double_reparameterisation_keeps_the_mean(f, rng):
    """The w̃² estimator, integrated over the noise of K = 2, is the gradient of L_2."""
    return over_all_noise(f, IWAE, rng, {"x": 2})


# S9.3, S9.4: the gradients, samples held by their noise, z = mu + std · eps


def _toy(mu, log_var, eps, x):
    """Compute log w of z ~ N(0, 1), x|z ~ N(z, 1), q = N(mu, var): (K, N)."""
    z = mu + np.exp(log_var / 2) * eps
    return log_normal(x, z, 0.0) + log_normal(z, 0.0, 0.0) - log_normal(z, mu, log_var)


def _toy_steps(mu, log_var, eps, x):
    """Compute log w after complex steps in mu and in log_var: (K, N, 2)."""
    steps = _toy(mu + 1e-30j, log_var, eps, x), _toy(mu, log_var + 1e-30j, eps, x)
    return np.stack(steps, axis=-1)


def _toy_gradients(*toy):
    """Compute ∇log w_k with respect to (mu, log_var): (K, N, 2)."""
    return _toy_steps(*toy).imag / 1e-30


def _toy_draw(rng, K=4, N=3):
    x, mu, log_var = rng.normal(1, 2, N), rng.normal(0, 1, N), rng.uniform(-2, 1, N)
    return mu, log_var, rng.standard_normal((K, N)), x


def _fixture():
    """Draw five samples by default_rng(0) at x = 1.7, mu = 0.3, log_var = −0.4."""
    eps = np.random.default_rng(0).standard_normal(5)[:, None]
    return np.array([0.3]), np.array([-0.4]), eps, np.array([1.7])


@claim("S9.3", of=vae_grad, tol=T2C, oracle="O7 complex step")
def vae_gradient_weighs_samples_evenly(f, rng):
    """(1/K) Σ ∇log w_k is the gradient of the VAE bound at fixed noise."""
    toy = _toy_draw(rng)
    return f(_toy_gradients(*toy)), (_toy_steps(*toy).sum(axis=0) / 4).imag / 1e-30


@claim("S9.3", of=vae_grad, tol=T0, oracle="a fixture to 8 digits")
def vae_gradient_of_the_fixture(f, rng):
    """At five fixed samples, x = 1.7 and q = N(0.3, e^−0.4), the VAE's gradient is (1.03342777,
    0.41891946).
    """
    gradient = f(_toy_gradients(*_fixture()))
    return np.round(gradient, 8), np.array([[1.03342777, 0.41891946]])


@claim("S9.4", of=iwae_grad, tol=T2C, oracle="O7 complex step")
def iwae_gradient_weighs_samples_by_their_share(f, rng):
    """Σ w̃_k ∇log w_k is the gradient of log (1/K) Σ w_k at fixed noise."""
    toy = _toy_draw(rng)
    bounds = np.log(np.exp(_toy_steps(*toy)).mean(axis=0))
    return f(_toy(*toy), _toy_gradients(*toy)), bounds.imag / 1e-30


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
    """At five fixed samples, x = 1.7 and q = N(0.3, e^−0.4), the IWAE's gradient is
    (0.82840808, 0.46252055).
    """
    gradient = f(_toy(*_fixture()), _toy_gradients(*_fixture()))
    return np.round(gradient, 8), np.array([[0.82840808, 0.46252055]])


# ---- S9.5: w̃, and the effective sample size -----------------------------------------------------


@claim("S9.5", of=normalised_weights, tol=T1, oracle="O5 mpmath, 50 digits")
def a_share_is_a_weight_over_the_sum(f, rng):
    """w̃_k = w_k / Σ_j w_j over the samples of each example, whatever the scale of log w."""
    log_w = _log_weights(rng)
    return f(log_w), _shares(log_w).astype(float)


@claim("S9.5", of=normalised_weights, tol=T0, oracle="counting")
def impossible_samples_share_nothing(f, rng):
    """A sample with w = 0 has the share 0; where all have, every share is 0 and none is NaN."""
    a = rng.normal()
    log_w = np.array([[a, -np.inf, a], [-np.inf, -np.inf, a], [a, -np.inf, a + math.log(2)]])
    return f(log_w), np.array([[0.5, 0, 0.25], [0, 0, 0.25], [0.5, 0, 0.5]])


@claim("S9.5", of=effective_sample_size, tol=T1, oracle="O5 mpmath, 50 digits")
def the_effective_sample_size_is_one_over_the_square(f, rng):
    """The effective sample size of each example is (Σ w)² / Σ w² = 1 / Σ w̃², at any scale of
    log w.
    """
    log_w = _log_weights(rng)
    return f(log_w), (1 / (_shares(log_w) ** 2).sum(axis=0)).astype(float)


@claim("S9.5", of=effective_sample_size, tol=T0, oracle="counting")
def equal_weights_count_each(f, rng):
    """J equal weights among K, the others 0, are an effective sample size of J."""
    K, level = 6, rng.normal(-90, 20)
    log_w = np.where(np.arange(K)[:, None] < np.arange(1, K + 1), level, -np.inf)
    return f(log_w), np.arange(1.0, K + 1)


# ---- S9.2: where the variance of w is infinite ---------------------------------------------------


@claim("S9.2", of=iwae_exact, tol=T0, oracle="inequalities")
def a_narrow_q_breaks_the_rate(f, rng):
    """For the posterior N(0, 1) and q = N(0, 0.3) the variance of w is infinite: K (log p(x) − L_K)
    more than doubles with every tenfold K."""
    z, q = gaussian_grid(0.0, math.log(0.3), nodes=401)
    w = np.exp(log_normal(z, 0.0, 0.0) - log_normal(z, 0.0, math.log(0.3)))
    scaled = np.array([-K * f(q / q.sum(), w, K) for K in (10, 100, 1000)])
    return violation(2 * scaled[:-1], scaled[1:])


# ---- S9.4: doubly reparameterised ----------------------------------------------------------------


@claim(of=dreg_grads, tol=T1, oracle="O4 Frullani")
def dreg_keeps_the_mean(f, rng):
    """Integrated over the noise of K = 2, Σ w̃² ∂log w/∂z ∂z/∂φ is the gradient of L_2."""
    mu, log_var = rng.normal(0, 0.5), rng.uniform(-0.9, -0.4)
    x = 2 * mu + rng.uniform(0.2, 0.8)  # the posterior of z ~ N(0, 1), x|z ~ N(z, 1) is not far
    eps, chance = noise_grid(2, nodes=71)
    z = mu + np.exp(log_var / 2) * eps

    def log_joint(z):
        return log_normal(z, 0.0, 0.0) + log_normal(x, z, 0.0)

    def bound(*arguments):
        return iwae_continuous(*arguments, nodes=401)

    log_w = log_joint(z) - log_normal(z, mu, log_var)
    dlog_w_dz = x - 2 * z + (z - mu) * np.exp(-log_var)
    spread = np.full((chance.size, 1), log_var)
    grads = f(log_w, dlog_w_dz[..., None], spread, eps[..., None])
    exact = bound_gradient(bound, log_joint, mu, log_var, 2)
    return np.array([chance @ d[:, 0] for d in grads]), np.array(exact)


@claim(of=dreg_grads, tol=T0, oracle="plain sums")
def dreg_follows_the_samples_only(f, rng):
    """Every sample moves mu by w̃_k² ∂log w_k/∂z and log_var by ½ σ ε_k times that."""
    log_w, log_var = rng.normal(-90, 2, (4, 3)), rng.uniform(-2, 1, (3, 2))
    slopes, eps = rng.standard_normal((2, 4, 3, 2))
    w = np.exp(log_w - log_w.max(axis=0))
    expected = np.zeros((2, 3, 2))
    for k, n, d in np.ndindex(4, 3, 2):
        step = (w[k, n] / math.fsum(w[:, n])) ** 2 * slopes[k, n, d]
        expected[:, n, d] += step, step * eps[k, n, d] * math.exp(log_var[n, d] / 2) / 2
    return np.stack(f(log_w, slopes, log_var, eps)), expected
