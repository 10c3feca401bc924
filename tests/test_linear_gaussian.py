"""Against a linear-Gaussian model: with the exact posterior, every log-weight is log p(x).

    z ~ N(0, I),   x_m = W_m z + b_m + σ_m ε

With no hidden layer the library's networks are affine, so they can hold this model exactly, and
every system's bound has a known value.  test_optima has the training.
"""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import laplace, norm

from mmvae_edu.claims.gaussian_instances import kl_to_prior, set_exact_encoders
from mmvae_edu.estimators import marginal
from mmvae_edu.likelihoods import Normal
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
from mmvae_edu.oracles import LinearGaussian

D, N, K = 3, 6, 4
FEATURES = {"a": 4, "b": 5, "c": 3}
MASKS = list(product([False, True], repeat=3))[1:]
SAMPLED = {"latent": D, "hidden": (), "kl": "monte_carlo"}


@pytest.fixture(scope="module")
def oracle():
    return LinearGaussian.random(np.random.default_rng(0), D, FEATURES)


@pytest.fixture(scope="module")
def x(oracle):
    return oracle.sample(np.random.default_rng(1), N)[1]


def modalities(oracle, names):
    return {m: Normal(len(oracle.b[m]), scale=oracle.sigma[m]) for m in names}


def rows(mask):
    return np.repeat(np.array(mask)[:, None], N, axis=1)


def exact_theta(model, oracle, *, with_prior):
    """The oracle's decoders, and the exact experts: p(z|x_m), or p(x_m|z) without the prior."""
    theta = np.zeros(model.tree.size)
    w = model.tree.views(theta)
    set_exact_encoders(w, oracle, prior=with_prior)
    for m in w:
        w[m]["decoder"]["W0"][...], w[m]["decoder"]["b0"][...] = oracle.W[m].T, oracle.b[m]
    return theta


def product_theta(model, oracle):
    """The exact experts without the prior, whose product with it is the posterior."""
    return exact_theta(model, oracle, with_prior=0)


def quotient_theta(model, oracle):
    """The full posteriors p(z|x_m), of variance sigmoid(a)."""
    theta = exact_theta(model, oracle, with_prior=1)
    for w in model.tree.views(theta).values():
        log_var = w["encoder"]["b0"][model.latent :]
        log_var[...] = -np.log(np.expm1(-log_var))  # a with sigmoid(a) = var
    return theta


# ---- one posterior ----


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


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("system", [MVAE, MVAEQ])
def test_mvae_of_the_exact_experts_sums_log_p_over_its_terms(oracle, x, system, mask):
    """Every subset: given only these modalities, the bound is log p of each distinct term.

    MVAE's experts are p(x_m|z); MVAE-Q's are full posteriors p(z|x_m), divided by the prior.
    """
    model = system(modalities(oracle, FEATURES), **SAMPLED)
    theta = product_theta(model, oracle) if system is MVAE else quotient_theta(model, oracle)
    subset = [m for m, here in zip(FEATURES, mask, strict=True) if here]
    terms = {tuple(subset), *((m,) for m in subset)}
    expected = sum(oracle.log_prob(x, list(term)) for term in terms)
    noise = model.draw_noise(np.random.default_rng(3), N, K, np.float64)
    assert_allclose(model.bound(theta, x, mask=rows(mask), **noise)[0], expected, rtol=1e-10)
    given = {m: x[m] for m in subset}
    estimate = marginal(model, theta, given, K=3, rng=np.random.default_rng(4)).log_p
    assert_allclose(estimate, oracle.log_prob(x, subset), rtol=1e-10)  # q exact: no noise at all
    model.theta = theta
    mean, log_var = model.encode(x, mask=rows(mask))
    exact_mean, cov = oracle.posterior(x, subset)
    assert_allclose(mean, exact_mean, rtol=1e-10, atol=1e-12)
    assert_allclose(np.exp(log_var), np.tile(np.diag(cov), (N, 1)), rtol=1e-10)


