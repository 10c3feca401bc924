"""Importance sampling against a linear-Gaussian model, whose likelihoods are all known.

The encoders are wrong on purpose, so that the weights vary, and so are the training weights λ_m.
T4: the sum of the errors within 4 standard errors at a fixed seed, where a mutant has 8.
Proposals are at least as wide as the target's posterior: a narrower one has no finite variance.
"""

from dataclasses import replace
from itertools import chain, combinations
from types import SimpleNamespace

import numpy as np
import pytest
from mmvae_edu.kernels import reference
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import laplace, norm
from test_structure import DeviceArray

from mmvae_edu import estimators
from mmvae_edu.estimators import (
    conditional,
    conditional_by_prior,
    marginal,
    marginals,
)
from mmvae_edu.likelihoods import Categorical, Normal
from mmvae_edu.models import CVAE, IWAE, JMVAE, MMVAE, MVAE, MVAEQ, VAE, BiVCCA, LaplaceMMVAE, MoPoE
from mmvae_edu.oracles import LinearGaussian, gaussian_grid
from mmvae_edu.support.parameters import leaves

D, N, K = 2, 5, 4000
FEATURES = {"a": 3, "b": 2, "c": 4}
SIGMA = {"a": 0.9, "b": 1.1, "c": 1.4}
SYSTEMS = {
    "VAE": VAE, "IWAE": IWAE, "MVAE": MVAE, "MVAEQ": MVAEQ, "MMVAE": MMVAE, "JMVAE": JMVAE,
    "BiVCCA": BiVCCA,
    "MoPoE": MoPoE,
}  # fmt: skip
EVERY = pytest.mark.parametrize("name", SYSTEMS)


def setting(name, seed=0):
    """A model with weights near a random linear-Gaussian model's, that model as it is, and data."""
    rng = np.random.default_rng(seed)
    system = SYSTEMS[name]
    names = ["a"] if issubclass(system, VAE) else list(FEATURES)
    kinds = {m: Normal(FEATURES[m], scale=SIGMA[m]) for m in names}
    model = system(kinds, latent=D, hidden=(), weights={"a": 3.0})
    model.theta, w = wide(model, rng)
    truth = LinearGaussian(
        {m: w[m]["decoder"]["W0"].T for m in names},
        {m: w[m]["decoder"]["b0"] for m in names},
        {m: SIGMA[m] for m in names},
    )
    return model, truth, truth.sample(rng, N)[1]


def wide(model, rng):
    """Random weights, whose encoders give posteriors that are not too narrow."""
    theta = 0.25 * rng.standard_normal(model.tree.size)
    w = model.tree.views(theta)
    for path, leaf in leaves(w):
        if "encoder" in path and leaf.size:
            leaf *= 0.3
            leaf[..., model.latent :] *= 0.5
            if leaf.ndim == 1:
                leaf[model.latent :] += 1.5 if isinstance(model, MVAE | MoPoE) else 0.3
    return theta, w


def subsets(names):
    names = list(names)
    return list(chain.from_iterable(combinations(names, r) for r in range(1, len(names) + 1)))


def proposals(name, names):
    """The subsets given which the system has a posterior, and the prior."""
    usable = {"BiVCCA": lambda s: len(s) == 1, "JMVAE": lambda s: len(s) in (1, len(FEATURES))}
    return [(), *filter(usable.get(name), subsets(names))]


def pick(x, names):
    return {m: x[m] for m in names}


def hide(x, mask):
    """NaN where something is missing."""
    return {m: np.where(present[:, None], x[m], np.nan) for m, present in zip(x, mask, strict=True)}


def z_score(estimate, expected):
    return (estimate.log_p - expected).sum() / np.sqrt((estimate.error**2).sum())


@EVERY
def test_every_subset_from_every_proposal(name):
    model, truth, x = setting(name)
    rng = np.random.default_rng(1)
    for target in subsets(x):
        for given in proposals(name, target):
            estimate = marginal(
                model, model.theta, pick(x, target), given=pick(x, given), K=K, rng=rng
            )
            assert estimate.log_p.shape == estimate.error.shape == estimate.ess.shape == (N,)
            assert (estimate.ess > K / 50).all(), (target, given)
            assert abs(z_score(estimate, truth.log_prob(x, target))) <= 4, (target, given)
            assert (estimate.error < 0.1).all()


