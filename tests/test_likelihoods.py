"""Likelihoods: extreme logits, scales, many counts, samples, data that cannot be."""

import time
from math import comb, log

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, stats

from mmvae_edu.likelihoods import (
    Bernoulli,
    Binomial,
    Categorical,
    Laplace,
    Normal,
    categorical_log_prob,
    log_binomial_coefficient,
)

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@DTYPES
def test_categorical_at_extreme_logits(dtype):
    logits = np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4]], dtype)
    x = np.array([[0, 1, 0], [0, 1, 0]], dtype)
    log_prob, pullback = categorical_log_prob(logits, x=x)
    assert_allclose(log_prob, [-2e4, -np.log(3)], rtol=1e-4)
    assert_allclose(pullback(np.ones(2, dtype)), [[-1, 1, 0], [-1 / 3, 2 / 3, -1 / 3]], rtol=1e-6)


@pytest.mark.parametrize("likelihood", [Normal, Laplace])
@pytest.mark.parametrize("raw", [-800.0, -2.0, 0.0, 3.0, 800.0])
def test_learnt_scale_is_bounded_and_the_density_normalised(likelihood, raw):
    """Whatever the raw parameter, 0.02 ≤ scale ≤ 5, and the density integrates to 1."""
    model = likelihood(1, scale="learnt")
    weights = {"raw_scale": np.array([raw])}
    scale = np.exp(model.log_scale(weights)[0][0])
    assert 0.02 * (1 - 1e-12) <= scale <= 5 * (1 + 1e-12)

    def density(x):
        return np.exp(model.log_prob(weights, np.array([[0.7]]), x=np.array([[x]]))[0][0])

    reach = 40 * scale
    total = sum(
        integrate.quad(density, lo, hi, epsabs=1e-13)[0]
        for lo, hi in [(0.7 - reach, 0.7), (0.7, 0.7 + reach)]
    )
    assert abs(total - 1) <= 1e-10
    _, pullback = model.log_prob(weights, np.array([[0.7]]), x=np.array([[0.7]]))
    assert np.isfinite(pullback(np.ones(1))[0]["raw_scale"]).all()  # x on its mean: no ∞


@pytest.mark.parametrize(("likelihood", "peer"), [(Normal, stats.norm), (Laplace, stats.laplace)])
def test_fixed_scale_is_the_peers_scale(likelihood, peer):
    rng = np.random.default_rng(0)
    outputs, x = rng.standard_normal((4, 5, 3)), rng.standard_normal((5, 3))
    log_prob, _ = likelihood(3, scale=0.4).log_prob({}, outputs, x=x)
    assert_allclose(log_prob, peer(outputs, 0.4).logpdf(x).sum(axis=-1), rtol=1e-12)


@pytest.mark.parametrize(
    "likelihood",
    [Bernoulli(3), Binomial(3, n=6), Categorical(3), Normal(3, scale=0.4), Laplace(3, "learnt")],
)
def test_samples_have_the_stated_mean_and_a_valid_form(likelihood):
    weights, outputs = {"raw_scale": np.zeros(3)}, np.array([-2.0, 0.0, 1.0])
    draws = likelihood.sample(weights, np.tile(outputs, (20_000, 1)), np.random.default_rng(3))
    error = draws.std(axis=0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(axis=0) - likelihood.mean(outputs)) <= 4 * error).all()
    assert likelihood.problem(draws) is None
    assert draws.dtype == outputs.dtype


@pytest.mark.parametrize("n", [67, 68, 255])
def test_counts_out_of_many_sum_to_one(n):
    """Their largest coefficient is beyond 64 bits."""
    x = np.arange(n + 1.0)[:, None]
    log_prob, _ = Binomial(1, n=n).log_prob({}, np.full((n + 1, 1), 0.3), x=x)
    assert abs(np.exp(log_prob).sum() - 1) <= 1e-12


def test_mean_and_network_input_in_the_units_of_the_data():
    counts = np.array([[0.0, 8.0, 16.0]])
    assert_array_equal(Binomial(3, n=16).network_input(counts), [[0, 0.5, 1]])
    assert_allclose(Binomial(3, n=16).mean(np.zeros((1, 3))), 8)
    assert_allclose(Categorical(4).mean(np.full((1, 4), 1e4)), 0.25)


@pytest.mark.parametrize("bad", [[[0, 1.1]], [[-0.1, 1]]])
def test_bernoulli_takes_grey_values_as_a_score_and_nothing_beyond(bad):
    assert Bernoulli(2).problem(np.array([[0, 0.5]])) is None
    expected, found = Bernoulli(2).problem(np.array(bad))
    assert expected
    assert found


def test_coefficients_of_many_are_exact_and_soon_there():
    began = time.process_time()
    found = log_binomial_coefficient(np.array([[0.0], [5000.0], [9999.0]]), 10_000)
    assert time.process_time() - began < 5
    assert found.tolist() == [0, log(comb(10_000, 5000)), log(10_000)]
