"""Bounds as reductions, and the subsets that MVAE's objective scores."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mmvae_edu.gaussian import gaussian_log_prob, gaussian_sample, standard_normal_log_prob
from mmvae_edu.objectives import (
    effective_sample_size,
    elbo,
    iwae,
    log_prior_ratio,
    mixture_elbo,
    mixture_iwae,
    sample_subsets,
    stratified_iwae,
    subsampled_terms,
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


@settings(max_examples=20)
@given(seed=seeds, K=st.integers(1, 6))
def test_effective_sample_size_lies_between_1_and_K(seed, K):
    log_w = 4 * np.random.default_rng(seed).standard_normal((K, 3))
    size = effective_sample_size(log_w)
    assert (size >= 1 - 1e-12).all()
    assert (size <= K + 1e-9).all()
    assert_allclose(effective_sample_size(np.zeros((K, 3))), K, rtol=1e-13)


def test_no_sample_counts_where_every_weight_is_0():
    log_w = np.array([[0.0, -np.inf], [0.0, -np.inf]])
    assert_array_equal(effective_sample_size(log_w), [2, 0])


def test_closed_form_ratio_is_the_mean_of_the_sampled_one():
    rng = np.random.default_rng(2)
    mu, log_var = rng.standard_normal((2, 3, 2))
    z, _ = gaussian_sample(mu, log_var, eps=rng.standard_normal((40_000, 3, 2)))
    sampled, _ = log_prior_ratio(z, mu, log_var)
    expected = standard_normal_log_prob(z)[0] - gaussian_log_prob(z, mu, log_var)[0]
    assert_allclose(sampled, expected, rtol=1e-12)
    closed, _ = log_prior_ratio(z, mu, log_var, closed_form=True)
    assert_array_equal(closed, np.broadcast_to(closed[0], closed.shape))
    error = sampled.std(axis=0) / np.sqrt(len(z))
    assert (np.abs(sampled.mean(axis=0) - closed[0]) <= 4 * error).all()


def distinct_subsets(present, sampled):
    """The rule in words, by Python sets, one row: which distinct non-empty subsets it scores."""
    here = frozenset(np.flatnonzero(present).tolist())
    candidates = [here, *(here & {m} for m in range(len(present)))]
    candidates += [here & set(np.flatnonzero(row).tolist()) for row in sampled]
    return {subset for subset in candidates if subset}


@pytest.mark.parametrize("M", [1, 2, 3, 4])
def test_subsampled_terms_by_brute_force(M):
    """Every mask of M modalities, and many draws of sampled subsets."""
    rng = np.random.default_rng(M)
    present = np.array(list(product([False, True], repeat=M))).T  # (M, 2^M)
    for k in (0, 1, 2, 3):
        for _ in range(8):
            sampled = rng.random((k, M)) < 0.5
            subsets, counted = subsampled_terms(present, sampled if k else None)
            assert subsets.shape == (1 + M + k, M, 2**M)
            assert counted.shape == (1 + M + k, 2**M)
            for n in range(2**M):
                scored = [
                    frozenset(np.flatnonzero(subsets[t, :, n]).tolist())
                    for t in np.flatnonzero(counted[:, n])
                ]
                assert len(set(scored)) == len(scored)  # none twice
                assert set(scored) == distinct_subsets(present[:, n], sampled)


@pytest.mark.parametrize("M", [2, 3, 5, 8])
def test_sampled_subsets_have_uniform_sizes_and_members(M):
    """Sizes uniform on 2..M−1 (1 at M = 2), members uniform given the size: within 4 sigma."""
    k = 20_000
    subsets = sample_subsets(M, k, np.random.default_rng(M))
    assert subsets.shape == (k, M)
    assert subsets.dtype == bool
    expected = [1] if M == 2 else range(2, M)
    count = np.bincount(subsets.sum(axis=1), minlength=M + 1)
    assert set(np.flatnonzero(count)) == set(expected)
    share = 1 / len(expected)
    assert (np.abs(count[list(expected)] - k * share) <= 4 * np.sqrt(k * share)).all()
    inside = subsets.sum(axis=1).mean() / M
    assert (np.abs(subsets.mean(axis=0) - inside) <= 4 * 0.5 / np.sqrt(k)).all()


def test_one_modality_has_no_proper_subsets():
    with pytest.raises(ValueError, match="at least 2 modalities, found 1"):
        sample_subsets(1, 3, np.random.default_rng(0))
