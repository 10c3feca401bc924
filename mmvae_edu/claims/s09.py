"""Slide 9: the IWAE bound, its gradient, and the weights in both."""

import copy
import math

import mpmath
import numpy as np

from ..bounds import iwae_grad, vae_grad
from ..exact import bound_gradient, iwae_continuous, iwae_enumerated, iwae_exact
from ..exact import complex_step as differentiate
from ..gradcheck import complex_step
from ..kernels.reference import importance_weights
from ..models import IWAE
from ..objectives import elbo, iwae
from .instances import (
    affine_encoder_gradient,
    affine_model,
    discrete_model,
    encoder_gradient,
    every_draw,
    expert_parameters,
    log_normal_sum,
    noise_grid,
    occupied_states,
    one_dimensional,
    random_symbols,
    repeated,
    set_exact_encoders,
    violation,
)
from .registry import T0, T1, T2C, claim, mutant


def _discrete_weights(rng, S):
    """q (S,), log w = log p(x, z) − log q (S,), and log p(x) of a random discrete model."""
    model = discrete_model(rng, S)
    x, q = random_symbols(model, rng), rng.dirichlet(np.full(S, 4.0))
    return q, model.log_joint(x) - np.log(q), model.log_evidence(x)


def _expected(f, q, log_w, K):
    """E f(log w of K draws from q), over all S^K outcomes."""
    (states,), chance = every_draw(q, K=K)
    return chance @ f(log_w[states])[0]


# S9.1: the VAE bound E_q log w


@claim("S9.1", of=elbo, tol=T0, oracle="O1 enumeration")
def vae_bound_is_the_expected_log_weight(f, rng):
    """The mean of log w over samples that are q itself is the ELBO, one per example."""
    model = discrete_model(rng)
    states, q = occupied_states(rng, 5, 13)
    symbols = [random_symbols(model, rng) for _ in range(3)]
    log_w = np.array([(model.log_joint(x) - np.log(q))[states] for x in symbols]).T
    return f(log_w)[0], np.array([model.elbo(q, x) for x in symbols])


@claim("S9.1", of=elbo, tol=T0, oracle="O1 enumeration")
def more_samples_do_not_move_the_vae_bound(f, rng):
    """In expectation the mean over K samples is the same ELBO for every K."""
    q, log_w, _ = _discrete_weights(rng, 3)
    return np.array([_expected(f, q, log_w, K) for K in (1, 2, 4)]), np.full(3, q @ log_w)


@claim("S9.3", "S9.1", of=elbo, tol=T2C, oracle="O7 complex step")
def vae_bound_has_this_gradient(f, rng):
    """The VAE bound's derivative gives each of the K samples 1/K."""
    return complex_step(f, rng.standard_normal((4, 3)), rng=rng), 0.0


@mutant(elbo, says="the logarithm of the mean: that is S9.2, S9.1 is the mean of logarithms")
def log_of_the_mean(log_w):
    return iwae(log_w)


@mutant(elbo, says="the sum over samples: S9.1 is an expectation, their mean")
def sum_over_samples(log_w):
    return log_w.sum(axis=0), elbo(log_w * len(log_w))[1]


@mutant(elbo, says="the mean over the batch too: S9.1 is one number per example")
def mean_over_the_batch(log_w):
    bound, pullback = elbo(log_w)
    return np.full_like(bound, bound.mean()), pullback


@mutant(elbo, says="the gradient of the sum: S9.3 has 1/K")
def sum_in_the_gradient(log_w):
    bound, pullback = elbo(log_w)

    def sum_pullback(dbound):
        return len(log_w) * pullback(dbound)

    return bound, sum_pullback


# S9.2: the IWAE bound E log (1/K) Σ w_k


