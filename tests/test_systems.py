"""MVAE-Q, JMVAE, BiVCCA, CVAE, MVAE19, MoPoE, Laplace MMVAE: sizes, exact values, refusals.

Their gradients, masks, dtypes and files are checked with all others' in test_models, their training
in test_system_optima.
"""

from itertools import product

import numpy as np
import pytest
from mmvae_edu.kernels import reference
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import laplace, norm
from test_linear_gaussian import exact_theta, modalities
from test_structure import MODALITIES, OPTIONS, DeviceArray, check_recorded, steps

from mmvae_edu import models
from mmvae_edu.likelihoods import Bernoulli, Categorical, Laplace, Normal
from mmvae_edu.models import CVAE, JMVAE, MMVAE, MVAE, MVAEQ, VAE, BiVCCA, LaplaceMMVAE, MoPoE
from mmvae_edu.models.mmvae import stratified_experts
from mmvae_edu.oracles import LinearGaussian
from mmvae_edu.support.batches import Batch, check_batch
from mmvae_edu.support.parameters import leaves

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


def rows(mask):
    return np.repeat(np.array(mask)[:, None], N, axis=1)


# ---- sizes ----

MNIST = {"image": Bernoulli(784), "label": Categorical(10)}
MNIST_NETWORKS = {
    "latent": 64, "hidden": dict.fromkeys(MNIST, ((512, 512), (512, 512, 512)))
}  # fmt: skip


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (VAE({"image": MNIST["image"]}, **MNIST_NETWORKS), 730_240),
        (CVAE(MNIST, condition="label", **MNIST_NETWORKS), 735_360),
        (BiVCCA(MNIST, **MNIST_NETWORKS), 1_063_680),
        (MVAE(MNIST, **MNIST_NETWORKS), 1_063_680),
        (MVAEQ(MNIST, **MNIST_NETWORKS), 1_063_680),
        (JMVAE(MNIST, **MNIST_NETWORKS), 2_061_184),
    ],
    ids=lambda value: type(value).__name__,
)
def test_inference_networks_have_the_papers_sizes(model, expected):
    """Table 1 of the MVAE paper, MNIST: the parameters of all encoders."""
    encoders = [
        int(np.prod(shape)) for path, shape in leaves(model.tree.shapes) if "encoder" in path
    ]
    assert sum(encoders) == expected


def test_mmvae_networks_have_the_released_sizes():
    """Those of MNIST in MMVAE's code: 784-400-(20, 20), 20-400-784, and the prior's scales."""
    model = LaplaceMMVAE({"image": Laplace(784, scale=0.75)}, latent=20, hidden=(400,))
    sizes = {}
    for path, shape in leaves(model.tree.shapes):
        part = next(part for part in ("encoder", "decoder", "latent prior") if part in path)
        sizes[part] = sizes.get(part, 0) + int(np.prod(shape))
    assert sizes == {"encoder": 330_040, "decoder": 322_784, "latent prior": 20}


# ---- MVAE-Q ----


def test_mvaeq_of_exact_posteriors_sums_log_p_over_its_terms(oracle, x):
    """Full posteriors p(z|x_m), whose quotient by the prior is p(z|X) of every subset."""
    model = MVAEQ(modalities(oracle, FEATURES), **SAMPLED)
    theta = exact_quotient_theta(model, oracle)
    noise = model.draw_noise(np.random.default_rng(3), N, K, np.float64)
    for mask in MASKS:
        subset = [m for m, here in zip(FEATURES, mask, strict=True) if here]
        terms = {tuple(subset), *((m,) for m in subset)}
        expected = sum(oracle.log_prob(x, list(term)) for term in terms)
        assert_allclose(model.bound(theta, x, mask=rows(mask), **noise)[0], expected, rtol=1e-10)
        model.theta = theta
        mean, log_var = model.encode(x, mask=rows(mask))
        exact_mean, cov = oracle.posterior(x, subset)
        assert_allclose(mean, exact_mean, rtol=1e-10, atol=1e-12)
        assert_allclose(np.exp(log_var), np.tile(np.diag(cov), (N, 1)), rtol=1e-10)


