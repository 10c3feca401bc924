"""Slide 6: the weighted ELBO, conditional independence, and the ELBO of a subset."""

import copy
import itertools
import math

import numpy as np

from ..bounds import log_joint_subset, subset_elbo
from ..gradcheck import complex_step
from ..models import MVAE, VAE
from .instances import (
    affine_model,
    discrete_model,
    expert_parameters,
    occupied_states,
    random_symbols,
    set_exact_encoders,
    sigma_points,
    violation,
)
from .registry import T0, T2C, claim, mutant

# S6.1: ELBO(x) = E_q[λ log p(x|z)] − β KL(q ‖ p)


@claim("S6.1", of=VAE.bound, tol=T0, oracle="O3 linear-Gaussian")
def lambda_scales_the_likelihood_and_beta_the_kl(f, rng):
    """The bound is λ times the expected log likelihood minus β times KL(q ‖ p)."""
    lam, beta = rng.uniform(0.3, 3.0, size=2)
    lhs, rhs = [], []
    for kl in "closed_form", "monte_carlo":
        model, theta, twin, x = affine_model(VAE, rng, {"x": 3}, 2, kl=kl, weights={"x": lam})
        (mu,), (log_var,) = expert_parameters(model, theta, x)
        lhs.append(f(model, theta, x, eps=sigma_points(1, 4, 2), beta=beta)[0])
        rhs.append(lam * twin.expected_log_lik(mu, log_var, x["x"], "x"))
        rhs[-1] = rhs[-1] - beta * _kl(mu, log_var)
    return np.array(lhs), np.array(rhs)


@claim("S6.1", of=VAE.bound, tol=T0, oracle="O3 linear-Gaussian")
def the_exact_posterior_makes_every_weight_the_evidence(f, rng):
    """With q the exact posterior and λ = β = 1, any samples give log p(x) itself."""
    model, theta, twin, x = affine_model(VAE, rng, {"x": 4}, 3, N=5, kl="monte_carlo")
    set_exact_encoders(model, theta, twin, prior=True)
    return f(model, theta, x, eps=rng.standard_normal((1, 2, 5, 3)))[0], twin.log_prob(x)


@claim("S6.1", of=VAE.bound, tol=T0, oracle="O3 linear-Gaussian")
def the_elbo_is_a_bound_at_lambda_beta_one(f, rng):
    """At λ = β = 1 the expected bound never exceeds log p(x), however close q to the posterior."""
    model, theta, twin, x = affine_model(VAE, rng, {"x": 3}, 2, N=20, kl="monte_carlo")
    set_exact_encoders(model, theta, twin, prior=True)
    theta += 0.1 * rng.standard_normal(theta.shape) * (theta == 0)  # the log-variances' weights
    return violation(f(model, theta, x, eps=sigma_points(1, 20, 2))[0], twin.log_prob(x))


@claim("S6.1", of=VAE.bound, tol=T0, oracle="O3 linear-Gaussian")
def beta_below_one_is_no_bound(f, rng):
    """At β < 1 the exact posterior scores (1 − β) KL(q ‖ p) above log p(x)."""
    model, theta, twin, x = affine_model(VAE, rng, {"x": 4}, 2)
    set_exact_encoders(model, theta, twin, prior=True)
    beta = rng.uniform(0.1, 0.9)
    mean, cov = twin.posterior(x)
    excess = (1 - beta) * _kl(mean, np.broadcast_to(np.log(np.diag(cov)), mean.shape))
    bound, _ = f(model, theta, x, eps=sigma_points(1, 4, 2), beta=beta)
    return bound - twin.log_prob(x), excess


