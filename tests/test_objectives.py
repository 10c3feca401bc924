"""Bounds as reductions: their order, absent strata, weights of 0 and of every size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mmvae_edu.objectives import (
    distinct_subsets,
    effective_sample_size,
    elbo,
    iwae,
    mixture_elbo,
    mixture_iwae,
    sample_subsets,
    stratified_iwae,
)

seeds = st.integers(0, 10**6)
sizes = st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 4))  # M, K, N


@settings(max_examples=30)
@given(size=sizes, seed=seeds)
def test_order_of_the_bounds_on_the_same_draws(size, seed):
    """ELBO ≤ IWAE, with equality at K = 1; mean_m lme_k ≤ lme_{m,k}, with equality at M = 1."""
    rng = np.random.default_rng(seed)
    log_w = 3 * rng.standard_normal(size)
    present = rng.random(size[::2]) < 0.6
    present[0] |= ~present.any(axis=0)
    lower = mixture_elbo(log_w, present=present)[0]
    looser = mixture_iwae(log_w, present=present)[0]
    tight = stratified_iwae(log_w, present=present)[0]
    assert (lower <= looser + 1e-12).all()
    assert (looser <= tight + 1e-12).all()
    for n in range(size[2]):  # each equals the direct formula over the present strata
        w = log_w[present[:, n], :, n]
        assert_allclose(lower[n], w.mean(), rtol=1e-12, atol=1e-12)
        assert_allclose(looser[n], np.log(np.exp(w).mean(axis=1)).mean(), rtol=1e-12, atol=1e-12)
        assert_allclose(tight[n], np.log(np.exp(w).mean()), rtol=1e-12, atol=1e-12)
    one = log_w[:, :1]
    assert_allclose(
        mixture_elbo(one, present=present)[0], mixture_iwae(one, present=present)[0], atol=1e-14
    )
    assert_allclose(elbo(log_w[0][:1])[0], iwae(log_w[0][:1])[0], rtol=1e-15)
    assert (elbo(log_w[0])[0] <= iwae(log_w[0])[0] + 1e-12).all()
    assert_allclose(mixture_iwae(log_w[:1])[0], stratified_iwae(log_w[:1])[0], rtol=1e-13)
    assert_allclose(iwae(log_w[0])[0], mixture_iwae(log_w[:1])[0], rtol=1e-13)


@pytest.mark.parametrize("bound", [mixture_elbo, mixture_iwae, stratified_iwae])
@pytest.mark.parametrize("junk", [np.nan, np.inf, -np.inf])
def test_absent_strata_may_hold_anything(bound, junk):
    rng = np.random.default_rng(0)
    log_w = rng.standard_normal((3, 4, 5))
    present = np.array([[1, 0, 1, 0, 1], [1, 1, 0, 0, 1], [1, 1, 1, 1, 0]], dtype=bool)
    clean, pullback = bound(log_w, present=present)
    dirty_log_w = np.where(present[:, None], log_w, junk)
    dirty, dirty_pullback = bound(dirty_log_w, present=present)
    assert_array_equal(dirty, clean)
    dbound = rng.standard_normal(5)
    gradient = dirty_pullback(dbound)
    assert_array_equal(gradient, pullback(dbound))
    assert_array_equal(np.moveaxis(gradient, 1, 2)[~present], 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bounds_of_impossible_and_huge_weights(dtype):
    log_w = np.array([[-1e4, -np.inf], [1e4, -np.inf]], dtype)
    bound, pullback = iwae(log_w)
    assert_allclose(bound, [1e4 - np.log(2), -np.inf], rtol=1e-6)
    assert_array_equal(pullback(np.ones(2, dtype)), np.array([[0, 0], [1, 0]], dtype))


def test_no_sample_counts_where_every_weight_is_0():
    log_w = np.array([[0.0, -np.inf], [0.0, -np.inf]])
    assert_array_equal(effective_sample_size(log_w), [2, 0])


@pytest.mark.parametrize(("M", "k"), [(3, 3), (4, 2), (4, 10), (5, 7), (19, 1), (3, 5), (2, 2)])
def test_distinct_subsets_differ_and_are_sample_subsets_up_to_its_first_repeat(M, k):
    """They are k, or all there are, of 2..M − 1 modalities."""
    possible = min(k, len([c for c in range(2**M) if 2 <= c.bit_count() < M]))
    for seed in range(30):
        plain = sample_subsets(M, k, np.random.default_rng(seed))
        drawn = distinct_subsets(M, k, np.random.default_rng(seed))
        assert drawn.shape == (k, M)
        assert len(set(map(tuple, drawn.tolist()))) >= possible
        repeats = [i for i, row in enumerate(plain.tolist()) if row in plain[:i].tolist()]
        unchanged = repeats[0] if repeats else k
        assert_array_equal(drawn[:unchanged], plain[:unchanged])


def test_distinct_subsets_are_as_likely_as_draws_without_replacement():
    """Of two subsets of 4 modalities, in order: P(A) P(B) / (1 − P(A)), within 4.5 errors."""
    n, rng = 20_000, np.random.default_rng(0)
    bits = 1 << np.arange(4)
    codes = np.array([distinct_subsets(4, 2, rng) @ bits for _ in range(n)])
    chance = {c: {2: 1 / 12, 3: 1 / 8}[c.bit_count()] for c in range(16) if c.bit_count() in (2, 3)}
    for a, p in chance.items():
        for b, q in chance.items():
            expected = 0 if a == b else p * q / (1 - p)
            found = (codes == [a, b]).all(axis=1).mean()
            assert abs(found - expected) <= 4.5 * np.sqrt(expected / n)
