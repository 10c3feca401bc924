"""Claims about slide 7, equation (3): the joint posterior from unimodal ones."""

import math
from itertools import product

import numpy as np

from ..slides.s05_evidence import posterior
from ..slides.s07_joint_posterior import log_constant_eq3, posterior_from_unimodal, posterior_joint
from .instances import discrete_model, log_liks
from .registry import T0, claim, mutant


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


@mutant(posterior_joint, says="the prior p(z) stands once per modality: S7.1 has it once", hint=3)
def prior_in_every_factor(log_prior, log_liks):
    return posterior(len(log_liks) * log_prior + log_liks.sum(axis=0))


@mutant(posterior_joint, says="the prior p(z) of S7.1 is forgotten")
def prior_forgotten(log_prior, log_liks):
    return posterior(log_liks.sum(axis=0))


@mutant(posterior_joint, says="the mean of the log-likelihoods: S7.1 has their product", hint=3)
def likelihoods_averaged(log_prior, log_liks):
    return posterior(log_prior + log_liks.mean(axis=0))


@mutant(posterior_joint, says="p(x_1..N, z), not divided by p(x_1..N)", hint=3)
def joint_not_normalised(log_prior, log_liks):
    return np.exp(log_prior + log_liks.sum(axis=0))


def unimodal_log_posteriors(model, x):
    return np.log([model.posterior(x, [m]) for m in range(len(x))])


@claim("S7.3", of=posterior_from_unimodal, tol=T0, oracle="O1 enumeration")
def unimodal_posteriors_give_the_joint_one(f, rng):
    """Π p(z|x_i) / p(z)^(N−1), normalised, is p(z|x_1..N)."""

    def from_unimodal(model, x):
        return f(unimodal_log_posteriors(model, x), model.log_prior)

    return over_all_x(rng, from_unimodal, lambda model, x: model.posterior(x))


def _prior_to_the(power, log_posts, log_prior):
    return posterior(log_posts.sum(axis=0) - power * log_prior)


@mutant(posterior_from_unimodal, says="the prior is divided away N times: S7.3 has N − 1")
def prior_power_n(log_posts, log_prior):
    return _prior_to_the(len(log_posts), log_posts, log_prior)


@mutant(posterior_from_unimodal, says="the prior is divided away once for any N: S7.3 has N − 1")
def prior_power_one(log_posts, log_prior):
    return _prior_to_the(1, log_posts, log_prior)


@mutant(
    posterior_from_unimodal,
    says="the plain product: it counts the prior N times, S7.3 once",
    hint=1,
)
def prior_power_zero(log_posts, log_prior):
    return _prior_to_the(0, log_posts, log_prior)


@mutant(
    posterior_from_unimodal, says="∝ of S7.3 is taken for =: the quotient is not normalised", hint=3
)
def quotient_not_normalised(log_posts, log_prior):
    return np.exp(log_posts.sum(axis=0) - (len(log_posts) - 1) * log_prior)


@claim("S7.3", of=log_constant_eq3, tol=T0, oracle="O1 enumeration")
def constant_makes_equation_3_exact(f, rng):
    """With the factor Π p(x_i) / p(x_1..N) the quotient is the posterior, not just ∝ to it."""

    def quotient(model, x):
        quotient = unimodal_log_posteriors(model, x).sum(axis=0) - (len(x) - 1) * model.log_prior
        return np.exp(quotient + f(model.log_prior, log_liks(model, x)))

    return over_all_x(rng, quotient, lambda model, x: model.posterior(x))


@mutant(log_constant_eq3, says="the constant of S7.3 is inverted", hint=3)
def constant_inverted(log_prior, log_liks):
    return -log_constant_eq3(log_prior, log_liks)


@mutant(log_constant_eq3, says="no constant: ∝ of S7.3 is taken for =", hint=1)
def constant_omitted(log_prior, log_liks):
    return 0.0


@mutant(log_constant_eq3, says="p(x_i|z) is averaged over z without the prior p(z)")
def constant_under_flat_prior(log_prior, log_liks):
    return log_constant_eq3(np.full_like(log_prior, -math.log(len(log_prior))), log_liks)