@claim("S9.2", of=iwae, tol=T1, oracle="O4 Frullani")
def iwae_bound_in_expectation(f, rng):
    """Averaged over all outcomes of K draws it is L_K, which Frullani's integral gives exactly."""
    q, log_w, _ = _discrete_weights(rng, 4)
    rhs = [iwae_exact(q, np.exp(log_w), K) for K in (1, 2, 3, 5)]
    return np.array([_expected(f, q, log_w, K) for K in (1, 2, 3, 5)]), np.array(rhs)


@claim("S9.2", of=iwae, tol=T0, oracle="O1 enumeration")
def more_samples_tighten_the_iwae_bound(f, rng):
    """ELBO = L_1 ≤ L_2 ≤ .. ≤ L_5 ≤ log p(x), exactly."""
    q, log_w, log_evidence = _discrete_weights(rng, 3)
    bounds = [_expected(f, q, log_w, K) for K in (1, 2, 3, 4, 5)]
    return violation([q @ log_w, *bounds], [*bounds, log_evidence])


@claim("S9.2", of=iwae, tol=T0, oracle="O1 enumeration")
def iwae_with_one_sample_is_the_elbo(f, rng):
    """L_1 is the ELBO, and L_2 is strictly above it unless all weights are equal."""
    q, log_w, _ = _discrete_weights(rng, 4)
    pairs = q[:, None] * q * np.logaddexp(log_w[:, None], log_w)
    bounds = [_expected(f, q, log_w, 1), _expected(f, q, log_w, 2)]
    return np.array(bounds), np.array([q @ log_w, math.fsum(pairs.ravel()) - math.log(2)])


@claim("S9.2", of=iwae, tol=T1, oracle="O5 mpmath, 50 digits")
def iwae_survives_the_scale_of_slide_8(f, rng):
    """Log-weights near −6237, whose exponentials are all 0 in float64, lose no digit."""
    log_w = np.array([-91.1, -6237.1, 700.0]) + rng.normal(0, 3, size=(5, 3))
    with mpmath.workdps(50):
        sums = [mpmath.fsum(mpmath.exp(a) for a in column) / 5 for column in log_w.T]
        return f(log_w)[0], np.array([float(mpmath.log(total)) for total in sums])


@claim("S9.4", of=iwae, tol=T2C, oracle="O7 complex step")
def iwae_bound_has_this_gradient(f, rng):
    """The IWAE bound's derivative with respect to log w_k is the normalised weight w̃_k."""
    return complex_step(f, 2 * rng.standard_normal((4, 3)), rng=rng), 0.0


@mutant(iwae, says="the mean of log w: that is the ELBO of S9.1 for every K")
def mean_of_logs(log_w):
    return elbo(log_w)


@mutant(iwae, says="−log K is missing: without 1/K of S9.2 the bound exceeds log p(x) by log K")
def missing_log_K(log_w):
    bound, pullback = iwae(log_w)
    return bound + np.log(len(log_w)), pullback


@mutant(iwae, says="the mean over examples inside the logarithm: S9.2 is one number per example")
def batch_inside_the_logarithm(log_w):
    bound, pullback = iwae(log_w)
    return np.full_like(bound, iwae(bound[:, None])[0][0]), pullback


@mutant(iwae, says="the weights are exp(−log w): S9.2 has w itself, not a loss")
def weights_of_losses(log_w):
    bound, pullback = iwae(-log_w)
    return -bound, pullback


@mutant(iwae, says="exp before the maximum is subtracted: S9.2 overflows above 709.78")
def no_shift(log_w):
    with np.errstate(all="ignore"):
        return np.log(np.exp(log_w).mean(axis=0)), iwae(log_w)[1]


@mutant(iwae, says="the same sample K times: L_K of S9.2 needs K independent draws")
def one_draw_repeated(log_w):
    bound, _ = elbo(log_w[:1])

    def one_draw_pullback(dbound):
        return np.concatenate([np.ones_like(log_w[:1]), np.zeros_like(log_w[1:])]) * dbound

    return bound, one_draw_pullback


