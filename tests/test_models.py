"""Whole models: gradients by two routes, masks, batches, symmetry, files, use."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmvae_edu.kernels import reference
from numpy.testing import assert_allclose, assert_array_equal

from mmvae_edu import models
from mmvae_edu.gradcheck import check_pullback, complex_step
from mmvae_edu.likelihoods import Binomial, Categorical, Laplace, Normal
from mmvae_edu.models import JMVAE, MMVAE, MVAE, VAE, MoPoE
from mmvae_edu.networks import init_mlp, mlp, mlp_by_class, mlp_shapes
from mmvae_edu.support.parameters import leaves

ALL = {
    "counts": Binomial(4, n=3),
    "label": Categorical(3),
    "ink": Normal(2, scale="learnt"),
    "pen": Laplace(5, scale=0.7),
    "tilt": Laplace(1, scale="learnt"),
}
SMOOTH = {name: ALL[name] for name in ("counts", "label", "ink")}  # no |·|: analytic
K, N = 3, 5

VARIANTS = {  # a class, and after a comma which of its options are tried
    "VAE": {},
    "VAE, sampled KL": {"kl": "monte_carlo"},
    "MVAE": {},
    "MVAE, sampled KL, 2 subsets": {"kl": "monte_carlo", "subsets": 2},
    "MVAEQ": {},
    "MVAEQ, sampled KL, 1 subset": {"kl": "monte_carlo", "subsets": 1},
    "BiVCCA": {},
    "BiVCCA, sampled KL": {"kl": "monte_carlo"},
    "JMVAE": {"alpha": 0.6},
    "JMVAE, sampled KL": {"kl": "monte_carlo"},
    "CVAE": {},
    "CVAE, sampled KL": {"kl": "monte_carlo"},
    "MMVAE, elbo": {"objective": "elbo"},
    "MMVAE, iwae": {"objective": "iwae"},
    "MMVAE, stratified": {"objective": "stratified"},
    "MoPoE, elbo": {"objective": "elbo"},
    "MoPoE, iwae": {"objective": "iwae"},
    "MoPoE, generalised_elbo": {"objective": "generalised_elbo"},
    "LaplaceMMVAE, elbo": {"objective": "elbo"},
    "LaplaceMMVAE, iwae": {"objective": "iwae"},
    "LaplaceMMVAE, stratified": {"objective": "stratified"},
}
PLAIN = dict.fromkeys(models.SYSTEMS.keys() - {name.partition(",")[0] for name in VARIANTS}, {})
SYSTEMS = {  # every model of the table: the class, its options
    name: (getattr(models, name.partition(",")[0]), own) for name, own in (VARIANTS | PLAIN).items()
}
COMPLETE = (VAE, JMVAE)  # these, and what derives from them, train on complete examples
MULTIMODAL = [name for name, (system, _) in SYSTEMS.items() if not issubclass(system, COMPLETE)]
ANALYTIC = [name for name in SYSTEMS if "Laplace" not in name]
DREG = [name for name, (system, _) in SYSTEMS.items() if hasattr(system, "doubly_reparameterised")]
DREG.remove("MoPoE, generalised_elbo")  # whose plain gradient has no direct terms of log q
EVERY = pytest.mark.parametrize("name", SYSTEMS)


def build(name, modalities, *, activation="tanh", hidden=(4,), latent=2, **options):
    """A system in float64 with every weight random (biases and raw scales too)."""
    system, own = SYSTEMS[name]
    needs = models.SYSTEMS[system.__name__]
    modalities = dict(list(modalities.items())[: needs.modalities])
    own = own | ({"condition": list(modalities)[-1]} if needs.condition else {})
    lambdas = {name: 0.5 + 0.4 * m for m, name in enumerate(modalities)}
    model = system(
        modalities, latent=latent, hidden=hidden, activation=activation, weights=lambdas,
        kernels=reference, **own, **options,
    )  # fmt: skip
    return model


def draw_x(modalities, rng, n=N):
    x = {}
    for name, likelihood in modalities.items():
        P = likelihood.features
        if isinstance(likelihood, Binomial):
            x[name] = rng.integers(0, likelihood.n + 1, (n, P)).astype(float)
        elif isinstance(likelihood, Categorical):
            x[name] = np.eye(P)[rng.integers(0, P, n)]
        else:
            x[name] = rng.standard_normal((n, P))
    return x


def draw_mask(M, rng, n=N):
    mask = rng.random((M, n)) < 0.5
    mask[rng.integers(0, M, n), np.arange(n)] = True
    return mask


def setting(name, modalities=ALL, *, seed=0, masked=False, **options):
    """Model, theta and the constant arguments of its bound."""
    rng = np.random.default_rng(seed)
    model = build(name, modalities, **options)
    theta = 0.4 * rng.standard_normal(model.tree.size)  # larger, and h² f''' passes 1e-7
    constants = {"x": draw_x(model.modalities, rng), "beta": 0.8}
    constants |= model.draw_noise(rng, N, K, np.float64)
    if masked and not isinstance(model, COMPLETE):
        constants["mask"] = draw_mask(len(model.modalities), rng)
    return model, theta, constants, rng


# ---- the pullback is the gradient ----


@pytest.mark.parametrize("name", ANALYTIC)
@pytest.mark.parametrize("activation", ["tanh", "swish"])
@pytest.mark.parametrize("masked", [False, True])
def test_gradient_by_complex_step(name, activation, masked):
    model, theta, constants, rng = setting(name, SMOOTH, masked=masked, activation=activation)
    complex_step(model.bound, theta, rng=rng, **constants)


@EVERY
def test_gradient_of_every_weight_by_itself(name):
    """Each matrix, bias and scale gets its own directions, so none hides behind a larger one."""
    model, theta, constants, rng = setting(name, masked=True, activation="swish", hidden=(4, 3))

    def bound_of_weights(weights):
        flat = np.concatenate([leaf.ravel() for _, leaf in leaves(weights)])
        bound, pullback = model.bound(flat, **constants)

        def bound_of_weights_pullback(dbound):
            return model.tree.views(pullback(dbound))

        return bound, bound_of_weights_pullback

    check_pullback(bound_of_weights, model.tree.views(theta), rng=rng)


@EVERY
@pytest.mark.parametrize("likelihood", list(ALL))
def test_gradient_for_every_likelihood_first_alone_with_relu(name, likelihood):
    """A VAE sees only the first modality, so each takes its turn; no hidden layer at all too."""
    modalities = {likelihood: ALL[likelihood]} | ALL
    for hidden in ((3,), ()):
        model, theta, constants, rng = setting(
            name, modalities, seed=5, activation="relu", hidden=hidden
        )
        check_pullback(model.bound, theta, rng=rng, **constants)


# ---- the terms of a bound ----


def weighted(terms):
    return sum(term.weight * (term.reconstruction - term.kl + term.gain) for term in terms)


@EVERY
@pytest.mark.parametrize("masked", [False, True])
def test_the_weighted_terms_add_up_to_the_bound(name, masked):
    model, theta, constants, rng = setting(name, masked=masked)
    terms = model.terms(theta, **constants)
    assert_allclose(weighted(terms), model.bound(theta, **constants)[0], rtol=1e-11)
    for term in terms:
        assert set(term.subset) <= set(model.modalities)
        assert all(part.shape == (N,) for part in term[1:])
        assert all(isinstance(part, np.ndarray) for part in term[1:])
        assert (term.gain >= -1e-9).all() or "stratified" in name


@EVERY
def test_each_slot_of_eps_is_the_noise_of_one_term(name):
    """Slot t changes the reconstruction of term t alone; JMVAE's last terms have no noise."""
    model, theta, constants, rng = setting(name)
    before = model.terms(theta, **constants)
    for t in range(len(constants["eps"])):
        eps = constants["eps"].copy()
        eps[t] += 1
        after = model.terms(theta, **constants | {"eps": eps})
        changed = [
            i for i, (a, b) in enumerate(zip(before, after, strict=True))
            if (a.reconstruction != b.reconstruction).any()
        ]  # fmt: skip
        assert changed == [t]


