"""Exact importance-weighted bounds against enumeration, grids, closed forms and mpmath."""

import itertools
import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from mmvae_edu.oracles import (
    DiscreteModel,
    LinearGaussian,
    bound_gradient,
    complex_step,
    iwae_continuous,
    iwae_enumerated,
    iwae_exact,
    log_integrate,
    log_normal,
    mixture_iwae_continuous,
    mixture_iwae_exact,
    stratified_iwae_continuous,
    stratified_iwae_enumerated,
    stratified_iwae_exact,
)

laws = settings(derandomize=True, deadline=None, max_examples=25)
seeds = st.integers(0, 10**6)


def close(a, b, tol=1e-12):
    assert_allclose(a, b, rtol=tol, atol=tol)


# Importance-weighted bounds, discrete


def random_weights(seed, S, M=1):
    """M experts q (M, S), their mixture, weights w = p(x, z) / mixture, and log p(x)."""
    rng = np.random.default_rng(seed)
    q = rng.dirichlet(np.ones(S), size=M)
    log_px = rng.normal(-3, 3)
    mixture = q.mean(axis=0)
    posterior = rng.dirichlet(np.ones(S))
    return q, mixture, math.exp(log_px) * posterior / mixture, log_px


@laws
@given(seeds, st.integers(1, 4), st.integers(1, 7))
def test_iwae_agrees_with_multinomial_enumeration(seed, S, K):
    _, q, w, log_px = random_weights(seed, S)
    enumerated = iwae_enumerated(q, w, K)
    close(iwae_exact(q, w, K), enumerated, 1e-13)
    tree = [
        math.prod(q[list(states)]) * math.log(w[list(states)].mean())
        for states in itertools.product(range(S), repeat=min(K, 4))
    ]  # and the multisets with all S^K sequences
    close(iwae_enumerated(q, w, min(K, 4)), math.fsum(tree), 1e-13)
    assert enumerated <= log_px + 1e-12


