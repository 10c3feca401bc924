"""Gradient estimators against exact gradients of exact bounds: quadrature, no sampling error.

The batch axis is a grid over the noise, its cotangent the probability of each node, so that one
call of a pullback is the exact expectation of the estimator.
"""

import numpy as np
import pytest

from mmvae_edu.claims.gaussian_instances import encoders_of
from mmvae_edu.claims.instances import noise_grid, repeated
from mmvae_edu.likelihoods import Bernoulli, Normal
from mmvae_edu.mistakes import edits_of
from mmvae_edu.models import IWAE, MMVAE, VAE
from mmvae_edu.oracles import complex_step, expected_log_mean, gaussian_grid, log_normal
from mmvae_edu.tour.gradient_noise import encoder_gradient_noise

SCALE = 1.5
X = {"real": np.array([[1.1, -0.6]]), "binary": np.array([[1.0, 0.0, 1.0]])}
BETAS = [1.0, 0.6, 1.7]


def small_model(system, names, **options):
    """One latent dimension, affine networks: a Gaussian and a Bernoulli modality."""
    kinds = {"real": Normal(2, scale=SCALE), "binary": Bernoulli(3)}
    options["weights"] = {name: {"real": 0.8, "binary": 1.2}[name] for name in names}
    model = system({name: kinds[name] for name in names}, latent=1, hidden=(), **options)
    theta = 0.3 * np.random.default_rng(7).standard_normal(model.tree.size)
    for sign, w in zip((1, -1), model.tree.views(theta).values(), strict=False):
        w["encoder"]["b0"][0] += 0.6 * sign  # experts that differ
    return model, theta, {name: X[name] for name in names}


def exact_bound(model, theta, objective, K, beta):
    """The bound as an integral over each expert's z; theta may be complex."""
    views = model.tree.views(theta)
    experts = [X[m][0] @ w["encoder"]["W0"] + w["encoder"]["b0"] for m, w in views.items()]
    grids = [gaussian_grid(*expert, nodes=601) for expert in experts]
    q, z = np.array([weight for _, weight in grids]), np.array([points for points, _ in grids])
    log_q = np.log(sum(np.exp(log_normal(z, *expert)) for expert in experts) / len(experts))
    log_w = beta * (log_normal(z, 0.0, 0.0) - log_q)
    for m, w in views.items():
        a = z[..., None] @ w["decoder"]["W0"] + w["decoder"]["b0"]
        if m == "real":
            log_p = log_normal(X[m][0], a, 2 * np.log(SCALE))
        else:
            log_p = X[m][0] * a - np.log(1 + np.exp(a))
        log_w = log_w + model.weights[m] * log_p.sum(axis=-1)
    if objective == "elbo":
        return (q * log_w).sum() / len(q)
    if objective == "stratified":
        return expected_log_mean(q, log_w, K)
    return sum(expected_log_mean(q[m : m + 1], log_w[m], K) for m in range(len(q))) / len(q)


def expectation(method, theta, x, eps, chance, beta):
    """E of the bound and of its gradient estimator over the noise; eps (M, K, nodes)."""
    bound, gradient = method(theta, repeated(x, len(chance)), eps=eps[..., None], beta=beta)
    return np.append(gradient(chance), chance @ bound)


def exact(model, theta, objective, K, beta):
    gradient = complex_step(lambda t: exact_bound(model, t, objective, K, beta), theta)
    return np.append(gradient, exact_bound(model, theta, objective, K, beta))


def assert_exact(estimate, expected, tol=1e-10):
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(estimate, expected, rtol=0, atol=tol)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("method", ["bound", "doubly_reparameterised"])
@pytest.mark.parametrize("name", ["real", "binary"])
def test_iwae_is_unbiased(name, method, beta):
    model, theta, x = small_model(IWAE, [name])
    for K in 1, 2:
        eps, chance = noise_grid(K)
        estimate = expectation(getattr(model, method), theta, x, eps[None], chance, beta)
        assert_exact(estimate, exact(model, theta, "iwae", K, beta))


@pytest.mark.parametrize("kl", ["closed_form", "monte_carlo"])
def test_vae_is_unbiased(kl):
    model, theta, x = small_model(VAE, ["binary"], kl=kl)
    eps, chance = noise_grid(1)
    estimate = expectation(model.bound, theta, x, eps[None], chance, 1.7)
    assert_exact(estimate, exact(model, theta, "elbo", 1, 1.7))


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("method", ["bound", "doubly_reparameterised"])
@pytest.mark.parametrize("objective", ["elbo", "iwae"])
def test_mmvae_is_unbiased(objective, method, beta):
    """Strata with logarithms of their own may see the same grid."""
    model, theta, x = small_model(MMVAE, ["real", "binary"], objective=objective)
    eps, chance = noise_grid(2)
    eps = np.stack([eps, eps[::-1]])
    estimate = expectation(getattr(model, method), theta, x, eps, chance, beta)
    assert_exact(estimate, exact(model, theta, objective, 2, beta))


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("method", ["bound", "doubly_reparameterised"])
def test_stratified_mmvae_is_unbiased(method, beta):
    """Here the two experts share a logarithm: each has an axis of the grid."""
    model, theta, x = small_model(MMVAE, ["real", "binary"], objective="stratified")
    eps, chance = noise_grid(2)
    estimate = expectation(getattr(model, method), theta, x, eps[:, None], chance, beta)
    assert_exact(estimate, exact(model, theta, "stratified", 1, beta))


