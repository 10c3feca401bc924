"""The finite identities, on numbers that can be worked out by hand."""

import math
from itertools import permutations

import numpy as np
import pytest

from mmvae_edu.posteriors import product_of_experts, quotient_of_experts
from mmvae_edu.slides.s04_mean_field import (
    cavi_step,
    chain_rule_logp,
    gaussian_mean_field,
    product_of_marginals,
    total_correlation,
)
from mmvae_edu.slides.s05_evidence import decompose, elbo, kl, log_evidence, log_joint, posterior
from mmvae_edu.slides.s07_joint_posterior import (
    log_constant_eq3,
    posterior_from_unimodal,
    posterior_joint,
)

TWO_MODES = np.array([[0.48, 0.02], [0.02, 0.48]])


def mean_field_optimum(logP, q, steps=100):
    for _ in range(steps):
        for i in range(len(q)):
            q = [*q[:i], cavi_step(logP, q, i), *q[i + 1 :]]
    return q


@pytest.mark.parametrize("start", [0.6, 0.4])
def test_two_modes_have_two_mean_field_optima(start):
    q0, q1 = mean_field_optimum(np.log(TWO_MODES), [np.array([start, 1 - start])] * 2)
    expected = np.array([0.9438, 0.0562])[:: 1 if start > 0.5 else -1]
    np.testing.assert_allclose([q0, q1], [expected, expected], atol=5e-5)
    assert kl(np.outer(q0, q1), TWO_MODES) == pytest.approx(0.638345, abs=5e-7)
    assert kl(product_of_marginals(TWO_MODES), TWO_MODES) == pytest.approx(0.936702, abs=5e-7)


def test_gaussian_mean_field_at_correlation_09():
    rho = 0.9
    Sigma = np.array([[1, rho], [rho, 1]])
    mean, var = gaussian_mean_field(np.array([2.0, -1.0]), Sigma)
    np.testing.assert_allclose(var, [0.19, 0.19], rtol=1e-14)
    np.testing.assert_array_equal(mean, [2.0, -1.0])
    logdet = np.linalg.slogdet(Sigma)[1]
    reverse_kl = 0.5 * ((var / (1 - rho**2)).sum() - 2 + logdet - np.log(var).sum())
    assert reverse_kl == pytest.approx(0.830366, abs=5e-7)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_chain_rule_with_impossible_events(order):
    P = np.zeros((2, 2, 3))
    P[0, 1] = [0.5, 0.25, 0]
    P[1, 0, 2] = 0.25
    with np.errstate(divide="ignore"):
        logP = np.log(P)
    factors = chain_rule_logp(logP, order)
    np.testing.assert_allclose(np.exp(factors.sum(axis=0)), P, atol=1e-15)
    assert not np.isnan(factors).any()


def test_total_correlation_of_two_equal_bits_and_a_free_one():
    P = np.multiply.outer(np.eye(2) / 2, [0.3, 0.7])
    assert total_correlation(P) == pytest.approx(math.log(2), rel=1e-14)


def test_a_factor_that_is_0_ignores_what_is_impossible_there():
    logP = np.array([[math.log(0.25), -np.inf], [math.log(0.75), 0.0]])
    q = [np.array([0.5, 0.5]), np.array([1.0, 0.0])]
    np.testing.assert_allclose(cavi_step(logP, q, 0), [0.25, 0.75], rtol=1e-14)


def test_decomposition_by_hand():
    joint = log_joint(np.log([0.25, 0.75]), np.log([[0.8, 0.2], [0.4, 0.6]]), 0)
    np.testing.assert_allclose(np.exp(joint), [0.2, 0.3], rtol=1e-14)
    np.testing.assert_allclose(posterior(joint), [0.4, 0.6], rtol=1e-14)
    bound, gap = decompose(np.array([1.0, 0.0]), joint)  # one state is certain, 0 · log 0 = 0
    assert bound == pytest.approx(math.log(0.2), rel=1e-14)
    assert gap == pytest.approx(-math.log(0.4), rel=1e-14)
    assert bound + gap == pytest.approx(log_evidence(joint), rel=1e-14)
    assert log_evidence(joint) == pytest.approx(math.log(0.5), rel=1e-14)


def test_kl_at_its_edges():
    q, p = np.array([0.5, 0.5, 0.0]), np.array([0.5, 0.0, 0.5])
    assert kl(q, q) == 0
    assert kl(q, p) == np.inf
    assert elbo(q, np.array([0.0, -np.inf, 0.0])) == -np.inf


def test_equation_3_with_an_impossible_state():
    with np.errstate(divide="ignore"):
        log_prior = np.log([0.5, 0.5, 0.0])
        log_liks = np.log([[0.2, 0.6, 0.9], [0.5, 0.5, 0.1], [0.4, 0.2, 1.0]])
    joint = posterior_joint(log_prior, log_liks)
    np.testing.assert_allclose(joint, [0.4, 0.6, 0], rtol=1e-14)
    with np.errstate(divide="ignore"):
        log_posts = np.log([posterior(log_prior + log_lik) for log_lik in log_liks])
    np.testing.assert_allclose(posterior_from_unimodal(log_posts, log_prior), joint, rtol=1e-14)
    expected = math.log(0.4 * 0.5 * 0.3 / 0.05)  # Π p(x_m) / p(x_1, x_2, x_3)
    assert log_constant_eq3(log_prior, log_liks) == pytest.approx(expected, rel=1e-12)


def test_two_gaussian_modalities():
    """x_m = a_m z + noise: the exact precision, the naive product's, and without a prior."""
    a, var, x = np.array([1.3, -0.7]), np.array([0.5, 0.3]), np.array([0.4, 1.1])
    tau = a**2 / var
    expert_mu, expert_log_var = (x / a)[:, None, None], -np.log(tau)[:, None, None]
    unimodal_mu, unimodal_log_var = (a * x / var / (1 + tau)), -np.log(1 + tau)
    mean, log_var = product_of_experts(expert_mu, expert_log_var)[0]
    assert math.exp(-log_var.item()) == pytest.approx(6.0133, abs=5e-5)
    quotient = quotient_of_experts(unimodal_mu[:, None, None], unimodal_log_var[:, None, None])[0]
    np.testing.assert_allclose(quotient[:2], [mean, log_var], rtol=1e-13)
    assert np.exp(-unimodal_log_var).sum() == pytest.approx(7.0133, abs=5e-5)
    assert np.exp(-expert_log_var).sum() == pytest.approx(5.0133, abs=5e-5)
