"""Claims about slide 7: MVAE's objective of S7.6, written by hand."""

import itertools

import numpy as np

from ..models.one_function.mvae import subsampled_bound
from ..oracles import expect_gaussian, log_integrate, log_normal
from .by_hand_instances import (
    affine,
    by_formula,
    experts,
    gradients,
    log_likelihood,
    random_data,
    two_layers,
)
from .gaussian_instances import FEATURES, kl_to_prior, sigma_points
from .instances import noise_grid, repeated
from .registry import T0, T1, T2C, claim, mutant

PAIRS = ~np.eye(3, dtype=bool)  # the proper subsets of two or more out of three modalities


def _masks(M, subsets):
    """The terms of S7.6: all modalities together, each alone, the sampled subsets."""
    return [np.ones(M, bool), *np.eye(M, dtype=bool), *subsets]


def _product(mu, log_var, kept, prior=1):
    """mean, log_var of N(0, I) times the kept experts."""
    precision = np.exp(-log_var[kept])
    total = prior + precision.sum(axis=0)
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


def _terms(x, subsets, eps):
    """[weight, mask, noise] of every term of S7.6."""
    masks = _masks(len(x), subsets)
    return [[1, kept, noise] for kept, noise in zip(masks, eps, strict=True)]


def _objective(w, *, x, terms, prior=1, score_all=False, kl=np.any):
    """Σ weight · ELBO(X) at the given noise, with a hook for each mistake."""
    total, (mu, log_vars) = np.zeros(1), experts(w, x)
    for weight, kept, noise in terms:
        mean, log_var = _product(mu, log_vars, kept, prior)
        z = mean + np.exp(log_var / 2) * noise
        scored = x if score_all else {m: x[m] for m in _names(x, kept)}
        score = sum(log_likelihood(w, scored, z).values()).mean(axis=0)
        total = total + weight * (score - kl(kept) * kl_to_prior(mean, log_var))
    return total


@claim("S7.6", of=subsampled_bound, tol=T2C, oracle="O7 complex step")
def the_objective_by_hand_has_this_gradient(f, rng):
    """Networks of a modality get a gradient from every term that has it, and from no other."""
    features, subsets = {"a": 2, "b": 1}, np.array([[False, True]])
    w, x = two_layers(rng, features, 1), random_data(rng, features, 3)
    constants = {"x": x, "subsets": subsets, "eps": rng.standard_normal((4, 2, 3, 1))}

    def formula(w, *, x, subsets, eps):
        return _objective(w, x=x, terms=_terms(x, subsets, eps))

    return gradients(f, formula, w, rng, **constants)


# ---- its mistakes -----------------------------------------------------------------------------


def _nothing(kept):
    return 0


@mutant(subsampled_bound, says="the unimodal terms ELBO(x_m) of S7.6 are omitted", hint=3)
def no_unimodal_terms(w, *, x, subsets, eps):
    terms = _terms(x, subsets, eps)
    return by_formula(_objective, w, x=x, terms=terms[:1] + terms[1 + len(x) :])


@mutant(subsampled_bound, says="the joint term ELBO(x_1, …, x_M) of S7.6 is omitted", hint=3)
def no_joint_term(w, *, x, subsets, eps):
    return by_formula(_objective, w, x=x, terms=_terms(x, subsets, eps)[1:])


@mutant(subsampled_bound, says="the sampled terms ELBO(X_j) of S7.6 are omitted", hint=3)
def no_sampled_terms(w, *, x, subsets, eps):
    return by_formula(_objective, w, x=x, terms=_terms(x, subsets, eps)[: 1 + len(x)])


@mutant(subsampled_bound, says="the k sampled terms are averaged: S7.6 adds them", hint=3)
def sampled_terms_rescaled(w, *, x, subsets, eps):
    terms = _terms(x, subsets, eps)
    for term in terms[1 + len(x) :]:
        term[0] = 1 / len(subsets)
    return by_formula(_objective, w, x=x, terms=terms)


@mutant(subsampled_bound, says="all terms are averaged: S7.6 is their sum", hint=3)
def mean_of_the_terms(w, *, x, subsets, eps):
    terms = [[1 / len(eps), *term] for _, *term in _terms(x, subsets, eps)]
    return by_formula(_objective, w, x=x, terms=terms)


@mutant(subsampled_bound, says="a term keeps the likelihood of modalities outside its X (S6.3)")
def outsiders_scored(w, *, x, subsets, eps):
    return by_formula(_objective, w, x=x, terms=_terms(x, subsets, eps), score_all=True)


@mutant(
    subsampled_bound,
    says="the prior is missing from the product: precision low by exactly 1",
    hint=1,
)
def product_without_prior(w, *, x, subsets, eps):
    return by_formula(_objective, w, x=x, terms=_terms(x, subsets, eps), prior=0)


@mutant(subsampled_bound, says="the KL counts once per modality of X: S6.3 has it once")
def kl_once_per_member(w, *, x, subsets, eps):
    return by_formula(_objective, w, x=x, terms=_terms(x, subsets, eps), kl=np.sum)


@mutant(subsampled_bound, says="the KL of S6.3 is missing")
def reconstruction_only(w, *, x, subsets, eps):
    return by_formula(_objective, w, x=x, terms=_terms(x, subsets, eps), kl=_nothing)


@mutant(
    subsampled_bound, says="only the joint term has a gradient: every term of S7.6 has one", hint=3
)
def joint_gradient_only(w, *, x, subsets, eps):
    def joint_alone(w):
        joint, *others = _terms(x, subsets, eps)
        return _objective(w, x=x, terms=[joint]) + _objective(w, x=x, terms=others).real

    return by_formula(joint_alone, w)


@mutant(subsampled_bound, says="no gradient through the KL: it depends on every expert of its X")
def kl_detached(w, *, x, subsets, eps):
    def likelihoods_alone(w):
        terms = _terms(x, subsets, eps)
        scores = _objective(w, x=x, terms=terms, kl=_nothing)
        return scores + (_objective(w, x=x, terms=terms) - scores).real

    return by_formula(likelihoods_alone, w)
