"""MVAE-Q, JMVAE, BiVCCA, CVAE, MVAE19, MoPoE, Laplace MMVAE: sizes, refusals, samples, kernels.

test_models checks their gradients, masks, dtypes and files with all others', test_structure their
steps on a device, test_linear_gaussian their exact values, test_optima their training.
"""

import numpy as np
import pytest
from mmvae_edu.kernels import reference
from numpy.testing import assert_allclose, assert_array_equal

from mmvae_edu.likelihoods import Bernoulli, Categorical, Laplace, Normal
from mmvae_edu.models import CVAE, JMVAE, MVAE, MVAEQ, VAE, BiVCCA, LaplaceMMVAE, MoPoE
from mmvae_edu.models.mmvae import stratified_experts
from mmvae_edu.models.one_function.mvae import subsampled_bound
from mmvae_edu.support.parameters import leaves

D, N, K = 3, 6, 4
KINDS = {"a": Normal(4), "b": Normal(5), "c": Normal(3)}
PAIR = {name: KINDS[name] for name in "ab"}
OWN = {"latent": D, "hidden": ()}
X = {m: np.random.default_rng(1).standard_normal((N, KINDS[m].features)) for m in KINDS}


def drawn(system, modalities=KINDS, seed=6, **options):
    """A model in float64 with random weights."""
    model = system(modalities, **OWN, **options)
    model.theta = 0.5 * np.random.default_rng(seed).standard_normal(model.tree.size)
    return model


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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shift", [-80.0, 0.0, 80.0])
def test_mvaeq_is_a_density_for_any_heads(dtype, shift):
    """Also where sigmoid(a) rounds to 1 or is 1e-35."""
    model = drawn(MVAEQ)
    model.theta = (2 * model.theta).astype(dtype)
    for w in model.tree.views(model.theta).values():
        w["encoder"]["b0"][D:] += shift
    batch, w = model.checked_batch(model.theta, X)
    (mu, log_var), _ = model.encode_experts(w, batch)
    assert (log_var <= 0).all()
    mean, joint_log_var = model.encode(X)
    assert np.isfinite(mean).all()
    assert (joint_log_var <= log_var.min(axis=0) * (1 - 1e-6)).all()  # surer than any expert
    assert mean.dtype == joint_log_var.dtype == dtype


# ---- JMVAE ----


def test_jmvae_says_what_it_cannot_do():
    model = drawn(JMVAE)
    eps = np.zeros((1, K, N, D))
    for incomplete in ({"mask": rows((True, True, False))}, {}):
        given = X if incomplete else {"a": X["a"], "b": X["b"]}
        with pytest.raises(ValueError, match="trains on every modality of every example"):
            model.bound(model.theta, given, eps=eps, **incomplete)
    mask = rows((True, True, True))
    mask[0, 3] = False
    with pytest.raises(ValueError, match="given one modality or all 3; example 3 has 2"):
        model.encode(X, mask=mask)


@pytest.mark.parametrize(
    ("system", "own"), [(JMVAE, "joint encoder"), (LaplaceMMVAE, "latent prior")]
)
def test_a_modality_cannot_have_the_name_of_a_systems_own_weights(system, own):
    with pytest.raises(ValueError, match=f"{system.__name__}: '{own}' is the name of its own"):
        system({"a": Normal(2), own: Normal(2)})


# ---- BiVCCA ----


def test_bivcca_shares_are_scaled():
    assert BiVCCA(PAIR).share == {"a": 0.5, "b": 0.5}
    assert BiVCCA(PAIR, share={"a": 3}).share == {"a": 0.75, "b": 0.25}


def test_bivcca_has_no_joint_posterior():
    model = drawn(BiVCCA)
    mask = rows((True, False, False))
    assert_array_equal(model.encode(X, mask=mask)[0], model.encode({"a": X["a"]})[0])
    mask[1, 4] = True
    with pytest.raises(ValueError, match="no joint posterior.*example 4 has 2"):
        model.encode(X, mask=mask)


def test_every_expert_draws_its_share():
    """Of one sample a row by chance, of M samples exactly one; absent experts draw none."""
    present = np.array([[1, 1], [1, 0], [1, 1]], bool).repeat(3000, axis=1)
    expert = stratified_experts(present, 1, np.random.default_rng(0))[0]
    for rows, share in (slice(3000), [1 / 3, 1 / 3, 1 / 3]), (slice(3000, None), [1 / 2, 0, 1 / 2]):
        assert_allclose(np.bincount(expert[rows], minlength=3) / 3000, share, atol=0.04)
    whole = stratified_experts(present[:, :50], 3, np.random.default_rng(1))
    assert_array_equal(np.sort(whole, axis=0), np.arange(3)[:, None].repeat(50, axis=1))


