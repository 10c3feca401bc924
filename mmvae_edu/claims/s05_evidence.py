"""Claims about slide 5 with a finite latent: log p(x) = L^v + KL(q ‖ p(z|x)), and both forms."""

import math

import numpy as np

from ..oracles import NonlinearModel, log_normal
from ..slides.s05_evidence import decompose, elbo, kl, log_evidence, log_joint, posterior
from .instances import discrete_model, random_symbols, violation
from .registry import T0, T1, claim


def observed(rng):
    """Draw a discrete oracle and one observation; log p(x, z) is model.log_joint(x)."""
    model = discrete_model(rng)
    return model, random_symbols(model, rng)


def some_q(rng, p):
    """List distributions over the states of p: at random, p itself, at random with zeros."""
    q = rng.dirichlet(np.ones(len(p)), size=2)
    q[1, :2] = 0
    return [q[0], p, q[1] / q[1].sum()]


def fsum_kl(q, p):
    return math.fsum(a * math.log(a / b) for a, b in zip(q, p, strict=True) if a > 0)


# ---- S5.1 to S5.6: the evidence and its decomposition -----------------------------------------


@claim("S5.1", of=log_evidence, tol=T0, oracle="O1 enumeration")
def evidence_sums_the_joint(f, rng):
    """L = log p(x) is the log of the joint summed over z."""
    model, x = observed(rng)
    return f(model.log_joint(x)), model.log_evidence(x)


@claim("S5.1", of=log_evidence, tol=T0, oracle="shift by a constant")
def evidence_survives_tiny_probabilities(f, rng):
    """Scaling the joint by e^−6237, a likelihood of slide 8, shifts log p(x) by −6237."""
    model, x = observed(rng)
    return f(model.log_joint(x) - 6237.0), model.log_evidence(x) - 6237.0


@claim("S5.2", of=log_evidence, tol=T0, oracle="O1 enumeration")
def evidence_is_its_own_average(f, rng):
    """log p(x) does not depend on z, so its average under any q is log p(x)."""
    model, x = observed(rng)
    L = f(model.log_joint(x))
    averages = [math.fsum(a * L for a in q) for q in some_q(rng, model.posterior(x))]
    return np.array(averages), np.full(3, model.log_evidence(x))


@claim("S5.3", of=posterior, tol=T0, oracle="O1 enumeration")
def joint_over_posterior_is_evidence(f, rng):
    """p(z, x) / p(z|x) = p(x) for every z."""
    model, x = observed(rng)
    joint = model.log_joint(x)
    return joint - np.log(f(joint)), np.full(len(joint), model.log_evidence(x))


@claim("S5.4", of=posterior, tol=T0, oracle="O1 enumeration")
def inserting_q_changes_nothing(f, rng):
    """The average of log [p(z, x)/q(z) · q(z)/p(z|x)] under any q is log p(x)."""
    model, x = observed(rng)
    joint = model.log_joint(x)
    p = f(joint)
    averages = [
        math.fsum(
            a * (math.log(math.exp(l) / a) + math.log(a / b))
            for a, b, l in zip(q, p, joint, strict=True)
            if a > 0
        )
        for q in some_q(rng, model.posterior(x))
    ]
    return np.array(averages), np.full(3, model.log_evidence(x))


@claim("S5.0", "S5.6", of=decompose, tol=T0, oracle="O1 enumeration")
def raising_the_bound_lowers_the_kl(f, rng):
    """From any q to the posterior, L^v rises by just what KL(q ‖ p(z|x)) falls: all of it."""
    model, x = observed(rng)
    p = model.posterior(x)
    q, _, sparse = some_q(rng, p)
    (best, gap), *others = (f(r, model.log_joint(x)) for r in (p, q, sparse))
    rises = [best - bound for bound, _ in others]
    return np.array([*rises, gap]), np.array([fsum_kl(q, p), fsum_kl(sparse, p), 0])


@claim("S5.5", of=decompose, tol=T0, oracle="O1 enumeration")
def the_logarithm_splits(f, rng):
    """L^v and the gap add up to log p(x) for any q, zeros included."""
    model, x = observed(rng)
    joint = model.log_joint(x)
    total = [sum(f(q, joint)) for q in some_q(rng, model.posterior(x))]
    return np.array(total), np.full(3, model.log_evidence(x))


@claim("S5.5", "S5.6", of=decompose, tol=T0, oracle="O1 enumeration")
def the_parts_are_elbo_and_kl(f, rng):
    """The first part is L^v, the second KL(q ‖ p(z|x)): at least 0, and 0 at the posterior."""
    model, x = observed(rng)
    joint, p = model.log_joint(x), model.posterior(x)
    qs = some_q(rng, p)
    return np.array([f(q, joint) for q in qs]), np.array(
        [(model.elbo(q, x), fsum_kl(q, p)) for q in qs]
    )


@claim("S5.6", of=decompose, tol=T1, oracle="O2 quadrature")
def a_nonlinear_decoder_decomposes_too(f, rng):
    """With z on a fine line and a tanh decoder, L^v and KL(q ‖ p(z|x)) add up to log p(x)."""
    model, x = NonlinearModel.random(rng, H=3, P=4, n=2), rng.integers(0, 3, size=4)
    mu, log_var = rng.uniform(-1, 1, size=2)
    z, step = np.linspace(-20, 20, 2001, retstep=True)
    q = np.exp(log_normal(z, mu, log_var)) * step
    L, gap = f(q, model.log_joint(z, x) + math.log(step))
    return np.array([L, L + gap]), np.array([model.elbo(mu, log_var, x), model.log_evidence(x)])


@claim("S5.6", of=kl, tol=T0, oracle="O1 enumeration")
def kl_is_the_gap(f, rng):
    """KL(q ‖ p(z|x)) is log p(x) − L^v; states with q = 0 add nothing."""
    model, x = observed(rng)
    p = model.posterior(x)
    qs = some_q(rng, p)
    gaps = [model.log_evidence(x) - model.elbo(q, x) for q in qs]
    return np.array([f(q, p) for q in qs]), np.array(gaps)


@claim("S5.6", of=kl, tol=T0, oracle="nonnegativity")
def kl_is_never_negative(f, rng):
    """KL(q ‖ p) ≥ 0, which makes L^v a lower bound."""
    q, p = rng.dirichlet(np.ones(6), size=(2, 40))
    return violation(np.zeros(40), [f(a, b) for a, b in zip(q, p, strict=True)])


@claim("S5.6", of=kl, tol=T0, oracle="hand calculation")
def kl_is_infinite_where_p_is_0(f, rng):
    """KL(q ‖ p) is ∞ where q > 0 = p, and finite where both are 0: exp(−KL) is 0, then not."""
    a, b = rng.uniform(0.2, 0.8, size=2)
    q, p = np.array([a, 0.0, 1 - a]), np.array([b, 0.0, 1 - b])
    exact = (b / a) ** a * ((1 - b) / (1 - a)) ** (1 - a)
    missed = np.array([1.0, 0.0, 0.0])
    return np.exp(np.array([-f(q, missed), -f(q, p)])), np.array([0.0, exact])


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
    """Both forms of L^v agree: L^v is −KL(q ‖ p(z)) plus the average of log p(x|z)."""
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
