"""Claims about slide 6: modalities that are independent given z, and the weighted ELBO."""

import math

import numpy as np

from ..gradcheck import complex_step
from ..models import MVAE, VAE
from ..oracles import log_normal
from ..slides.s06_weighted_elbo import log_joint_subset, subset_elbo
from .gaussian_instances import (
    affine_model,
    exact_posterior,
    expert_parameters,
    kl_to_prior,
    set_exact_encoders,
    sigma_points,
)
from .instances import (
    all_masks,
    discrete_model,
    log_liks,
    occupied_states,
    per_mask,
    random_symbols,
    violation,
)
from .registry import T0, T2, T2C, claim

# S6.2: p(x_1, .., x_n, z) = p(z) p(x_1|z) .. p(x_n|z)


@claim("S6.2", of=log_joint_subset, tol=T0, oracle="O1 enumeration")
def dropping_a_factor_is_marginalising(f, rng):
    """Summing the joint over a missing modality's values drops its factor, for all 2^M masks."""
    model = discrete_model(rng)
    table = np.exp(model.log_prior)[:, None, None, None]
    log_px_z = np.empty((3, 5, 2, 3, 4))
    for m, log_lik in enumerate(model.log_lik):
        log_px_z[m] = np.expand_dims(log_lik, [a + 1 for a in range(3) if a != m])
        table = table * np.exp(log_px_z[m])
    flat, lhs, rhs = log_px_z.reshape(3, 5, -1), [], []
    log_pz = np.broadcast_to(model.log_prior[:, None], flat.shape[1:])
    for kept in all_masks(3).T:
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
    x, masks = random_symbols(model, rng), all_masks(3)
    log_px_z = per_mask(log_liks(model, x), masks)
    log_px_z[~masks[:, None].repeat(5, axis=1)] = np.nan
    log_joint, _ = f(per_mask(model.log_prior, masks), log_px_z, mask=masks)
    return log_joint, np.array([model.log_joint(x, subset) for subset in masks.T]).T


@claim("S6.1", "S6.3", of=subset_elbo, tol=T0, oracle="O1 enumeration")
def the_best_q_tempers_the_likelihood(f, rng):
    """Over all q the weighted ELBO is at most β log E_{p(z)} p(x|z)^(λ/β), which is reached by
    q(z) ∝ p(z) p(x|z)^(λ/β) and not by the posterior."""
    model = discrete_model(rng)
    log_lik, (lam, beta) = log_liks(model, random_symbols(model, rng)), rng.uniform(0.3, 2.0, 2)
    tempered = model.log_prior + lam / beta * log_lik.sum(axis=0)
    best = beta * np.logaddexp.reduce(tempered)
    values = []
    for q in np.exp(tempered - best / beta), *rng.dirichlet(np.ones(5), size=6):
        columns = log_lik[:, None], (model.log_prior - np.log(q))[None]  # a state is an example
        bound, _ = f(*columns, mask=np.ones((3, 5), bool), weights=np.full(3, lam), beta=beta)
        values.append(q @ bound)
    above, none = violation(values[1:], best)
    return np.append(above, values[0]), np.append(none, best)


@claim("S6.1", "S6.3", of=subset_elbo, tol=T2, oracle="O2 quadrature")
def near_one_the_expected_log_likelihood_decides(f, rng):
    """At β = 1 and λ near 1 the best value leaves log p(x) with the slope E_{p(z|x)} log p(x|z). A
    density that exceeds 1 for some z may have a negative slope, and then λ < 1 is no bound."""
    a, noise, x, h = np.array([1.0, -0.6, 0.3]), 0.35, rng.normal(0, 0.1, size=3), 1e-4
    z = np.linspace(-8, 8, 1601)
    log_prior = log_normal(z, 0.0, 0.0) + np.log(z[1] - z[0])
    log_lik = log_normal(x[:, None], a[:, None] * z, 2 * np.log(noise)).sum(axis=0)
    posterior = np.exp(log_prior + log_lik - np.logaddexp.reduce(log_prior + log_lik))
    excess = []
    for lam in 1 - h, 1 + h, 0.9:
        log_q = log_prior + lam * log_lik
        log_q = log_q - np.logaddexp.reduce(log_q)
        columns = log_lik[None, None], (log_prior - log_q)[None]  # a node is an example
        bound, _ = f(*columns, mask=np.ones((1, z.size), bool), weights=np.array([lam]))
        excess.append(np.exp(log_q) @ bound - np.logaddexp.reduce(log_prior + log_lik))
    slope = (excess[1] - excess[0]) / (2 * h)
    found = [slope, np.exp(log_lik.max()) > 1, excess[2] > 0]
    return np.array(found), np.array([posterior @ log_lik, 1, 1])


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
        rhs[-1] = rhs[-1] - beta * kl_to_prior(mu, log_var)
    return np.array(lhs), np.array(rhs)


