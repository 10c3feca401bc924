"""Each system's training reaches the best value that networks of its shape can reach.

The data are a linear-Gaussian model's, the networks affine; the exact expected objective comes from
Gaussian integrals or quadrature, its maximum from L-BFGS or a closed form, as in
test_linear_gaussian.
"""

import autograd.numpy as anp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import laplace, norm
from test_linear_gaussian import (
    NOTHING_LOST,
    ROWS,
    affine,
    best_of,
    family_shapes,
    modalities,
    ppca_optimum,
    train,
    unpack,
)
from test_systems import D, exact_quotient_theta

from mmvae_edu.models import CVAE, JMVAE, MVAEQ, BiVCCA, LaplaceMMVAE, MoPoE
from mmvae_edu.oracles import LinearGaussian

HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)


def expected_elbo(mean, precision, values, sigmas, decoders):
    """E_q Σ_m log p(x_m|z) − KL(q ‖ N(0, I)) for affine decoders, by Gaussian integrals."""
    total = 0.5 * anp.sum(1 - anp.log(precision) - mean**2 - 1 / precision, 1)
    for x_m, s, (V, c) in zip(values, sigmas, decoders, strict=True):
        square = anp.sum((x_m - anp.dot(mean, V) - c) ** 2, 1)
        spread = anp.dot(1 / precision, anp.sum(V**2, 1))
        total = total - 0.5 * (square + spread) / s**2
        total = total - 0.5 * x_m.shape[1] * np.log(2 * np.pi * s**2)
    return total


def open_theta(theta, x, latent, extra=()):
    """Each encoder's outputs, the decoders, and whatever arrays stand behind them."""
    shapes = family_shapes([v.shape[1] for v in x.values()], latent)
    arrays = unpack(theta, [*shapes, *extra])
    nets = [arrays[4 * m : 4 * m + 4] for m in range(len(x))]
    heads = [anp.dot(v, W) + b for v, (W, b, _, _) in zip(x.values(), nets, strict=True)]
    heads = [(out[:, :latent], out[:, latent:]) for out in heads]
    return heads, [net[2:] for net in nets], arrays[len(shapes) :]


def exact_mvaeq(theta, x, sigma, latent):
    """(3): full posteriors of variance sigmoid(a), the surplus priors divided away."""
    heads, decoders, _ = open_theta(theta, x, latent)
    values, sigmas, total = list(x.values()), list(sigma.values()), 0.0
    for subset in ([0, 1], [0], [1]):
        full = [1 + anp.exp(-heads[m][1]) for m in subset]
        precision = sum(full) - (len(subset) - 1)
        mean = sum(T * heads[m][0] for T, m in zip(full, subset, strict=True)) / precision
        parts = ([kept[m] for m in subset] for kept in (values, sigmas, decoders))
        total = total + expected_elbo(mean, precision, *parts)
    return anp.mean(total)


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


