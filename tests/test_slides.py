"""The slides' formulas where no claim looks: impossible events, one value, models, results.

Their equations are claims, which test_claims runs.
"""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from mmvae_edu import estimators
from mmvae_edu.likelihoods import Binomial, Categorical
from mmvae_edu.models import MVAE, VAE
from mmvae_edu.slides.s04_mean_field import cavi_step, chain_rule_logp
from mmvae_edu.slides.s05_evidence import decompose, elbo, kl, posterior
from mmvae_edu.slides.s07_joint_posterior import posterior_from_unimodal, posterior_joint
from mmvae_edu.slides.s08_table_2 import (
    bootstrap_ci,
    is_log_joint,
    is_log_marginal,
    log_densities,
    seed_means,
    student_interval,
)
from mmvae_edu.slides.s13_tables import against_chance, over_seeds

# ---- slides 4, 5 and 7: impossible events ----


def test_chain_rule_with_impossible_events():
    P = np.zeros((2, 2, 3))
    P[0, 1] = [0.5, 0.25, 0]
    P[1, 0, 2] = 0.25
    with np.errstate(divide="ignore"):
        logP = np.log(P)
    for order in (0, 1, 2), (2, 0, 1):
        factors = chain_rule_logp(logP, order)
        assert not np.isnan(factors).any()
        assert_allclose(np.exp(factors.sum(axis=0)), P, atol=1e-15)


def test_a_factor_that_is_0_ignores_what_is_impossible_there():
    logP = np.array([[math.log(0.25), -np.inf], [math.log(0.75), 0.0]])
    q = [np.array([0.5, 0.5]), np.array([1.0, 0.0])]
    assert_allclose(cavi_step(logP, q, 0), [0.25, 0.75], rtol=1e-14)


def test_bound_and_kl_at_their_edges():
    q, p = np.array([0.5, 0.5, 0.0]), np.array([0.5, 0.0, 0.5])
    assert kl(q, q) == 0
    assert kl(q, p) == np.inf
    assert elbo(q, np.array([0.0, -np.inf, 0.0])) == -np.inf
    certain = decompose(np.array([1.0, 0.0]), np.log([0.2, 0.3]))
    assert_allclose(certain, [math.log(0.2), -math.log(0.4)], rtol=1e-14)


def test_equation_3_with_an_impossible_state():
    with np.errstate(divide="ignore"):
        log_prior = np.log([0.5, 0.5, 0.0])
        log_liks = np.log([[0.2, 0.6, 0.9], [0.5, 0.5, 0.1], [0.4, 0.2, 1.0]])
        log_posts = np.log([posterior(log_prior + log_lik) for log_lik in log_liks])
    for joint in (
        posterior_joint(log_prior, log_liks),
        posterior_from_unimodal(log_posts, log_prior),
    ):
        assert_allclose(joint, [0.4, 0.6, 0], rtol=1e-14)


# ---- slide 8: Table 2 of a model and of results ----

MODALITIES = {"image": Binomial(5, n=4), "label": Categorical(3)}
OPTIONS = {"latent": 2, "hidden": (6,)}


def test_log_densities_are_those_of_the_estimators():
    """From the same samples, their sums are the weights of `estimators`, with λ = 1."""
    rng = np.random.default_rng(0)
    model = MVAE(MODALITIES, weights={"label": 10.0}, **OPTIONS)
    model.theta = model.init(rng, np.float64)
    labels = np.array([0, 1, 1, 2, 0, 1, 2])
    x = {"image": rng.integers(0, 5, (7, 5)).astype(float), "label": np.eye(3)[labels]}
    drawn = log_densities(model, x, K=6, L=4, rng=np.random.default_rng(1))
    prior = drawn.pop("log_px2_prior")
    proposal, _ = model.checked_batch(model.theta, {"image": x["image"]})
    for names, estimate in (
        (["image"], is_log_marginal(*(drawn[n] for n in ("log_px1", "log_pz", "log_q")))),
        (["image", "label"], is_log_joint(**drawn)),
    ):
        target, _ = model.checked_batch(model.theta, {name: x[name] for name in names})
        rng = np.random.default_rng(1)
        (log_w,) = estimators._log_weights(model, model.theta, [target], proposal, 6, rng, 100)
        assert_allclose(estimate, np.log(np.exp(log_w).mean(axis=0)), rtol=1e-12)
    first = [0, 1, 3]  # all examples share the prior samples: p(x2) is a distribution
    assert_array_equal(prior, prior[:, first][:, labels])
    assert_allclose(np.exp(prior[:, first]).sum(axis=1), 1, rtol=1e-12)


def test_a_model_of_images_has_the_first_block_only():
    rng = np.random.default_rng(3)
    model = VAE({"image": MODALITIES["image"]}, **OPTIONS)
    model.theta = model.init(rng)
    drawn = log_densities(model, {"image": rng.integers(0, 5, (4, 5))}, K=3, rng=rng)
    assert list(drawn) == ["log_px1", "log_pz", "log_q"]
    assert all(part.shape == (3, 4) for part in drawn.values())


@pytest.mark.parametrize("n", [2, 3, 12])
@pytest.mark.parametrize("level", [0.05, 0.95, 0.999])
def test_students_interval_is_scipys(n, level):
    values = np.random.default_rng(n).normal(-86, 3, size=n)
    expected = stats.t.interval(level, n - 1, values.mean(), stats.sem(values))
    assert_allclose(student_interval(values, level=level), expected, rtol=1e-10)


def test_one_value_has_no_interval():
    with pytest.raises(ValueError, match="expected at least 2, found 1"):
        student_interval([1.0])


def test_the_bootstrap_of_equal_values_is_a_point():
    assert bootstrap_ci(np.full(9, 2.5), np.random.default_rng(0)) == (2.5, 2.5)


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


def test_runs_of_two_configurations_are_no_seeds_of_one():
    """Their evaluations may differ, and a number that belongs to another table is no block."""
    runs = [run("A", seed, joint=-3.0) for seed in range(2)]
    runs[0]["job"] |= {"evaluation": {"K": 1}, "training": {"epochs": 2}}
    runs[1]["job"] |= {"evaluation": {"K": 2}, "training": {"epochs": 2}}
    runs[0]["numbers"]["shared"] = {"mean": 2.0, "error": 0.1, "part": "What is shared"}
    assert [row[3] for row in seed_means(runs)] == ["joint"]
    runs[1]["job"]["training"] = {"epochs": 3}
    with pytest.raises(ValueError, match="one configuration of 'A', found two, .* in training"):
        seed_means(runs)


# ---- slide 13 ----


def test_one_seed_covers_nothing():
    assert over_seeds([41.5]) == (41.5, 41.5, 41.5, 0.0)


def test_one_number_may_stand_for_an_array_of_hits():
    assert against_chance(120, 500, chance=0.1) == 1