def joint_theta(model, oracle):
    """The exact unimodal posteriors, and the exact joint one."""
    theta = exact_theta_of_modalities(model, oracle)
    rest = model.tree.views(theta)["joint encoder"]["rest"]
    names = list(model.modalities)
    precision = 1 + sum((oracle.W[m] ** 2).sum(axis=0) / oracle.sigma[m] ** 2 for m in names)
    scaled = [oracle.W[m] / oracle.sigma[m] ** 2 / precision for m in names]
    D = len(precision)
    rest["W0"][:, :D] = np.concatenate(scaled)
    rest["b0"][:D] = -sum(oracle.b[m] @ part for m, part in zip(names, scaled, strict=True))
    rest["b0"][D:] = -np.log(precision)
    return theta


def exact_theta_of_modalities(model, oracle):
    plain = BiVCCA(model.modalities, latent=model.latent, hidden=())
    theta = np.zeros(model.tree.size)
    theta[: plain.tree.size] = exact_theta(plain, oracle, with_prior=1)
    return theta


def test_jmvae_of_exact_posteriors_is_log_p_less_the_divergences(oracle, x):
    model = JMVAE(modalities(oracle, FEATURES), alpha=0.3, **SAMPLED)
    theta = joint_theta(model, oracle)
    joint, joint_cov = oracle.posterior(x)
    penalty = 0
    for m in FEATURES:
        mean, cov = oracle.posterior(x, [m])
        ratio = np.diag(joint_cov) / np.diag(cov)
        penalty = penalty + 0.5 * (
            ratio - 1 - np.log(ratio) + (joint - mean) ** 2 / np.diag(cov)
        ).sum(axis=1)
    noise = model.draw_noise(np.random.default_rng(7), N, K, np.float64)
    bound, _ = model.bound(theta, x, **noise)
    assert_allclose(bound, oracle.log_prob(x) - 0.3 * penalty, rtol=1e-10)
    assert (penalty > 0.01).all()


def test_jmvae_encodes_one_modality_or_all_row_by_row(oracle, x):
    model = JMVAE(modalities(oracle, FEATURES), **SAMPLED)
    model.theta = joint_theta(model, oracle)
    mask = np.array([[1, 1, 0, 0, 1, 0], [1, 0, 1, 0, 1, 0], [1, 0, 0, 1, 1, 1]], dtype=bool)
    mean, log_var = model.encode(x, mask=mask)
    for n in range(N):
        subset = [m for m, here in zip(FEATURES, mask[:, n], strict=True) if here]
        exact_mean, cov = oracle.posterior({m: x[m][n : n + 1] for m in x}, subset)
        assert_allclose(mean[n], exact_mean[0], rtol=1e-10, atol=1e-12)
        assert_allclose(np.exp(log_var[n]), np.diag(cov), rtol=1e-10)
    assert_array_equal(model.encode({"b": x["b"]})[0][2], mean[2])


def conditional_theta(model, oracle):
    """z = mean(x_b) + std u with u ~ N(0, I): p(x_a|u, x_b) is affine in u and x_b."""
    theta = np.zeros(model.tree.size)
    w = model.tree.views(theta)["a"]
    W, b, noise = oracle.W["a"], oracle.b["a"], oracle.sigma["a"] ** 2
    zero = {"b": np.zeros((1, FEATURES["b"]))}
    at_zero, cov = oracle.posterior(zero, ["b"])
    slope = oracle.posterior({"b": np.eye(FEATURES["b"])}, ["b"])[0] - at_zero  # (P_b, D)
    loading = W * np.sqrt(np.diag(cov))
    V, c = slope @ W.T, at_zero[0] @ W.T + b
    w["decoder"]["W0"][...], w["decoder"]["b0"][...] = np.concatenate([loading.T, V]), c
    precision = 1 + (loading**2).sum(axis=0) / noise
    gain = loading / noise / precision
    w["encoder"]["W0"][:, :D] = np.concatenate([gain, -V @ gain])
    w["encoder"]["b0"][:D], w["encoder"]["b0"][D:] = -c @ gain, -np.log(precision)
    return theta


def conditional_model(oracle, x):
    model = CVAE(modalities(oracle, ["a", "b"]), condition="b", **SAMPLED)
    model.theta = conditional_theta(model, oracle)
    return model, {"a": x["a"], "b": x["b"]}


