"""Slide 13's tables where no claim looks: against the models, the estimators, the likelihoods.

Their formulas are claims of S13.T1 to S13.T3, checked with all others in test_claims.
"""

import tomllib
from importlib import resources

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mmvae_edu.estimators import conditional, log_weights, marginal
from mmvae_edu.likelihoods import Laplace, Normal
from mmvae_edu.models import MMVAE, MVAE
from mmvae_edu.oracles import DiscreteModel, iwae_exact
from mmvae_edu.slides.s13_tables import (
    against_chance,
    audit_table3,
    laplace_ceiling,
    log_conditional_is,
    over_seeds,
)

SLIDES = resources.files("mmvae_edu.measure.tables").joinpath("slides.toml")


@pytest.fixture
def table():
    rows = tomllib.loads(SLIDES.read_text("utf-8"))["S13.T3"]["rows"]["mnist-svhn"]
    systems, modalities = ("MMVAE", "MVAE"), ("MNIST", "SVHN")
    return np.array([[rows[f"{system}, m = {m}"] for m in modalities] for system in systems])


def test_the_slides_sums(table):
    shared, conditional, ceiling = audit_table3(
        table, classes=10, ceilings=laplace_ceiling(np.array([784, 3072]), 0.75)
    )
    assert_allclose(table[0, :, 2], [868.37, 3441.01])
    assert_allclose(shared[0] + np.log(10), 6261.40 - (868.76 + 3441.01))
    assert_allclose(conditional[0], [6261.40 - 628.31 - 3441.01, 6261.40 - 2337.56 - 868.76])
    assert_allclose(ceiling[0], [868.76 + 784 * np.log(1.5), 3441.01 + 3072 * np.log(1.5)])


def test_a_table_of_one_system_is_audited_as_among_others(table):
    alone = audit_table3(table[1:], classes=10, ceilings=np.zeros(2))
    among = audit_table3(table, classes=10, ceilings=np.zeros(2))
    for one, all_ in zip(alone, among, strict=True):
        assert_allclose(one, all_[1:])


@pytest.mark.parametrize(("P", "b"), [(784, 0.75), (5, 0.1)])
def test_the_ceiling_is_reached_by_the_likelihood(P, b):
    """By the likelihood that models use, at the decoder's own output and nowhere else."""
    likelihood, rng = Laplace(P, scale=b), np.random.default_rng(0)
    x = rng.normal(size=(3, P))
    outputs = x + np.array([[0], [1e-3], [1]])
    log_prob, _ = likelihood.log_prob({}, outputs, x=x)
    assert_allclose(log_prob[0], laplace_ceiling(P, b))
    assert (log_prob[1:] < laplace_ceiling(P, b)).all()


# ---- the last column of Table 3 -----------------------------------------------------------------


def test_the_released_estimate_is_a_marginal_whatever_it_has_seen():
    """Its limit is log p(x_m) by two proposals; log p(x_m|x_n) is another number."""
    model, x = DiscreteModel.random(np.random.default_rng(2), S=4, M=2, V=3), (0, 2)
    truth, other = model.log_evidence(x, [0]), model.log_conditional(x, [0], [1])
    assert abs(truth - other) > 0.05
    w = np.exp(model.log_joint(x, [0]))
    for given in [0], [1]:
        q = 0.9 * model.posterior(x, given) + 0.1 / 4
        at = [iwae_exact(q, w / q, K) for K in (1, 30, 1000)]
        assert at == sorted(at)
        assert at[-1] < np.log(q @ (w / q)) + 1e-12
        assert_allclose(np.log(q @ (w / q)), truth, rtol=1e-12)
        assert abs(at[-1] - truth) < 2e-3


@pytest.mark.parametrize("system", [MVAE, MMVAE])
def test_the_corrected_estimate_is_that_of_the_models(system):
    """From a model's own samples and densities it agrees with `estimators.conditional`."""
    model = system({"a": Normal(3), "b": Laplace(2)}, latent=2, hidden=(4,))
    rng, K = np.random.default_rng(3), 20_000
    theta = model.init(rng, dtype=np.float64)
    x = {"a": rng.normal(size=(4, 3)), "b": rng.normal(size=(4, 2))}
    batch_of = {names: model.open(theta, {n: x[n] for n in names})[0] for names in ("a", "b", "ab")}

    def ratios(names):  # at the same samples from q(z|b) each time
        rng = np.random.default_rng(4)
        (log_w,) = log_weights(model, theta, [batch_of[names]], batch_of["b"], K, rng)
        return log_w

    both, given = ratios("ab"), ratios("b")
    found = log_conditional_is(both - given, given, 0 * given, 0 * given)
    x_a, x_b = {"a": x["a"]}, {"b": x["b"]}
    estimate = conditional(model, theta, x_a, x_b, K=K, rng=rng)
    assert (abs(found - estimate.log_p) < 0.05 + 5 * estimate.error).all()
    released = ratios("a")
    log_p = marginal(model, theta, x_a, K=K, rng=rng)
    assert (abs(np.logaddexp.reduce(released) - np.log(K) - log_p.log_p) < 0.1).all()


# ---- seeds and chance ---------------------------------------------------------------------------


def test_one_seed_covers_nothing():
    assert over_seeds([41.5]) == (41.5, 41.5, 41.5, 0.0)
    assert over_seeds([3.0, 1.0, 2.0, 9.0, 5.0]) == (3.0, 1.0, 9.0, 0.9375)


def test_chance_is_called_significant_as_often_as_promised():
    rng = np.random.default_rng(6)
    verdicts = against_chance(rng.binomial(500, 0.1, size=20_000), 500, chance=0.1)
    assert 0.03 < (verdicts != 0).mean() < 0.06  # 0.05 but for the steps of whole hits
    assert set(np.unique(verdicts)) == {-1, 0, 1}
    assert against_chance(120, 500, chance=0.1) == 1