@laws
@given(seeds, st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_stratified_and_mixture_bounds_agree_with_enumeration(seed, S, M, K):
    q, _, w, _ = random_weights(seed, S, M)
    close(stratified_iwae_exact(q, w, K), stratified_iwae_enumerated(q, w, K), 1e-13)
    mixture = sum(iwae_enumerated(q_m, w, K) for q_m in q) / M
    close(mixture_iwae_exact(q, w, K), mixture, 1e-13)


@laws
@given(seeds, st.integers(2, 6))
def test_iwae_rises_from_the_elbo_to_the_evidence(seed, S):
    rng = np.random.default_rng(seed)
    model = DiscreteModel.random(rng, S, 2, 3)
    x = (0, 2)
    q = 0.5 * rng.dirichlet(np.ones(S)) + 0.5 / S
    w = np.exp(model.log_joint(x)) / q
    bounds = [iwae_exact(q, w, K) for K in (1, 2, 3, 10, 100, 1000, 10**4, 10**5)]
    close(bounds[0], model.elbo(q, x), 1e-13)
    log_px = model.log_evidence(x)
    assert (np.diff([*bounds, log_px]) > 0).all()
    half_variance = 0.5 * (q * (w / math.exp(log_px) - 1) ** 2).sum()
    rates = [K * (log_px - L) for K, L in zip((10**4, 10**5), bounds[-2:], strict=True)]
    assert_allclose(rates, half_variance, rtol=2e-2)
    assert abs(rates[1] - half_variance) < 0.2 * abs(rates[0] - half_variance) + 1e-9
    posterior = model.posterior(x)
    for K in (1, 3, 1000, 10**6):
        close(iwae_exact(posterior, np.exp(model.log_joint(x)) / posterior, K), log_px)


def test_iwae_at_ten_thousand_samples_matches_mpmath():
    """The same identity at 30 digits by another quadrature: what is left is rounding error."""
    mpmath.mp.dps = 30
    q, w, K = [0.65, 0.25, 0.07, 0.03], [0.02, 1.5, 0.7, 9.0], 10**4

    def integrand(u):
        t = mpmath.exp(u)
        L = mpmath.fsum(
            mpmath.mpf(p) * mpmath.exp(-t * mpmath.mpf(v)) for p, v in zip(q, w, strict=True)
        )
        return mpmath.exp(-t) - (L / mpmath.fsum(q)) ** K

    truth = mpmath.quad(integrand, mpmath.linspace(-60, 8, 137)) - mpmath.log(K)
    close(iwae_exact(q, w, K), float(truth), 1e-13)


def test_the_mixture_bound_misses_the_evidence_by_kl_of_uniform_and_responsibility():
    posterior = np.array([0.7, 0.2, 0.07, 0.03])
    q = np.array([[0.65, 0.25, 0.07, 0.03], [0.02, 0.03, 0.15, 0.80]])
    mixture, log_px, K = q.mean(axis=0), math.log(0.01), 10**4
    w = 0.01 * posterior / mixture
    a = (posterior * q / q.sum(axis=0)).sum(axis=1)
    assert_allclose(a, [0.88103, 0.11897], atol=5e-6)
    looseness = -0.5 * np.log(2 * a).sum()
    assert round(looseness, 6) == 0.434637
    assert round(mixture_iwae_exact(q, w, K), 5) == -5.03988
    assert round(iwae_exact(mixture, w, K), 6) == -4.605210
    assert round(stratified_iwae_exact(q, w, K), 6) == -4.605176
    assert abs(mixture_iwae_exact(q, w, 10**7) - (log_px - looseness)) < 1e-6


@laws
@given(seeds, st.integers(2, 5), st.integers(1, 3), st.sampled_from([1, 2, 5, 50]))
def test_order_of_the_four_bounds(seed, S, M, K):
    q, mixture, w, log_px = random_weights(seed, S, M)
    looser = mixture_iwae_exact(q, w, K)
    tight = stratified_iwae_exact(q, w, K)
    chain = [looser, iwae_exact(mixture, w, K), iwae_exact(mixture, w, M * K), tight, log_px]
    assert (np.diff(chain) > -1e-12).all()
    close(mixture_iwae_exact(q, w, 1), (mixture * np.log(w)).sum(), 1e-12)


def test_zero_weights_and_extreme_weights():
    q, w = [0.5, 0.3, 0.2], [0.0, 1.0, 2.0]
    assert iwae_exact(q, w, 3) == iwae_enumerated(q, w, 3) == -math.inf  # three zeros are possible
    assert iwae_exact([0.0, 0.5, 0.5], w, 1) == pytest.approx(math.log(2) / 2, abs=1e-14)
    strata = [[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]]  # a zero stratum only shares the mean
    close(stratified_iwae_exact(strata, w, 2), stratified_iwae_enumerated(strata, w, 2), 1e-13)
    w = np.exp([-700.0, 0.0, 600.0])
    close(iwae_exact(q, w, 2), iwae_enumerated(q, w, 2), 1e-12)
    with pytest.raises(ValueError, match="K >= 1"):
        iwae_exact(q, w, 0)
    for bad_q, bad_w in ((q, [1.0, -1.0, 2.0]), (q, [1.0, np.nan, 2.0]), ([1.5, -0.5, 0.0], w)):
        with pytest.raises(ValueError, match=">= 0"):
            iwae_exact(bad_q, bad_w, 2)
    with pytest.raises(ValueError, match="summing to 1"):
        iwae_exact([0.5, 0.4, 0.2], w, 2)


# Importance-weighted bounds, continuous


@laws
@given(seeds)
def test_continuous_iwae_in_the_linear_gaussian_model(seed):
    rng = np.random.default_rng(seed)
    model = LinearGaussian.random(rng, 1, {"a": 2})
    x = model.sample(rng, 1)[1]
    mu, log_var = rng.normal(), rng.normal()

    def log_joint(z):
        return model.log_joint(z[:, None, None], x)[:, 0]

    log_px = model.log_prob(x).item()
    elbo = model.elbo(np.array([[mu]]), np.array([[log_var]]), x).item()
    bounds = [iwae_continuous(log_joint, mu, log_var, K) for K in (1, 2, 10, 1000)]
    close(bounds[0], elbo, 1e-11)
    assert (np.diff([*bounds, log_px]) > 0).all()
    mean, cov = model.posterior(x)
    for K in (1, 5, 10**5):
        exact_q = iwae_continuous(log_joint, mean.item(), math.log(cov.item()), K)
        close(exact_q, log_px, 1e-10)


def bimodal(z, shift=0.0):
    """log p(x, z) of a toy whose posterior is skewed: x_1 ~ N(z, 1), x_2 ~ N(tanh 2z, .5)."""
    return (
        log_normal(z, 0.0, 0.0)
        + log_normal(1.7, z, 0.0)
        + log_normal(0.4 + shift, np.tanh(2 * z), math.log(0.5))
    )


MU, LOG_VAR = np.array([0.9, -0.6]), np.array([-0.7, 0.3])


def test_the_rate_of_iwae_needs_a_proposal_wide_enough():
    def log_joint(z):  # posterior N(0, 1), log p = 0
        return log_normal(z, 0.0, 0.0)

    wide, narrow = (
        [K * -iwae_continuous(log_joint, 0.0, math.log(var), K) for K in (10**3, 10**5)]
        for var in (2.0, 0.3)
    )
    half_variance = 0.5 * (2 / math.sqrt(3) - 1)  # E_q (p/q)^2 = v / sqrt(2 v - 1)
    assert_allclose(wide, half_variance, rtol=1e-3)
    assert narrow[1] > 3 * narrow[0]  # Var(w) is infinite at var <= 1/2


def pairs(mu, log_var, nodes=501):
    """A trapezoidal grid over two independent draws: z_1, z_2, eps_1, eps_2 and weights."""
    eps, step = np.linspace(-9, 9, nodes, retstep=True)
    density = np.exp(log_normal(eps, 0.0, 0.0)) * step
    e1, e2 = np.meshgrid(eps, eps, indexing="ij")
    sd = math.exp(log_var / 2)
    return mu + sd * e1, mu + sd * e2, e1, e2, np.outer(density, density)


def d_dz(f, z):
    return np.imag(f(z + 1e-30j)) / 1e-30


def responsibilities(z, mu, log_var):
    """r_m = q_m / sum_j q_j, (M, ...)."""
    log_q = np.array([log_normal(z, m, s) for m, s in zip(mu, log_var, strict=True)])
    q = np.exp(log_q - log_q.real.max(axis=0))
    return q / q.sum(axis=0)


def mixture_gradient_by_grid(mu, log_var, form):
    """The mixture bound at K = 2 and its gradient (2, M) as an estimator `form` gives it, exactly.

    reparameterised: path through z plus the density of every expert in log q_mix
    released:        weights squared and log q_mix detached, right only for a single expert
    doubly:          the score of the sampling expert turned into a path term
    """
    M = len(mu)

    def log_w(z):
        log_q = np.array([log_normal(z, m, s) for m, s in zip(mu, log_var, strict=True)])
        top = log_q.real.max(axis=0)
        return bimodal(z) - top - np.log(np.exp(log_q - top).mean(axis=0))

    value, grad = 0.0, np.zeros((2, M))
    for m in range(M):
        z1, z2, e1, e2, chance = pairs(mu[m], log_var[m])
        a = np.array([log_w(z1), log_w(z2)])
        top = np.logaddexp(*a)
        value += (chance * (top - math.log(2))).sum() / M
        share = np.exp(a - top)
        for z, eps, s in ((z1, e1, share[0]), (z2, e2, share[1])):
            slope = d_dz(log_w, z)
            r = responsibilities(z, mu, log_var)
            if form == "reparameterised":
                path, direct = s * slope, range(M)
            elif form == "released":
                path, direct = s**2 * slope, ()
            else:
                dr = d_dz(lambda z, m=m: responsibilities(z, mu, log_var)[m], z)
                path = s * slope - r[m] * s * (1 - s) * slope - s * dr
                direct = [j for j in range(M) if j != m]
            sd = math.exp(log_var[m] / 2)
            grad[0, m] += (chance * path).sum() / M
            grad[1, m] += (chance * path * eps * sd / 2).sum() / M
            for j in direct:
                u = (z - mu[j]) * math.exp(-log_var[j] / 2)
                grad[0, j] -= (chance * s * r[j] * u).sum() * math.exp(-log_var[j] / 2) / M
                grad[1, j] -= (chance * s * r[j] * (u**2 - 1) / 2).sum() / M
    return value, grad


@pytest.mark.parametrize("M", [1, 2])
def test_mixture_bound_and_gradient_agree_with_a_grid_over_two_draws(M):
    mu, log_var = MU[:M], LOG_VAR[:M]
    exact_grad = bound_gradient(mixture_iwae_continuous, bimodal, mu, log_var, 2)
    value, full = mixture_gradient_by_grid(mu, log_var, "reparameterised")
    close(mixture_iwae_continuous(bimodal, mu, log_var, 2), value, 1e-11)
    close(exact_grad, full, 1e-10)
    doubly = mixture_gradient_by_grid(mu, log_var, "doubly")[1]
    close(exact_grad, doubly, 1e-10)
    released = mixture_gradient_by_grid(mu, log_var, "released")[1]
    if M == 1:
        close(exact_grad, released, 1e-10)  # with one expert the squared weights are unbiased
    else:
        assert np.abs(exact_grad - released).max() > 1e-2  # with two they are not


def test_gradient_at_one_sample_is_the_closed_form():
    def log_joint(z):
        return log_normal(z, 0.0, 0.0) + log_normal(1.7, z, 0.0)

    dmu, dlog_var = bound_gradient(mixture_iwae_continuous, log_joint, MU[:1], LOG_VAR[:1], 1)
    close(dmu, 1.7 - 2 * MU[:1], 1e-11)
    close(dlog_var, 0.5 - np.exp(LOG_VAR[:1]), 1e-11)


@pytest.mark.parametrize("bound", [mixture_iwae_continuous, stratified_iwae_continuous])
@pytest.mark.parametrize("K", [3, 10**5])
def test_continuous_gradients_agree_with_central_differences(bound, K):
    dmu, dlog_var = bound_gradient(bound, bimodal, MU, LOG_VAR, K)
    h = 1e-3
    eighth = {-2: 1 / 12, -1: -2 / 3, 1: 2 / 3, 2: -1 / 12}  # fourth order
    for m in range(2):
        e = h * np.eye(2)[m]
        by_mu = sum(c * bound(bimodal, MU + i * e, LOG_VAR, K) for i, c in eighth.items()) / h
        by_var = sum(c * bound(bimodal, MU, LOG_VAR + i * e, K) for i, c in eighth.items()) / h
        assert_allclose([dmu[m], dlog_var[m]], [by_mu, by_var], rtol=1e-8, atol=1e-10)


def test_gradient_with_respect_to_the_joint():
    def bound(theta):
        return mixture_iwae_continuous(lambda z: bimodal(z, theta), MU, LOG_VAR, 4)

    grad = complex_step(bound, 0.3).item()
    h = 1e-3
    close(
        grad,
        (8 * (bound(0.3 + h) - bound(0.3 - h)) - bound(0.3 + 2 * h) + bound(0.3 - 2 * h))
        / (12 * h),
        1e-9,
    )


def test_continuous_bounds_do_not_depend_on_the_grid_and_keep_their_order():
    log_px = log_integrate(bimodal, -20, 20)
    bounds = [
        bound(bimodal, MU, LOG_VAR, K)
        for bound in (mixture_iwae_continuous, stratified_iwae_continuous)
        for K in (1, 20)
    ]
    finer = [
        bound(bimodal, MU, LOG_VAR, K, 3201)
        for bound in (mixture_iwae_continuous, stratified_iwae_continuous)
        for K in (1, 20)
    ]
    close(bounds, finer, 1e-12)
    assert bounds[0] < bounds[1] < bounds[3] < log_px
    assert bounds[0] < bounds[2] < bounds[3]
    one = [
        bound(bimodal, MU[:1], LOG_VAR[:1], 7)
        for bound in (mixture_iwae_continuous, stratified_iwae_continuous)
    ]
    close(*one, 1e-13)
    close(one[0], iwae_continuous(bimodal, MU[0], LOG_VAR[0], 7), 1e-13)


@laws
@given(seeds, st.integers(1, 5))
def test_gradient_of_the_discrete_bound_by_complex_step(seed, K):
    """Decoder and proposal as logits: complex step against differences of the enumeration."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=(2, 3))

    def parts(theta):
        p, q = np.exp(theta)
        return q / q.sum(), p * q.sum() / (p.sum() * q)

    grad = complex_step(lambda theta: iwae_exact(*parts(theta), K), theta)
    direction, h = rng.normal(size=(2, 3)), 1e-4
    ends = [iwae_enumerated(*parts(theta + i * h * direction), K) for i in (-1, 1)]
    assert_allclose((grad * direction).sum(), (ends[1] - ends[0]) / (2 * h), rtol=1e-6, atol=1e-6)