FAMILIES = {
    "MVAEQ": (MVAEQ, {}, exact_mvaeq, exact_quotient_theta, (["a", "b"], ["a"], ["b"])),
    "BiVCCA": (BiVCCA, {"share": {"a": 0.7, "b": 0.3}}, exact_bivcca, None, (["a", "b"],)),
    "JMVAE": (JMVAE, {"alpha": 0.5}, exact_jmvae, None, (["a", "b"],)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_training_reaches_the_best_of_the_family(name):
    """The exact expected objective, maximised by L-BFGS; and it exceeds no log p that it bounds."""
    system, own, objective, exact, terms = FAMILIES[name]
    oracle = LinearGaussian.random(np.random.default_rng(12), D, {"a": 3, "b": 4})
    _, x = oracle.sample(np.random.default_rng(13), ROWS)
    model = system(modalities(oracle, ["a", "b"]), latent=D, hidden=(), **own)

    def value(theta):
        return objective(theta, x, oracle.sigma, D)

    if exact is not None:  # the closed form is right: at the oracle it is log p
        log_p = sum(oracle.log_prob(x, term).mean() for term in terms)
        assert_allclose(value(exact(model, oracle)), log_p, rtol=1e-10)
    best = best_of(value, model.tree.size)
    train(model, x, samples=4)
    w = model.tree.views(model.theta)
    learnt = LinearGaussian({m: w[m]["decoder"]["W0"].T for m in x},
                            {m: w[m]["decoder"]["b0"] for m in x}, oracle.sigma)  # fmt: skip
    log_p = sum(learnt.log_prob(x, term).mean() for term in terms)
    reached = value(model.theta)
    assert reached <= min(best, log_p) + 1e-6
    assert best - reached <= NOTHING_LOST


@pytest.mark.slow
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
    learnt = LinearGaussian({"a": W}, {"a": w["decoder"]["b0"]}, {"a": oracle.sigma["a"]})
    left = {"a": x["a"] - x["b"] @ V}  # p(x_1|x_2) is a linear-Gaussian model of this
    q = affine(w, np.concatenate([x["a"], x["b"]], axis=1))
    exact_elbo, log_p = learnt.elbo(*q, left).mean(), learnt.log_prob(left).mean()
    assert exact_elbo <= log_p <= best + 1e-9
    assert best - exact_elbo <= NOTHING_LOST


def exact_mixture(theta, x, sigma, system, eps, chance):
    """The mixture's ELBO in one latent dimension, E over the noise by a rule eps, chance (T,)."""
    heads, decoders, _ = open_theta(theta[: -1 if system is LaplaceMMVAE else None], x, 1)
    if system is LaplaceMMVAE:  # D = 1: every scale is 1
        laws = [(mu[:, 0], 1.0) for mu, _ in heads]
    else:
        precision = [anp.exp(-a[:, 0]) for _, a in heads]
        shift = [T * mu[:, 0] for T, (mu, _) in zip(precision, heads, strict=True)]
        subsets = ([0], [1], [0, 1])
        total = [1 + sum(precision[m] for m in subset) for subset in subsets]
        means = [sum(shift[m] for m in s) / T for s, T in zip(subsets, total, strict=True)]
        laws = [(mean, T**-0.5) for mean, T in zip(means, total, strict=True)]

    def log_density(u):
        return -anp.abs(u) - np.log(2) if system is LaplaceMMVAE else -0.5 * u**2 - HALF_LOG_2PI

    bound = 0.0
    for mean, scale in laws:
        z = mean + scale * eps[:, None]  # (T, N)
        q = sum(anp.exp(log_density((z - m) / s)) / s for m, s in laws) / len(laws)
        log_w = log_density(z) - anp.log(q)
        for (V, c), values, s in zip(decoders, x.values(), sigma.values(), strict=True):
            residual = (values - z[..., None] * V[0] - c) / s
            log_w = log_w - values.shape[1] * (HALF_LOG_2PI + np.log(s))
            log_w = log_w - 0.5 * anp.sum(residual**2, -1)
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("system", "rule", "nodes"), [(MoPoE, gauss_rule, 24), (LaplaceMMVAE, laplace_rule, 193)]
)
def test_mixture_reaches_the_best_of_its_family(system, rule, nodes):
    """Exact expected ELBO by quadrature, maximised by L-BFGS; log p by quadrature over z."""
    oracle = LinearGaussian.random(np.random.default_rng(14), 1, {"a": 2, "b": 3})
    _, x = oracle.sample(np.random.default_rng(15), ROWS)
    model = system(modalities(oracle, ["a", "b"]), latent=1, hidden=(), objective="elbo")

    def value(theta, nodes):
        return exact_mixture(theta, x, oracle.sigma, system, *rule(nodes))

    best = best_of(lambda theta: value(theta, nodes), model.tree.size)
    train(model, x, samples=2)
    reached = value(model.theta, 4 * nodes - 3)
    assert abs(reached - value(model.theta, nodes)) <= 1e-3  # so many nodes are enough
    w, z = model.tree.views(model.theta), np.linspace(-20, 20, 4001)
    law = laplace if system is LaplaceMMVAE else norm
    log_p = law.logpdf(z)[:, None]
    for m, values in x.items():
        mean = z[:, None, None] * w[m]["decoder"]["W0"][0] + w[m]["decoder"]["b0"]
        log_p = log_p + norm(mean, oracle.sigma[m]).logpdf(values).sum(axis=-1)
    log_p = np.log(np.exp(log_p).sum(axis=0) * (z[1] - z[0])).mean()
    assert reached < log_p  # and it is a bound
    assert best - reached <= NOTHING_LOST
    assert reached <= best + 2e-3