# ---- CVAE ----


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


def test_cvae_says_what_it_cannot_do():
    model, eps = drawn(CVAE, PAIR, condition="b"), np.zeros((1, K, N, D))
    both = {"a": X["a"], "b": X["b"]}
    with pytest.raises(ValueError, match="every example needs its 'b'"):
        model.bound(model.theta, {"a": X["a"]}, eps=eps)
    mask = np.ones((2, N), dtype=bool)
    mask[0, 2] = False
    with pytest.raises(ValueError, match=r"p\(a \| b\): every example needs its 'a'"):
        model.bound(model.theta, both, mask=mask, eps=eps)


# ---- MoPoE and the Laplace MMVAE ----


def test_laplace_mmvae_draws_from_its_prior_and_its_experts():
    """E|z − mu| = b, within 4 standard errors of 40,000 draws."""
    model = drawn(LaplaceMMVAE, seed=19)
    w, rng = model.tree.views(model.theta), np.random.default_rng(20)
    head = w["latent prior"]["head"]
    z = model.prior_samples(model.theta, (1, 40_000, D), rng)[0]
    expected = D * np.exp(head) / np.exp(head).sum()
    assert (np.abs(np.abs(z).mean(axis=0) - expected) <= 4 * expected / 200).all()
    mu, log_scale = (part[0] for part in model.encode({"b": X["b"]}))
    z = model.posterior_sample({"b": X["b"]}, K=40_000, rng=rng)
    expected = np.exp(log_scale)
    assert (np.abs(np.abs(z - mu).mean(axis=0) - expected) <= 4 * expected / 200).all()
    assert (np.abs(z.mean(axis=0) - mu) <= 4 * 1.5 * expected / 200).all()
    assert {m: values.shape for m, values in model.sample(7, rng=rng).items()} == {
        m: (7, kind.features) for m, kind in KINDS.items()
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


@pytest.mark.parametrize("k", [0, 1, 2, 3])
def test_mvae_is_its_one_function_version(k):
    """Also with as many random subsets as there are: every step scores k different ones."""
    model = MVAE(KINDS, subsets=k, latent=D, hidden=(5,), activation="tanh", kernels=reference)
    theta = 0.4 * np.random.default_rng(3).standard_normal(model.tree.size)
    for seed in range(8):
        noise = model.draw_noise(np.random.default_rng(seed), N, K, np.float64)
        bound, pullback = model.bound(theta, X, **noise)
        subsets = noise.get("sampled", np.zeros((0, 3), dtype=bool))
        assert len(np.unique(subsets, axis=0)) == k
        w = model.tree.views(theta)
        by_hand, by_hand_pullback = subsampled_bound(w, x=X, subsets=subsets, eps=noise["eps"])
        assert_allclose(bound, by_hand, rtol=1e-12)
        dw = by_hand_pullback(np.ones(N))
        for path, leaf in leaves(model.tree.views(pullback(np.ones(N)))):
            name, network, layer = path.split("/")
            assert_allclose(leaf, dw[name][network][layer], rtol=1e-10, atol=1e-12)


# ---- backends ----


@pytest.mark.parametrize("system", [MVAE, MVAEQ, MoPoE, BiVCCA, JMVAE])
def test_compiled_kernels_change_nothing(system):
    backend = pytest.importorskip("mmvae_edu.kernels.numba_cpu")
    model = system(KINDS, latent=D, hidden=(5,))
    model.theta = model.init(np.random.default_rng(21), np.float64)
    noise = model.draw_noise(np.random.default_rng(22), N, K, np.float64)
    results = []
    for model.kernels in reference, backend:
        bound, pullback = model.bound(model.theta, X, **noise)
        alone = [model.encode({m: X[m]}) for m in X]
        drawn = model.estimate_marginal({"a": X["a"]}, K=7, rng=np.random.default_rng(23)).log_p
        results.append([bound, pullback(np.ones(N)), np.array(alone), drawn])
    for ours, theirs in zip(*results, strict=True):
        assert_allclose(ours, theirs, rtol=1e-11, atol=1e-12)
