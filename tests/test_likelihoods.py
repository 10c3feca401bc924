"""Each likelihood is a probability, its sampler draws from it, and its checks find bad data."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, special, stats

from mmvae_edu.likelihoods import (
    Bernoulli,
    Binomial,
    Categorical,
    Laplace,
    Normal,
    binomial_log_prob,
    categorical_log_prob,
)

seeds = st.integers(0, 10**6)
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@settings(max_examples=20)
@given(seed=seeds, n=st.integers(1, 4), size=st.sampled_from([0.1, 1.0, 8.0]))
def test_binomial_sums_to_one_over_all_counts(seed, n, size):
    logits = size * np.random.default_rng(seed).standard_normal((1, 3))
    every_x = np.array(list(itertools.product(range(n + 1), repeat=3)), dtype=float)
    log_prob, _ = binomial_log_prob(np.repeat(logits, len(every_x), axis=0), x=every_x, n=n)
    assert_allclose(np.exp(log_prob).sum(), 1, rtol=1e-12)
    exact = stats.binom.logpmf(every_x, n, special.expit(logits)).sum(axis=-1)
    assert_allclose(log_prob, exact, rtol=1e-10, atol=1e-10)


@settings(max_examples=20)
@given(seed=seeds, V=st.integers(1, 6), shift=st.floats(-1e4, 1e4))
def test_categorical_sums_to_one_and_ignores_a_shift(seed, V, shift):
    logits = 3 * np.random.default_rng(seed).standard_normal(V)
    log_prob, _ = categorical_log_prob(np.tile(logits, (V, 1)), x=np.eye(V))
    assert_allclose(np.exp(log_prob).sum(), 1, rtol=1e-12)
    assert_allclose(log_prob, special.log_softmax(logits), rtol=1e-12, atol=1e-13)
    shifted, _ = categorical_log_prob(np.tile(logits + shift, (V, 1)), x=np.eye(V))
    assert_allclose(shifted, log_prob, rtol=1e-10, atol=1e-10)


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


SAMPLED = {
    "bernoulli": (Bernoulli(3), {}, np.array([-2.0, 0.0, 1.0])),
    "binomial": (Binomial(3, n=6), {}, np.array([-2.0, 0.0, 1.0])),
    "categorical": (Categorical(3), {}, np.array([-2.0, 0.0, 1.0])),
    "normal": (Normal(3, scale=0.4), {}, np.array([-2.0, 0.0, 1.0])),
    "laplace": (Laplace(3, "learnt"), {"raw_scale": np.zeros(3)}, np.array([-2.0, 0.0, 1.0])),
}


@pytest.mark.parametrize("name", SAMPLED)
def test_samples_have_the_stated_mean_and_a_valid_form(name):
    likelihood, weights, outputs = SAMPLED[name]
    draws = likelihood.sample(weights, np.tile(outputs, (20_000, 1)), np.random.default_rng(3))
    error = draws.std(axis=0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(axis=0) - likelihood.mean(outputs)) <= 4 * error).all()
    assert likelihood.problem(draws) is None
    assert draws.dtype == outputs.dtype


@pytest.mark.parametrize(("name", "law"), [("normal", stats.norm), ("laplace", stats.laplace)])
def test_real_samples_follow_their_law(name, law):
    likelihood, weights, outputs = SAMPLED[name]
    scale = np.exp(np.broadcast_to(likelihood.log_scale(weights)[0], 3))
    draws = likelihood.sample(weights, np.tile(outputs, (5_000, 1)), np.random.default_rng(5))
    for d in range(3):
        assert stats.kstest(draws[:, d], law(outputs[d], scale[d]).cdf).pvalue > 1e-3


def test_categorical_samples_follow_their_probabilities():
    likelihood, _, outputs = SAMPLED["categorical"]
    draws = likelihood.sample({}, np.tile(outputs, (20_000, 1)), np.random.default_rng(4))
    expected = 20_000 * special.softmax(outputs)
    assert stats.chisquare(draws.sum(axis=0), expected).pvalue > 1e-3


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


@pytest.mark.parametrize(
    ("likelihood", "good", "bad"),
    [
        (Bernoulli(2), [[0, 0.5]], [[0, 1.1]]),  # grey values are a score
        (Bernoulli(2), [[0, 1]], [[-0.1, 1]]),
        (Binomial(2, n=5), [[0, 5]], [[0, 6]]),
        (Binomial(2, n=5), [[0, 3]], [[0, 2.5]]),
        (Categorical(2), [[0, 1]], [[1, 1]]),
        (Categorical(2), [[1, 0]], [[0, 0]]),
        (Categorical(2), [[1, 0]], [[0.5, 0.5]]),
    ],
)
def test_problem_finds_data_that_cannot_be(likelihood, good, bad):
    assert likelihood.problem(np.array(good, float)) is None
    expected, found = likelihood.problem(np.array(bad, float))
    assert expected
    assert found
