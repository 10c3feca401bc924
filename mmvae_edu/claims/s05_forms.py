"""Claims about slide 5 with a finite latent: the forms of L^v."""

import math

import numpy as np

from ..slides.s05_evidence import elbo, kl, log_joint
from .instances import discrete_model, violation
from .registry import T0, claim
from .s05_evidence import fsum_kl, observed, some_q


@claim("S5.7", of=elbo, tol=T0, oracle="O1 enumeration")
def elbo_averages_the_log_ratio(f, rng):
    """L^v is the average of log p(z, x)/q(z) under q; at the posterior it is log p(x)."""
    model, x = observed(rng)
    p = model.posterior(x)
    qs = some_q(rng, p)
    lhs = [f(q, model.log_joint(x)) for q in [*qs, p]]
    return np.array(lhs), np.array([*(model.elbo(q, x) for q in qs), model.log_evidence(x)])


@claim("S5.7", of=elbo, tol=T0, oracle="O1 enumeration")
def elbo_is_a_lower_bound(f, rng):
    """L^v never exceeds log p(x), however near q is to the posterior."""
    model, x = observed(rng)
    p, other = model.posterior(x), rng.dirichlet(np.ones(5))
    near = [(1 - t) * p + t * other for t in np.linspace(0, 1, 21) ** 3]
    bounds = [f(q, model.log_joint(x)) for q in near]
    return violation(bounds, np.full(21, model.log_evidence(x)))


@claim("S5.9", "S5.10", of=elbo, tol=T0, oracle="O1 enumeration")
def elbo_splits_into_kl_and_likelihood(f, rng):
    """Both forms of L^v agree: it is −KL(q ‖ p(z)) plus the average of log p(x|z)."""
    model, x = observed(rng)
    prior = np.exp(model.log_prior)
    log_lik = model.log_joint(x) - model.log_prior
    qs = some_q(rng, model.posterior(x))
    rhs = [-fsum_kl(q, prior) + math.fsum(q * log_lik) for q in qs]
    return np.array([f(q, model.log_joint(x)) for q in qs]), np.array(rhs)


@claim("S5.8", of=log_joint, tol=T0, oracle="O1 enumeration")
def joint_is_likelihood_times_prior(f, rng):
    """p(z, x) = p(x|z) p(z), for every state and symbol."""
    model = discrete_model(rng)
    lhs = [f(model.log_prior, model.log_lik[2], x) for x in range(4)]
    rhs = [model.log_joint([0, 0, x], [2]) for x in range(4)]
    return np.array(lhs), np.array(rhs)


@claim("S5.8", of=log_joint, tol=T0, oracle="total probability")
def joint_sums_to_one(f, rng):
    """The joint sums to 1 over all x and z."""
    model = discrete_model(rng)
    cells = [np.exp(f(model.log_prior, model.log_lik[2], x)).sum() for x in range(4)]
    return math.fsum(cells), 1.0


@claim("S5.10", of=kl, tol=T0, oracle="O1 enumeration")
def kl_to_the_prior_completes_the_elbo(f, rng):
    """−KL(q ‖ p(z)) + E_q log p(x|z) is L^v: the KL of this form is to the prior."""
    model, x = observed(rng)
    prior, log_lik = np.exp(model.log_prior), model.log_joint(x) - model.log_prior
    qs = some_q(rng, model.posterior(x))
    lhs = [-f(q, prior) + math.fsum(q * log_lik) for q in qs]
    return np.array(lhs), np.array([model.elbo(q, x) for q in qs])