def exact_quotient_theta(model, oracle):
    theta = exact_theta(model, oracle, with_prior=1)
    for w in model.tree.views(theta).values():
        log_var = w["encoder"]["b0"][model.latent :]
        log_var[...] = -np.log(np.expm1(-log_var))  # a with sigmoid(a) = var
    return theta


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shift", [-80.0, 0.0, 80.0])
def test_mvaeq_is_a_density_for_any_heads(oracle, x, dtype, shift):
    """Also where sigmoid(a) rounds to 1 or is 1e-35."""
    model = MVAEQ(modalities(oracle, FEATURES), latent=D, hidden=())
    model.theta = np.random.default_rng(6).standard_normal(model.tree.size).astype(dtype)
    for w in model.tree.views(model.theta).values():
        w["encoder"]["b0"][D:] += shift
    batch, w = model.checked_batch(model.theta, x)
    (mu, log_var), _ = model.encode_experts(w, batch)
    assert (log_var <= 0).all()
    mean, joint_log_var = model.encode(x)
    assert np.isfinite(mean).all()
    assert (joint_log_var <= log_var.min(axis=0) * (1 - 1e-6)).all()  # surer than any expert
    assert mean.dtype == joint_log_var.dtype == dtype


# ---- JMVAE ----


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


def test_jmvae_says_what_it_cannot_do(oracle, x):
    model = JMVAE(modalities(oracle, FEATURES), **SAMPLED)
    model.theta = joint_theta(model, oracle)
    eps = np.zeros((1, K, N, D))
    for incomplete in ({"mask": rows((True, True, False))}, {}):
        given = x if incomplete else {"a": x["a"], "b": x["b"]}
        with pytest.raises(ValueError, match="trains on every modality of every example"):
            model.bound(model.theta, given, eps=eps, **incomplete)
    mask = rows((True, True, True))
    mask[0, 3] = False
    with pytest.raises(ValueError, match="given one modality or all 3; example 3 has 2"):
        model.encode(x, mask=mask)
    with pytest.raises(ValueError, match="expected at least 2 modalities"):
        JMVAE({"a": Normal(2)})
    for alpha in -0.1, np.nan, np.inf:
        with pytest.raises(ValueError, match="alpha: expected a finite number, 0 or more, found"):
            JMVAE(model.modalities, alpha=alpha)


@pytest.mark.parametrize(
    ("system", "own"), [(JMVAE, "joint encoder"), (LaplaceMMVAE, "latent prior")]
)
def test_a_modality_cannot_have_the_name_of_a_systems_own_weights(system, own):
    with pytest.raises(ValueError, match=f"{system.__name__}: '{own}' is the name of its own"):
        system({"a": Normal(2), own: Normal(2)})


# ---- BiVCCA ----


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
            mean, cov = oracle.posterior(x, [m])
            law = norm(mean, np.sqrt(np.diag(cov)))
            z = law.mean() + law.std() * noise
            log_w = oracle.log_joint(z, x, subset) - law.logpdf(z).sum(axis=-1)
            expected = expected + share[m] * log_w.mean(axis=0) / sum(share[j] for j in subset)
    assert_allclose(model.bound(theta, x, mask=rows(mask), eps=eps)[0], expected, rtol=1e-10)


def test_bivcca_shares_are_scaled_and_checked(oracle, x):
    kinds = modalities(oracle, ["a", "b"])
    assert BiVCCA(kinds).share == {"a": 0.5, "b": 0.5}
    assert BiVCCA(kinds, share={"a": 3}).share == {"a": 0.75, "b": 0.25}
    with pytest.raises(ValueError, match="share: unknown modality"):
        BiVCCA(kinds, share={"d": 1})
    for part in 0, -1, np.nan, np.inf:
        with pytest.raises(ValueError, match="share: expected finite positive numbers"):
            BiVCCA(kinds, share={"a": part})