@mutant(iwae, says="every sample counts the same in the gradient: that is S9.3, S9.4 has w̃")
def uniform_in_the_gradient(log_w):
    return iwae(log_w)[0], elbo(log_w)[1]


@mutant(iwae, says="the weights in the gradient do not sum to 1: S9.5 divides by Σ w")
def unnormalised_in_the_gradient(log_w):
    bound, _ = iwae(log_w)

    def unnormalised_pullback(dbound):
        return dbound * np.exp(log_w)

    return bound, unnormalised_pullback


@claim("S9.2", of=iwae_exact, tol=T0, oracle="O1 enumeration")
def frullani_needs_no_samples(f, rng):
    """∫ (e^−t − L(t)^K) / t dt, L(t) = E_q e^(−tw), is E log Σ_k w_k: all multisets agree."""
    q, log_w, _ = _discrete_weights(rng, 4)
    w = np.exp(log_w)
    rhs = [iwae_enumerated(q, w, K) for K in (1, 2, 3, 6)]
    return np.array([f(q, w, K) for K in (1, 2, 3, 6)]), np.array(rhs)


@claim("S9.2", of=iwae_exact, tol=T1, oracle="Taylor expansion of E log")
def the_gap_closes_as_half_the_variance_over_K(f, rng):
    """K (log p(x) − L_K) tends to half the variance of w / p(x)."""
    q, log_w, log_evidence = _discrete_weights(rng, 4)
    K, delta = 10**5, np.exp(log_w - log_evidence) - 1
    m2, m3 = q @ delta**2, q @ delta**3
    gap = m2 / (2 * K) - m3 / (3 * K**2) + 3 * m2**2 / (4 * K**2)
    return log_evidence - f(q, np.exp(log_w), K), np.float64(gap)


@mutant(iwae_exact, says="log E w, which is log p(x) for every K: S9.2 is E log")
def log_of_the_expectation(q, w, K):
    return math.log(q @ w)


@mutant(iwae_exact, says="−log K is missing from S9.2")
def exact_without_log_K(q, w, K):
    return iwae_exact(q, w, K) + math.log(K)


@mutant(iwae_exact, says="one draw counted K times: L_K stays at L_1")
def exact_with_one_draw(q, w, K):
    return iwae_exact(q, w, 1)


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
    """Five samples at x = 1.7, q = N(0.3, e^−0.4): (1.03342777, 0.41891946)."""
    gradient = f(_toy_gradients(*_fixture()))
    return np.round(gradient, 8), np.array([[1.03342777, 0.41891946]])


@mutant(vae_grad, says="the sum over samples: S9.3 divides by k")
def summed_gradient(g):
    return g.sum(axis=0)


@mutant(vae_grad, says="the mean over examples: S9.3 averages over samples")
def averaged_over_examples(g):
    return np.broadcast_to(g.mean(axis=(0, 1)), g.shape[1:])


@claim("S9.4", of=iwae_grad, tol=T2C, oracle="O7 complex step")
def iwae_gradient_weighs_samples_by_their_share(f, rng):
    """Σ w̃_k ∇log w_k is the gradient of log (1/K) Σ w_k at fixed noise."""
    mu, log_var, *rest = toy = _toy_draw(rng)
    shifted = [_toy(mu + 1e-30j, log_var, *rest), _toy(mu, log_var + 1e-30j, *rest)]
    expected = [np.log(np.exp(a).mean(axis=0)).imag / 1e-30 for a in shifted]
    return f(_toy(*toy), _toy_gradients(*toy)), np.stack(expected, axis=-1)


@claim("S9.4", of=iwae_grad, tol=T1, oracle="O4 Frullani")
def iwae_gradient_is_unbiased(f, rng):
    """Averaged over all outcomes it is the derivative of L_K, which Frullani's integral gives."""
    q, log_w, _ = _discrete_weights(rng, 4)
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
    """Five samples at x = 1.7, q = N(0.3, e^−0.4): (0.82840808, 0.46252055)."""
    gradient = f(_toy(*_fixture()), _toy_gradients(*_fixture()))
    return np.round(gradient, 8), np.array([[0.82840808, 0.46252055]])


