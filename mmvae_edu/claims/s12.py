"""Claims about slide 12: the mixture's expectation, Jensen's inequality by expert, the limit."""

import math

import numpy as np

from ..models import MMVAE
from ..objectives import mixture_elbo, mixture_iwae, stratified_iwae
from ..oracles import (
    iwae_exact,
    mixture_iwae_exact,
    stratified_iwae_exact,
)
from ..slides.s11_mixture import looseness_gap
from .gaussian_instances import over_all_noise
from .instances import discrete_mixture, expected_bound, violation
from .registry import T0, T1, claim

# S12.1: E_{q_Φ} = (1/M) Σ_m E_{q_m}


@claim("S12.1", of=mixture_elbo, tol=T0, oracle="O1 enumeration")
def the_mixtures_expectation_is_the_mean_over_experts(f, rng):
    """Any function's expectation under q_Φ is the mean over experts of those under q_m."""
    _, _, q, _, states = discrete_mixture(rng, 5, 3, K=14)
    anything = rng.normal(-20, 5, size=(5, 4))
    return f(anything[states])[0], q.mean(axis=0) @ anything


@claim("S12.1", of=mixture_elbo, tol=T0, oracle="O1 enumeration")
def one_sample_an_expert_is_unbiased(f, rng):
    """Averaged over all outcomes of one draw per expert the estimate is the ELBO of q_Φ."""
    model, x, q, log_w, _ = discrete_mixture(rng, 4, 3)
    return expected_bound(f, q, log_w, 1), np.float64(model.elbo(q.mean(axis=0), x))


# S12.2: L_ELBO ≤ L_IWAE^MoE


@claim("S12.2", of=mixture_iwae, tol=T0, oracle="plain means")
def jensen_holds_in_every_draw(f, rng):
    """In every draw the mean of log w is at most S11.4's mean over experts of log (1/K) Σ w."""
    log_w = rng.normal(-90, 6, size=(3, 4, 50))
    return violation(log_w.mean(axis=(0, 1)), f(log_w)[0])


@claim("S12.2", "S12.3", of=mixture_iwae, tol=T0, oracle="O1 enumeration")
def the_slides_bound_rises_to_its_limit(f, rng):
    """ELBO = L^MoE_1 ≤ L^MoE_2 ≤ L^MoE_3 ≤ log p(x) − KL(uniform ‖ a) ≤ log p(x), exactly."""
    model, x, q, log_w, _ = discrete_mixture(rng, 3, 2)
    bounds = [expected_bound(f, q, log_w, K) for K in (1, 2, 3)]
    limit = np.log([math.fsum(q_m * np.exp(log_w)) for q_m in q]).mean()
    rising = [model.elbo(q.mean(axis=0), x), *bounds, limit, model.log_evidence(x)]
    return violation(rising[:-1], rising[1:])


# S12.3: = L_IWAE^MoE, and what it is not


@claim("S12.3", of=mixture_iwae, tol=T1, oracle="O1 enumeration")
def with_one_sample_the_inequality_is_an_equality(f, rng):
    """L^MoE_1 is the ELBO of the mixture; with K = 2 it is above by the exact Jensen gap."""
    _, _, q, log_w, _ = discrete_mixture(rng, 4, 2)
    pairs = np.logaddexp(log_w[:, None], log_w) - np.log(2)
    rhs = [q.mean(axis=0) @ log_w, np.mean([q_m @ pairs @ q_m for q_m in q])]
    return np.array([expected_bound(f, q, log_w, K) for K in (1, 2)]), np.array(rhs)


@claim("S11.4", "S11.2", of=mixture_iwae, tol=T0, oracle="O4 Frullani")
def the_slides_bound_is_below_iwae_of_the_mixture(f, rng):
    """L^MoE_K ≤ L_K of K independent samples of q_Φ: fixing the expert costs tightness."""
    _, _, q, log_w, _ = discrete_mixture(rng, 3, 2)
    iid = [iwae_exact(q.mean(axis=0), np.exp(log_w), K) for K in (1, 2, 3)]
    return violation([expected_bound(f, q, log_w, K) for K in (1, 2, 3)], iid)


@claim(of=stratified_iwae, tol=T1, oracle="O4 Frullani")
def stratified_bound_in_expectation(f, rng):
    """With the mean over experts inside the logarithm the bound is E log of the mean of MK
    weights.
    """
    _, _, q, log_w, _ = discrete_mixture(rng, 3, 2)
    rhs = [stratified_iwae_exact(q, np.exp(log_w), K) for K in (1, 2, 3)]
    return np.array([expected_bound(f, q, log_w, K) for K in (1, 2, 3)]), np.array(rhs)


@claim(of=stratified_iwae, tol=T0, oracle="O4 Frullani")
def strata_are_tighter_than_independent_samples(f, rng):
    """L^MoE_K ≤ L_MK of independent samples ≤ the stratified bound (K each) ≤ log p(x)."""
    model, x, q, log_w, _ = discrete_mixture(rng, 3, 2)
    lower, upper, w = [], [], np.exp(log_w)
    for K in 1, 2, 3:
        bounds = mixture_iwae_exact(q, w, K), iwae_exact(q.mean(axis=0), w, 2 * K)
        bounds += expected_bound(f, q, log_w, K), model.log_evidence(x)
        lower, upper = [*lower, *bounds[:-1]], [*upper, *bounds[1:]]
    return violation(lower, upper)


@claim(of=stratified_iwae, tol=T0, oracle="plain sums")
def strata_leave_out_absent_experts(f, rng):
    """Under a mask the bound is the logarithm of the mean over the present experts' samples."""
    log_w = rng.normal(-90, 3, size=(3, 2, 4))
    present = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1]], bool)
    rhs = [
        np.logaddexp.reduce(log_w[kept, :, n].ravel()) - np.log(2 * kept.sum())
        for n, kept in enumerate(present.T)
    ]
    return f(log_w, present=present)[0], np.array(rhs)


@claim("S12.3", "S11.4", of=MMVAE.bound, tol=T1, oracle="O4 Frullani")
def mmvae_reaches_its_exact_bound(f, rng):
    """The model's bound and gradient, integrated over the noise of K = 2, are L^MoE_2's."""
    return over_all_noise(f, MMVAE, rng, {"a": 2, "b": 3})


@claim(of=MMVAE.doubly_reparameterised, tol=T1, oracle="O4 Frullani")
def double_reparameterisation_of_a_mixture_keeps_the_mean(f, rng):
    """Integrated over the noise, the doubly reparameterised estimator is L^MoE_2's gradient."""
    return over_all_noise(f, MMVAE, rng, {"a": 2, "b": 3})


@claim("S11.4", of=looseness_gap, tol=T1, oracle="O4 Frullani")
def the_stratified_bound_wins_by_the_gap(f, rng):
    """As K grows, the stratified bound minus L^MoE_K tends to KL(uniform ‖ a): the price of one
    logarithm for each expert."""
    model, x, q, log_w, _ = discrete_mixture(rng, 4, 2)
    a = np.array([math.fsum(model.posterior(x) * q_m / q.sum(axis=0)) for q_m in q])
    bounds = [g(q, np.exp(log_w), 10**12) for g in (stratified_iwae_exact, mixture_iwae_exact)]
    return f(a), np.float64(bounds[0] - bounds[1])