@claim("S6.1", of=VAE.bound, tol=T0, oracle="O3 linear-Gaussian")
def lambda_above_one_is_no_bound_on_densities(f, rng):
    """Where densities exceed 1, λ > 1 scores (λ − 1) E log p(x|z) above log p(x)."""
    lam = rng.uniform(1.1, 2.0)
    model, theta, twin, x = affine_model(VAE, rng, {"x": 4}, 2, sigma=0.05, weights={"x": lam})
    set_exact_encoders(model, theta, twin, prior=True)
    mean, cov = twin.posterior(x)
    log_var = np.broadcast_to(np.log(np.diag(cov)), mean.shape)
    excess = (lam - 1) * twin.expected_log_lik(mean, log_var, x["x"], "x")
    bound, _ = f(model, theta, x, eps=sigma_points(1, 4, 2))
    return bound - twin.log_prob(x), np.maximum(excess, 0)


@claim("S6.1", of=VAE.bound, tol=T2C, oracle="O7 complex step")
def the_weighted_elbo_has_this_gradient(f, rng):
    """The pullback of the weighted ELBO is its derivative in every parameter."""
    model, _, _, x = affine_model(VAE, rng, {"x": 3}, 2, weights={"x": 0.7})
    model = VAE(model.modalities, latent=2, hidden=(5,), activation="tanh", weights=model.weights)
    theta = 0.5 * rng.standard_normal(model.tree.size)
    eps = rng.standard_normal((1, 3, 4, 2))

    def bound(theta):
        return f(model, theta, x, eps=eps, beta=1.6)

    return complex_step(bound, theta, rng=rng), 0.0


def _kl(mu, log_var):
    return 0.5 * (np.exp(log_var) + mu**2 - 1 - log_var).sum(axis=-1)


def _with_weights(model, factor):
    """The same model with every λ multiplied."""
    model = copy.copy(model)
    model.weights = {m: factor * lam for m, lam in model.weights.items()}
    return model


@mutant(VAE.bound, says="λ multiplies the KL too: in S6.1 it stands at the likelihood only")
def lambda_on_the_kl(model, theta, x, *, mask=None, eps, beta=1.0):
    return VAE.bound(model, theta, x, eps=eps, beta=beta * math.prod(model.weights.values()))


@mutant(VAE.bound, says="β is missing from S6.1")
def beta_ignored(model, theta, x, *, mask=None, eps, beta=1.0):
    return VAE.bound(model, theta, x, eps=eps)


@mutant(VAE.bound, says="the KL is added: S6.1 subtracts it")
def kl_added(model, theta, x, *, mask=None, eps, beta=1.0):
    return VAE.bound(model, theta, x, eps=eps, beta=-beta)


@mutant(VAE.bound, says="λ is missing from S6.1")
def lambda_missing(model, theta, x, *, mask=None, eps, beta=1.0):
    unweighted = _with_weights(model, 1 / math.prod(model.weights.values()))
    return VAE.bound(unweighted, theta, x, eps=eps, beta=beta)


@mutant(VAE.bound, says="β multiplies the likelihood: in S6.1 it stands at the KL")
def beta_on_the_likelihood(model, theta, x, *, mask=None, eps, beta=1.0):
    return VAE.bound(_with_weights(model, beta), theta, x, eps=eps)


@mutant(VAE.bound, says="the gradient of the decoder misses λ of S6.1")
def lambda_missing_in_the_gradient(model, theta, x, *, mask=None, eps, beta=1.0):
    bound, _ = VAE.bound(model, theta, x, eps=eps, beta=beta)
    unweighted = _with_weights(model, 1 / math.prod(model.weights.values()))
    return bound, VAE.bound(unweighted, theta, x, eps=eps, beta=beta)[1]


# S6.2: p(x_1, .., x_n, z) = p(z) p(x_1|z) .. p(x_n|z)


