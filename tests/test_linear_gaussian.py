"""Against a model whose every quantity is known: exact weights, exact bounds, exact optima.

    z ~ N(0, I),   x_m = W_m z + b_m + σ_m ε

With no hidden layer the library's networks are affine, so they can hold this model exactly.  "Best
within the family" is the highest mean bound on the training data that affine networks of this shape
can reach, with the scales σ_m fixed; every trained system must come within 0.01 nat of it.
"""

from itertools import product

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import value_and_grad
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.stats import norm

from mmvae_edu.estimators import marginal
from mmvae_edu.likelihoods import Normal
from mmvae_edu.models import IWAE, MMVAE, MVAE, VAE
from mmvae_edu.oracles import LinearGaussian

D, N, K = 3, 6, 4
FEATURES = {"a": 4, "b": 5, "c": 3}


@pytest.fixture(scope="module")
def oracle():
    return LinearGaussian.random(np.random.default_rng(0), D, FEATURES)


@pytest.fixture(scope="module")
def x(oracle):
    return oracle.sample(np.random.default_rng(1), N)[1]


def modalities(oracle, names):
    return {m: Normal(len(oracle.b[m]), scale=oracle.sigma[m]) for m in names}


def exact_theta(model, oracle, *, with_prior):
    """The oracle's decoders, and the exact experts: p(z|x_m), or p(x_m|z) without the prior."""
    theta = np.zeros(model.tree.size)
    for m, w in model.tree.views(theta).items():
        W, b, noise = oracle.W[m], oracle.b[m], oracle.sigma[m] ** 2
        precision = (W**2).sum(axis=0) / noise + with_prior
        w["encoder"]["W0"][:, :D] = W / noise / precision
        w["encoder"]["b0"][:D] = -b @ W / noise / precision
        w["encoder"]["b0"][D:] = -np.log(precision)
        w["decoder"]["W0"][...], w["decoder"]["b0"][...] = W.T, b
    return theta


# ---- the exact posterior makes every log-weight log p(x) ----


@pytest.mark.parametrize("system", [VAE, IWAE])
@pytest.mark.parametrize("name", list(FEATURES))
def test_log_weights_of_the_exact_posterior_are_log_p(oracle, x, system, name):
    options = {"kl": "monte_carlo"} if system is VAE else {}
    model = system(modalities(oracle, [name]), latent=D, hidden=(), **options)
    theta = exact_theta(model, oracle, with_prior=1)
    noise = model.draw_noise(np.random.default_rng(2), N, K, np.float64)
    log_w, _ = model.log_weights(theta, {name: x[name]}, **noise)
    log_p = oracle.log_prob(x, [name])
    assert_allclose(log_w, np.tile(log_p, (K, 1)), rtol=1e-10)
    assert_allclose(model.bound(theta, {name: x[name]}, **noise)[0], log_p, rtol=1e-10)


@pytest.mark.parametrize("mask", list(product([False, True], repeat=3))[1:])
def test_mvae_of_the_exact_experts_sums_log_p_over_its_terms(oracle, x, mask):
    """Every subset: given only these modalities, the bound is log p of each distinct term."""
    model = MVAE(modalities(oracle, FEATURES), latent=D, hidden=(), kl="monte_carlo")
    theta = exact_theta(model, oracle, with_prior=0)
    subset = [m for m, here in zip(FEATURES, mask, strict=True) if here]
    terms = {tuple(subset), *((m,) for m in subset)}
    expected = sum(oracle.log_prob(x, list(term)) for term in terms)
    noise = model.draw_noise(np.random.default_rng(3), N, K, np.float64)
    full_mask = np.repeat(np.array(mask)[:, None], N, axis=1)
    assert_allclose(model.bound(theta, x, mask=full_mask, **noise)[0], expected, rtol=1e-10)
    given = {m: x[m] for m in subset}
    estimate = marginal(model, theta, given, K=3, rng=np.random.default_rng(4)).log_p
    assert_allclose(estimate, oracle.log_prob(x, subset), rtol=1e-10)  # q exact: no noise at all


@pytest.mark.parametrize("objective", ["elbo", "iwae", "stratified"])
def test_mmvae_bound_equals_the_oracles(oracle, x, objective):
    """Its log-weights are log p(x, z) − log (1/M) Σ_m N(z; μ_m, σ_m²), the oracle's own."""
    model = MMVAE(modalities(oracle, FEATURES), latent=D, hidden=(), objective=objective)
    theta = exact_theta(model, oracle, with_prior=1)
    eps = model.draw_noise(np.random.default_rng(7), N, K, np.float64)["eps"]
    posteriors = [oracle.posterior(x, [m]) for m in FEATURES]
    laws = [norm(mean, np.sqrt(np.diag(cov))) for mean, cov in posteriors]
    log_w = []
    for law, noise in zip(laws, eps, strict=True):
        z = law.mean() + law.std() * noise
        q = np.mean([other.pdf(z).prod(axis=-1) for other in laws], axis=0)
        log_w.append(oracle.log_joint(z, x) - np.log(q))
    top = np.max(log_w)
    w = np.exp(np.array(log_w) - top)  # (M, K, N)
    expected = {
        "elbo": np.mean(log_w, axis=(0, 1)),
        "iwae": top + np.log(w.mean(axis=1)).mean(axis=0),
        "stratified": top + np.log(w.mean(axis=(0, 1))),
    }[objective]
    assert_allclose(model.bound(theta, x, eps=eps)[0], expected, rtol=1e-10)