@mutant(iwae_grad, says="uniform weights: this is S9.3, S9.4 weighs by w̃")
def uniform_weights(log_w, g):
    return g.mean(axis=0)


@mutant(iwae_grad, says="the weights are not normalised: S9.5 divides by Σ w")
def unnormalised_weights(log_w, g):
    return (np.exp(log_w)[..., None] * g).sum(axis=0)


@mutant(iwae_grad, says="the weights are normalised over the batch: S9.5 sums over the K samples")
def normalised_over_the_batch(log_w, g):
    return (importance_weights(log_w.T)[1].T[..., None] * g).sum(axis=0)


@mutant(iwae_grad, says="the weights are differentiated: an extra Σ (∇w̃_k) log w_k beside S9.4")
def weights_differentiated(log_w, g):
    weights = importance_weights(log_w)[1][..., None]
    dweights = weights * (g - (weights * g).sum(axis=0))
    return (weights * g + dweights * log_w[..., None]).sum(axis=0)


# S9.5: w = p(x, z) / q(z|x), w̃ = w / Σ w


@claim("S9.5", "S9.2", of=importance_weights, tol=T1, oracle="O5 mpmath, 50 digits")
def normalised_weights_are_shares(f, rng):
    """w̃_k = w_k / Σ_j w_j down the samples of each example, at any scale of log w."""
    log_w = np.array([0.0, -6237.1, 700.0]) + rng.normal(0, 3, size=(5, 3))
    with mpmath.workdps(50):
        w = [[mpmath.exp(a) for a in row] for row in log_w]
        totals = [mpmath.fsum(column) for column in zip(*w, strict=True)]
        shares = [[float(a / s) for a, s in zip(row, totals, strict=True)] for row in w]
        bound = [float(mpmath.log(total / 5)) for total in totals]
    return np.vstack(f(log_w)), np.vstack([bound, shares])


@claim("S9.5", of=importance_weights, tol=T0, oracle="counting")
def an_impossible_sample_weighs_nothing(f, rng):
    """log w = −∞ weighs 0; where all are −∞ the bound is −∞ and nothing is NaN."""
    a = rng.normal()
    log_w = np.array([[a, -np.inf], [-np.inf, -np.inf], [a, -np.inf]])
    bound, weights = f(log_w)
    lhs = np.append(weights.ravel(), [bound[0], float(bound[1] == -np.inf)])
    return lhs, np.array([0.5, 0, 0, 0, 0.5, 0, a + np.log(2 / 3), 1])


@mutant(importance_weights, says="normalised over the batch: S9.5 sums over the K samples")
def softmax_over_the_batch(log_w):
    return importance_weights(log_w)[0], importance_weights(log_w.T)[1].T


@mutant(importance_weights, says="w itself: S9.5 divides by Σ w")
def not_normalised(log_w):
    with np.errstate(all="ignore"):
        return importance_weights(log_w)[0], np.exp(log_w)


@mutant(importance_weights, says="no shift by the maximum: w underflows to 0/0 in S9.5")
def no_shift_of_the_weights(log_w):
    with np.errstate(all="ignore"):
        w = np.exp(log_w)
        return np.log(w.mean(axis=0)), w / w.sum(axis=0)


@claim("S9.5", of=IWAE.log_weights, tol=T0, oracle="O3 linear-Gaussian")
def a_weight_is_joint_over_posterior(f, rng):
    """log w_k = log p(x|z_k) + log p(z_k) − log q(z_k|x) at z_k = mu + std · eps_k."""
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


