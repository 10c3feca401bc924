"""Densities integrate to 1, divergences are divergences, samplers draw what they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, stats

from mmvae_edu.gaussian import (
    gaussian_log_prob,
    gaussian_sample,
    kl_gauss,
    neg_kl_std_normal,
)
from mmvae_edu.laplace import kl_laplace, laplace_log_prob, laplace_noise, laplace_sample

FAMILIES = {
    "gaussian": (gaussian_log_prob, kl_gauss, lambda s: np.exp(s / 2)),
    "laplace": (laplace_log_prob, kl_laplace, np.exp),
}
BOTH = pytest.mark.parametrize("family", FAMILIES)
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
seeds = st.integers(0, 10**6)


@BOTH
@settings(max_examples=10)
@given(mu=st.floats(-5, 5), spread=st.floats(-3, 3))
def test_density_integrates_to_one_and_is_scipys(family, mu, spread):
    log_prob, _, scale_of = FAMILIES[family]
    mean, log_scale, scale = np.array([mu]), np.array([spread]), scale_of(spread)

    def density(z):
        return np.exp(log_prob(np.array([z]), mean, log_scale)[0])

    total = sum(
        integrate.quad(density, lo, hi, epsabs=1e-13, epsrel=1e-12)[0]
        for lo, hi in [(mu - 40 * scale, mu), (mu, mu + 40 * scale)]
    )
    assert abs(total - 1) <= 1e-10
    peer = {"gaussian": stats.norm, "laplace": stats.laplace}[family](mu, scale)
    for z in (mu - 3 * scale, mu + 0.1, mu + 30 * scale):
        value = log_prob(np.array([z]), mean, log_scale)[0]
        assert_allclose(value, peer.logpdf(z), rtol=1e-12)


@BOTH
@settings(max_examples=10)
@given(seed=seeds)
def test_kl_against_quadrature(family, seed):
    log_prob, kl, scale_of = FAMILIES[family]
    rng = np.random.default_rng(seed)
    mu1, s1, mu2, s2 = rng.standard_normal((4, 1))

    def integrand(z):
        z = np.array([z])
        log_q = log_prob(z, mu1, s1)[0]
        return np.exp(log_q) * (log_q - log_prob(z, mu2, s2)[0])

    reach = 45 * scale_of(s1[0])
    edges = sorted([mu1[0] - reach, mu1[0], mu2[0], mu1[0] + reach])
    total = sum(
        integrate.quad(integrand, lo, hi, epsabs=1e-12, epsrel=1e-12, limit=200)[0]
        for lo, hi in zip(edges[:-1], edges[1:], strict=True)
    )
    assert_allclose(kl(mu1, s1, mu2, s2)[0], total, rtol=1e-9, atol=1e-10)


@BOTH
@settings(max_examples=50)
@given(seed=seeds, size=st.sampled_from([1e-8, 1e-4, 0.1, 1.0, 3.0]))
def test_kl_is_positive_and_zero_only_at_equality(family, seed, size):
    """Without losing digits: near equality KL is the square of the distance, not rounding."""
    _, kl, _ = FAMILIES[family]
    rng = np.random.default_rng(seed)
    mu, s = rng.standard_normal((2, 5, 3))
    dmu, ds = size * rng.uniform(0.5, 2, (2, 5, 3))
    assert_array_equal(kl(mu, s, mu, s)[0], 0)
    if family == "gaussian" or size >= 1e-4:  # the Laplace form cancels below that
        assert (kl(mu + dmu, s, mu, s)[0] > 0).all()
        assert (kl(mu, s + ds, mu, s)[0] > 0).all()
    assert (kl(mu + dmu, s - ds, mu, s)[0] > -1e-14).all()


@settings(max_examples=30)
@given(seed=seeds, size=st.sampled_from([1e-8, 1e-3, 1.0, 5.0]))
def test_l1_is_minus_the_kl_to_the_prior(seed, size):
    mu, log_var = size * np.random.default_rng(seed).standard_normal((2, 5, 3))
    zero = np.zeros_like(mu)
    neg_kl, _ = neg_kl_std_normal(mu, log_var)
    assert (neg_kl < 0).all()
    assert_allclose(neg_kl, -kl_gauss(mu, log_var, zero, zero)[0], rtol=1e-12)
    assert_array_equal(neg_kl_std_normal(zero, zero)[0], 0)


@DTYPES
@pytest.mark.parametrize("sign", [-1, 1])
def test_gaussian_at_the_extremes_of_log_var(dtype, sign):
    """log_var ±80 (float32) and ±700 (float64): value and gradients finite beside the mean."""
    log_var = np.full((2, 3), sign * (80 if dtype == np.float32 else 700), dtype)
    mu = np.zeros((2, 3), dtype)
    eps = np.random.default_rng(0).standard_normal((4, 2, 3)).astype(dtype)
    z, sample_pullback = gaussian_sample(mu, log_var, eps=eps)
    log_prob, pullback = gaussian_log_prob(z, mu, log_var)
    expected = stats.norm.logpdf(eps.astype(float)).sum(-1) - 0.5 * log_var.sum(-1, dtype=float)
    assert_allclose(log_prob, expected, rtol=1e-5)
    for array in (z, *sample_pullback(z), *pullback(np.ones_like(log_prob))):
        assert array.dtype == dtype
        assert np.isfinite(array).all()
    if sign < 0:
        assert np.isfinite(neg_kl_std_normal(mu, log_var)[0]).all()


@pytest.mark.parametrize("family", ["gaussian", "laplace"])
def test_sampler_moments_and_distribution(family):
    """20,000 draws a dimension: mean and variance within 4 standard errors, KS test at 0.1%."""
    rng = np.random.default_rng(7)
    K = 20_000
    mu, s = np.array([[1.0, -2.0, 0.3]]), np.array([[0.5, -1.0, 2.0]])
    if family == "gaussian":
        z, _ = gaussian_sample(mu, s, eps=rng.standard_normal((K, 1, 3)))
        exact = [stats.norm(m, np.exp(v / 2)) for m, v in zip(mu[0], s[0], strict=True)]
    else:
        z, _ = laplace_sample(mu, s, eps=laplace_noise(rng, (K, 1, 3)))
        exact = [stats.laplace(m, np.exp(v)) for m, v in zip(mu[0], s[0], strict=True)]
    for d, law in enumerate(exact):
        draws = z[:, 0, d]
        kurtosis = law.stats(moments="k") + 3
        assert abs(draws.mean() - law.mean()) <= 4 * law.std() / np.sqrt(K)
        assert abs(draws.var() - law.var()) <= 4 * law.var() * np.sqrt((kurtosis - 1) / K)
        assert stats.kstest(draws, law.cdf).pvalue > 1e-3


def test_laplace_noise_keeps_its_dtype_and_needs_its_generator():
    a = laplace_noise(np.random.default_rng(1), (5, 2), np.float32)
    b = laplace_noise(np.random.default_rng(1), (5, 2), np.float32)
    assert a.dtype == np.float32
    assert_array_equal(a, b)


def test_laplace_derivative_at_the_kink_is_zero():
    z = np.zeros((1, 2))
    _, pullback = laplace_log_prob(z, z, z)
    dz, dmu, dlog_scale = pullback(np.ones(1))
    assert_array_equal(dz, 0)
    assert_array_equal(dmu, 0)
    assert_array_equal(dlog_scale, -1)