# ---- batches and masks ----


@EVERY
def test_batch_is_the_concatenation_of_its_examples(name):
    model, theta, constants, rng = setting(name, masked=True)
    bound, pullback = model.bound(theta, **constants)
    dbound, total = rng.standard_normal(N), np.zeros_like(theta)
    for n in range(N):
        one = dict(constants)
        one["x"] = {key: values[n : n + 1] for key, values in constants["x"].items()}
        one["eps"] = constants["eps"][:, :, n : n + 1]
        if "mask" in one:
            one["mask"] = constants["mask"][:, n : n + 1]
        single, single_pullback = model.bound(theta, **one)
        assert_allclose(single, bound[n : n + 1], rtol=1e-12)
        total += single_pullback(dbound[n : n + 1])
    assert_allclose(total, pullback(dbound), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("name", MULTIMODAL)
@settings(max_examples=10)
@given(seed=st.integers(0, 10**6))
def test_what_stands_under_a_mask_does_not_matter(name, seed):
    model, theta, constants, rng = setting(name, seed=seed, masked=True)
    bound, pullback = model.bound(theta, **constants)
    gradient = pullback(np.ones(N))
    dirty = dict(constants["x"])
    for (key, values), present in zip(dirty.items(), constants["mask"], strict=True):
        dirty[key] = np.where(present[:, None], values, rng.choice([np.nan, np.inf, -1e30]))
    dirty_bound, dirty_pullback = model.bound(theta, **constants | {"x": dirty})
    assert_array_equal(dirty_bound, bound)
    assert_array_equal(dirty_pullback(np.ones(N)), gradient)
    assert np.isfinite(bound).all()
    assert np.isfinite(gradient).all()


def strata(model, order):
    """Where the terms of a model of these modalities, in this order, stand in this model's eps."""
    if isinstance(model, MVAE):
        M = len(model.modalities)
        return [0, *(1 + m for m in order), *range(1 + M, 1 + M + model.subsets)]
    if isinstance(model, MoPoE):
        names = [list(model.modalities)[m] for m in order]
        members = build("MoPoE, iwae", {key: model.modalities[key] for key in names}).members
        rows = np.zeros((len(members), len(model.modalities)), dtype=bool)
        rows[:, order] = members
        return [model.members.tolist().index(row) for row in rows.tolist()]
    return order


@pytest.mark.parametrize("name", MULTIMODAL)
@pytest.mark.parametrize("absent", list(SMOOTH))
def test_absent_key_is_a_mask_row_of_false_is_a_model_without_it(name, absent):
    model, theta, constants, rng = setting(name, SMOOTH)
    mask = np.array([[key != absent] * N for key in SMOOTH])
    masked, masked_pullback = model.bound(theta, **constants, mask=mask)
    without = {key: values for key, values in constants["x"].items() if key != absent}
    keyless, keyless_pullback = model.bound(theta, **constants | {"x": without})
    assert_allclose(keyless, masked, rtol=1e-13)
    assert_allclose(
        keyless_pullback(np.ones(N)), masked_pullback(np.ones(N)), rtol=1e-12, atol=1e-13
    )
    if "subset" in name:
        return  # its sampled rows name all three modalities
    smaller = build(name, {key: SMOOTH[key] for key in without})
    smaller.weights = {key: model.weights[key] for key in without}
    weights = model.tree.views(theta)
    kept = [*without, *(weights.keys() - model.modalities.keys())]
    small_theta = np.concatenate([leaf.ravel() for key in kept for _, leaf in leaves(weights[key])])
    eps = constants["eps"][strata(model, [m for m, key in enumerate(SMOOTH) if key != absent])]
    alone, _ = smaller.bound(small_theta, without, eps=eps, beta=constants["beta"])
    assert_allclose(alone, masked, rtol=1e-12)


@pytest.mark.parametrize("name", MULTIMODAL)
def test_permuting_the_modalities_permutes_the_gradients(name):
    model, theta, constants, rng = setting(name, SMOOTH, masked=True)
    order = [2, 0, 1]
    names = [list(SMOOTH)[m] for m in order]
    permuted = build(name, {key: SMOOTH[key] for key in names})
    permuted.weights = {key: model.weights[key] for key in names}
    weights = model.tree.views(theta)
    keys = [*names, *(weights.keys() - model.modalities.keys())]
    theta2 = np.concatenate([leaf.ravel() for key in keys for _, leaf in leaves(weights[key])])
    eps = constants["eps"][strata(model, order)]
    constants2 = constants | {"eps": eps, "mask": constants["mask"][order]}
    if "sampled" in constants:
        constants2["sampled"] = constants["sampled"][:, order]
    bound, pullback = model.bound(theta, **constants)
    bound2, pullback2 = permuted.bound(theta2, **constants2)
    if (
        "subset" not in name
    ):  # there a repeated subset may be counted at another term, with other eps
        assert_allclose(bound2, bound, rtol=1e-12)
        ours = dict(leaves(model.tree.views(pullback(np.ones(N)))))
        for path, leaf in leaves(permuted.tree.views(pullback2(np.ones(N)))):
            assert_allclose(leaf, ours[path], rtol=1e-10, atol=1e-12, err_msg=path)


@EVERY
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept_and_float32_is_close(name, dtype):
    model, theta, constants, rng = setting(name, masked=True)
    exact, exact_pullback = model.bound(theta, **constants)
    narrow = constants | {"eps": constants["eps"].astype(dtype)}
    bound, pullback = model.bound(theta.astype(dtype), **narrow)
    gradient, expected = pullback(np.ones(N, dtype)), exact_pullback(np.ones(N))
    assert bound.dtype == gradient.dtype == dtype
    assert_allclose(bound, exact, rtol=2e-5, atol=2e-5)
    assert_allclose(gradient, expected, atol=2e-5 * np.abs(expected).max())


# ---- doubly reparameterised estimators ----


@pytest.mark.parametrize("name", DREG)
def test_doubly_reparameterised_gradient_has_the_same_mean(name):
    """Averaged over 30,000 draws, every coordinate within 4.5 standard errors of the plain one."""
    latent = 2 if name.startswith("LaplaceMMVAE") else 1
    model = build(name, {"counts": Binomial(2, n=3), "ink": Normal(2)}, hidden=(), latent=latent)
    rng = np.random.default_rng(1)
    theta = 0.6 * rng.standard_normal(model.tree.size)
    one, draws, chunk = draw_x(model.modalities, rng, 1), 30_000, 150
    x = {key: np.repeat(values, draws // chunk, axis=0) for key, values in one.items()}
    difference = []
    for _ in range(chunk):
        noise = model.draw_noise(rng, draws // chunk, 2, np.float64)
        plain, pullback = model.bound(theta, x, beta=1.0, **noise)
        bound, estimator = model.doubly_reparameterised(theta, x, beta=1.0, **noise)
        assert_array_equal(bound, plain)
        share = np.full(len(bound), chunk / draws)
        difference.append(estimator(share) - pullback(share))
    difference = np.array(difference)
    error = difference.std(axis=0, ddof=1) / np.sqrt(chunk)
    assert (np.abs(difference.mean(axis=0)) <= 4.5 * error + 1e-12).all()
    assert (error > 0).any()  # they do differ draw by draw


@pytest.mark.parametrize("name", DREG)
def test_doubly_reparameterised_leaves_the_decoders_gradient_alone(name):
    model, theta, constants, _ = setting(name, SMOOTH)
    plain = model.tree.views(model.bound(theta, **constants)[1](np.ones(N)))
    estimate = model.tree.views(model.doubly_reparameterised(theta, **constants)[1](np.ones(N)))
    for key in model.modalities:
        for part in ("decoder", "likelihood"):
            for path, leaf in leaves(plain[key][part]):
                assert_allclose(dict(leaves(estimate[key][part]))[path], leaf, rtol=1e-12)


@pytest.mark.parametrize("name", DREG)
def test_a_cotangent_may_be_of_another_dtype(name):
    model, theta, constants, _ = setting(name)
    constants["eps"] = constants["eps"].astype(np.float32)
    for method in model.bound, model.doubly_reparameterised:
        _, pullback = method(theta.astype(np.float32), **constants)
        assert_array_equal(pullback(np.ones(N)), pullback(np.ones(N, np.float32)))


# ---- files, use ----


@EVERY
def test_saved_and_loaded_model_is_the_same(name, tmp_path):
    model, theta, constants, rng = setting(name, hidden=(3,))
    model.theta = theta
    model.save(tmp_path / "model.npz")
    again = type(model).load(tmp_path / "model.npz")
    assert json.dumps(again.config()) == json.dumps(model.config())  # tuples become lists
    assert again.modalities == model.modalities
    assert_array_equal(again.theta, theta)
    again.kernels = model.kernels  # a choice of this machine, not of the model
    bound = again.bound(again.theta, **constants)[0]
    assert_array_equal(bound, model.bound(theta, **constants)[0])
    other = MVAE if not isinstance(model, MVAE) else MMVAE
    with pytest.raises(ValueError, match=f"expected a {other.__name__}, found a"):
        other.load(tmp_path / "model.npz")


@EVERY
def test_parameters_by_name_are_views_and_come_back(name, tmp_path):
    model, theta, constants, rng = setting(name, hidden=(3,))
    with pytest.raises(ValueError, match="no parameters yet"):
        _ = model.parameters
    model.theta = theta.copy()
    assert sum(view.size for view in model.parameters.values()) == theta.size
    np.savez(tmp_path / "named.npz", **model.parameters)
    again = build(name, ALL, hidden=(3,))
    with np.load(tmp_path / "named.npz") as named:
        again.parameters = dict(reversed(list(named.items())))  # in any order
        again.parameters = named
    assert_array_equal(again.theta, theta)
    for view in again.parameters.values():
        view[...] = 0
    assert not again.theta.any()


def test_a_named_layer_is_x_W_plus_b():
    """y = tanh(x W0 + b0) W1 + b1, whose first columns are mu, the others log_var."""
    rng = np.random.default_rng(0)
    model = VAE({"ink": Normal(4)}, latent=2, hidden=(3,), activation="tanh")
    shapes = {"encoder/W0": (4, 3), "encoder/b0": (3,), "encoder/W1": (3, 4), "encoder/b1": (4,)}
    shapes |= {"decoder/W0": (2, 3), "decoder/b0": (3,), "decoder/W1": (3, 4), "decoder/b1": (4,)}
    part = {key: rng.standard_normal(shape) for key, shape in shapes.items()}
    model.parameters = {f"ink/{key}": values for key, values in part.items()}
    assert model.theta.dtype == np.float64
    x, z = rng.standard_normal((2, 4)), rng.standard_normal((2, 2))
    heads = np.tanh(x @ part["encoder/W0"] + part["encoder/b0"])
    heads = heads @ part["encoder/W1"] + part["encoder/b1"]
    assert_allclose(np.concatenate(model.encode({"ink": x}), axis=1), heads, rtol=1e-13)
    mean = np.tanh(z @ part["decoder/W0"] + part["decoder/b0"])
    mean = mean @ part["decoder/W1"] + part["decoder/b1"]
    assert_allclose(model.decode(z)["ink"], mean, rtol=1e-13)
    model.parameters = {f"ink/{key}": values.astype(np.float32) for key, values in part.items()}
    assert model.theta.dtype == np.float32


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"ink/encoder/b0": None}, r"parameters: missing \['ink/encoder/b0'\], unknown \[\]"),
        ({"ink/b": 1.0}, r"parameters: missing \[\], unknown \['ink/b'\]"),
        (
            {"ink/encoder/b0": np.zeros(3)},
            r"b0'\]: expected numbers of shape \(4,\), found .*\(3,\)",
        ),
        ({"ink/encoder/b0": np.full(4, np.nan)}, "b0'.: expected finite numbers"),
        ({"ink/encoder/b0": np.zeros(4, complex)}, "b0'.: expected numbers .* found complex128"),
        ({"ink/encoder/b0": list("abcd")}, "b0'.: expected numbers .* found <U1"),
    ],
)
def test_bad_named_parameters_change_nothing(change, sentence):
    model = VAE({"ink": Normal(4)}, latent=2, hidden=())
    model.theta = theta = model.init(np.random.default_rng(0))
    named = {key: value for key, value in (model.parameters | change).items() if value is not None}
    with pytest.raises(ValueError, match=sentence):
        model.parameters = named
    assert model.theta is theta