@claim("S6.2", of=log_joint_subset, tol=T0, oracle="O1 enumeration")
def dropping_a_factor_is_marginalising(f, rng):
    """Summing the joint over a missing modality's values drops its factor, for all 2^M masks."""
    model = discrete_model(rng)
    table = np.exp(model.log_prior)[:, None, None, None]
    for m, log_lik in enumerate(model.log_lik):
        table = table * np.exp(np.expand_dims(log_lik, [a + 1 for a in range(3) if a != m]))
    log_px_z = np.array([np.broadcast_to(np.log(1.0), table.shape)] * 3)
    for m, log_lik in enumerate(model.log_lik):
        log_px_z[m] = np.expand_dims(log_lik, [a + 1 for a in range(3) if a != m])
    flat, lhs, rhs = log_px_z.reshape(3, 5, -1), [], []
    log_pz = np.broadcast_to(model.log_prior[:, None], flat.shape[1:])
    for kept in _masks(3).T:
        missing = tuple(np.flatnonzero(~kept) + 1)
        marginal = np.broadcast_to(table.sum(axis=missing, keepdims=True), table.shape)
        mask = np.broadcast_to(kept[:, None], (3, flat.shape[2]))
        lhs.append(f(log_pz, flat, mask=mask)[0])
        rhs.append(np.log(marginal).reshape(5, -1))
    return np.array(lhs), np.array(rhs)


@claim("S6.2", of=log_joint_subset, tol=T0, oracle="O1 enumeration")
def what_stands_under_a_mask_does_not_matter(f, rng):
    """A missing modality's likelihood may be NaN: its factor is dropped, not multiplied by 0."""
    model = discrete_model(rng)
    x, masks = random_symbols(model, rng), _masks(3)
    log_px_z = _repeat(np.array([t[:, v] for t, v in zip(model.log_lik, x, strict=True)]), masks)
    log_px_z[~masks[:, None].repeat(5, axis=1)] = np.nan
    log_joint, _ = f(_repeat(model.log_prior, masks), log_px_z, mask=masks)
    return log_joint, np.array([model.log_joint(x, subset) for subset in masks.T]).T


@claim("S6.2", of=log_joint_subset, tol=T2C, oracle="O7 complex step")
def a_dropped_factor_has_no_gradient(f, rng):
    """The pullback gives 1 to the prior and to each present factor, 0 to a missing one."""
    log_px_z, mask = rng.standard_normal((3, 2, 8)), _masks(3)
    return complex_step(f, rng.standard_normal((2, 8)), log_px_z, rng=rng, mask=mask), 0.0


def _masks(M):
    """All 2^M masks as the columns of (M, 2^M)."""
    return np.array(list(itertools.product([True, False], repeat=M))).T


def _repeat(a, masks):
    """A trailing axis, one column for every mask."""
    return np.repeat(a[..., None], masks.shape[1], axis=-1)


@mutant(log_joint_subset, says="the absent modality's factor still stands in S6.2")
def absent_factor_kept(log_pz, log_px_z, *, mask):
    return log_joint_subset(log_pz, log_px_z, mask=np.ones_like(mask))


@mutant(log_joint_subset, says="the present log likelihoods are averaged: S6.2 multiplies factors")
def factors_averaged(log_pz, log_px_z, *, mask):
    count = np.maximum(mask.sum(axis=0), 1)
    return log_joint_subset(log_pz, log_px_z / count, mask=mask)


@mutant(log_joint_subset, says="the prior enters once per modality: S6.2 has one p(z)")
def prior_in_every_factor(log_pz, log_px_z, *, mask):
    log_joint, pullback = log_joint_subset(log_pz, log_px_z, mask=mask)
    return log_joint + (mask.sum(axis=0) - 1) * log_pz, pullback


@mutant(log_joint_subset, says="log p(x_m|z) times the mask: what stands under it leaks as NaN")
def multiplied_by_the_mask(log_pz, log_px_z, *, mask):
    _, pullback = log_joint_subset(log_pz, log_px_z, mask=mask)
    return log_pz + (mask[:, None] * log_px_z).sum(axis=0), pullback


@mutant(log_joint_subset, says="the gradient reaches the decoder of an absent modality")
def gradient_into_the_absent(log_pz, log_px_z, *, mask):
    log_joint, _ = log_joint_subset(log_pz, log_px_z, mask=mask)
    return log_joint, log_joint_subset(log_pz, log_px_z, mask=np.ones_like(mask))[1]


