"""The oracles with a discrete and a one-dimensional latent against tables, sums and mpmath."""

import ast
import itertools
import math
import sys
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import logsumexp

from mmvae_edu import oracles as exact
from mmvae_edu.oracles import (
    DiscreteModel,
    NonlinearModel,
    complex_step,
    expect_gaussian,
    integrate,
    log_normal,
)

laws = settings(derandomize=True, deadline=None, max_examples=25)
seeds = st.integers(0, 10**6)


def close(a, b, tol=1e-12):
    assert_allclose(a, b, rtol=tol, atol=tol)


def subsets(names):
    return [s for r in range(len(names) + 1) for s in itertools.combinations(names, r)]


def test_the_oracles_import_nothing_they_check():
    allowed = {"numpy", "mpmath"} | sys.stdlib_module_names
    for file in Path(exact.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert {a.name.split(".")[0] for a in node.names} <= allowed, file.name
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 1 or node.module.split(".")[0] in allowed, file.name


# Discrete latent


def full_table(model):
    """p(z, x_1, .., x_M) as one array (S, V, .., V): another route to everything."""
    table = np.exp(model.log_prior)
    for m, log_lik in enumerate(model.log_lik):
        lik = np.exp(log_lik).reshape((len(table),) + (1,) * m + (-1,))
        table = table[..., None] * lik
    return table


@laws
@given(seeds, st.integers(1, 5), st.integers(1, 3), st.integers(2, 4))
def test_discrete_model_agrees_with_the_full_table(seed, S, M, V):
    rng = np.random.default_rng(seed)
    model = DiscreteModel.random(rng, S, M, V)
    table = full_table(model)
    close(math.fsum(math.exp(model.log_evidence(x)) for x in model.all_x()), 1)
    x = model.all_x()[rng.integers(V**M)]
    for subset in subsets(range(M)):
        missing = tuple(1 + m for m in range(M) if m not in subset)
        joint = table.sum(axis=missing)[(slice(None), *(x[m] for m in subset))]
        close(model.log_joint(x, subset), np.log(joint))
        close(model.log_evidence(x, subset), math.log(joint.sum()))
        close(model.posterior(x, subset), joint / joint.sum())
        rest = [m for m in range(M) if m not in subset]
        conditional = table[(slice(None), *x)].sum() / joint.sum()
        close(model.log_conditional(x, rest, subset), math.log(conditional))


@laws
@given(seeds, st.integers(2, 5), st.integers(1, 3))
def test_discrete_evidence_is_elbo_plus_kl(seed, S, M):
    rng = np.random.default_rng(seed)
    model = DiscreteModel.random(rng, S, M, 3)
    x = model.all_x()[rng.integers(3**M)]
    posterior = model.posterior(x)
    q = rng.dirichlet(np.ones(S))
    q[0] = 0.0  # 0 log 0 = 0
    q /= q.sum()
    kl = (q[1:] * np.log(q[1:] / posterior[1:])).sum()
    close(model.elbo(q, x) + kl, model.log_evidence(x))
    close(model.elbo(posterior, x), model.log_evidence(x))


def test_discrete_subset_may_be_a_mask_and_misuse_is_refused():
    model = DiscreteModel.random(np.random.default_rng(0), 3, 3, 2)
    x = (1, 0, 1)
    assert model.log_evidence(x, [False, True, True]) == model.log_evidence(x, [1, 2])
    assert model.log_evidence(x, []) == pytest.approx(0, abs=1e-15)
    for subset in ([0, 0], [3], [-1], [True, False]):
        with pytest.raises(ValueError, match="subset"):
            model.log_evidence(x, subset)
    with pytest.raises(ValueError, match="overlap"):
        model.log_conditional(x, [0, 1], [1])
    with pytest.raises(ValueError, match="sum to 1"):
        DiscreteModel(np.log([0.5, 0.4]), [np.log(np.full((2, 2), 0.5))])
    with pytest.raises(ValueError, match="expected 2 rows"):
        DiscreteModel(np.log([0.5, 0.5]), [np.log(np.full((3, 2), 0.5))])


def test_discrete_model_with_impossible_symbols():
    never = np.array([[0.0, -np.inf], [-np.inf, 0.0]])
    model = DiscreteModel(np.log([0.3, 0.7]), [never, never])
    close(model.posterior((1, 1)), [0, 1])
    assert model.log_evidence((0, 1)) == -math.inf
    assert model.elbo([0.5, 0.5], (1, 1)) == -math.inf
    with pytest.raises(ValueError, match="probability 0"):
        model.posterior((0, 1))


def test_discrete_samples_have_the_stated_frequencies():
    model = DiscreteModel.random(np.random.default_rng(1), 3, 2, 2)
    N = 20_000
    z, x = model.sample(np.random.default_rng(2), N)
    table = full_table(model)
    count = np.zeros(table.shape)
    np.add.at(count, (z, x[:, 0], x[:, 1]), 1)
    score = (count - N * table) / np.sqrt(N * table * (1 - table))
    assert np.abs(score).max() < 4


# Quadrature


@laws
@given(seeds)
def test_gaussian_expectations_match_closed_forms(seed):
    rng = np.random.default_rng(seed)
    mu, log_var = rng.normal(0, 2), rng.normal(0, 2)
    var = math.exp(log_var)
    fourth = mu**4 + 6 * mu**2 * var + 3 * var**2
    close(expect_gaussian(np.ones_like, mu, log_var), 1)
    close(expect_gaussian(lambda z: z**4, mu, log_var), fourth)
    close(expect_gaussian(np.cos, mu, log_var), math.cos(mu) * math.exp(-var / 2))
    close(integrate(lambda z: np.exp(log_normal(z, 0.5, 0.3)), -20, 20), 1)


def test_gaussian_expectation_of_softplus_matches_mpmath():
    mpmath.mp.dps = 30
    mu, var = 0.7, math.exp(1.3)

    def integrand(z):
        return mpmath.log1p(mpmath.exp(z)) * mpmath.npdf(z, mu, mpmath.sqrt(var))

    truth = mpmath.quad(integrand, [-30, -10, -3, 0, 3, 10, 30])
    close(expect_gaussian(lambda z: np.log1p(np.exp(z)), mu, 1.3), float(truth))


def test_nonlinear_model_is_normalised_over_x_and_marginalises():
    model = NonlinearModel.random(np.random.default_rng(3), 4, 3, n=2)
    every = list(itertools.product(range(3), repeat=3))
    close(math.fsum(math.exp(model.log_evidence(x)) for x in every), 1)
    mask = np.array([True, False, True])
    marginal = logsumexp([model.log_evidence((2, c, 0)) for c in range(3)])
    close(model.log_evidence((2, 1, 0), mask), marginal)
    close(model.log_evidence((2, 1, 0), np.zeros(3, bool)), 0)
    with pytest.raises(ValueError, match=r"0\.\.2"):
        model.log_evidence((2, 3, 0))


def test_nonlinear_evidence_matches_mpmath():
    mpmath.mp.dps = 25
    model = NonlinearModel.random(np.random.default_rng(4), 3, 4, n=16)
    x = (3, 16, 0, 9)

    def joint(z):
        hidden = [mpmath.tanh(z * w + a) for w, a in zip(model.w, model.a, strict=True)]
        p = mpmath.npdf(z)
        for count, column, b in zip(x, model.W.T, model.b, strict=True):
            mean = 1 / (1 + mpmath.exp(-(mpmath.fdot(hidden, column) + b)))
            p *= math.comb(16, count) * mean**count * (1 - mean) ** (16 - count)
        return p

    pieces = mpmath.linspace(-10, 10, 41)
    evidence = mpmath.quad(joint, pieces)
    mean = mpmath.quad(lambda z: z * joint(z), pieces) / evidence
    square = mpmath.quad(lambda z: z * z * joint(z), pieces) / evidence
    close(model.log_evidence(x), float(mpmath.log(evidence)))
    close(model.posterior(x), (float(mean), float(square - mean**2)))


@laws
@given(seeds)
def test_nonlinear_elbo_and_its_gradient(seed):
    rng = np.random.default_rng(seed)
    model = NonlinearModel.random(rng, 3, 4, n=5)
    x = rng.integers(0, 6, 4)
    mu, log_var = rng.normal(), rng.normal()
    elbo, log_px = model.elbo(mu, log_var, x), model.log_evidence(x)

    def kl(z):
        log_q = log_normal(z, mu, log_var)
        return np.exp(log_q) * (log_q - (model.log_joint(z, x) - log_px))

    reach = 9 * math.exp(log_var / 2)
    close(elbo + integrate(kl, mu - reach, mu + reach), log_px, 1e-11)

    # Bonnet and Price: d/dmu E f = E f', d/dvar E f = E f'' / 2; the entropy adds 1/2 for log_var
    def slope(z):
        return np.imag(model.log_joint(z + 1e-30j, x)) / 1e-30

    sd = math.exp(log_var / 2)
    dlog_var = 0.5 + 0.5 * expect_gaussian(lambda z: (z - mu) * slope(z), mu, log_var)
    gradient = model.elbo_gradient(mu, log_var, x)
    close(gradient, (expect_gaussian(slope, mu, log_var), dlog_var), 1e-10)
    h = 1e-5
    up = model.elbo(mu + h * sd, log_var, x) - model.elbo(mu - h * sd, log_var, x)
    close(gradient[0] * sd, up / (2 * h), 1e-6)


def test_gradient_of_the_evidence_is_the_posterior_mean_of_the_joint_gradient():
    model = NonlinearModel.random(np.random.default_rng(5), 2, 3)
    x = (1, 0, 1)

    def at(W):
        return NonlinearModel(model.w, model.a, W, model.b)

    log_px = model.log_evidence(x)

    def posterior_mean(W):
        return integrate(
            lambda z: np.exp(model.log_joint(z, x) - log_px) * at(W).log_joint(z, x), -20, 20
        )

    close(
        complex_step(lambda W: at(W).log_evidence(x), model.W),
        complex_step(posterior_mean, model.W),
    )