def test_cvae_of_the_exact_posterior_is_the_conditional(oracle, x):
    model, both = conditional_model(oracle, x)
    noise = model.draw_noise(np.random.default_rng(9), N, K, np.float64)
    log_p = oracle.log_conditional(x, ["a"], ["b"])
    log_w, _ = model.log_weights(model.theta, both, **noise)
    assert_allclose(log_w, np.tile(log_p, (K, 1)), rtol=1e-10)
    assert_allclose(model.bound(model.theta, both, **noise)[0], log_p, rtol=1e-10)


def test_cvae_generates_from_the_prior_beside_the_condition(oracle, x):
    """Given x_b alone the mean of x_a is E[x_a|x_b] on average; given both it is q's."""
    model, both = conditional_model(oracle, x)
    many = {m: np.repeat(values[:1], 40_000, axis=0) for m, values in both.items()}
    rng = np.random.default_rng(10)
    drawn = model.generate({"b": many["b"]}, "a", rng=rng)["a"]
    z, cov = oracle.posterior(both, ["b"])
    expected = z[0] @ oracle.W["a"].T + oracle.b["a"]
    spread = np.sqrt(np.diag(oracle.W["a"] @ cov @ oracle.W["a"].T) / len(drawn))
    assert (np.abs(drawn.mean(axis=0) - expected) <= 4 * spread).all()
    rebuilt = model.generate(many, rng=rng)["a"]
    z, cov = oracle.posterior(both, ["a", "b"])
    expected = z[0] @ oracle.W["a"].T + oracle.b["a"]
    spread = np.sqrt(np.diag(oracle.W["a"] @ cov @ oracle.W["a"].T) / len(drawn))
    assert (np.abs(rebuilt.mean(axis=0) - expected) <= 4 * spread).all()


# ---- several posteriors, and mixtures of them ----


def posterior_law(oracle, x, subset):
    mean, cov = oracle.posterior(x, subset)
    return norm(loc=mean, scale=np.sqrt(np.diag(cov)))


@pytest.mark.parametrize("mask", MASKS)
def test_bivcca_is_the_shared_sum_of_its_encoders_bounds(oracle, x, mask):
    share = {"a": 0.7, "b": 0.2, "c": 0.1}
    model = BiVCCA(modalities(oracle, FEATURES), share=share, **SAMPLED)
    theta = exact_theta(model, oracle, with_prior=1)
    eps = model.draw_noise(np.random.default_rng(8), N, K, np.float64)["eps"]
    subset = [m for m, here in zip(FEATURES, mask, strict=True) if here]
    expected = 0
    for m, noise in zip(FEATURES, eps, strict=True):
        if m in subset:
            law = posterior_law(oracle, x, [m])
            z = law.mean() + law.std() * noise
            log_w = oracle.log_joint(z, x, subset) - law.logpdf(z).sum(axis=-1)
            expected = expected + share[m] * log_w.mean(axis=0) / sum(share[j] for j in subset)
    assert_allclose(model.bound(theta, x, mask=rows(mask), eps=eps)[0], expected, rtol=1e-10)


BOUNDS = {  # of log-weights (M, K, N)
    "elbo": lambda log_w: log_w.mean(axis=(0, 1)),
    "iwae": lambda log_w: np.log(np.exp(log_w).mean(axis=1)).mean(axis=0),
    "stratified": lambda log_w: np.log(np.exp(log_w).mean(axis=(0, 1))),
}


def mixture_bound(objective, laws, eps, log_joint):
    """The bound of the even mixture of these scipy laws (N, D), from each one's own samples."""
    log_w = []
    for law, noise in zip(laws, eps, strict=True):
        z = law.kwds["loc"] + law.kwds["scale"] * noise
        q = np.mean([other.pdf(z).prod(axis=-1) for other in laws], axis=0)
        log_w.append(log_joint(z) - np.log(q))
    top = np.max(log_w)
    return top + BOUNDS[objective](np.array(log_w) - top)


