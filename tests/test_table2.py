"""Table 2 where no claim looks: the log densities of a model, Student's interval, rows of results.

The estimates and the checks themselves are claims of S8.T2, tested with all others in test_claims.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from mmvae_edu.estimators import log_weights
from mmvae_edu.likelihoods import Binomial, Categorical
from mmvae_edu.models import MVAE, VAE
from mmvae_edu.slides.s08_table_2 import (
    bootstrap_ci,
    consistency_report,
    is_log_conditional,
    is_log_joint,
    is_log_marginal,
    log_densities,
    seed_means,
    student_interval,
)

MODALITIES = {"image": Binomial(5, n=4), "label": Categorical(3)}
OPTIONS = {"latent": 2, "hidden": (6,)}


@pytest.fixture(scope="module")
def setting():
    """An untrained MVAE that weighs the label by 10, and 7 examples."""
    rng = np.random.default_rng(0)
    model = MVAE(MODALITIES, weights={"label": 10.0}, **OPTIONS)
    model.theta = model.init(rng, np.float64)
    labels = np.array([0, 1, 1, 2, 0, 1, 2])
    x = {"image": rng.integers(0, 5, (7, 5)).astype(float), "label": np.eye(3)[labels]}
    return model, x, labels


# ---- the log densities of a model ---------------------------------------------------------------


def test_the_estimates_are_those_of_the_estimators(setting):
    """Of the same samples, the weights of `estimators` are the sums of these log densities."""
    model, x, _ = setting
    drawn = log_densities(model, x, K=6, L=4, rng=np.random.default_rng(1))
    prior = drawn.pop("log_px2_prior")
    proposal, _ = model.open(model.theta, {"image": x["image"]})
    for names, estimate in (
        (["image"], is_log_marginal(*(drawn[n] for n in ("log_px1", "log_pz", "log_q")))),
        (["image", "label"], is_log_joint(**drawn)),
    ):
        target, _ = model.open(model.theta, {name: x[name] for name in names})
        rng = np.random.default_rng(1)
        (log_w,) = log_weights(model, model.theta, [target], proposal, 6, rng)
        assert_allclose(estimate, np.log(np.exp(log_w).mean(axis=0)), rtol=1e-12)
    conditional = is_log_conditional(**drawn, log_px2_prior=prior)
    implied = is_log_joint(**drawn) - conditional
    assert_allclose(implied, np.log(np.exp(prior).mean(axis=0)), rtol=1e-12)


def test_the_estimated_label_is_a_distribution(setting):
    """All examples share the prior samples, so the p(x2) of the three labels sum to 1."""
    model, x, labels = setting
    prior = log_densities(model, x, K=2, L=9, rng=np.random.default_rng(2))["log_px2_prior"]
    assert prior.shape == (9, 7)
    for label in range(3):
        mine = prior[:, labels == label]
        assert (mine == mine[:, :1]).all()
    first = [np.flatnonzero(labels == label)[0] for label in range(3)]
    assert_allclose(np.exp(prior[:, first]).mean(axis=0).sum(), 1, rtol=1e-12)


def test_a_model_of_images_has_the_first_block_only():
    rng = np.random.default_rng(3)
    model = VAE({"image": MODALITIES["image"]}, **OPTIONS)
    model.theta = model.init(rng)
    drawn = log_densities(model, {"image": rng.integers(0, 5, (4, 5))}, K=3, rng=rng)
    assert list(drawn) == ["log_px1", "log_pz", "log_q"]
    assert all(part.shape == (3, 4) for part in drawn.values())


# ---- how sure a mean is -------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 5, 12])
@pytest.mark.parametrize("level", [0.05, 0.5, 0.95, 0.999])
def test_students_interval_is_scipys(n, level):
    values = np.random.default_rng(n).normal(-86, 3, size=n)
    expected = stats.t.interval(level, n - 1, values.mean(), stats.sem(values))
    assert_allclose(student_interval(values, level=level), expected, rtol=1e-10)


def test_one_value_has_no_interval():
    with pytest.raises(ValueError, match="expected at least 2, found 1"):
        student_interval([1.0])


def test_the_bootstrap_of_equal_values_is_a_point():
    assert bootstrap_ci(np.full(9, 2.5), np.random.default_rng(0)) == (2.5, 2.5)


def test_the_bootstrap_covers_as_promised_only_of_many_values():
    """The lesson's warning: 95% of five values is far from 95%, and of a hundred is near it."""
    rng, covered = np.random.default_rng(0), {}
    for n in 5, 100:
        sets = rng.standard_normal((1000, n))
        ends = np.array([bootstrap_ci(values, rng, resamples=400) for values in sets])
        covered[n] = ((ends[:, 0] < 0) & (ends[:, 1] > 0)).mean()
    assert covered[5] < 0.88
    assert abs(covered[100] - 0.94) < 0.03


# ---- tables -------------------------------------------------------------------------------------


def test_an_entropy_for_each_row_or_one_for_all():
    table = [[-90.0, -90.5, -88.5], [-90.0, -90.5, -88.5]]
    _, one = consistency_report(table, entropy=2.1)
    _, each = consistency_report(table, entropy=np.array([2.1, 0.0]))
    assert one.tolist() == [[False, True, False]] * 2
    assert each.tolist() == [[False, True, False], [False] * 3]


def run(system, seed, **means):
    numbers = {name: {"mean": mean, "error": 0.1} for name, mean in means.items()}
    return {"job": {"system": system, "seed": seed}, "parameters": 7, "numbers": numbers}


def test_a_row_for_each_system_and_block():
    runs = [run("A", 0, joint=-3.0), run("B", 0, joint=-5.0, label=-1.0), run("A", 1, joint=-4.0)]
    rows = seed_means(runs)
    assert [row[:5] for row in rows] == [
        ["A", 7, 2, "joint", -3.5],
        ["B", 7, 1, "joint", -5.0],
        ["B", 7, 1, "label", -1.0],
    ]
    assert rows[0][5:] == list(student_interval([-3.0, -4.0]))
    assert np.isnan(rows[1][5:]).all()
    assert seed_means([]) == []
