"""The oracles against each other, against scipy and mpmath, and against published fixtures."""

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
from scipy.stats import multivariate_normal

from mmvae_edu import exact
from mmvae_edu.exact import (
    DiscreteModel,
    LinearGaussian,
    NonlinearModel,
    bound_gradient,
    complex_step,
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


# Linear-Gaussian


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


@laws
@given(seeds)
def test_prior_times_experts_is_the_posterior_of_every_subset(seed):
    _, model, x = random_linear_gaussian(seed, orthogonal=True)
    experts = {m: model.expert_without_prior(x[m], m) for m in model.W}
    for subset in subsets(list(model.W)):
        precision = 1 + sum(np.exp(-experts[m][1]) for m in subset)
        mean = sum(experts[m][0] * np.exp(-experts[m][1]) for m in subset) / precision
        truth, cov = model.posterior(x, subset)
        close(np.broadcast_to(mean, truth.shape), truth)
        close(np.diag(1 / np.broadcast_to(precision, truth.shape)[0]), cov)


@laws
@given(seeds, st.booleans())
def test_linear_gaussian_evidence_is_elbo_plus_kl(seed, orthogonal):
    rng, model, x = random_linear_gaussian(seed, orthogonal)
    mu, log_var = rng.normal(size=(2, 3, model.D))
    subset = ["pen", "image"]
    mean, cov = model.posterior(x, subset)
    precision = np.linalg.inv(cov)
    gap = mean - mu
    kl = 0.5 * (
        np.exp(log_var) @ np.diag(precision)
        + np.einsum("nd,de,ne->n", gap, precision, gap)
        - model.D
        + np.linalg.slogdet(cov)[1]
        - log_var.sum(axis=1)
    )
    close(model.elbo(mu, log_var, x, subset) + kl, model.log_prob(x, subset), 1e-10)

    mu, log_var = model.best_diagonal(x, subset)
    lost = 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])
    best = model.elbo(mu, log_var, x, subset)
    close(model.log_prob(x, subset) - best, np.full(3, lost), 1e-10)
    for step in 1e-3 * rng.normal(size=(2, 3, model.D)):
        assert (model.elbo(mu + step, log_var, x, subset) < best).all()
        assert (model.elbo(mu, log_var + step, x, subset) < best).all()


@laws
@given(seeds)
def test_with_the_exact_posterior_every_log_weight_is_the_evidence(seed):
    rng, model, x = random_linear_gaussian(seed, orthogonal=True)
    for subset in (["label"], ["pen", "image"], None):
        mean, cov = model.posterior(x, subset)
        log_var = np.log(np.diag(cov))
        z = mean + np.exp(log_var / 2) * rng.normal(size=(7, 3, model.D))
        log_w = model.log_joint(z, x, subset) - log_normal(z, mean, log_var).sum(axis=-1)
        close(log_w, np.broadcast_to(model.log_prob(x, subset), (7, 3)), 1e-10)


def two_sensors():
    """One latent dimension seen twice: a = (1.3, -.7), noise variances (.5, .3), x = (.4, 1.1)."""
    W = {"a": [[1.3]], "b": [[-0.7]]}
    sigma = {"a": math.sqrt(0.5), "b": math.sqrt(0.3)}
    x = {"a": np.array([[0.4]]), "b": np.array([[1.1]])}
    return LinearGaussian(W, {"a": [0.0], "b": [0.0]}, sigma), x


def test_precision_of_the_product_counts_the_prior_once():
    model, x = two_sensors()
    exact_precision = 1 / model.posterior(x)[1].item()
    single = [1 / model.posterior(x, [m])[1].item() for m in "ab"]
    assert round(exact_precision, 4) == 6.0133
    assert round(sum(single), 4) == 7.0133  # the naive product counts the prior twice
    experts = [np.exp(-model.expert_without_prior(x[m], m)[1]).item() for m in "ab"]
    assert round(sum(experts), 4) == 5.0133  # the prior forgotten


@pytest.mark.parametrize(
    ("scale", "gaps"), [(0, (0.0, 0.0)), (1, (0.0126, 0.0986)), (2, (0.0455, 0.4914))]
)
def test_the_joint_term_alone_leaves_the_experts_undetermined(scale, gaps):
    model, x = two_sensors()
    shift = {"a": (0.25 * scale, 0.4 * scale), "b": (-0.25 * scale, -0.4 * scale)}
    tau, eta = {}, {}
    for m in "ab":
        mu, log_var = model.expert_without_prior(x[m], m)
        tau[m] = np.exp(-log_var) + shift[m][0]
        eta[m] = mu * np.exp(-log_var) + shift[m][1]

    def gap(names):
        precision = 1 + sum(tau[m] for m in names)
        mean = sum(eta[m] for m in names) / precision
        lost = model.log_prob(x, names) - model.elbo(mean, -np.log(precision), x, names)
        return lost.item()

    assert abs(gap(["a", "b"])) < 1e-13
    assert (round(gap(["a"]), 4), round(gap(["b"]), 4)) == gaps


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