@EVERY
def test_true_and_slides_conditional_have_one_limit(name):
    """log p(x_a|x_b): by q of all that stands there, and by q(z|x_a) and the prior."""
    model, truth, x = setting(name)
    rng = np.random.default_rng(2)
    for target in subsets(x)[:-1]:
        for given in subsets(set(x) - set(target)):
            both = proposals(name, target + given)
            proposal = None if set(both[-1]) == set(target + given) else pick(x, target[:1])
            if given not in both or target not in both:
                continue
            arguments = model, model.theta, pick(x, target), pick(x, given)
            expected = truth.log_conditional(x, target, given)
            estimates = [
                conditional(*arguments, proposal=proposal, K=K, rng=rng),
                conditional(*arguments, proposal=proposal, proposal_given={}, K=K, rng=rng),
                conditional_by_prior(*arguments, K=K, prior_samples=5 * K, rng=rng),
            ]
            for estimate in estimates:
                assert abs(z_score(estimate, expected)) <= 4, (target, given)
                assert np.median(estimate.error) < 0.05


def test_forgetting_the_prior_is_seen():
    """The mutant p(x|z) / q(z|x), at the same number of samples."""
    model, truth, x = setting("MVAE")
    rng = np.random.default_rng(3)
    model.log_prior = lambda w, z: (np.zeros(z.shape[:-1]), None)
    estimate = marginal(model, model.theta, x, K=K, rng=rng)
    assert abs(z_score(estimate, truth.log_prob(x))) >= 8


def test_training_weights_play_no_part():
    model, _, x = setting("MVAE")
    again = MVAE(model.modalities, latent=D, hidden=())
    again.theta = model.theta
    one, other = (m.estimate_marginal(x, K=9, rng=np.random.default_rng(4)) for m in (model, again))
    assert_array_equal(one.log_p, other.log_p)
    eps = np.zeros((4, 1, N, D))
    assert (
        model.bound(model.theta, x, eps=eps)[0] != again.bound(model.theta, x, eps=eps)[0]
    ).all()


@EVERY
@pytest.mark.parametrize("chunk", [1, 7, 60])
def test_chunks_change_nothing(name, chunk):
    """Neither chunks of examples nor chunks of one example's samples."""
    model, _, x = setting(name)
    given = pick(x, ["a"])
    whole, parts = (
        marginal(model, model.theta, x, given=given, K=20, rng=np.random.default_rng(5), chunk=size)
        for size in (10**6, chunk)
    )
    for attribute in "log_p", "error", "ess":
        assert_allclose(getattr(parts, attribute), getattr(whole, attribute), rtol=1e-9)
    first = pick({m: values[:2] for m, values in x.items()}, x)
    alone = marginal(
        model, model.theta, first, given=pick(first, ["a"]), K=20, rng=np.random.default_rng(5)
    )
    assert_allclose(alone.log_p, whole.log_p[:2], rtol=1e-12)  # nor do the other examples


@EVERY
def test_parts_share_their_samples(name):
    """Each part's estimate is the one that it would have alone, from the same generator."""
    model, _, x = setting(name)
    parts = [pick(x, [m]) for m in x]
    rng = np.random.default_rng
    found = marginals(model, model.theta, parts, given=parts[0], K=20, rng=rng(7), chunk=7)
    for t, estimate in enumerate(found):
        first = pick(x, list(x)[: t + 1])
        alone = marginal(model, model.theta, first, given=parts[0], K=20, rng=rng(7))
        assert_allclose(estimate.log_p, alone.log_p, rtol=1e-9)
        assert_allclose(estimate.ess, alone.ess, rtol=1e-9)
    rows = np.array([2, 0, 2])
    assert_array_equal(found[0].take(rows).error, found[0].error[rows])


@EVERY
def test_estimates_never_leave_the_device(name, monkeypatch):
    """The stand-in for CuPy arrays refuses every round trip but the result's."""
    monkeypatch.setattr(estimators, "StreamsOnGpu", estimators.Streams)  # the same noise
    model, _, x = setting(name)
    model.kernels = reference
    parts, theta = [pick(x, [m]) for m in x], model.theta
    for given in (parts[0], {}):
        on_host, on_device = (
            marginals(model, here, parts, given=given, K=3, rng=np.random.default_rng(8))
            for here in (theta, DeviceArray(theta))
        )
        for a, b in zip(on_host, on_device, strict=True):
            assert_allclose(b.log_p, a.log_p, rtol=1e-10)
            assert_allclose(b.ess, a.ess, rtol=1e-9)