@pytest.mark.parametrize("objective", list(BOUNDS))
def test_mmvae_of_exact_posteriors_mixes_them(oracle, x, objective):
    """Its log-weights are log p(x, z) − log (1/M) Σ_m N(z; μ_m, σ_m²), the oracle's own."""
    model = MMVAE(modalities(oracle, FEATURES), latent=D, hidden=(), objective=objective)
    theta = exact_theta(model, oracle, with_prior=1)
    eps = model.draw_noise(np.random.default_rng(7), N, K, np.float64)["eps"]
    laws = [posterior_law(oracle, x, [m]) for m in FEATURES]
    expected = mixture_bound(objective, laws, eps, lambda z: oracle.log_joint(z, x))
    assert_allclose(model.bound(theta, x, eps=eps)[0], expected, rtol=1e-10)


@pytest.mark.parametrize("objective", list(BOUNDS))
@pytest.mark.parametrize("mask", MASKS)
def test_mopoe_of_exact_experts_mixes_the_exact_posteriors_of_all_subsets(
    oracle, x, objective, mask
):
    model = MoPoE(modalities(oracle, FEATURES), latent=D, hidden=(), objective=objective)
    theta = product_theta(model, oracle)
    eps = model.draw_noise(np.random.default_rng(15), N, K, np.float64)["eps"]
    here = [m for m, present in zip(FEATURES, mask, strict=True) if present]
    laws, rows_of_eps = [], []
    for row, members in enumerate(MASKS):
        subset = [m for m, member in zip(FEATURES, members, strict=True) if member]
        if set(subset) <= set(here):
            laws.append(posterior_law(oracle, x, subset))
            rows_of_eps.append(row)
    expected = mixture_bound(
        objective, laws, eps[rows_of_eps], lambda z: oracle.log_joint(z, x, here)
    )
    assert len(laws) == 2 ** len(here) - 1
    assert_allclose(model.bound(theta, x, mask=rows(mask), eps=eps)[0], expected, rtol=1e-10)


@pytest.mark.parametrize("mask", MASKS)
def test_mopoes_generalised_elbo_has_the_mean_of_the_subsets_kl(oracle, x, mask):
    """E_{q_Φ} Σ λ_m log p(x_m|z) − β/(2^M − 1) Σ_A KL(q_A ‖ p), by the oracle's posteriors."""
    weights, beta = {"a": 0.6, "b": 1.0, "c": 1.7}, 0.8
    options = {"latent": D, "hidden": (), "weights": weights}
    model = MoPoE(modalities(oracle, FEATURES), objective="generalised_elbo", **options)
    theta = product_theta(model, oracle)
    eps = model.draw_noise(np.random.default_rng(15), N, K, np.float64)["eps"]
    here = [m for m, present in zip(FEATURES, mask, strict=True) if present]
    terms = []
    for noise, members in zip(eps, MASKS, strict=True):
        subset = [m for m, member in zip(FEATURES, members, strict=True) if member]
        if set(subset) <= set(here):
            mean, cov = oracle.posterior(x, subset)
            z, det = mean + np.sqrt(np.diag(cov)) * noise, np.linalg.slogdet(cov)[1]
            kl = 0.5 * (np.trace(cov) + (mean**2).sum(axis=1) - D - det)
            score = sum(weights[m] * oracle.log_lik(z, x[m], m) for m in here)
            terms.append(score.mean(axis=0) - beta * kl)
    found, _ = model.bound(theta, x, mask=rows(mask), eps=eps, beta=beta)
    assert_allclose(found, np.mean(terms, axis=0), rtol=1e-10)
    if sum(mask) > 1:  # below the mixture's own ELBO, of which it bounds the KL
        own = MoPoE(model.modalities, objective="elbo", **options)
        many = np.random.default_rng(3).standard_normal((7, 4000, N, D))
        gap = own.bound(theta, x, mask=rows(mask), eps=many)[0]
        gap -= model.bound(theta, x, mask=rows(mask), eps=many)[0]
        assert (gap > 0).all()


def test_the_ends_of_mopoe_are_mmvae_and_mvae(oracle, x):
    """Only the subsets of one: the experts' mixture; only that of all: MVAE's product."""
    kinds, options = modalities(oracle, FEATURES), {"latent": D, "hidden": ()}
    eps = np.random.default_rng(16).standard_normal((3, K, N, D))
    model, mixture = MoPoE(kinds, **options), MMVAE(kinds, **options)
    theta = product_theta(model, oracle)
    model.members = np.eye(3, dtype=bool)
    expected, _ = mixture.bound(exact_theta(model, oracle, with_prior=1), x, eps=eps)
    assert_allclose(model.bound(theta, x, eps=eps)[0], expected, rtol=1e-10)
    model, product_ = MoPoE(kinds, objective="elbo", **options), MVAE(kinds, **options)
    model.members = np.ones((1, 3), dtype=bool)
    model.theta = product_.theta = theta + 0.1
    assert_allclose(np.array(model.encode(x))[:, 0], product_.encode(x), rtol=1e-12)