@mutant(IWAE.log_weights, says="the closed-form KL in a weight: S9.5 has each sample's own ratio")
def closed_form_in_every_weight(model, theta, x, *, mask=None, eps, beta=1.0):
    model = copy.copy(model)
    model.kl = "closed_form"
    return IWAE.log_weights(model, theta, x, eps=eps, beta=beta)


@mutant(IWAE.log_weights, says="only p(x|z): S9.5 has p(x, z) / q(z|x)")
def likelihood_as_weight(model, theta, x, *, mask=None, eps, beta=1.0):
    return IWAE.log_weights(model, theta, x, eps=eps, beta=0.0)


@mutant(IWAE.log_weights, says="one eps for all samples: S9.2's z_k are independent")
def shared_noise(model, theta, x, *, mask=None, eps, beta=1.0):
    eps = np.repeat(eps[:, :1], eps.shape[1], axis=1)
    return IWAE.log_weights(model, theta, x, eps=eps, beta=beta)


@mutant(IWAE.log_weights, says="p/q upside down: S9.5 has q in the denominator")
def ratio_upside_down(model, theta, x, *, mask=None, eps, beta=1.0):
    return IWAE.log_weights(model, theta, x, eps=eps, beta=-beta)


@claim("S9.2", "S9.4", of=IWAE.bound, tol=T1, oracle="O4 Frullani")
def iwae_model_reaches_its_exact_bound(f, rng):
    """The model's bound and gradient, integrated over the noise of K = 2, are those of L_2."""
    (model, theta, x, eps, chance), expected = _one_dimensional_iwae(rng)
    bound, pullback = f(model, theta, repeated(x, len(chance)), eps=eps)
    gradient = encoder_gradient(model, pullback(chance))
    return np.append(gradient, chance @ bound), expected


@claim("S9.4", of=IWAE.doubly_reparameterised, tol=T1, oracle="O4 Frullani")
def double_reparameterisation_keeps_the_mean(f, rng):
    """The w̃² estimator, integrated over the noise of K = 2, is the gradient of L_2."""
    (model, theta, x, eps, chance), expected = _one_dimensional_iwae(rng)
    bound, estimator = f(model, theta, repeated(x, len(chance)), eps=eps)
    gradient = encoder_gradient(model, estimator(chance))
    return np.append(gradient, chance @ bound), expected


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


@mutant(IWAE.bound, says="the mean over K outside the logarithm: that is S9.1, not S9.2")
def elbo_of_the_samples(model, theta, x, *, mask=None, eps, beta=1.0):
    log_w, pullback = IWAE.log_weights(model, theta, x, eps=eps, beta=beta)
    bound, reduce_pullback = elbo(log_w)

    def bound_pullback(dbound):
        return pullback(reduce_pullback(dbound))

    return bound, bound_pullback


@mutant(IWAE.bound, says="log q's direct gradient is dropped from S9.4: biased")
def stop_gradient_in_log_q(model, theta, x, *, mask=None, eps, beta=1.0):
    log_w, pullback = IWAE.log_weights(model, theta, x, eps=eps, beta=beta)
    bound, weights = importance_weights(log_w)

    def bound_pullback(dbound):
        return pullback(dbound * weights, np.ones_like(weights))

    return bound, bound_pullback


@mutant(IWAE.doubly_reparameterised, says="w̃ for w̃²: once log q's own gradient is gone, biased")
def weights_not_squared(model, theta, x, *, mask=None, eps, beta=1.0):
    return stop_gradient_in_log_q(model, theta, x, eps=eps, beta=beta)


@mutant(IWAE.doubly_reparameterised, says="w̃² with log q's own gradient kept: counted twice")
def direct_terms_kept(model, theta, x, *, mask=None, eps, beta=1.0):
    log_w, pullback = IWAE.log_weights(model, theta, x, eps=eps, beta=beta)
    bound, weights = importance_weights(log_w)

    def gradient_estimator(dbound):
        return pullback(dbound * weights * weights)

    return bound, gradient_estimator