@claim("S6.1", of=VAE.bound, tol=T0, oracle="O3 linear-Gaussian")
def the_exact_posterior_makes_every_weight_the_evidence(f, rng):
    """With q the exact posterior and λ = β = 1, any samples give log p(x) itself."""
    model, theta, twin, x = affine_model(VAE, rng, {"x": 4}, 3, N=5, kl="monte_carlo")
    set_exact_encoders(model.tree.views(theta), twin, prior=True)
    return f(model, theta, x, eps=rng.standard_normal((1, 2, 5, 3)))[0], twin.log_prob(x)


@claim("S6.1", of=VAE.bound, tol=T0, oracle="O3 linear-Gaussian")
def the_elbo_is_a_bound_at_lambda_beta_one(f, rng):
    """At λ = β = 1 the expected bound never exceeds log p(x), however near q is."""
    model, theta, twin, x = affine_model(VAE, rng, {"x": 3}, 2, N=20, kl="monte_carlo")
    set_exact_encoders(model.tree.views(theta), twin, prior=True)
    theta += 0.1 * rng.standard_normal(theta.shape) * (theta == 0)  # the log-variances' weights
    return violation(f(model, theta, x, eps=sigma_points(1, 20, 2))[0], twin.log_prob(x))


@claim("S6.1", of=VAE.bound, tol=T0, oracle="O3 linear-Gaussian")
def beta_below_one_is_no_bound(f, rng):
    """At β < 1 the exact posterior scores (1 − β) KL(q ‖ p) above log p(x)."""
    model, theta, twin, x = affine_model(VAE, rng, {"x": 4}, 2)
    set_exact_encoders(model.tree.views(theta), twin, prior=True)
    beta = rng.uniform(0.1, 0.9)
    excess = (1 - beta) * kl_to_prior(*exact_posterior(twin, x, [True]))
    bound, _ = f(model, theta, x, eps=sigma_points(1, 4, 2), beta=beta)
    return bound - twin.log_prob(x), excess


@claim("S6.1", of=VAE.bound, tol=T0, oracle="O3 linear-Gaussian")
def lambda_above_one_is_no_bound_on_densities(f, rng):
    """With λ > 1 the exact posterior scores (λ − 1) E log p(x|z) above log p(x), if that is > 0."""
    lam = rng.uniform(1.1, 2.0)
    model, theta, twin, x = affine_model(VAE, rng, {"x": 4}, 2, sigma=0.05, weights={"x": lam})
    set_exact_encoders(model.tree.views(theta), twin, prior=True)
    posterior = exact_posterior(twin, x, [True])
    excess = (lam - 1) * twin.expected_log_lik(*posterior, x["x"], "x")
    bound, _ = f(model, theta, x, eps=sigma_points(1, 4, 2))
    return bound - twin.log_prob(x), np.maximum(excess, 0)


@claim("S6.1", of=VAE.bound, tol=T2C, oracle="O7 complex step")
def the_weighted_elbo_has_this_gradient(f, rng):
    """The pullback of the weighted ELBO is its derivative with respect to every parameter."""
    model, _, _, x = affine_model(VAE, rng, {"x": 3}, 2, weights={"x": 0.7})
    model = VAE(model.modalities, latent=2, hidden=(5,), activation="tanh", weights=model.weights)
    theta = 0.5 * rng.standard_normal(model.tree.size)
    eps = rng.standard_normal((1, 3, 4, 2))

    def bound(theta):
        return f(model, theta, x, eps=eps, beta=1.6)

    return complex_step(bound, theta, rng=rng), 0.0


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
    """Draw a model, x, q; subset_elbo's arguments per mask, log p(x|z), log p(z)."""
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
    """Compute ELBO(X) of the product of the subset's experts and the prior, one row."""
    precision = 1 + sum(np.exp(-experts[m][1]) for m in subset)
    mean = sum(experts[m][0] * np.exp(-experts[m][1]) for m in subset) / precision
    log_var = -np.log(precision)
    score = sum(lam[m] * twin.expected_log_lik(mean, log_var, x[m], m) for m in subset)
    return float((score - beta * kl_to_prior(mean, log_var))[0])


def _branch(model, theta, name):
    """Return one modality's parameters, flat."""
    w = model.tree.views(theta)[name]
    return np.concatenate([view.ravel() for part in w.values() for view in part.values()])