def test_hidden_sizes_by_modality_survive_a_file(tmp_path):
    hidden = {"counts": ((3,), (4, 5)), "label": ((), (2,))}
    model = MVAE({key: SMOOTH[key] for key in hidden}, latent=2, hidden=hidden)
    model.theta = model.init(np.random.default_rng(0))
    model.save(tmp_path / "model.npz")
    assert MVAE.load(tmp_path / "model.npz").tree.shapes == model.tree.shapes


@pytest.mark.parametrize("initial", ["glorot", "pytorch"])
def test_initial_weights(initial):
    """Uniform up to their bound; PyTorch draws biases too, and embeddings from N(0, 1)."""
    modalities = {"image": Binomial(40, n=16), "label": Categorical(30)}
    model = JMVAE(modalities, latent=20, hidden=(50,), initial=initial)
    w = model.tree.views(model.init(np.random.default_rng(0), np.float64))
    joint = w["joint encoder"]
    for part in (
        *(w["image"]["encoder"], w["label"]["encoder"], w["label"]["decoder"]),
        *(joint["first"]["image"], joint["first"]["label"], joint["rest"]),
    ):
        for name, values in part.items():
            P, H = part[f"W{name[1]}"].shape
            bound = {"glorot": np.sqrt(6 / (P + H)), "pytorch": 1 / np.sqrt(P)}[initial]
            if initial == "glorot" and name.startswith("b"):
                assert not values.any()
            elif initial == "pytorch" and "b" + name[1] not in part:
                assert_allclose(values.std(), 1, atol=0.05)
            else:
                assert 0.9 * bound < abs(values).max() <= bound
    assert model.config()["initial"] == initial