@pytest.mark.parametrize("method", ["bound", "doubly_reparameterised"])
def test_stratified_mmvae_with_two_samples_an_expert(method):
    """Four axes, a coarse grid."""
    model, theta, x = small_model(MMVAE, ["real", "binary"], objective="stratified")
    eps, chance = noise_grid(4, nodes=21, reach=6.0)
    eps = eps.reshape(2, 2, -1)
    estimate = expectation(getattr(model, method), theta, x, eps, chance, 1.3)
    assert_exact(estimate, exact(model, theta, "stratified", 2, 1.3), tol=1e-6)


def test_a_masked_expert_is_no_expert():
    """The estimators of a row with one modality are those of the model's IWAE on it."""
    model, theta, x = small_model(MMVAE, ["real", "binary"])
    alone = IWAE({"real": Normal(2, scale=SCALE)}, latent=1, hidden=(), weights={"real": 0.8})
    kept = theta[: alone.tree.size]
    eps = np.random.default_rng(3).standard_normal((2, 4, 5, 1))
    mask = np.array([[True], [False]]).repeat(5, axis=1)
    rows = repeated({"real": x["real"], "binary": x["binary"] * np.nan}, 5)
    dbound = np.arange(1.0, 6.0)
    for method in "bound", "doubly_reparameterised":
        bound, gradient = getattr(model, method)(theta, rows, mask=mask, eps=eps, beta=1.3)
        expected, expected_gradient = getattr(alone, method)(
            kept, {"real": rows["real"]}, eps=eps[:1], beta=1.3
        )
        np.testing.assert_allclose(bound, expected, atol=1e-13)
        full = np.append(expected_gradient(dbound), np.zeros(len(theta) - len(kept)))
        np.testing.assert_allclose(gradient(dbound), full, atol=1e-12)


# The same check rejects what is biased


def encoders(model, gradient):
    return encoders_of(model.tree.views(gradient[:-1]))


def test_the_usual_form_is_biased_for_a_mixture():
    """w̃² with log q_Φ's direct terms dropped: right for IWAE, wrong for K > 1 experts' samples."""
    model, theta, x = small_model(MMVAE, ["real", "binary"])
    eps, chance = noise_grid(2)
    mistakes = {name: f for name, _, f in edits_of(MMVAE.doubly_reparameterised)}

    def usual_form(*args, **constants):
        return mistakes["usual_form_for_one_expert"](model, *args, **constants)

    estimate = expectation(usual_form, theta, x, np.stack([eps, eps]), chance, 1.0)
    expected = exact(model, theta, "iwae", 2, 1.0)
    assert np.abs(encoders(model, estimate) - encoders(model, expected)).max() > 1e-2


def test_the_usual_form_without_beta_is_biased():
    """At β ≠ 1 a weight of w̃² no longer does."""
    model, theta, x = small_model(IWAE, ["real"])
    eps, chance = noise_grid(2)

    def beta_forgotten(theta, x, *, eps, beta):
        log_w, pullback = model.log_weights(theta, x, eps=eps, beta=beta)
        bound, weights = model.backend(log_w).importance_weights(log_w)

        def gradient_estimator(dbound):
            return pullback(dbound * weights, 1 - (1 - weights) / beta)

        return bound, gradient_estimator

    estimate = expectation(beta_forgotten, theta, x, eps[None], chance, 1.7)
    expected = exact(model, theta, "iwae", 2, 1.7)
    assert np.abs(encoders(model, estimate) - encoders(model, expected)).max() > 1e-2


def test_double_reparameterisation_quietens_the_encoder():
    rows = encoder_gradient_noise(samples=(1, 8, 32), replicates=150, seed=1)
    plain, doubly = rows[::2], rows[1::2]
    assert {row.estimator for row in plain} == {"plain"}
    assert [row.K for row in doubly] == [1, 8, 32]
    assert all(b.variance < a.variance for a, b in zip(plain, doubly, strict=True))
    assert doubly[-1].variance < 1e-2 * plain[-1].variance
    assert plain[-1].signal_to_noise < plain[0].signal_to_noise  # falls as K^(−1/2)
    assert doubly[-1].signal_to_noise > 2 * doubly[0].signal_to_noise  # rises as K^(1/2)
