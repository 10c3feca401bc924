"""Claims about slide 11: the mixture's IWAE bound, and how loose it stays."""

import math

import numpy as np

from ..objectives import mixture_iwae
from ..oracles import iwae_exact, mixture_iwae_exact, stratified_iwae_exact
from ..slides.s11_mixture import looseness_gap, responsibility
from .instances import discrete_mixture, expected_bound, log_mean
from .registry import T0, T1, claim
from .s05_evidence import fsum_kl

# S11.4: L_IWAE^MoE = (1/M) Σ_m E log (1/K) Σ_k p(z_m^k, x_1:M) / q_Φ(z_m^k|x_1:M)


@claim("S11.4", of=mixture_iwae, tol=T1, oracle="O4 Frullani")
def mixture_iwae_in_expectation(f, rng):
    """Averaged over all outcomes of K draws from each of M experts it is L^MoE_K, exactly."""
    _, _, q, log_w, _ = discrete_mixture(rng, 3, 2)
    rhs = [mixture_iwae_exact(q, np.exp(log_w), K) for K in (1, 2, 3)]
    return np.array([expected_bound(f, q, log_w, K) for K in (1, 2, 3)]), np.array(rhs)


@claim("S11.4", of=mixture_iwae, tol=T0, oracle="plain sums")
def every_expert_has_its_own_logarithm(f, rng):
    """It is the mean over present experts of log (1/K) Σ_k w, at any scale of log w."""
    log_w = np.array([-6237.0, 0.0, 30.0, -90.0]) + rng.normal(0, 3, size=(3, 2, 4))
    present = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1]], bool)
    strata = log_mean(log_w, axis=1)
    rhs = [strata[kept, n].sum() / kept.sum() for n, kept in enumerate(present.T)]
    return f(log_w, present=present)[0], np.array(rhs)


@claim("S11.4", of=mixture_iwae, tol=T0, oracle="O1 enumeration")
def experts_may_divide_the_posterior(f, rng):
    """Experts that divide the posterior among them, each a part of mass 1/M, make S11.4 log p(x) in
    every draw and for every K, though each is KL(q_m ‖ p(z|x)) = log M from the posterior."""
    posterior, log_p = (rng.dirichlet(np.ones(2), size=3) / 3).ravel(), rng.normal(-90, 5)
    q = np.array([np.where(np.arange(6) // 2 == m, 3 * posterior, 0) for m in range(3)])
    log_w = log_p + np.log(posterior / q.mean(axis=0))
    bounds = []
    for K in 1, 4:
        states = np.stack([rng.choice(6, size=(K, 20), p=q_m) for q_m in q])
        bounds.append(f(log_w[states])[0])
    lhs = [*np.ravel(bounds), *(fsum_kl(q_m, posterior) for q_m in q)]
    return np.array(lhs), np.array([log_p] * 40 + [math.log(3)] * 3)


@claim("S11.4", of=mixture_iwae_exact, tol=T0, oracle="a fixture")
def the_slides_bound_stays_loose(f, rng):
    """Two experts, K = 10⁴: L^MoE is −5.03988 where log p(x) is −4.60517, 0.4347 nats above."""
    q, w, log_evidence = _loose_fixture()
    bounds = f(q, w, 10**4), iwae_exact(q.mean(axis=0), w, 10**4)
    lhs = [*np.round([bounds[0], log_evidence], 5), np.round(bounds[1], 6)]
    lhs.append(np.round(stratified_iwae_exact(q, w, 10**4), 6))
    return np.array(lhs), np.array([-5.03988, -4.60517, -4.605210, -4.605176])


def _loose_fixture():
    """Experts (2, 4), the mixture's weights (4,) and log p(x) = log 0.01."""
    posterior = np.array([0.70, 0.20, 0.07, 0.03])
    q = np.array([[0.65, 0.25, 0.07, 0.03], [0.02, 0.03, 0.15, 0.80]])
    return q, 0.01 * posterior / q.mean(axis=0), math.log(0.01)


@claim("S11.4", of=responsibility, tol=T0, oracle="O1 enumeration")
def an_experts_mean_weight_is_its_share(f, rng):
    """E_{q_m} w = M p(x) a_m: what expert m finds of p(x) is its share a_m of the posterior."""
    model, x, q, log_w, _ = discrete_mixture(rng, 5, 3)
    found = [math.fsum(q_m * np.exp(log_w)) for q_m in q]
    return f(model.posterior(x), q), np.array(found) / (3 * math.exp(model.log_evidence(x)))


@claim("S11.4", of=responsibility, tol=T0, oracle="hand calculation")
def what_no_expert_covers_must_be_impossible(f, rng):
    """A state that no expert covers adds nothing if p(z|x) is 0 there, else it is a ValueError."""
    q, r, p = rng.uniform(0.2, 0.8, size=3)
    experts = np.array([[q, 1 - q, 0.0], [r, 1 - r, 0.0]])
    share = p * q / (q + r) + (1 - p) * (1 - q) / (2 - q - r)
    refused = _raises(f, np.array([p, 0.9 - p, 0.1]), experts)
    found = f(np.array([p, 1 - p, 0.0]), experts)
    return np.append(found, refused), np.array([share, 1 - share, 1])


def _raises(f, *args):
    try:
        f(*args)
    except Exception:  # an exercise's check compares its class with the library's
        return True
    return False


@claim("S11.4", of=looseness_gap, tol=T1, oracle="O4 Frullani")
def no_number_of_samples_closes_the_gap(f, rng):
    """As K grows, log p(x) − L^MoE_K tends to KL(uniform ‖ a), not to 0."""
    model, x, q, log_w, _ = discrete_mixture(rng, 4, 3)
    a = np.array([math.fsum(model.posterior(x) * q_m / q.sum(axis=0)) for q_m in q])
    return f(a), np.float64(model.log_evidence(x) - mixture_iwae_exact(q, np.exp(log_w), 10**12))


@claim("S11.4", of=looseness_gap, tol=T0, oracle="a fixture")
def the_gap_of_the_fixture(f, rng):
    """With a = (.88103, .11897) the slides' bound stays 0.434637 nats below log p(x)."""
    q, w, _ = _loose_fixture()
    a = (q * w).sum(axis=1) / (2 * 0.01)
    return np.append(np.round(a, 5), np.round(f(a), 6)), np.array([0.88103, 0.11897, 0.434637])


@claim("S11.4", of=looseness_gap, tol=T0, oracle="plain loops")
def every_observation_has_its_own_gap(f, rng):
    """Of the shares of several observations, a column each, it is one gap per column."""
    a = rng.dirichlet(np.full(3, 2.0), size=4).T
    gaps = [-math.log(3) - math.fsum(map(math.log, column)) / 3 for column in a.T]
    return f(a), np.array(gaps)
