"""The oracles against tables, sums, brute-force normals, enumeration and mpmath.

The claims measure the library with them; here they are measured without the library.
"""

import itertools
import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from mmvae_edu.oracles import (
    DiscreteModel,
    LinearGaussian,
    NonlinearModel,
    expect_gaussian,
    integrate,
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


def subsets(names):
    return [s for r in range(len(names) + 1) for s in itertools.combinations(names, r)]


# ---- a discrete latent ----


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


# ---- one latent dimension, by quadrature ----


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


# ---- the linear-Gaussian model ----


def random_linear_gaussian(seed, orthogonal, N=3):
    rng = np.random.default_rng(seed)
    D = int(rng.integers(1, 4))
    features = {m: int(rng.integers(D, D + 4)) for m in ("image", "pen", "label")}
    model = LinearGaussian.random(rng, D, features, orthogonal)
    return rng, model, model.sample(rng, N)[1]


def stacked(model, x):
    """Mean and covariance of (z, x_1, .., x_M), the data in that order, and where each part is."""
    names = list(model.W)
    W = np.concatenate([np.eye(model.D)] + [model.W[m] for m in names])
    noise = [np.zeros(model.D)] + [np.full(len(model.b[m]), model.sigma[m] ** 2) for m in names]
    mean = np.concatenate([np.zeros(model.D)] + [model.b[m] for m in names])
    ends = np.cumsum([len(part) for part in noise])
    where = {m: np.arange(ends[i], ends[i + 1]) for i, m in enumerate(names)}
    data = np.concatenate([np.zeros((len(x[names[0]]), model.D))] + [x[m] for m in names], axis=1)
    return mean, W @ W.T + np.diag(np.concatenate(noise)), data, where


def condition(mean, cov, data, a, b):
    """Mean and covariance of block a given block b."""
    gain = np.linalg.solve(cov[np.ix_(b, b)], cov[np.ix_(b, a)]).T
    return mean[a] + (data[:, b] - mean[b]) @ gain.T, cov[np.ix_(a, a)] - gain @ cov[np.ix_(b, a)]


@laws
@given(seeds, st.booleans())
def test_linear_gaussian_agrees_with_brute_force_multivariate_normals(seed, orthogonal):
    _, model, x = random_linear_gaussian(seed, orthogonal)
    mean, cov, data, where = stacked(model, x)
    for subset in subsets(list(model.W))[1:]:
        seen = np.concatenate([where[m] for m in subset])
        density = multivariate_normal(mean[seen], cov[np.ix_(seen, seen)])
        close(model.log_prob(x, subset), density.logpdf(data[:, seen]), 1e-10)
        posterior, posterior_cov = model.posterior(x, subset)
        truth, truth_cov = condition(mean, cov, data, np.arange(model.D), seen)
        close(posterior, truth, 1e-10)
        close(posterior_cov, truth_cov, 1e-10)
        for target in set(model.W) - set(subset):
            m, c = condition(mean, cov, data, where[target], seen)
            truth = [
                multivariate_normal(m_n, c).logpdf(row)
                for m_n, row in zip(m, x[target], strict=True)
            ]
            close(model.log_conditional(x, [target], subset), truth, 1e-9)


@laws
@given(seeds)
def test_linear_gaussian_in_one_dimension_agrees_with_quadrature(seed):
    rng = np.random.default_rng(seed)
    model = LinearGaussian.random(rng, 1, {"a": 2, "b": 3})
    x = model.sample(rng, 1)[1]

    def log_joint(z):
        return model.log_joint(z[:, None, None], x)[:, 0]

    log_px = log_integrate(log_joint, -20, 20)
    close(model.log_prob(x), [log_px], 1e-11)
    mean, cov = model.posterior(x)
    close(mean[0, 0], integrate(lambda z: z * np.exp(log_joint(z) - log_px), -20, 20), 1e-11)
    mu, log_var = rng.normal(size=(2, 1, 1))
    q = mu.item(), log_var.item()
    elbo = expect_gaussian(lambda z: log_joint(z) - log_normal(z, *q), *q)
    close(model.elbo(mu, log_var, x), [elbo], 1e-11)


def test_linear_gaussian_samples_have_the_stated_moments():
    model = LinearGaussian.random(np.random.default_rng(6), 2, {"a": 2, "b": 1}, orthogonal=False)
    N = 50_000
    z, x = model.sample(np.random.default_rng(7), N)
    mean, cov, data, _ = stacked(model, x)
    data[:, :2] = z
    centred = data - mean
    assert np.abs(centred.mean(axis=0) / np.sqrt(np.diag(cov) / N)).max() < 4
    spread = np.sqrt((np.outer(np.diag(cov), np.diag(cov)) + cov**2) / N)
    assert np.abs((centred.T @ centred / N - cov) / spread).max() < 4


def test_linear_gaussian_refuses_misuse():
    rng, model, x = random_linear_gaussian(8, orthogonal=False)
    with pytest.raises(ValueError, match="orthogonal"):
        LinearGaussian.random(rng, 4, {"a": 3})
    general = LinearGaussian.random(rng, 2, {"a": 3}, orthogonal=False)
    with pytest.raises(ValueError, match="orthogonal"):
        general.expert_without_prior(np.zeros((1, 3)), "a")
    with pytest.raises(ValueError, match="subset"):
        model.log_prob(x, ["pen", "sound"])
    with pytest.raises(ValueError, match="subset"):
        model.posterior(x, ["pen", "pen"])
    with pytest.raises(ValueError, match="overlap"):
        model.log_conditional(x, ["pen"], ["pen"])
    with pytest.raises(ValueError, match="names"):
        LinearGaussian({"a": np.eye(2)}, {"b": np.zeros(2)}, {"a": 1.0})
    with pytest.raises(ValueError, match="a: expected W"):
        LinearGaussian({"a": np.eye(2)}, {"a": np.zeros(3)}, {"a": 1.0})


# ---- importance-weighted bounds ----


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


def bimodal(z):
    """log p(x, z) of a toy whose posterior is skewed: x_1 ~ N(z, 1), x_2 ~ N(tanh 2z, .5)."""
    log_likelihood = log_normal(0.4, np.tanh(2 * z), math.log(0.5))
    return log_normal(z, 0.0, 0.0) + log_normal(1.7, z, 0.0) + log_likelihood


@pytest.mark.parametrize("bound", [mixture_iwae_continuous, stratified_iwae_continuous])
def test_continuous_bounds_do_not_depend_on_the_grid(bound):
    mu, log_var = np.array([0.9, -0.6]), np.array([-0.7, 0.3])
    close(bound(bimodal, mu, log_var, 20), bound(bimodal, mu, log_var, 20, 3201))
    alone = iwae_continuous(bimodal, mu[0], log_var[0], 7)
    close(bound(bimodal, mu[:1], log_var[:1], 7), alone, 1e-13)