@pytest.mark.parametrize("objective", list(BOUNDS))
def test_laplace_mmvae_by_scipys_densities(oracle, x, objective):
    model = LaplaceMMVAE(modalities(oracle, FEATURES), latent=D, hidden=(), objective=objective)
    theta = 0.5 * np.random.default_rng(17).standard_normal(model.tree.size)
    w = model.tree.views(theta)

    def scales(head):
        return D * np.exp(head) / np.exp(head).sum(axis=-1, keepdims=True)

    laws, prior = [], laplace(loc=0, scale=scales(w["latent prior"]["head"]))
    for m in FEATURES:
        mu, head = np.split(x[m] @ w[m]["encoder"]["W0"] + w[m]["encoder"]["b0"], 2, axis=1)
        laws.append(laplace(loc=mu, scale=scales(head)))

    def log_joint(z):
        log_p = prior.logpdf(z).sum(axis=-1)
        for m in FEATURES:
            mean = z @ w[m]["decoder"]["W0"] + w[m]["decoder"]["b0"]
            log_p = log_p + norm(mean, oracle.sigma[m]).logpdf(x[m]).sum(axis=-1)
        return log_p

    eps = model.draw_noise(np.random.default_rng(18), N, K, np.float64)["eps"]
    expected = mixture_bound(objective, laws, eps, log_joint)
    assert_allclose(model.bound(theta, x, eps=eps)[0], expected, rtol=1e-10)
    model.theta = theta
    assert_allclose(np.exp(model.encode(x)[1]).mean(axis=-1), 1, rtol=1e-12)


# ---- the terms of a bound ----


def score(oracle, z, x, names, weights):
    """The mean over the samples of Σ_m λ_m log p(x_m|z), by the oracle."""
    return sum(weights[m] * oracle.log_lik(z, x[m], m) for m in names).mean(axis=0)


def test_terms_of_mvae_are_each_subsets_reconstruction_and_kl(oracle, x):
    weights = {"a": 0.6, "b": 1.0, "c": 1.7}
    model = MVAE(modalities(oracle, FEATURES), latent=D, hidden=(), subsets=1, weights=weights)
    mask = np.ones((3, N), dtype=bool)
    mask[1, :2], mask[0, 1] = False, False  # rows of a and c, of c alone, and of all
    noise = model.draw_noise(np.random.default_rng(3), N, K, np.float64)
    noise["sampled"] = np.array([[True, False, True]])
    terms = model.terms(product_theta(model, oracle), x, mask=mask, beta=0.8, **noise)
    assert [term.subset for term in terms] == [("a", "b", "c"), ("a",), ("b",), ("c",), ("a", "c")]
    seen = [set() for _ in range(N)]
    for term, eps in zip(terms, noise["eps"], strict=True):
        for n in range(N):
            row = {m: values[n : n + 1] for m, values in x.items()}
            here = [m for m, present in zip(x, mask[:, n], strict=True) if present]
            here = [m for m in here if m in term.subset]
            assert term.weight[n] == (len(here) > 0 and frozenset(here) not in seen[n])
            seen[n].add(frozenset(here))
            if term.weight[n]:
                mean, cov = oracle.posterior(row, here)
                z = mean + np.sqrt(np.diag(cov)) * eps[:, n : n + 1]
                expected = score(oracle, z, row, here, weights)
                assert_allclose(term.reconstruction[n], expected[0], rtol=1e-10)
                kl = kl_to_prior(mean, np.log(np.diag(cov)))[0]
                assert_allclose(term.kl[n], 0.8 * kl, rtol=1e-10)
        assert_array_equal(term.gain, 0)