# S6.3: ELBO(X) = E_q[Σ_{x_i in X} λ_i log p(x_i|z)] − β KL(q ‖ p)


@claim("S6.3", "S6.1", of=subset_elbo, tol=T0, oracle="O1 enumeration")
def subset_elbo_is_this_expectation(f, rng):
    """ELBO(X) sums λ_m E_q log p(x_m|z) over the present modalities and subtracts β KL once."""
    weights, beta = rng.uniform(0.3, 2.0, size=3), rng.uniform(0.3, 2.0)
    _, _, q, arguments, log_lik, log_prior = _discrete_subsets(rng)
    kl = math.fsum(q * (np.log(q) - log_prior))
    rhs = [math.fsum(q @ (kept * weights * log_lik)) - beta * kl for kept in _masks(3).T]
    return f(*arguments, mask=_masks(3), weights=weights, beta=beta)[0], np.array(rhs)


@claim("S6.3", of=subset_elbo, tol=T0, oracle="O1 enumeration")
def every_subset_elbo_is_a_bound(f, rng):
    """At λ = β = 1 ELBO(X) is at most log p(X) for every subset X, and for any q."""
    model, x, _, arguments, *_ = _discrete_subsets(rng)
    log_evidence = [model.log_evidence(x, subset) for subset in _masks(3).T]
    bound, _ = f(*arguments, mask=_masks(3), weights=np.ones(3))
    return violation(bound, log_evidence)


@claim("S6.3", of=subset_elbo, tol=T0, oracle="O1 enumeration")
def subset_elbo_misses_the_evidence_by_its_kl(f, rng):
    """At λ = β = 1 ELBO(X) = log p(X) − KL(q ‖ p(z|X)), for every subset X."""
    model, x, q, arguments, *_ = _discrete_subsets(rng)
    rhs = []
    for subset in _masks(3).T:
        kl = math.fsum(q * (np.log(q) - np.log(model.posterior(x, subset))))
        rhs.append(model.log_evidence(x, subset) - kl)
    return f(*arguments, mask=_masks(3), weights=np.ones(3))[0], np.array(rhs)


@claim("S6.3", of=subset_elbo, tol=T0, oracle="O1 enumeration")
def lambda_below_one_is_no_bound_on_symbols(f, rng):
    """With λ < 1 on discrete data the exact posterior can score above log p(X)."""
    model = discrete_model(rng)
    x, lam = random_symbols(model, rng), rng.uniform(0.1, 0.9, size=3)
    posterior = model.posterior(x)
    log_lik = np.array([t[:, v] for t, v in zip(model.log_lik, x, strict=True)])
    log_ratio = model.log_prior - np.log(posterior)
    one_sample_a_state = f(
        log_lik[:, None] , log_ratio[None], mask=np.ones((3, 5), bool), weights=lam
    )[0]  # fmt: skip
    excess = math.fsum(posterior @ ((1 - lam[:, None]) * -log_lik).T)
    return posterior @ one_sample_a_state - model.log_evidence(x), np.float64(excess)


@claim("S6.3", of=subset_elbo, tol=T2C, oracle="O7 complex step")
def subset_elbo_has_this_gradient(f, rng):
    """The pullback of ELBO(X): λ_m / K for a present modality, β / K for the prior ratio."""
    log_px_z, log_ratio = rng.standard_normal((3, 2, 8)), rng.standard_normal((2, 8))
    constants = {"mask": _masks(3), "weights": rng.uniform(0.3, 2.0, size=3), "beta": 1.7}
    return complex_step(f, log_px_z, log_ratio, rng=rng, **constants), 0.0


def _discrete_subsets(rng, K=11):
    """A model, x, q, subset_elbo's arguments with a column for each mask, log p(x|z), log p(z)."""
    model = discrete_model(rng)
    x, (states, q) = random_symbols(model, rng), occupied_states(rng, 5, K)
    log_lik = np.array([t[:, v] for t, v in zip(model.log_lik, x, strict=True)])
    log_ratio = (model.log_prior - np.log(q))[states]
    arguments = _repeat(log_lik[:, states], _masks(3)), _repeat(log_ratio, _masks(3))
    return model, x, q, arguments, log_lik.T, model.log_prior