@pytest.mark.parametrize("K", [1, 3, 7, 20])
def test_streams_on_a_gpu_do_not_depend_on_chunks(K, monkeypatch):
    random = SimpleNamespace(
        Philox4x3210=lambda seed, size: seed, Generator=np.random.default_rng
    )  # CuPy's part, played by NumPy
    monkeypatch.setattr(estimators, "namespace", lambda device: SimpleNamespace(random=random))
    monkeypatch.setattr(estimators, "ON_GPU", 12)

    def drawn(*chunks):
        streams, start = [], 0
        for n in chunks:
            streams.append((n, estimators.StreamsOnGpu(5, np.arange(start, start + n))))
            start += n
        normal, exponential = (
            np.concatenate([getattr(s, law)((K, n, 2), np.float32) for n, s in streams], axis=1)
            for law in ("standard_normal", "standard_exponential")
        )
        signs = np.concatenate([s.integers(0, 2, (K, n, 2)) for n, s in streams], axis=1)
        starts = np.concatenate([s.integers(0, np.full(n, 1000)) for n, s in streams])
        assert normal.dtype == exponential.dtype == np.float32
        return normal, exponential, signs, starts

    whole = drawn(29)
    for chunks in (5, 24), (12, 12, 5), (1,) * 29:
        for a, b in zip(drawn(*chunks), whole, strict=True):
            assert_array_equal(a, b)
    assert len(np.unique(whole[0])) == whole[0].size == K * 29 * 2  # no number twice
    host = estimators.Streams(5, np.arange(29))
    assert_array_equal(whole[3], host.integers(0, np.full(29, 1000)))


def test_no_more_rows_are_decoded_at_once_than_the_chunk():
    model, _, x = setting("MVAE")
    rows, decode = [], model.log_likelihood

    def watched(w, batch, z, **options):
        rows.append(z[..., 0].size)
        return decode(w, batch, z, **options)

    model.log_likelihood = watched
    for chunk in 3, 40:
        marginal(model, model.theta, x, K=20, rng=np.random.default_rng(6), chunk=chunk)
        assert max(rows) <= chunk
        assert sum(rows) == 20 * N
        rows.clear()


def test_standard_error_is_the_spread_of_repeated_estimates():
    """4,000 estimates of one number: their spread is 2% sure, the delta method 1/K off."""
    model, _, x = setting("MMVAE")
    many = {m: np.repeat(values[:1], 4000, axis=0) for m, values in x.items()}
    estimate = marginal(model, model.theta, many, K=400, rng=np.random.default_rng(7))
    spread = estimate.log_p.std(ddof=1)
    assert_allclose(np.sqrt((estimate.error**2).mean()), spread, rtol=0.06)
    assert spread > 0.01
    assert_allclose(estimate.mean, estimate.log_p.mean())
    assert_allclose(estimate.mean_error, spread / np.sqrt(4000))


@pytest.mark.parametrize("estimator", [conditional, conditional_by_prior])
def test_a_seed_draws_what_its_generator_draws(estimator):
    """So the two parts of the difference have their own noise, as their error assumes."""
    model, _, x = setting("MVAE")
    first, second = (
        estimator(model, model.theta, pick(x, "a"), pick(x, "b"), K=9, rng=rng).log_p
        for rng in (5, np.random.default_rng(5))
    )
    assert_array_equal(first, second)


def test_an_estimate_without_evidence_claims_nothing():
    log_p, ess = np.array([-1.0, -np.inf]), np.array([2.0, 0.0])  # of two equal weights, of none
    estimate = estimators._estimate([(log_p, ess)], K=2)
    assert_array_equal(estimate.error, [0, np.inf])
    assert estimate.take([0]).mean_error == np.inf  # the spread of one example
    once = estimators._estimate([(log_p[:1], ess[:1] / 2)], K=1)
    assert once.error == np.inf  # one weight says nothing of their spread


def test_two_samples_know_their_spread_by_one_degree_of_freedom():
    """Weights 1 and 3: their mean 2 has the standard error √(2/2) = 1, half of it."""
    (log_p, ess), log_w = (np.array([np.log(2.0)]), np.array([1.6])), np.log([[1.0], [3.0]])
    assert_allclose(ess, estimators.effective_sample_size(log_w))
    estimate = estimators._estimate([(log_p, ess)], K=2)
    assert_allclose(estimate.error, 0.5)
    three, four = (replace(estimate, error=np.array([e])) for e in (3.0, 4.0))
    assert_allclose((three - four).error, 5)