@pytest.mark.parametrize("objective", [*BOUNDS, "generalised_elbo"])
def test_terms_of_a_mixture_are_its_components(oracle, x, objective):
    model = MoPoE(modalities(oracle, FEATURES), latent=D, hidden=(), objective=objective)
    eps = model.draw_noise(np.random.default_rng(7), N, K, np.float64)["eps"]
    terms = model.terms(product_theta(model, oracle), x, eps=eps)
    subsets = [[m for m, member in zip(x, members, strict=True) if member] for members in MASKS]
    laws, log_w = [posterior_law(oracle, x, subset) for subset in subsets], []
    for term, subset, law, noise in zip(terms, subsets, laws, eps, strict=True):
        z = law.mean() + law.std() * noise
        kl = kl_to_prior(law.mean(), np.log(law.var()))
        if objective != "generalised_elbo":
            density = np.mean([other.pdf(z).prod(axis=-1) for other in laws], axis=0)
            log_pz = norm.logpdf(z).sum(axis=-1)
            kl = (np.log(density) - log_pz).mean(axis=0)
            log_w.append(oracle.log_joint(z, x) - np.log(density))
        assert term.subset == tuple(subset)
        assert_allclose(term.weight, 1 / 7)
        expected = score(oracle, z, x, x, dict.fromkeys(x, 1))
        assert_allclose(term.reconstruction, expected, rtol=1e-10)
        assert_allclose(term.kl, kl, rtol=1e-9, atol=1e-12)
    gain = np.array([term.gain for term in terms])
    if objective == "iwae":
        own = [np.log(np.exp(w).mean(axis=0)) - w.mean(axis=0) for w in log_w]
        assert_allclose(gain, own, rtol=1e-8, atol=1e-11)
    elif objective == "stratified":
        whole = np.log(np.exp(log_w).mean(axis=(0, 1))) - np.mean(log_w, axis=(0, 1))
        assert_allclose(gain, np.tile(whole, (7, 1)), rtol=1e-8, atol=1e-11)
    else:
        assert_allclose(gain, 0, atol=1e-12)


def test_terms_of_jmvae_end_with_the_divergences(oracle, x):
    model = JMVAE(modalities(oracle, FEATURES), alpha=0.3, latent=D, hidden=())
    eps = model.draw_noise(np.random.default_rng(7), N, K, np.float64)["eps"]
    first, *rest = model.terms(joint_theta(model, oracle), x, eps=eps)
    joint = posterior_law(oracle, x, list(FEATURES))
    z = joint.mean() + joint.std() * eps[0]
    expected = score(oracle, z, x, x, dict.fromkeys(x, 1))
    assert_allclose(first.reconstruction, expected, rtol=1e-10)
    assert_allclose(first.kl, kl_to_prior(joint.mean(), np.log(joint.var())), rtol=1e-10)
    for term, m in zip(rest, FEATURES, strict=True):
        own = posterior_law(oracle, x, [m])
        ratio, shift = joint.var() / own.var(), (joint.mean() - own.mean()) ** 2 / own.var()
        assert_allclose(term.kl, 0.5 * (ratio + shift - 1 - np.log(ratio)).sum(axis=1), rtol=1e-9)
        assert term.subset == (m,)
        assert (term.weight == 0.3).all()
        assert not term.reconstruction.any()


def test_terms_of_bivcca_have_its_shares(oracle, x):
    share = {"a": 0.7, "b": 0.2, "c": 0.1}
    model = BiVCCA(modalities(oracle, FEATURES), share=share, latent=D, hidden=())
    theta = exact_theta(model, oracle, with_prior=1)
    eps = model.draw_noise(np.random.default_rng(8), N, K, np.float64)["eps"]
    terms = model.terms(theta, {m: x[m] for m in "ac"}, eps=eps)
    assert [term.subset for term in terms] == [("a",), ("c",)]
    for term, m, noise, weight in zip(terms, "ac", eps[[0, 2]], (7 / 8, 1 / 8), strict=True):
        law = posterior_law(oracle, x, [m])
        z = law.mean() + law.std() * noise
        assert_allclose(term.weight, weight)
        expected = score(oracle, z, x, "ac", dict.fromkeys(x, 1))
        assert_allclose(term.reconstruction, expected, rtol=1e-10)
        assert_allclose(term.kl, kl_to_prior(law.mean(), np.log(law.var())), rtol=1e-10)