@mutant(subset_elbo, says="the KL is subtracted once per modality: S6.3 has it once")
def kl_once_per_modality(log_px_z, log_ratio, *, mask, weights, beta=1.0):
    ratio = mask.sum(axis=0) * log_ratio
    return subset_elbo(log_px_z, ratio, mask=mask, weights=weights, beta=beta)


@mutant(subset_elbo, says="λ multiplies the KL too: in S6.3 it stands at the likelihoods only")
def mean_lambda_on_the_kl(log_px_z, log_ratio, *, mask, weights, beta=1.0):
    beta = beta * np.mean(weights)
    return subset_elbo(log_px_z, log_ratio, mask=mask, weights=weights, beta=beta)


@mutant(subset_elbo, says="an absent modality still stands in the sum of S6.3")
def absent_modality_scored(log_px_z, log_ratio, *, mask, weights, beta=1.0):
    mask = np.ones_like(mask)
    return subset_elbo(log_px_z, log_ratio, mask=mask, weights=weights, beta=beta)


@mutant(subset_elbo, says="the mean over present modalities: S6.3 has their sum")
def mean_over_present(log_px_z, log_ratio, *, mask, weights, beta=1.0):
    log_px_z = log_px_z / np.maximum(mask.sum(axis=0), 1)
    return subset_elbo(log_px_z, log_ratio, mask=mask, weights=weights, beta=beta)


@mutant(subset_elbo, says="the KL is added: S6.3 subtracts it")
def kl_of_the_subset_added(log_px_z, log_ratio, *, mask, weights, beta=1.0):
    return subset_elbo(log_px_z, log_ratio, mask=mask, weights=weights, beta=-beta)


@mutant(subset_elbo, says="λ of S6.3 is missing")
def subset_lambda_ignored(log_px_z, log_ratio, *, mask, weights, beta=1.0):
    weights = np.ones_like(weights)
    return subset_elbo(log_px_z, log_ratio, mask=mask, weights=weights, beta=beta)


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
        rhs.append(sum(_product_elbo(twin, row, own, X, lam, beta) for X in distinct))
    return bound, np.array(rhs)


@claim("S6.3", of=MVAE.bound, tol=T0, oracle="a model without the modality")
def a_missing_modality_is_no_modality(f, rng):
    """A masked modality, NaN or not, scores as if the model had none, and gets no gradient."""
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
    return float((score - beta * _kl(mean, log_var))[0])


def _branch(model, theta, name):
    """One modality's parameters, flat."""
    w = model.tree.views(theta)[name]
    return np.concatenate([view.ravel() for part in w.values() for view in part.values()])


@mutant(MVAE.bound, says="zeros fed to the encoder of a missing modality: S6.3 has no such factor")
def missing_filled_with_zeros(model, theta, x, *, mask=None, eps, beta=1.0, sampled=None):
    if mask is not None:
        x = {m: np.where(kept[:, None], x[m], 0) for m, kept in zip(x, mask, strict=True)}
    return MVAE.bound(model, theta, x, eps=eps, beta=beta, sampled=sampled)


@mutant(MVAE.bound, says="the KL is weighed by the number of modalities: S6.3 has it once")
def kl_times_modalities(model, theta, x, *, mask=None, eps, beta=1.0, sampled=None):
    beta = beta * len(model.modalities)
    return MVAE.bound(model, theta, x, mask=mask, eps=eps, beta=beta, sampled=sampled)


@mutant(MVAE.bound, says="λ of S6.3 is missing")
def lambda_ignored(model, theta, x, *, mask=None, eps, beta=1.0, sampled=None):
    model = copy.copy(model)
    model.weights = dict.fromkeys(model.weights, 1.0)
    return MVAE.bound(model, theta, x, mask=mask, eps=eps, beta=beta, sampled=sampled)
