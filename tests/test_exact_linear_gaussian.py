"""The linear-Gaussian oracle against scipy's multivariate normals and against quadrature."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal

from mmvae_edu.oracles import LinearGaussian, expect_gaussian, integrate, log_integrate, log_normal

laws = settings(derandomize=True, deadline=None, max_examples=25)
seeds = st.integers(0, 10**6)


def close(a, b, tol=1e-12):
    assert_allclose(a, b, rtol=tol, atol=tol)


def subsets(names):
    return [s for r in range(len(names) + 1) for s in itertools.combinations(names, r)]


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