# ---- training reaches the best value within the family ----

NOTHING_LOST = 0.01  # nats an example
ROWS = 100


def train(model, x, *, samples, rates=(2e-2, 5e-3, 1e-3), steps=1000, seed=0):
    """Full-batch Adam with a falling rate: `fit` again and again from where it stopped."""
    for stage, rate in enumerate(rates):
        model.fit(
            x, steps=steps, batch_size=ROWS, learning_rate=rate, samples=samples,
            dtype=np.float64, seed=seed + stage, progress=False,
        )  # fmt: skip
        model.init = lambda rng, dtype, theta=model.theta: theta.copy()
    return model.tree.views(model.theta)


def affine(w, x):
    mu, log_var = anp.split(anp.dot(x, w["encoder"]["W0"]) + w["encoder"]["b0"], 2, axis=1)
    return mu, log_var


def ppca_optimum(x, sigma, latent):
    """max over W, b of the mean log N(x; b, W Wᵀ + σ² I)  (Tipping and Bishop 1999, σ fixed).

    b is the mean, and the `latent` largest variances that exceed σ² are matched exactly.
    """
    variances = np.sort(np.linalg.eigvalsh(np.cov(x.T, bias=True)))[::-1]
    model = np.full(len(variances), sigma**2)
    model[:latent] = np.maximum(variances[:latent], sigma**2)
    return -0.5 * (np.log(2 * np.pi * model) + variances / model).sum()


@pytest.mark.slow
@pytest.mark.parametrize("system", [VAE, IWAE])
def test_vae_and_iwae_reach_the_optimum_of_probabilistic_pca(system):
    """The best W has orthogonal columns up to a rotation, so an affine q loses nothing."""
    oracle = LinearGaussian.random(np.random.default_rng(10), 2, {"a": 5})
    _, x = oracle.sample(np.random.default_rng(11), ROWS)
    best = ppca_optimum(x["a"], oracle.sigma["a"], 2)
    model = system(modalities(oracle, ["a"]), latent=2, hidden=())
    w = train(model, x, samples=4)["a"]
    learnt = LinearGaussian({"a": w["decoder"]["W0"].T}, {"a": w["decoder"]["b0"]},
                            {"a": oracle.sigma["a"]})  # fmt: skip
    log_p = learnt.log_prob(x).mean()
    exact_elbo = learnt.elbo(*affine(w, x["a"]), x).mean()  # IWAE's bound lies above its ELBO
    assert exact_elbo <= log_p <= best + 1e-9
    assert best - exact_elbo <= NOTHING_LOST


def unpack(theta, shapes):
    arrays, start = [], 0
    for shape in shapes:
        stop = start + int(np.prod(shape))
        arrays.append(theta[start:stop].reshape(shape))
        start = stop
    return arrays


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


def family_shapes(features, latent):
    """Encoder W and b, decoder W and b of each modality: the order of the model's theta too."""
    return [
        shape for P in features for shape in ((P, 2 * latent), (2 * latent,), (latent, P), (P,))
    ]


def exact_mvae(theta, x, sigma, latent):
    """MVAE's mean objective in closed form: Gaussian q, linear decoders."""
    arrays = unpack(theta, family_shapes([v.shape[1] for v in x.values()], latent))
    nets = [arrays[4 * m : 4 * m + 4] for m in range(len(x))]
    experts = []
    for (W, b, _, _), values in zip(nets, x.values(), strict=True):
        out = anp.dot(values, W) + b
        experts.append((out[:, :latent], anp.exp(-out[:, latent:])))
    total, singles = 0.0, [[m] for m in range(len(x))]
    for subset in [list(range(len(x))), *singles]:
        precision = 1 + sum(experts[m][1] for m in subset)
        mean = sum(experts[m][0] * experts[m][1] for m in subset) / precision
        total = total + 0.5 * anp.sum(1 - anp.log(precision) - mean**2 - 1 / precision, 1)
        for m in subset:
            values, s, (_, _, V, c) = list(x.values())[m], list(sigma.values())[m], nets[m]
            square = anp.sum((values - anp.dot(mean, V) - c) ** 2, 1)
            spread = anp.dot(1 / precision, anp.sum(V**2, 1))
            normaliser = 0.5 * values.shape[1] * np.log(2 * np.pi * s**2)
            total = total - 0.5 * (square + spread) / s**2 - normaliser
    return anp.mean(total)