def test_rows_with_something_missing_are_estimated_from_what_is_there():
    model, truth, x = setting("MVAE")
    mask = np.ones((3, N), dtype=bool)
    mask[1, :2] = False
    found = model.estimate_marginal(hide(x, mask), mask=mask, K=20, rng=3).log_p
    batch, _ = model.checked_batch(model.theta, x, mask)
    assert_array_equal(found, marginal(model, model.theta, batch, K=20, rng=3).log_p)
    for rows, names in (slice(2), "ac"), (slice(2, None), "abc"):
        expected = model.estimate_marginal(pick(x, names), K=20, rng=3).log_p
        assert_allclose(found[rows], expected[rows], rtol=1e-12)


@pytest.mark.parametrize("name", ["MVAE", "MVAEQ", "MMVAE", "MoPoE"])
def test_conditionals_of_rows_with_something_missing(name):
    """log p(a|b, c) where b is missing from some rows and c from others, by the oracle."""
    model, truth, x = setting(name)
    mask = np.array([[1, 1, 1, 1, 1], [1, 0, 0, 1, 1], [1, 1, 1, 0, 0]], dtype=bool)
    given = hide(x, mask)
    target = {"a": given.pop("a")}
    found = model.estimate_conditional(target, given, mask=mask, K=K, rng=4)
    groups = {(0,): ["b", "c"], (1, 2): ["c"], (3, 4): ["b"]}
    for rows, names in groups.items():
        rows = list(rows)
        expected = truth.log_conditional(x, ["a"], names)[rows]
        assert abs(z_score(found.take(rows), expected)) <= 4
    whole = truth.log_conditional(x, ["a"], ["b", "c"])  # of a mutant that ignores the mask
    assert (abs(found.log_p - whole) / found.error).max() >= 8
    with pytest.raises(ValueError, match=r"mask: example 1 has nothing of \['b'\]"):
        model.estimate_conditional(target, {"b": given["b"]}, mask=mask, K=2, rng=4)
    with pytest.raises(ValueError, match=r"mask: expected bool of shape \(3, 5\)"):
        model.estimate_conditional(target, given, mask=mask.T, K=2, rng=4)


def test_few_effective_samples_are_warned_of_once():
    model, _, x = setting("MVAE")
    sentence = (
        "the effective sample size is below 10 for 5 of 5 examples, at worst .* of K = 9: take"
    )
    with pytest.warns(RuntimeWarning, match=sentence) as seen:
        found = model.log_marginal(x, K=9, rng=3)
    assert len(seen) == 1
    assert seen[0].filename == __file__
    assert_array_equal(found, model.estimate_marginal(x, K=9, rng=3).log_p)
    with pytest.warns(RuntimeWarning, match=sentence) as seen:
        found = model.log_conditional(pick(x, "a"), pick(x, "b"), K=9, rng=3)
    assert len(seen) == 1
    expected = model.estimate_conditional(pick(x, "a"), pick(x, "b"), K=9, rng=3)
    assert_array_equal(found, expected.log_p)
    assert (model.estimate_marginal(x, K=900, rng=3).ess > 10).all()
    model.log_marginal(x, K=900, rng=3)  # warnings are errors here


@EVERY
def test_log_weights_are_those_that_the_estimate_reduces(name):
    model, _, x = setting(name)
    for given in ({"a": x["a"]}, {}):
        options = {"given": given, "K": 50, "rng": 6}
        log_w = estimators.log_weights(model, model.theta, x, chunk=60, **options)
        assert log_w.shape == (50, N)
        estimate = marginal(model, model.theta, x, **options)
        assert_allclose(np.log(np.exp(log_w).mean(axis=0)), estimate.log_p, rtol=1e-10)
        shares = np.exp(log_w) / np.exp(log_w).sum(axis=0)
        assert_allclose(1 / (shares**2).sum(axis=0), estimate.ess, rtol=1e-9)


# ---- a prior that is not N(0, I) ----


