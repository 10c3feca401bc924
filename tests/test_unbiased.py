"""The check of gradient estimators passes the unbiased ones and names a coordinate of the others.

The known gradients are the oracles' own: Frullani's integral for MMVAE, a closed form elsewhere.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mmvae_edu import check_unbiased
from mmvae_edu.claims.gaussian_instances import (
    encoders_of,
    exact_bound,
    expert_parameters,
    one_dimensional,
)
from mmvae_edu.claims.instances import repeated
from mmvae_edu.gradcheck import GradientError
from mmvae_edu.models import MMVAE

COPIES = 400


@pytest.fixture(scope="module")
def mmvae():
    """MMVAE with one observation: model, theta, x and the encoders' exact gradient at K = 2."""
    model, theta, twin, x = one_dimensional(MMVAE, np.random.default_rng(0), {"a": 2, "b": 3})
    exact = exact_bound(twin, x, *expert_parameters(model, theta, x)[..., 0, 0])
    return model, theta, x, exact[:-1]


def bound(model, theta, x, eps):
    return model.bound(theta, x, eps=eps)[1]


def doubly_reparameterised(model, theta, x, eps):
    return model.doubly_reparameterised(theta, x, eps=eps)[1]


def even_weights(model, theta, x, eps):
    """A mutant: the gradient of the ELBO."""
    log_w, _, pullback = model.log_weights(theta, x, eps=eps)
    return lambda dbound: pullback(np.broadcast_to(dbound / 4, log_w.shape))


def squared_weights(model, theta, x, eps):
    """A mutant: w̃², with the direct terms of log q_Φ that its derivation drops."""
    log_w, present, pullback = model.log_weights(theta, x, eps=eps)
    weights = model.reduce(log_w, present)[1](np.ones(COPIES))
    return lambda dbound: pullback(dbound * 2 * weights**2)


def draw(form, model, theta, x):
    many = repeated(x, COPIES)

    def estimator(rng):
        eps = model.draw_noise(rng, COPIES, 2, np.float64)["eps"]
        gradient = form(model, theta, many, eps)(np.full(COPIES, 1 / COPIES))
        return encoders_of(model.tree.views(gradient))

    return estimator


@pytest.mark.parametrize("form", [bound, doubly_reparameterised])
def test_unbiased_gradients_pass(mmvae, form):
    *problem, expected = mmvae
    found = check_unbiased(draw(form, *problem), expected, rng=1, draws=400)
    assert found.mean.shape == found.error.shape == found.z.shape == expected.shape
    assert_allclose(found.mean, expected, atol=5 * found.error.max())
    assert 0.1 < abs(found.z).max() < 5


@pytest.mark.parametrize("form", [even_weights, squared_weights])
def test_biased_gradients_fail(mmvae, form):
    *problem, expected = mmvae
    with pytest.raises(
        GradientError, match=r"estimator: the mean of 400 draws at \[\d+\] is .* off"
    ):
        check_unbiased(draw(form, *problem), expected, rng=1, draws=400)


def shifted(shift):
    """Draws of N((1, −2), I), the first of them shifted."""
    return lambda rng: rng.standard_normal(2) + [1 + shift, -2]


def test_a_bias_is_seen_and_named():
    expected = np.array([1.0, -2.0])
    found = check_unbiased(shifted(0), expected, rng=0, draws=4000)
    assert_allclose(found.error, 1 / np.sqrt(4000), rtol=0.05)
    assert_allclose(found.z, (found.mean - expected) / found.error)
    with pytest.raises(
        GradientError, match=r"at \[0\] is 1\.1\d* ± .*, expected 1: \d+\.\d standard"
    ):
        check_unbiased(shifted(0.15), expected, rng=0, draws=4000)


def test_z_scores_are_standard_normal():
    z = check_unbiased(lambda rng: rng.exponential(size=4000), np.ones(4000), rng=0, bias=0.5).z
    assert abs(z.mean()) < 4 / np.sqrt(4000)
    assert_allclose(z.std(), 1, atol=0.05)


def test_a_check_without_power_says_so():
    """A gradient wrong by a factor of 1.1 may pass 100 draws; it fails the number that is named."""
    with pytest.raises(GradientError, match="100 draws are too few .* factor 1.1: take") as told:
        check_unbiased(shifted(0), np.array([1.0, -2.0]), rng=0, draws=100)
    enough = int(str(told.value).rpartition(" ")[2])
    check_unbiased(shifted(0), np.array([1.0, -2.0]), rng=0, draws=enough)
    with pytest.raises(GradientError, match="standard errors off"):
        check_unbiased(shifted(0), np.array([1.0, -2.2]), rng=0, draws=enough)


def test_a_constant_draw_must_be_exact():
    check_unbiased(lambda rng: np.float64(3), 3.0 + 1e-9, rng=0)
    check_unbiased(lambda rng: np.zeros(2), np.zeros(2), rng=0)  # nothing to control
    with pytest.raises(GradientError, match=r"at \[\] is 3 ± .*, expected 3.00001"):
        check_unbiased(lambda rng: np.float64(3), 3.00001, rng=0)
    with pytest.raises(GradientError, match="standard errors off"):
        check_unbiased(lambda rng: np.full(2, 1e-9), np.zeros(2), rng=0)


@pytest.mark.parametrize(
    ("value", "expected", "draws", "sentence"),
    [
        (np.zeros(3), np.zeros(2), 10, r"a draw is no finite array of shape \(2,\)"),
        (np.array([1, np.nan]), np.zeros(2), 10, "a draw is no finite array"),
        (np.zeros(2), np.zeros(2), 1, "expected 2 draws or more"),
        (np.zeros(0), np.zeros(0), 10, "of one number or more"),
    ],
)
def test_what_cannot_be_checked_is_said(value, expected, draws, sentence):
    with pytest.raises(GradientError, match=sentence), np.errstate(all="ignore"):
        check_unbiased(lambda rng: value, expected, rng=0, draws=draws)
