"""Products, quotients and mixtures of experts: laws over random shapes, and masks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mmvae_edu.posteriors import (
    log_mixture_weights,
    product_of_experts,
    product_of_subsets,
    quotient_of_experts,
)

sizes = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))  # M, N, D
seeds = st.integers(0, 10**6)


def draw(seed, M, N, D):
    rng = np.random.default_rng(seed)
    mu, log_var = rng.standard_normal((2, M, N, D))
    return rng, mu, log_var, rng.random((M, N)) < 0.6


@settings(max_examples=30)
@given(size=sizes, seed=seeds)
def test_quotient_of_products_with_the_prior_is_the_product(size, seed):
    """S7.3 and S7.4 agree: Π [q̃_m p] / p^(M−1) = p Π q̃_m, so it is always a density."""
    _, mu, log_var, mask = draw(seed, *size)
    full_mu, full_log_var = product_of_subsets(mu, log_var, subsets=np.eye(size[0], dtype=bool)[
        :, :, None] & np.ones(size[1], dtype=bool))[0]  # fmt: skip
    mask[0] |= ~mask.any(axis=0)
    mean, joint_log_var, valid = quotient_of_experts(full_mu, full_log_var, mask=mask)[0]
    expected = product_of_experts(mu, log_var, mask=mask)[0]
    assert valid.all()
    assert_allclose((mean, joint_log_var), expected, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("junk", [np.nan, np.inf, 1e30])
def test_quotient_ignores_what_stands_under_a_mask(junk):
    _, mu, log_var, _ = draw(4, 3, 4, 2)
    mask = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 1, 1]], dtype=bool)
    clean, pullback = quotient_of_experts(mu, log_var - 3, mask=mask)
    gradients = pullback(np.ones((4, 2)), np.ones((4, 2)))
    dirty_mu, dirty_log_var = mu.copy(), log_var - 3
    dirty_mu[~mask] = dirty_log_var[~mask] = junk
    dirty, dirty_pullback = quotient_of_experts(dirty_mu, dirty_log_var, mask=mask)
    assert_array_equal(dirty, clean)
    assert_array_equal(dirty_pullback(np.ones((4, 2)), np.ones((4, 2))), gradients)
    for gradient in gradients:
        assert_array_equal(gradient[~mask], 0)


def test_mixture_weights_keep_a_dtype():
    assert log_mixture_weights(np.ones((3, 2), bool), np.float32).dtype == np.float32
