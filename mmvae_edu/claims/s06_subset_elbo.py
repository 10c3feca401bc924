"""Claims about slide 6: the ELBO of a set of modalities."""

import math

import numpy as np

from ..models import MVAE
from ..slides.s06_weighted_elbo import subset_elbo
from .gaussian_instances import affine_model, expert_parameters, kl_to_prior, sigma_points
from .instances import (
    all_masks,
    discrete_model,
    log_liks,
    occupied_states,
    per_mask,
    random_symbols,
    violation,
)
from .registry import T0, claim

# S6.3: ELBO(X) = E_q[Σ_{x_i in X} λ_i log p(x_i|z)] − β KL(q ‖ p)


@claim("S6.3", "S6.1", of=subset_elbo, tol=T0, oracle="O1 enumeration")
def subset_elbo_is_this_expectation(f, rng):
    """ELBO(X) sums λ_m E_q log p(x_m|z) over the present modalities and subtracts β KL once."""
    weights, beta = rng.uniform(0.3, 2.0, size=3), rng.uniform(0.3, 2.0)
    _, _, q, arguments, log_lik, log_prior = _discrete_subsets(rng)
    kl = math.fsum(q * (np.log(q) - log_prior))
    rhs = [math.fsum(q @ (kept * weights * log_lik)) - beta * kl for kept in all_masks(3).T]
    return f(*arguments, mask=all_masks(3), weights=weights, beta=beta)[0], np.array(rhs)


@claim("S6.3", of=subset_elbo, tol=T0, oracle="O1 enumeration")
def every_subset_elbo_is_a_bound(f, rng):
    """At λ = β = 1 ELBO(X) is at most log p(X) for every subset X, and for any q."""
    model, x, _, arguments, *_ = _discrete_subsets(rng)
    log_evidence = [model.log_evidence(x, subset) for subset in all_masks(3).T]
    bound, _ = f(*arguments, mask=all_masks(3), weights=np.ones(3))
    return violation(bound, log_evidence)


@claim("S6.3", of=subset_elbo, tol=T0, oracle="O1 enumeration")
def subset_elbo_misses_the_evidence_by_its_kl(f, rng):
    """At λ = β = 1 ELBO(X) = log p(X) − KL(q ‖ p(z|X)), for every subset X."""
    model, x, q, arguments, *_ = _discrete_subsets(rng)
    rhs = []
    for subset in all_masks(3).T:
        kl = math.fsum(q * (np.log(q) - np.log(model.posterior(x, subset))))
        rhs.append(model.log_evidence(x, subset) - kl)
    return f(*arguments, mask=all_masks(3), weights=np.ones(3))[0], np.array(rhs)


@claim("S6.3", of=subset_elbo, tol=T0, oracle="O1 enumeration")
def lambda_below_one_is_no_bound_on_symbols(f, rng):
    """With λ < 1 on discrete data the exact posterior scores Σ (λ_m − 1) E log p(x_m|z) > 0 above
    log p(X)."""
    model = discrete_model(rng)
    x, lam = random_symbols(model, rng), rng.uniform(0.1, 0.9, size=3)
    posterior = model.posterior(x)
    log_lik = log_liks(model, x)
    log_ratio = model.log_prior - np.log(posterior)
    one_sample_a_state = f(
        log_lik[:, None] , log_ratio[None], mask=np.ones((3, 5), bool), weights=lam
    )[0]  # fmt: skip
    excess = math.fsum(posterior @ ((1 - lam[:, None]) * -log_lik).T)
    return posterior @ one_sample_a_state - model.log_evidence(x), np.float64(excess)


def _discrete_subsets(rng, K=11):
    """A model, x, q, subset_elbo's arguments with a column for each mask, log p(x|z), log p(z)."""
    model = discrete_model(rng)
    x, (states, q) = random_symbols(model, rng), occupied_states(rng, 5, K)
    log_lik = log_liks(model, x)
    log_ratio = (model.log_prior - np.log(q))[states]
    arguments = per_mask(log_lik[:, states], all_masks(3)), per_mask(log_ratio, all_masks(3))
    return model, x, q, arguments, log_lik.T, model.log_prior


@claim("S6.3", of=MVAE.bound, tol=T0, oracle="O3 linear-Gaussian")
def mvae_scores_each_subset_by_its_elbo(f, rng):
    """MVAE's bound is the sum of ELBO(X), λ and β included, over each row's distinct subsets."""
    beta, lam = 1.4, {"a": 0.6, "b": 1.0, "c": 1.9}
    model, theta, twin, x = affine_model(
        MVAE, rng, {"a": 2, "b": 3, "c": 4}, 2, weights=lam, subsets=1
    )
    mask = np.array([[1, 1, 0, 1], [1, 1, 1, 0], [1, 0, 1, 0]], bool)
    sampled = np.array([[True, False, True]])
    eps = sigma_points(5, 4, 2)
    bound, _ = f(model, theta, x, mask=mask, eps=eps, beta=beta, sampled=sampled)
    experts = dict(zip(x, zip(*expert_parameters(model, theta, x), strict=True), strict=True))
    rhs = []
    for n in range(4):
        present = [m for m, kept in zip(x, mask[:, n], strict=True) if kept]
        wanted = [present, *([m] for m in x), ["a", "c"]]
        distinct = {tuple(m for m in subset if m in present) for subset in wanted} - {()}
        row = {m: values[n : n + 1] for m, values in x.items()}
        own = {m: (mu[n : n + 1], lv[n : n + 1]) for m, (mu, lv) in experts.items()}
        rhs.append(sum(_product_elbo(twin, row, own, X, lam, beta) for X in sorted(distinct)))
    return bound, np.array(rhs)


@claim("S6.3", of=MVAE.bound, tol=T0, oracle="a model without the modality")
def a_missing_modality_is_no_modality(f, rng):
    """A masked modality, NaN or not, scores as if the model lacked it, and gets no gradient."""
    model, theta, _, x = affine_model(MVAE, rng, {"a": 2, "b": 3, "c": 4}, 2)
    smaller = MVAE({m: model.modalities[m] for m in "ac"}, latent=2, hidden=())
    kept = np.concatenate([_branch(model, theta, m) for m in "ac"])
    eps = rng.standard_normal((4, 3, 4, 2))
    mask = np.array([[True], [False], [True]]).repeat(4, axis=1)
    bound, pullback = f(model, theta, x | {"b": x["b"] * np.nan}, mask=mask, eps=eps)
    gradient = pullback(np.ones(4))
    expected, expected_pullback = smaller.bound(kept, {m: x[m] for m in "ac"}, eps=eps[[0, 1, 3]])
    expected_gradient = expected_pullback(np.ones(4))
    absent = _branch(model, gradient, "b")
    lhs = [bound, absent, *(_branch(model, gradient, m) for m in "ac")]
    return np.concatenate(lhs), np.concatenate([expected, absent * 0, expected_gradient])


def _product_elbo(twin, x, experts, subset, lam, beta):
    """ELBO(X) of the product of the subset's experts and the prior, one row."""
    precision = 1 + sum(np.exp(-experts[m][1]) for m in subset)
    mean = sum(experts[m][0] * np.exp(-experts[m][1]) for m in subset) / precision
    log_var = -np.log(precision)
    score = sum(lam[m] * twin.expected_log_lik(mean, log_var, x[m], m) for m in subset)
    return float((score - beta * kl_to_prior(mean, log_var))[0])


def _branch(model, theta, name):
    """One modality's parameters, flat."""
    w = model.tree.views(theta)[name]
    return np.concatenate([view.ravel() for part in w.values() for view in part.values()])