@pytest.mark.slow
def test_mvae_reaches_the_best_of_its_family():
    """Exact expected objective (Gaussian integrals in closed form), maximised by L-BFGS."""
    oracle = LinearGaussian.random(np.random.default_rng(12), 2, {"a": 3, "b": 4})
    _, x = oracle.sample(np.random.default_rng(13), ROWS)
    model = MVAE(modalities(oracle, ["a", "b"]), latent=2, hidden=())
    best = best_of(lambda theta: exact_mvae(theta, x, oracle.sigma, 2), model.tree.size)
    truth = exact_mvae(exact_theta_2d(model, oracle), x, oracle.sigma, 2)
    log_p = sum(oracle.log_prob(x, s).mean() for s in (["a", "b"], ["a"], ["b"]))
    assert_allclose(truth, log_p, rtol=1e-10)  # the closed form is right: at the oracle it is log p
    assert best > truth  # the training data's optimum
    train(model, x, samples=4)
    reached = exact_mvae(model.theta, x, oracle.sigma, 2)
    assert reached <= best + 1e-6
    assert best - reached <= NOTHING_LOST


def exact_theta_2d(model, oracle):
    theta = np.zeros(model.tree.size)
    for m, w in model.tree.views(theta).items():
        W, b, noise = oracle.W[m], oracle.b[m], oracle.sigma[m] ** 2
        square = (W**2).sum(axis=0)
        w["encoder"]["W0"][:, :2], w["encoder"]["b0"][:2] = W / square, -b @ W / square
        w["encoder"]["b0"][2:] = np.log(noise / square)
        w["decoder"]["W0"][...], w["decoder"]["b0"][...] = W.T, b
    return theta


def exact_mmvae(theta, x, sigma, nodes, weights):
    """MMVAE's mean bound at K = 2 in one latent dimension, by Gauss–Hermite quadrature.

    nodes, weights (T,): E f(ε) ≈ Σ_t weight_t f(node_t); both samples run over all T² pairs.
    """
    arrays = unpack(theta, family_shapes([v.shape[1] for v in x.values()], 1))
    nets = [arrays[4 * m : 4 * m + 4] for m in range(len(x))]
    experts = []
    for (W, b, _, _), values in zip(nets, x.values(), strict=True):
        out = anp.dot(values, W) + b
        experts.append((out[:, 0], anp.exp(out[:, 1] / 2)))
    total = 0.0
    for mu, std in experts:
        z = mu + std * nodes[:, None]  # (T, N)
        q = sum(anp.exp(-0.5 * ((z - m) / s) ** 2) / s for m, s in experts) / len(experts)
        log_w = -0.5 * z**2 - anp.log(q)  # the factors sqrt(2π) of p and q cancel
        for (_, _, V, c), values, s in zip(nets, x.values(), sigma.values(), strict=True):
            residual = (values - z[..., None] * V[0] - c) / s
            normaliser = 0.5 * values.shape[1] * np.log(2 * np.pi * s**2)
            log_w = log_w - 0.5 * anp.sum(residual**2, -1) - normaliser
        pair = anp.logaddexp(log_w[:, None], log_w[None, :]) - np.log(2)  # (T, T, N)
        total = total + anp.einsum("s,t,stn->n", weights, weights, pair)
    return anp.mean(total) / len(experts)


@pytest.mark.slow
def test_mmvae_reaches_the_best_of_its_family():
    """Exact expected bound (quadrature over both samples), maximised by L-BFGS."""
    oracle = LinearGaussian.random(np.random.default_rng(14), 1, {"a": 2, "b": 3})
    _, x = oracle.sample(np.random.default_rng(15), ROWS)
    model = MMVAE(modalities(oracle, ["a", "b"]), latent=1, hidden=())
    nodes, weights = np.polynomial.hermite_e.hermegauss(16)
    rule = nodes, weights / weights.sum()
    fine_nodes, fine_weights = np.polynomial.hermite_e.hermegauss(40)
    fine = fine_nodes, fine_weights / fine_weights.sum()
    best = best_of(lambda theta: exact_mmvae(theta, x, oracle.sigma, *rule), model.tree.size)
    train(model, x, samples=2)
    reached = exact_mmvae(model.theta, x, oracle.sigma, *fine)
    coarse = exact_mmvae(model.theta, x, oracle.sigma, *rule)
    assert abs(reached - coarse) <= 1e-3  # 16 nodes are enough
    assert reached < oracle_log_p(model, x, oracle)  # and it is a bound
    assert best - reached <= NOTHING_LOST
    assert reached <= best + 2e-3


def oracle_log_p(model, x, oracle):
    w = model.tree.views(model.theta)
    learnt = LinearGaussian({m: w[m]["decoder"]["W0"].T for m in w},
                            {m: w[m]["decoder"]["b0"] for m in w}, oracle.sigma)  # fmt: skip
    return learnt.log_prob(x).mean()
