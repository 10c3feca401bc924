"""Each system's training reaches the best value that networks of its shape can reach.

The data are a linear-Gaussian model's and the networks affine, with the scales σ_m fixed.  The
exact expected objective comes from Gaussian integrals or quadrature, its maximum from L-BFGS or a
closed form; every trained system must come within 0.01 nat of it.
"""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import value_and_grad
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.stats import laplace, norm
from test_linear_gaussian import D, modalities, product_theta, quotient_theta

from mmvae_edu.models import (
    CVAE,
    IWAE,
    JMVAE,
    MMVAE,
    MVAE,
    MVAEQ,
    VAE,
    BiVCCA,
    LaplaceMMVAE,
    MoPoE,
)
from mmvae_edu.models.mmvae_laplace import PRIOR
from mmvae_edu.oracles import LinearGaussian
from mmvae_edu.support.parameters import Tree

pytestmark = pytest.mark.slow
HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)
NOTHING_LOST = 0.01  # nats an example
ROWS = 100


class LaplaceLine(LaplaceMMVAE):
    """In one dimension, where every scale is 1: the library refuses what is of no use."""

    def __init__(self, modalities, **options):
        MMVAE.__init__(self, modalities, **options)
        self.tree = Tree(self.tree.shapes | {PRIOR: {"head": (self.latent,)}})


def train(model, x, *, samples, rates=(2e-2, 5e-3, 1e-3), steps=1000, seed=0):
    """Full-batch Adam with a falling rate: `fit` again and again from where it stopped."""
    for stage, rate in enumerate(rates):
        model.fit(
            x, steps=steps, batch_size=ROWS, learning_rate=rate, samples=samples,
            dtype=np.float64, seed=seed + stage, progress=False,
        )  # fmt: skip
        model.init = lambda rng, dtype, theta=model.theta: theta.copy()
    return model.tree.views(model.theta)


def learnt(model, oracle):
    """The linear-Gaussian model that the trained decoders are."""
    w = model.tree.views(model.theta)
    loadings = {m: w[m]["decoder"]["W0"].T for m in model.modalities}
    offsets = {m: w[m]["decoder"]["b0"] for m in model.modalities}
    return LinearGaussian(loadings, offsets, {m: oracle.sigma[m] for m in model.modalities})


# ---- probabilistic PCA ----


def affine(w, x):
    mu, log_var = np.split(x @ w["encoder"]["W0"] + w["encoder"]["b0"], 2, axis=1)
    return mu, log_var


def ppca_optimum(x, sigma, latent):
    """max over W, b of the mean log N(x; b, W Wᵀ + σ² I)  (Tipping and Bishop 1999, σ fixed).

    b is the mean, and the `latent` largest variances that exceed σ² are matched exactly.
    """
    variances = np.sort(np.linalg.eigvalsh(np.cov(x.T, bias=True)))[::-1]
    model = np.full(len(variances), sigma**2)
    model[:latent] = np.maximum(variances[:latent], sigma**2)
    return -0.5 * (np.log(2 * np.pi * model) + variances / model).sum()


@pytest.mark.parametrize("system", [VAE, IWAE])
def test_vae_and_iwae_reach_the_optimum_of_probabilistic_pca(system):
    """The best W has orthogonal columns up to a rotation, so an affine q loses nothing."""
    oracle = LinearGaussian.random(np.random.default_rng(10), 2, {"a": 5})
    _, x = oracle.sample(np.random.default_rng(11), ROWS)
    best = ppca_optimum(x["a"], oracle.sigma["a"], 2)
    model = system(modalities(oracle, ["a"]), latent=2, hidden=())
    w = train(model, x, samples=4)["a"]
    found = learnt(model, oracle)
    log_p = found.log_prob(x).mean()
    exact_elbo = found.elbo(*affine(w, x["a"]), x).mean()  # IWAE's bound lies above its ELBO
    assert exact_elbo <= log_p <= best + 1e-9
    assert best - exact_elbo <= NOTHING_LOST


