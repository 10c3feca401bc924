"""The systems written by hand are the library's systems."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mmvae_edu.claims.registry import TERMS
from mmvae_edu.likelihoods import Normal
from mmvae_edu.models import IWAE, MMVAE, MVAE
from mmvae_edu.models.one_function.iwae import iwae_bound, log_weights
from mmvae_edu.models.one_function.mmvae import cross_generate, mmvae_bound
from mmvae_edu.models.one_function.mvae import subsampled_bound
from mmvae_edu.objectives import iwae
from mmvae_edu.slides.s07_joint_posterior import flat_direction
from mmvae_edu.slides.s09_importance import dreg_grads, normalised_weights
from mmvae_edu.support.parameters import leaves

FEATURES = {"a": 3, "b": 1, "c": 4}
N, K, D = 5, 3, 2


def instance(system, rng, hidden, names="abc", **options):
    """A model, its parameters, the same as networks by name, and data."""
    modalities = {m: Normal(FEATURES[m]) for m in names}
    model = system(modalities, latent=D, hidden=hidden, activation="tanh", **options)
    theta = 0.5 * rng.standard_normal(model.tree.size)
    x = {m: rng.standard_normal((N, FEATURES[m])) for m in names}
    return model, theta, weights(model, theta), x


def weights(model, theta):
    views = model.tree.views(theta)
    return {m: {part: w[part] for part in ("encoder", "decoder")} for m, w in views.items()}


def assert_same_gradient(dw, expected):
    found = dict(leaves(dw))
    assert found.keys() == dict(leaves(expected)).keys()
    for path, gradient in leaves(expected):
        assert_allclose(found[path], gradient, rtol=1e-11, atol=1e-12, err_msg=path)


@pytest.mark.parametrize("hidden", [(), (4,), (4, 3)])
def test_iwae_is_the_librarys(hidden):
    rng = np.random.default_rng(0)
    model, theta, w, x = instance(IWAE, rng, hidden, "a")
    eps, dlog_w, dbound = (
        rng.standard_normal((K, N, D)),
        rng.normal(size=(K, N)),
        rng.normal(size=N),
    )
    log_w, pullback = log_weights(w["a"], x=x["a"], eps=eps)
    expected, expected_pullback = model.log_weights(theta, x, eps=eps[None])
    assert_allclose(log_w, expected, rtol=1e-12)
    assert_same_gradient({"a": pullback(dlog_w)}, weights(model, expected_pullback(dlog_w)))
    bound, pullback = iwae_bound(w["a"], x=x["a"], eps=eps)
    expected, expected_pullback = model.bound(theta, x, eps=eps[None])
    assert_allclose(bound, expected, rtol=1e-12)
    assert_same_gradient({"a": pullback(dbound)}, weights(model, expected_pullback(dbound)))


@pytest.mark.parametrize("hidden", [(), (4,), (4, 3)])
@pytest.mark.parametrize("k", [0, 2])
def test_mvae_is_the_librarys(hidden, k):
    rng = np.random.default_rng(1)
    model, theta, w, x = instance(MVAE, rng, hidden, subsets=k)
    subsets = np.array([[True, True, False], [False, True, True]])[:k]
    eps, dbound = rng.standard_normal((4 + k, K, N, D)), rng.standard_normal(N)
    bound, pullback = subsampled_bound(w, x=x, subsets=subsets, eps=eps)
    expected, expected_pullback = model.bound(theta, x, eps=eps, sampled=subsets)
    assert_allclose(bound, expected, rtol=1e-12)
    assert_same_gradient(pullback(dbound), weights(model, expected_pullback(dbound)))


def test_mvae_counts_a_subset_that_is_drawn_twice():
    rng = np.random.default_rng(2)
    _, _, w, x = instance(MVAE, rng, (4,))
    subset, eps = np.array([[True, True, False]]), rng.standard_normal((5, K, N, D))
    once, _ = subsampled_bound(w, x=x, subsets=subset, eps=eps)
    none, _ = subsampled_bound(w, x=x, subsets=subset[:0], eps=eps[:4])
    twice, _ = subsampled_bound(w, x=x, subsets=subset[[0, 0]], eps=eps[[0, 1, 2, 3, 4, 4]])
    assert_allclose(twice - once, once - none, rtol=1e-12)


@pytest.mark.parametrize("hidden", [(), (4,), (4, 3)])
def test_mmvae_is_the_librarys(hidden):
    rng = np.random.default_rng(3)
    model, theta, w, x = instance(MMVAE, rng, hidden)
    eps, dbound = rng.standard_normal((3, K, N, D)), rng.standard_normal(N)
    bound, pullback = mmvae_bound(w, x=x, eps=eps)
    expected, expected_pullback = model.bound(theta, x, eps=eps)
    assert_allclose(bound, expected, rtol=1e-12)
    assert_same_gradient(pullback(dbound), weights(model, expected_pullback(dbound)))


def test_the_terms_of_mmvae_add_up():
    rng = np.random.default_rng(4)
    _, _, w, x = instance(MMVAE, rng, (4,))
    eps, dbound = rng.standard_normal((3, K, N, D)), rng.standard_normal(N)
    terms = TERMS[mmvae_bound](w, x=x, eps=eps)[1](dbound)
    paths = [dict(leaves(gradient)) for gradient in terms.values()]
    total = {path: sum(gradients[path] for gradients in paths) for path in paths[0]}
    for path, gradient in leaves(mmvae_bound(w, x=x, eps=eps)[1](dbound)):
        assert_allclose(total[path], gradient, rtol=1e-11, atol=1e-12, err_msg=path)
    columns = [np.concatenate([g.ravel() for g in gradients.values()]) for gradients in paths]
    scaled = [column / np.linalg.norm(column) for column in columns]
    assert np.linalg.cond(np.array(scaled)) < 100


def test_cross_generation_without_noise_decodes_the_mean():
    rng = np.random.default_rng(6)
    model, theta, w, x = instance(MMVAE, rng, (4,))
    model.theta = theta
    made = cross_generate(w, x["c"], source="c", target="b", eps=np.zeros((K, N, D)))
    mu, _ = model.encode({"c": x["c"]})
    expected = model.decode(mu[0])["b"]
    assert_allclose(made, np.broadcast_to(expected, (K, N, 1)), rtol=1e-12)


def test_shares_are_the_derivative_of_the_bound():
    log_w = np.random.default_rng(7).normal(-300, 9, size=(6, 4))
    assert_allclose(normalised_weights(log_w), iwae(log_w)[1](np.ones(4)), rtol=1e-13)


def test_dreg_is_the_models_estimator():
    rng = np.random.default_rng(8)
    model, theta, w, x = instance(IWAE, rng, (), "a")
    eps = rng.standard_normal((K, N, D))
    mu, log_var = np.split(x["a"] @ w["a"]["encoder"]["W0"] + w["a"]["encoder"]["b0"], 2, axis=1)
    std, decoder = np.exp(log_var / 2), w["a"]["decoder"]
    z = mu + std * eps
    slope = (x["a"] - z @ decoder["W0"] - decoder["b0"]) @ decoder["W0"].T - z + eps / std
    log_w, _ = log_weights(w["a"], x=x["a"], eps=eps)
    dheads = np.concatenate(dreg_grads(log_w, slope, log_var, eps), axis=1)
    _, estimator = model.doubly_reparameterised(theta, x, eps=eps[None])
    expected = weights(model, estimator(np.ones(N)))["a"]["encoder"]
    assert_allclose(x["a"].T @ dheads, expected["W0"], rtol=1e-11, atol=1e-12)
    assert_allclose(dheads.sum(axis=0), expected["b0"], rtol=1e-11, atol=1e-12)


def test_a_flat_step_adds_up_to_nothing_and_is_its_own_flat_part():
    rng = np.random.default_rng(9)
    step = rng.standard_normal((2, 4, N, D))
    flat = np.array(flat_direction(*step))
    assert_allclose(flat.sum(axis=1), 0, atol=1e-14)
    assert_allclose(np.array(flat_direction(*flat)), flat, rtol=1e-13, atol=1e-14)
    assert_allclose((flat * (step - flat)).sum(axis=(0, 1)), 0, atol=1e-13)