def test_bivcca_has_no_joint_posterior(oracle, x):
    model = BiVCCA(modalities(oracle, FEATURES), **SAMPLED)
    model.theta = exact_theta(model, oracle, with_prior=1)
    mask = rows((True, False, False))
    assert_array_equal(model.encode(x, mask=mask)[0], model.encode({"a": x["a"]})[0])
    mask[1, 4] = True
    with pytest.raises(ValueError, match="no joint posterior.*example 4 has 2"):
        model.encode(x, mask=mask)


def test_every_expert_draws_its_share():
    """Of one sample a row by chance, of M samples exactly one; absent experts draw none."""
    present = np.array([[1, 1], [1, 0], [1, 1]], bool).repeat(3000, axis=1)
    expert = stratified_experts(present, 1, np.random.default_rng(0))[0]
    for rows, share in (slice(3000), [1 / 3, 1 / 3, 1 / 3]), (slice(3000, None), [1 / 2, 0, 1 / 2]):
        assert_allclose(np.bincount(expert[rows], minlength=3) / 3000, share, atol=0.04)
    whole = stratified_experts(present[:, :50], 3, np.random.default_rng(1))
    assert_array_equal(np.sort(whole, axis=0), np.arange(3)[:, None].repeat(50, axis=1))


# ---- CVAE ----


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


def test_cvae_takes_several_conditions_and_a_label():
    kinds = {"ink": Normal(2), "label": Categorical(3), "pen": Normal(1)}
    model = CVAE(kinds, condition=["ink", "pen", "ink"], latent=2, hidden=(4,))
    assert model.target == "label"
    assert model.tree.shapes["label"]["encoder"]["W0"] == (3 + 2 + 1, 4)
    assert model.tree.shapes["label"]["decoder"]["W0"] == (2 + 2 + 1, 4)
    data = {"ink": np.ones((5, 2)), "label": np.eye(3)[[0, 1, 2, 0, 1]], "pen": np.ones((5, 1))}
    model.fit(data, steps=2, progress=False)
    given = {"pen": data["pen"], "ink": data["ink"]}  # in any order
    z = np.zeros((7, 5, 2))
    assert_allclose(model.decode(z, given=given)["label"].sum(axis=-1), 1, rtol=1e-5)
    first, second = (
        model.generate(given, rng=rng)["label"] for rng in (4, np.random.default_rng(4))
    )
    assert_array_equal(first, second)
    moved = given | {"pen": data["pen"] + 1}
    assert (model.decode(z, given=given)["label"] != model.decode(z, given=moved)["label"]).all()


def test_cvae_says_what_it_cannot_do(oracle, x):
    model, both = conditional_model(oracle, x)
    kinds, eps = model.modalities, np.zeros((1, K, N, D))
    with pytest.raises(ValueError, match="every example needs its 'b'"):
        model.bound(model.theta, {"a": x["a"]}, eps=eps)
    mask = np.ones((2, N), dtype=bool)
    mask[0, 2] = False
    with pytest.raises(ValueError, match=r"p\(a \| b\): every example needs its 'a'"):
        model.bound(model.theta, both, mask=mask, eps=eps)
    with pytest.raises(ValueError, match="explains 'a' only, not 'b'"):
        model.generate({"b": x["b"]}, "b", rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="no p.b. to sample from"):
        model.sample(3, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="condition: expected some of"):
        CVAE(kinds, condition="d")
    with pytest.raises(ValueError, match=r"expected 1 modality besides \['a', 'b'\], found \[\]"):
        CVAE(kinds, condition=["a", "b"])


# ---- MoPoE and the Laplace MMVAE ----

