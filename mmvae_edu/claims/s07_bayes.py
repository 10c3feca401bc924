"""Claims about slide 7, equation (3): the joint posterior from unimodal ones."""

import math
from itertools import product

import numpy as np

from ..slides.s05_evidence import posterior
from ..slides.s07_joint_posterior import log_constant_eq3, posterior_from_unimodal, posterior_joint
from .instances import discrete_model, log_liks
from .registry import T0, claim


def discrete_models(rng):
    """Oracles of 2, 3 and 4 modalities: a wrong power of the prior may be right for one M."""
    return [discrete_model(rng, symbols=symbols) for symbols in ((2, 3), (2, 3, 2), (2, 2, 3, 2))]


def over_all_x(rng, lhs, rhs):
    """lhs(model, x) and rhs(model, x) for every x of every oracle."""
    pairs = [(model, x) for model in discrete_models(rng) for x in model.all_x()]
    return np.array([lhs(*pair) for pair in pairs]), np.array([rhs(*pair) for pair in pairs])


# ---- S7.1 to S7.3: equation (3) ---------------------------------------------------------------


@claim("S7.1", of=posterior_joint, tol=T0, oracle="O1 enumeration")
def bayes_with_independent_modalities(f, rng):
    """p(z|x_1..N) is p(z) Π p(x_i|z) over its sum over z, for every x and N = 2, 3, 4."""

    def from_likelihoods(model, x):
        return f(model.log_prior, log_liks(model, x))

    return over_all_x(rng, from_likelihoods, lambda model, x: model.posterior(x))


@claim("S7.2", of=posterior_joint, tol=T0, oracle="O1 enumeration")
def likelihoods_may_be_replaced(f, rng):
    """p(z)/p(x_1..N) Π [p(z|x_i) p(x_i)/p(z)] is the joint posterior too."""

    def from_likelihoods(model, x):
        return f(model.log_prior, log_liks(model, x))

    def substituted(model, x):
        ratios = [
            model.posterior(x, [m]) * math.exp(model.log_evidence(x, [m])) / np.exp(model.log_prior)
            for m in range(len(x))
        ]
        return np.prod(ratios, axis=0) * np.exp(model.log_prior - model.log_evidence(x))

    return over_all_x(rng, from_likelihoods, substituted)


@claim("S7.2", of=posterior, tol=T0, oracle="O1 enumeration")
def likelihood_from_unimodal_posterior(f, rng):
    """p(x_i|z) = p(z|x_i) p(x_i) / p(z), for every modality, symbol and state."""
    model = discrete_model(rng)
    lhs, rhs = [], []
    for x, m in product(model.all_x(), range(3)):
        unimodal = np.log(f(model.log_joint(x, [m])))
        lhs.append(unimodal + model.log_evidence(x, [m]) - model.log_prior)
        rhs.append(model.log_lik[m][:, x[m]])
    return np.array(lhs), np.array(rhs)


def unimodal_log_posteriors(model, x):
    return np.log([model.posterior(x, [m]) for m in range(len(x))])


@claim("S7.3", of=posterior_from_unimodal, tol=T0, oracle="O1 enumeration")
def unimodal_posteriors_give_the_joint_one(f, rng):
    """Π p(z|x_i) / p(z)^(N−1), normalised, is p(z|x_1..N)."""

    def from_unimodal(model, x):
        return f(unimodal_log_posteriors(model, x), model.log_prior)

    return over_all_x(rng, from_unimodal, lambda model, x: model.posterior(x))


@claim("S7.3", of=log_constant_eq3, tol=T0, oracle="O1 enumeration")
def constant_makes_equation_3_exact(f, rng):
    """With the factor Π p(x_i) / p(x_1..N) the quotient is the posterior, not just ∝ to it."""

    def quotient(model, x):
        quotient = unimodal_log_posteriors(model, x).sum(axis=0) - (len(x) - 1) * model.log_prior
        return np.exp(quotient + f(model.log_prior, log_liks(model, x)))

    return over_all_x(rng, quotient, lambda model, x: model.posterior(x))