def test_cvae_reaches_regression_and_probabilistic_pca():
    """x_1 on x_2 by least squares, and probabilistic PCA of what is left."""
    oracle = LinearGaussian.random(np.random.default_rng(10), 2, {"a": 5, "b": 3})
    _, x = oracle.sample(np.random.default_rng(11), ROWS)
    regressors = np.concatenate([x["b"], np.ones((ROWS, 1))], axis=1)
    residual = x["a"] - regressors @ np.linalg.lstsq(regressors, x["a"], rcond=None)[0]
    best = ppca_optimum(residual, oracle.sigma["a"], 2)
    model = CVAE(modalities(oracle, ["a", "b"]), condition="b", latent=2, hidden=())
    w = train(model, x, samples=4)["a"]
    W, V = w["decoder"]["W0"][:2].T, w["decoder"]["W0"][2:]
    found = LinearGaussian({"a": W}, {"a": w["decoder"]["b0"]}, {"a": oracle.sigma["a"]})
    left = {"a": x["a"] - x["b"] @ V}  # p(x_1|x_2) is a linear-Gaussian model of this
    q = affine(w, np.concatenate([x["a"], x["b"]], axis=1))
    exact_elbo, log_p = found.elbo(*q, left).mean(), found.log_prob(left).mean()
    assert exact_elbo <= log_p <= best + 1e-9
    assert best - exact_elbo <= NOTHING_LOST


# ---- the best of a family, by L-BFGS ----


def best_of(objective, size):
    """The highest value that L-BFGS finds from two random starts, by autograd's gradient."""
    loss = value_and_grad(lambda theta: -objective(theta))
    runs = [
        minimize(
            loss, 0.5 * np.random.default_rng(seed).standard_normal(size), jac=True,
            method="L-BFGS-B", options={"maxiter": 3000, "maxfun": 3000, "ftol": 1e-13},
        )
        for seed in range(2)
    ]  # fmt: skip
    return -min(run.fun for run in runs)


def open_theta(theta, x, latent, extra=()):
    """Each encoder's outputs, the decoders, and whatever arrays stand behind them."""
    shapes = [
        shape
        for P in (v.shape[1] for v in x.values())
        for shape in ((P, 2 * latent), (2 * latent,), (latent, P), (P,))
    ]
    arrays, start = [], 0
    for shape in [*shapes, *extra]:
        stop = start + int(np.prod(shape))
        arrays.append(theta[start:stop].reshape(shape))
        start = stop
    nets = [arrays[4 * m : 4 * m + 4] for m in range(len(x))]
    heads = [anp.dot(v, W) + b for v, (W, b, _, _) in zip(x.values(), nets, strict=True)]
    heads = [(out[:, :latent], out[:, latent:]) for out in heads]
    return heads, [net[2:] for net in nets], arrays[len(shapes) :]


def expected_elbo(mean, precision, values, sigmas, decoders):
    """E_q Σ_m log p(x_m|z) − KL(q ‖ N(0, I)) for affine decoders, by Gaussian integrals."""
    total = 0.5 * anp.sum(1 - anp.log(precision) - mean**2 - 1 / precision, 1)
    for x_m, s, (V, c) in zip(values, sigmas, decoders, strict=True):
        square = anp.sum((x_m - anp.dot(mean, V) - c) ** 2, 1)
        spread = anp.dot(1 / precision, anp.sum(V**2, 1))
        total = total - 0.5 * (square + spread) / s**2
        total = total - 0.5 * x_m.shape[1] * np.log(2 * np.pi * s**2)
    return total


def summed_over_terms(precisions, prior, heads, decoders, x, sigma):
    """The expected ELBO of {1, 2}, {1} and {2}; `prior`: the prior's precision beside M experts."""
    total, everything = 0.0, (list(x.values()), list(sigma.values()), decoders)
    for subset in ([0, 1], [0], [1]):
        precision = prior(len(subset)) + sum(precisions[m] for m in subset)
        mean = sum(precisions[m] * heads[m][0] for m in subset) / precision
        parts = ([kept[m] for m in subset] for kept in everything)
        total = total + expected_elbo(mean, precision, *parts)
    return anp.mean(total)