def test_laplace_prior_by_quadrature():
    """z_1 and z_2 on a grid: p(x) = ∫ Laplace(z; 0, b) Π_m N(x_m; W_m z + c_m, σ_m²) dz."""
    rng = np.random.default_rng(14)
    kinds = {m: Normal(FEATURES[m], scale=SIGMA[m]) for m in "ab"}
    model = LaplaceMMVAE(kinds, latent=2, hidden=(), weights={"a": 3.0})
    model.theta, w = wide(model, rng)
    w["latent prior"]["head"][...] = [0.5, -0.3]
    b = 2 * np.exp([0.5, -0.3]) / np.exp([0.5, -0.3]).sum()
    x = {m: rng.standard_normal((N, FEATURES[m])) for m in kinds}
    axis = np.linspace(-15, 15, 751)  # 0.04 apart, the kinks at 0 on a node
    z = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 1, 2)
    log_joint = laplace(0, b).logpdf(z).sum(axis=-1)
    for m in kinds:
        mean = z @ w[m]["decoder"]["W0"] + w[m]["decoder"]["b0"]
        log_joint = log_joint + norm(mean, SIGMA[m]).logpdf(x[m]).sum(axis=-1)
    expected = np.log(np.exp(log_joint).sum(axis=0) * 0.04**2)
    for given in (None, {}, {"b": x["b"]}):
        estimate = marginal(model, model.theta, x, given=given, K=10_000, rng=rng)
        assert abs(z_score(estimate, expected)) <= 4
        assert (estimate.error < 0.1).all()
    model.log_prior = lambda w, z: MMVAE.log_prior(model, w, z)  # a mutant: the Gaussian prior
    mutant = marginal(model, model.theta, x, K=10_000, rng=rng)
    assert abs(z_score(mutant, expected)) >= 8


# ---- a conditional model ----


def conditional_setting():
    rng = np.random.default_rng(11)
    kinds = {m: Normal(FEATURES[m], scale=SIGMA[m]) for m in ("a", "b")}
    model = CVAE(kinds, condition="b", latent=D, hidden=(), weights={"a": 3.0})
    model.theta, w = wide(model, rng)
    w = w["a"]["decoder"]
    W, V = w["W0"][:D].T, w["W0"][D:]
    x = {m: rng.standard_normal((N, FEATURES[m])) for m in kinds}
    truth = LinearGaussian({"a": W}, {"a": w["b0"]}, {"a": SIGMA["a"]})
    return model, x, truth.log_prob({"a": x["a"] - x["b"] @ V})


def test_cvae_conditional_from_its_encoder_and_from_the_prior():
    model, x, expected = conditional_setting()
    rng = np.random.default_rng(12)
    target, given = pick(x, "a"), pick(x, "b")
    for proposal in (None, given, {}):
        estimate = conditional(model, model.theta, target, given, proposal=proposal, K=K, rng=rng)
        assert abs(z_score(estimate, expected)) <= 4
        assert (estimate.error < 0.1).all()
    assert_allclose(model.log_conditional(target, given, K=K, rng=rng), expected, atol=0.1)


@pytest.mark.parametrize("system", [MVAE, JMVAE, BiVCCA])
def test_classes_by_quadrature(system, monkeypatch):
    """log p(c|x) of q(z|x), also on a device; the classes' probabilities sum to 1."""
    monkeypatch.setattr(estimators, "StreamsOnGpu", estimators.Streams)  # the same noise
    model = system({"a": Normal(2), "c": Categorical(3)}, latent=1, hidden=())
    theta = model.theta = np.random.default_rng(3).standard_normal(model.tree.size)
    given = {"a": np.array([[0.3, -1.2], [0.0, 0.5]])}
    found = estimators.class_log_prob(model, theta, given, "c", K=K, rng=0)
    assert_allclose(np.exp(found).sum(axis=1), 1)
    model.kernels = reference
    on_device = DeviceArray(theta)
    again = estimators.class_log_prob(model, on_device, given, "c", K=K, rng=0)
    assert_allclose(again, found, rtol=1e-10)
    decoder = model.tree.views(theta)["c"]["decoder"]
    for log_p, mu, log_var in zip(found, *model.encode(given), strict=True):
        z, chance = gaussian_grid(mu[0], log_var[0])
        logits = z[:, None] @ decoder["W0"] + decoder["b0"]
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        mean, spread = chance @ p, np.sqrt(chance @ p**2 - (chance @ p) ** 2)
        assert (abs(np.exp(log_p) - mean) <= 4 * spread / np.sqrt(K)).all()
    with pytest.raises(ValueError, match=r"target: expected a Categorical, found 'a', Normal"):
        estimators.class_log_prob(model, theta, given, "a", rng=0)