def test_a_network_run_once_a_class_is_the_network_run_on_every_row():
    rng = np.random.default_rng(0)
    weights = {name: np.empty(shape) for name, shape in mlp_shapes((3, 4, 2)).items()}
    init_mlp(weights, rng)
    x, dy = np.eye(3)[[2, 0, 2, 2, 0]], rng.standard_normal((5, 2))
    by_row, row_pullback = mlp(weights, x, input_gradient=False)
    by_class, class_pullback = mlp_by_class(weights, x, input_gradient=False)
    assert_allclose(by_class, by_row, rtol=1e-14)
    for _ in range(2):
        (dweights, dx), (expected, _) = class_pullback(dy), row_pullback(dy)
        assert dx is None
        for name in weights:
            assert_allclose(dweights[name], expected[name], rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", [*MULTIMODAL, "JMVAE"])
def test_generate_and_encode_have_the_documented_shapes(name):
    model, theta, constants, rng = setting(name)
    model.theta = theta
    given = {"label": constants["x"]["label"]}
    out = model.generate(given, "pen", rng=rng)
    assert {key: values.shape for key, values in out.items()} == {"pen": (N, 5)}
    assert list(model.generate(given, rng=rng)) == list(ALL)
    assert {key: values.shape for key, values in model.sample(7, rng=rng).items()} == {
        key: (7, likelihood.features) for key, likelihood in ALL.items()
    }
    assert model.posterior_sample(given, K=3, rng=rng).shape == (3, N, 2)
    estimate = model.estimate_marginal(constants["x"], given=given, K=4, rng=rng)
    assert estimate.log_p.shape == estimate.error.shape == estimate.ess.shape == (N,)


def test_mmvae_draws_from_present_experts_only_and_evenly():
    model, theta, constants, rng = setting("MMVAE, iwae", SMOOTH, masked=True)
    model.theta = theta
    mask = np.array([[1, 0, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1]], dtype=bool)
    mu, log_var = model.encode(constants["x"], mask=mask)
    z = model.posterior_sample(constants["x"], mask=mask, K=6000, rng=rng)
    weight = mask / mask.sum(axis=0)
    mean = (weight[..., None] * mu).sum(axis=0)
    second = (weight[..., None] * (np.exp(log_var) + mu**2)).sum(axis=0)
    assert_allclose(z.mean(axis=0), mean, atol=4 * np.sqrt(second.max() / 6000))
    assert_allclose((z**2).mean(axis=0), second, rtol=0.15)


@EVERY
def test_untrained_model_says_so(name):
    model = build(name, SMOOTH)
    with pytest.raises(ValueError, match="has no parameters yet: fit or load first"):
        model.encode(draw_x(model.modalities, np.random.default_rng(0)))


def test_a_seed_may_stand_for_a_generator():
    model = MMVAE({"a": Normal(3), "b": Normal(2)}, latent=2, hidden=(4,))
    model.theta = model.init(np.random.default_rng(0))
    x = {"a": np.ones((5, 3))}
    for draw in (
        lambda rng: model.generate(x, "b", rng=rng)["b"],
        lambda rng: model.sample(4, rng=rng)["b"],
        lambda rng: model.estimate_marginal(x, K=3, rng=rng).log_p,
    ):
        assert_array_equal(draw(3), draw(np.random.default_rng(3)))


@pytest.mark.parametrize("objective", ["iwae", "stratified"])
def test_samples_that_weigh_nothing_do_not_reach_the_decoders(objective):
    """In float32 their products would be subnormal numbers, which take a CPU many times as long."""
    model = MMVAE({"a": Normal(400), "b": Normal(400)}, latent=2, hidden=(4,), objective=objective)
    rng = np.random.default_rng(0)
    theta, K = model.init(rng), 500
    x = {name: 3 * rng.standard_normal((2, 400), np.float32) for name in "ab"}
    noise = model.draw_noise(rng, 2, K)
    noise["eps"] *= 6
    seen, log_likelihood = [], Normal.log_prob

    def watched(likelihood, *args, **options):
        value, pullback = log_likelihood(likelihood, *args, **options)

        def watched_pullback(d, **out):
            seen.append(abs(d))
            return pullback(d, **out)

        return value, watched_pullback

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Normal, "log_prob", watched)
        bound, pullback = model.bound(theta, x, **noise)
        pullback(np.ones_like(bound))
    weights = np.concatenate([d.ravel() for d in seen])
    assert len(weights) == 2 * 2 * K * 2  # two decoders, two experts' samples, two examples
    positive = weights[weights > 0]
    assert 0 < len(positive) < len(weights)
    assert positive.min() > 1e-20