def exact_mvae(theta, x, sigma, latent):
    heads, decoders, _ = open_theta(theta, x, latent)
    precisions = [anp.exp(-a) for _, a in heads]
    return summed_over_terms(precisions, lambda M: 1, heads, decoders, x, sigma)


def exact_mvaeq(theta, x, sigma, latent):
    """(3): full posteriors of variance sigmoid(a), the surplus priors divided away."""
    heads, decoders, _ = open_theta(theta, x, latent)
    precisions = [1 + anp.exp(-a) for _, a in heads]
    return summed_over_terms(precisions, lambda M: 1 - M, heads, decoders, x, sigma)


def exact_bivcca(theta, x, sigma, latent):
    heads, decoders, _ = open_theta(theta, x, latent)
    values, sigmas = list(x.values()), list(sigma.values())
    bounds = [expected_elbo(mu, anp.exp(-a), values, sigmas, decoders) for mu, a in heads]
    return anp.mean(0.7 * bounds[0] + 0.3 * bounds[1])


def exact_jmvae(theta, x, sigma, latent, alpha=0.5):
    values, sigmas = list(x.values()), list(sigma.values())
    P = sum(v.shape[1] for v in values)
    extra = [(P, 2 * latent), (2 * latent,)]
    heads, decoders, (W, b) = open_theta(theta, x, latent, extra)
    out = anp.dot(np.concatenate(values, axis=1), W) + b
    mean, log_var = out[:, :latent], out[:, latent:]
    bound = expected_elbo(mean, anp.exp(-log_var), values, sigmas, decoders)
    for mu, a in heads:
        ratio = log_var - a
        kl = anp.exp(ratio) - 1 - ratio + (mean - mu) ** 2 * anp.exp(-a)
        bound = bound - alpha * 0.5 * anp.sum(kl, 1)
    return anp.mean(bound)


