"""Claims about slide 7: MVAE's objective of S7.6, written by hand."""

import itertools

import numpy as np

from ..models.one_function.mvae import subsampled_bound
from ..oracles import expect_gaussian, log_integrate, log_normal
from .by_hand_instances import affine, experts, log_likelihood, random_data, two_layers
from .gaussian_instances import FEATURES, sigma_points
from .instances import noise_grid, repeated
from .registry import T0, T1, claim

PAIRS = ~np.eye(3, dtype=bool)  # the proper subsets of two or more out of three modalities


def _masks(M, subsets):
    """The terms of S7.6: all modalities together, each alone, the sampled subsets."""
    return [np.ones(M, bool), *np.eye(M, dtype=bool), *subsets]


def _product(mu, log_var, kept):
    """mean, log_var of N(0, I) times the kept experts."""
    precision = np.exp(-log_var[kept])
    total = 1 + precision.sum(axis=0)
    return (precision * mu[kept]).sum(axis=0) / total, -np.log(total)


def _names(x, kept):
    return list(itertools.compress(x, kept))


def _exact_elbos(w, x, twin, masks):
    """The sum over masks of ELBO(X), in closed form: affine networks."""
    mu, log_var = experts(w, x)
    return sum(twin.elbo(*_product(mu, log_var, kept), x, _names(x, kept)) for kept in masks)


@claim("S7.6", "S6.3", of=subsampled_bound, tol=T0, oracle="O3 linear-Gaussian")
def the_objective_by_hand_adds_its_elbos(f, rng):
    """It is ELBO(x_1..M) + Σ ELBO(x_m) + Σ ELBO(X_j), each under the product of its experts."""
    w, twin, x = affine(rng, FEATURES, 2)
    bound, _ = f(w, x=x, subsets=PAIRS[1:], eps=sigma_points(6, 3, 2))
    return bound, _exact_elbos(w, x, twin, _masks(3, PAIRS[1:]))


@claim("S7.6", of=subsampled_bound, tol=T0, oracle="O3 linear-Gaussian")
def exact_experts_reach_the_evidence_of_every_term(f, rng):
    """With exact experts every term of the objective is the log p(X) of its own subset."""
    w, twin, x = affine(rng, FEATURES, 2, exact="expert")
    bound, _ = f(w, x=x, subsets=PAIRS[2:], eps=sigma_points(5, 3, 2))
    return bound, sum(twin.log_prob(x, _names(x, kept)) for kept in _masks(3, PAIRS[2:]))


@claim("S7.6", of=subsampled_bound, tol=T0, oracle="O3 linear-Gaussian, every draw of subsets")
def random_subsets_stand_for_all(f, rng):
    """Averaged over every draw of two subsets, Σ_j ELBO(X_j) is twice the mean ELBO(X)."""
    w, twin, x = affine(rng, FEATURES, 2)
    draws, eps = itertools.product(PAIRS, repeat=2), sigma_points(6, 3, 2)
    bounds = [f(w, x=x, subsets=np.array(pair), eps=eps)[0] for pair in draws]
    expected = 2 / 3 * _exact_elbos(w, x, twin, PAIRS) + _exact_elbos(w, x, twin, _masks(3, []))
    return np.mean(bounds, axis=0), expected


@claim("S7.6", of=subsampled_bound, tol=T1, oracle="O2 quadrature")
def each_term_misses_its_evidence_by_its_kl(f, rng):
    """Averaged over the noise, the objective is Σ_X [log p(X) − KL(q(z|X) ‖ p(z|X))]."""
    features, (eps, chance) = {"a": 2, "b": 3, "c": 1}, noise_grid(1)
    w, x = two_layers(rng, features, 1), random_data(rng, features, 1)
    noise = np.broadcast_to(eps[..., None], (5, 1, eps.size, 1))
    bound, _ = f(w, x=repeated(x, eps.size), subsets=PAIRS[1:2], eps=noise)
    return np.float64(chance @ bound), sum(_log_p_minus_kl(w, x, t) for t in _masks(3, PAIRS[1:2]))


def _log_p_minus_kl(w, x, kept):
    """log p(X) − KL(q ‖ p(z|X)) of one row by integrals over z."""
    mean, log_var = (parameter.item() for parameter in _product(*experts(w, x), kept))
    present = {m: x[m] for m in _names(x, kept)}

    def log_joint(z):
        return log_normal(z, 0.0, 0.0) + sum(log_likelihood(w, present, z[:, None]).values())

    log_p = log_integrate(log_joint, -12.0, 12.0)

    def log_ratio(z):
        return log_normal(z, mean, log_var) - (log_joint(z) - log_p)

    return log_p - expect_gaussian(log_ratio, mean, log_var)