BOUNDS = {  # of weights w (M, K, N) shifted by `top`
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
@pytest.mark.parametrize("mask", MASKS)
def test_mopoe_of_exact_experts_mixes_the_exact_posteriors_of_all_subsets(
    oracle, x, objective, mask
):
    model = MoPoE(modalities(oracle, FEATURES), latent=D, hidden=(), objective=objective)
    theta = exact_theta(model, oracle, with_prior=0)
    eps = model.draw_noise(np.random.default_rng(15), N, K, np.float64)["eps"]
    here = [m for m, present in zip(FEATURES, mask, strict=True) if present]
    laws, rows_of_eps = [], []
    for row, members in enumerate(MASKS):
        subset = [m for m, member in zip(FEATURES, members, strict=True) if member]
        if set(subset) <= set(here):
            mean, cov = oracle.posterior(x, subset)
            laws.append(norm(loc=mean, scale=np.sqrt(np.diag(cov))))
            rows_of_eps.append(row)
    expected = mixture_bound(
        objective, laws, eps[rows_of_eps], lambda z: oracle.log_joint(z, x, here)
    )
    assert len(laws) == 2 ** len(here) - 1
    assert_allclose(model.bound(theta, x, mask=rows(mask), eps=eps)[0], expected, rtol=1e-10)


def test_the_ends_of_mopoe_are_mmvae_and_mvae(oracle, x):
    """Only the subsets of one: the experts' mixture; only that of all: MVAE's product."""
    kinds, options = modalities(oracle, FEATURES), {"latent": D, "hidden": ()}
    eps = np.random.default_rng(16).standard_normal((3, K, N, D))
    model, mixture = MoPoE(kinds, **options), MMVAE(kinds, **options)
    theta = exact_theta(model, oracle, with_prior=0)
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


def test_laplace_mmvae_draws_from_its_prior_and_its_experts(oracle, x):
    """E|z − mu| = b, within 4 standard errors of 40,000 draws."""
    model = LaplaceMMVAE(modalities(oracle, FEATURES), latent=D, hidden=())
    model.theta = 0.5 * np.random.default_rng(19).standard_normal(model.tree.size)
    w, rng = model.tree.views(model.theta), np.random.default_rng(20)
    head = w["latent prior"]["head"]
    z = model.prior_samples(model.theta, (1, 40_000, D), rng)[0]
    expected = D * np.exp(head) / np.exp(head).sum()
    assert (np.abs(np.abs(z).mean(axis=0) - expected) <= 4 * expected / 200).all()
    mu, log_scale = (part[0] for part in model.encode({"b": x["b"]}))
    z = model.posterior_sample({"b": x["b"]}, K=40_000, rng=rng)
    expected = np.exp(log_scale)
    assert (np.abs(np.abs(z - mu).mean(axis=0) - expected) <= 4 * expected / 200).all()
    assert (np.abs(z.mean(axis=0) - mu) <= 4 * 1.5 * expected / 200).all()
    assert {m: values.shape for m, values in model.sample(7, rng=rng).items()} == {
        m: (7, P) for m, P in FEATURES.items()
    }


# ---- MVAE19 ----


def test_mvae19_is_the_sum_of_its_21_terms():
    """The random subset's term is what an MVAE of those modalities has beyond its unimodal ones."""
    kinds = {"image": Normal(3)} | {f"attribute {i}": Bernoulli(1) for i in range(18)}
    model, plain = (MVAE(kinds, subsets=k, latent=2, hidden=(3,)) for k in (1, 0))
    rng = np.random.default_rng(12)
    theta = 0.4 * rng.standard_normal(model.tree.size)
    x = {"image": rng.standard_normal((N, 3))}
    x |= {name: rng.integers(0, 2, (N, 1)).astype(float) for name in kinds if name != "image"}
    noise = model.draw_noise(rng, N, K, np.float64)
    assert noise["eps"].shape == (21, K, N, 2)
    subset = {name: x[name] for name, here in zip(kinds, noise["sampled"][0], strict=True) if here}
    eps, zeros = noise["eps"], np.zeros((20, K, N, 2))
    term, _ = plain.bound(theta, subset, eps=np.concatenate([eps[20:], zeros[1:]]))
    for name in subset:  # alone, its joint term is its unimodal one, counted once
        term = term - plain.bound(theta, {name: x[name]}, eps=zeros)[0]
    expected = plain.bound(theta, x, eps=eps[:20])[0] + term
    assert_allclose(model.bound(theta, x, **noise)[0], expected, rtol=1e-12)


# ---- backends and devices ----


@pytest.mark.parametrize("system", [MVAE, MVAEQ, MoPoE, BiVCCA, JMVAE])
def test_compiled_kernels_change_nothing(oracle, x, system):
    backend = pytest.importorskip("mmvae_edu.kernels.numba_cpu")
    model = system(modalities(oracle, FEATURES), latent=D, hidden=(5,))
    model.theta = model.init(np.random.default_rng(21), np.float64)
    noise = model.draw_noise(np.random.default_rng(22), N, K, np.float64)
    results = []
    for model.kernels in reference, backend:
        bound, pullback = model.bound(model.theta, x, **noise)
        alone = [model.encode({m: x[m]}) for m in x]
        drawn = model.log_marginal({"a": x["a"]}, K=7, rng=np.random.default_rng(23))
        results.append([bound, pullback(np.ones(N)), np.array(alone), drawn])
    for ours, theirs in zip(*results, strict=True):
        assert_allclose(ours, theirs, rtol=1e-11, atol=1e-12)


def small(name):
    """A system of at most four modalities."""
    needs = models.SYSTEMS[name]
    modalities = dict(list(MODALITIES.items())[: needs.modalities])
    condition = {"condition": list(modalities)[-1]} if needs.condition else {}
    subsets = {"subsets": 1} if name == "MVAEQ" else {}
    return getattr(models, name)(modalities, **condition, **subsets, **OPTIONS)


OTHERS = {"VAE", "IWAE", "MVAE", "MMVAE"}  # in test_structure
ON_DEVICE = {name: small(name) for name in models.SYSTEMS if name not in OTHERS}


def six_examples(model, rng, dtype):
    x = {
        "image": rng.integers(0, 17, (6, 4)),
        "label": np.eye(3)[rng.integers(0, 3, 6)],
        "pen": rng.standard_normal((6, 2)),
        "ink": rng.standard_normal((6, 2)),
    }
    return {key: x[key].astype(dtype) for key in model.modalities}


@pytest.mark.parametrize("name", ON_DEVICE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_code_path_on_the_device(name, dtype):
    model, rng = ON_DEVICE[name], np.random.default_rng(0)
    x = six_examples(model, rng, dtype)
    mask = np.ones((len(x), 6), dtype=bool)
    if not isinstance(model, CVAE | JMVAE):
        mask[0, 2:4], mask[1:, 5] = False, False
    theta = model.init(rng, dtype)
    batch = check_batch(model.modalities, x, mask, theta)
    noise = model.draw_noise(rng, 6, 2, dtype)
    values = {key: DeviceArray(values) for key, values in batch.x.items()}
    device = Batch(values, batch.present, batch.index)
    on_host = steps(model.bound, theta.copy(), batch, noise)
    noise = noise | {"eps": DeviceArray(noise["eps"])}
    on_device = steps(model.bound, DeviceArray(theta.copy()), device, noise)
    for a, b in zip(on_host, on_device, strict=True):
        assert isinstance(b, DeviceArray)
        assert b.dtype == dtype
        assert_allclose(b.get(), a, rtol=1e-12 if dtype == np.float64 else 2e-5, atol=1e-7)


@pytest.mark.parametrize("name", ON_DEVICE)
def test_their_steps_can_be_recorded_as_a_cuda_graph(name, monkeypatch):
    model, rng = ON_DEVICE[name], np.random.default_rng(0)
    theta = model.init(rng, np.float64)
    batch = check_batch(model.modalities, six_examples(model, rng, np.float64), None, theta)
    noise = model.draw_noise(rng, 6, 2, np.float64)
    check_recorded(model, theta, batch, noise, monkeypatch)