EACH = (["a", "b"], ["a"], ["b"])
FAMILIES = {
    "MVAE": (MVAE, {}, exact_mvae, product_theta, EACH),
    "MVAEQ": (MVAEQ, {}, exact_mvaeq, quotient_theta, EACH),
    "BiVCCA": (BiVCCA, {"share": {"a": 0.7, "b": 0.3}}, exact_bivcca, None, EACH[:1]),
    "JMVAE": (JMVAE, {"alpha": 0.5}, exact_jmvae, None, EACH[:1]),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_training_reaches_the_best_of_the_family(name):
    """The exact expected objective, maximised by L-BFGS; and it exceeds no log p that it bounds."""
    system, own, objective, exact, terms = FAMILIES[name]
    oracle = LinearGaussian.random(np.random.default_rng(12), D, {"a": 3, "b": 4})
    _, x = oracle.sample(np.random.default_rng(13), ROWS)
    model = system(modalities(oracle, ["a", "b"]), latent=D, hidden=(), **own)

    def value(theta):
        return objective(theta, x, oracle.sigma, D)

    best = best_of(value, model.tree.size)
    if exact is not None:  # the closed form is right: at the oracle it is log p
        truth = value(exact(model, oracle))
        log_p = sum(oracle.log_prob(x, term).mean() for term in terms)
        assert_allclose(truth, log_p, rtol=1e-10)
        assert best > truth  # the training data's optimum
    train(model, x, samples=4)
    log_p = sum(learnt(model, oracle).log_prob(x, term).mean() for term in terms)
    reached = value(model.theta)
    assert reached <= min(best, log_p) + 1e-6
    assert best - reached <= NOTHING_LOST


# ---- mixtures, by quadrature ----


def exact_mixture(theta, x, sigma, system, eps, chance):
    """The mixture's bound in one latent dimension, E over the noise by a rule eps, chance (T,).

    It is the ELBO, and of MMVAE the bound at K = 2, whose two samples run over all T² pairs.
    """
    heads, decoders, _ = open_theta(theta[: -1 if system is LaplaceLine else None], x, 1)
    if system is LaplaceLine:  # D = 1: every scale is 1
        laws = [(mu[:, 0], 1.0) for mu, _ in heads]
    elif system is MMVAE:
        laws = [(mu[:, 0], anp.exp(a[:, 0] / 2)) for mu, a in heads]
    else:
        precision = [anp.exp(-a[:, 0]) for _, a in heads]
        shift = [T * mu[:, 0] for T, (mu, _) in zip(precision, heads, strict=True)]
        subsets = ([0], [1], [0, 1])
        total = [1 + sum(precision[m] for m in subset) for subset in subsets]
        means = [sum(shift[m] for m in s) / T for s, T in zip(subsets, total, strict=True)]
        laws = [(mean, T**-0.5) for mean, T in zip(means, total, strict=True)]

    def log_density(u):
        return -anp.abs(u) - np.log(2) if system is LaplaceLine else -0.5 * u**2 - HALF_LOG_2PI

    bound = 0.0
    for mean, scale in laws:
        z = mean + scale * eps[:, None]  # (T, N)
        q = sum(anp.exp(log_density((z - m) / s)) / s for m, s in laws) / len(laws)
        log_w = log_density(z) - anp.log(q)
        for (V, c), values, s in zip(decoders, x.values(), sigma.values(), strict=True):
            residual = (values - z[..., None] * V[0] - c) / s
            log_w = log_w - values.shape[1] * (HALF_LOG_2PI + np.log(s))
            log_w = log_w - 0.5 * anp.sum(residual**2, -1)
        if system is MMVAE:
            pair = anp.logaddexp(log_w[:, None], log_w[None, :]) - np.log(2)  # (T, T, N)
            log_w = anp.einsum("s,stn->tn", chance, pair)
        bound = bound + anp.mean(anp.dot(chance, log_w))
    return bound / len(laws)


def gauss_rule(nodes):
    eps, weights = np.polynomial.hermite_e.hermegauss(nodes)
    return eps, weights / weights.sum()


def laplace_rule(nodes):
    """Simpson's rule with a node on the kink at 0, out to e^−24."""
    eps = np.linspace(-24, 24, nodes)
    simpson = np.tile([2.0, 4.0], (nodes + 1) // 2)[:nodes]
    simpson[[0, -1]] = 1
    weights = simpson * np.exp(-np.abs(eps))
    return eps, weights / weights.sum()


@pytest.mark.parametrize(
    ("system", "objective", "rule", "nodes", "finer"),
    [
        (MMVAE, "iwae", gauss_rule, 16, 40),
        (MoPoE, "elbo", gauss_rule, 24, 93),
        (LaplaceLine, "elbo", laplace_rule, 193, 769),
    ],
)
def test_mixture_reaches_the_best_of_its_family(system, objective, rule, nodes, finer):
    """Exact expected bound by quadrature, maximised by L-BFGS; log p by quadrature over z."""
    oracle = LinearGaussian.random(np.random.default_rng(14), 1, {"a": 2, "b": 3})
    _, x = oracle.sample(np.random.default_rng(15), ROWS)
    model = system(modalities(oracle, ["a", "b"]), latent=1, hidden=(), objective=objective)

    def value(theta, nodes):
        return exact_mixture(theta, x, oracle.sigma, system, *rule(nodes))

    best = best_of(lambda theta: value(theta, nodes), model.tree.size)
    train(model, x, samples=2)
    reached = value(model.theta, finer)
    assert abs(reached - value(model.theta, nodes)) <= 1e-3  # so many nodes are enough
    w, z = model.tree.views(model.theta), np.linspace(-20, 20, 4001)
    law = laplace if system is LaplaceLine else norm
    log_p = law.logpdf(z)[:, None]
    for m, values in x.items():
        mean = z[:, None, None] * w[m]["decoder"]["W0"][0] + w[m]["decoder"]["b0"]
        log_p = log_p + norm(mean, oracle.sigma[m]).logpdf(values).sum(axis=-1)
    log_p = np.log(np.exp(log_p).sum(axis=0) * (z[1] - z[0])).mean()
    assert reached < log_p  # and it is a bound
    assert best - reached <= NOTHING_LOST
    assert reached <= best + 2e-3
