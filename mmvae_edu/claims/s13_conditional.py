"""Claims about slide 13's log p(x_m|x_n): what it is exactly, and which estimate finds it."""

import math

import numpy as np

from ..oracles import LinearGaussian
from ..slides.s13_tables import log_conditional_exact_lg, log_conditional_is
from .instances import discrete_model, every_draw, log_liks, log_mean, occupied_states
from .registry import T0, T1, claim, terms

# ---- exactly, where everything is Gaussian ----------------------------------------------------


def _linear_gaussian(rng):
    """An O3 model of m and n, x of 4 examples, and the pairs W, b, sigma."""
    model = LinearGaussian.random(rng, 2, {"m": 3, "n": 5}, orthogonal=False)
    _, x = model.sample(rng, 4)
    return model, x, [tuple(part.values()) for part in (model.W, model.b, model.sigma)]


@claim("S13.T3", of=log_conditional_exact_lg, tol=T1, oracle="O3 linear-Gaussian")
def the_conditional_is_joint_minus_marginal(f, rng):
    """log p(x_m|x_n) = log p(x_m, x_n) − log p(x_n), of x_n and not of x_m."""
    model, x, parts = _linear_gaussian(rng)
    return f(x["m"], x["n"], *parts), model.log_conditional(x, ["m"], ["n"])


@claim("S13.T3", of=log_conditional_exact_lg, tol=T1, oracle="O3 linear-Gaussian")
def both_conditionals_share_one_joint(f, rng):
    """log p(x_m|x_n) + log p(x_n) = log p(x_n|x_m) + log p(x_m)."""
    model, x, parts = _linear_gaussian(rng)
    other = f(x["n"], x["m"], *(part[::-1] for part in parts))
    return f(x["m"], x["n"], *parts) + model.log_prob(x, ["n"]), other + model.log_prob(x, ["m"])


@claim("S13.T3", of=log_conditional_exact_lg, tol=T1, oracle="O3 linear-Gaussian")
def an_unrelated_modality_leaves_the_marginal(f, rng):
    """Where x_n does not depend on z, log p(x_m|x_n) is log p(x_m)."""
    model, x, (W, b, sigma) = _linear_gaussian(rng)
    return f(x["m"], x["n"], (W[0], 0 * W[1]), b, sigma), model.log_prob(x, ["m"])


# ---- by importance sampling -------------------------------------------------------------------


def _spread_samples(rng, S=4, K=11, N=3):
    """A discrete model of m and n, x of N examples; for each, K samples spread just as some q.

    Returns the model, x (N, 2) and the arguments, (K, N) each.
    """
    model = discrete_model(rng, S, symbols=(3, 5))
    x, columns = np.stack([rng.integers(V, size=N) for V in (3, 5)], axis=1), []
    for row in x:
        states, q = occupied_states(rng, S, K)
        terms = [*log_liks(model, row), model.log_prior, np.log(q)]
        columns.append([term[states] for term in terms])
    return model, x, list(np.moveaxis(np.array(columns), 0, -1))


@claim("S13.T3", of=log_conditional_is, tol=T0, oracle="O1 enumeration")
def the_corrected_estimate_finds_the_conditional(f, rng):
    """Where samples are spread just as the q that they are from, it is log p(x_m|x_n) exactly."""
    model, x, arguments = _spread_samples(rng)
    return f(*arguments), [model.log_conditional(row, [0], [1]) for row in x]


@claim("S13.T3", of=log_conditional_is, tol=T0, oracle="O1 enumeration")
def an_exact_proposal_needs_no_weights(f, rng):
    """Where q is p(z|x_n), it is the log of the mean p(x_m|z_k), whatever the samples are."""
    model, x, _ = _spread_samples(rng)
    states = rng.integers(4, size=7)
    log_pxm, log_pxn = log_liks(model, x[0])
    terms = log_pxm, log_pxn, model.log_prior, np.log(model.posterior(x[0], [1]))
    found = f(*(term[states, None] for term in terms))
    return found, [math.log(math.fsum(np.exp(log_pxm[states])) / 7)]


@claim("S13.T3", of=log_conditional_is, tol=T1, oracle="O1, all draws enumerated")
def both_parts_have_the_same_samples(f, rng):
    """On average it is E log Σ w p(x_m|z) − E log Σ w, of the same K draws from q."""
    model = discrete_model(rng, 3, symbols=(3, 5))
    log_pxm, log_pxn = log_liks(model, [1, 2])
    q = rng.dirichlet(np.full(3, 4.0))
    states, chance = every_draw(q, K=3)
    terms = [part[states[0]] for part in (log_pxm, log_pxn, model.log_prior, np.log(q))]
    w = np.exp(terms[1] + terms[2] - terms[3])
    parts = np.log((w * np.exp(terms[0])).sum(axis=0)) - np.log(w.sum(axis=0))
    return chance @ f(*terms), math.fsum(chance * parts)


@claim("S13.T3", of=log_conditional_is, tol=T1, oracle="shift by a constant")
def the_conditional_survives_tiny_densities(f, rng):
    """Densities e^4309 times larger and e^778 times smaller shift it by x_m's part alone."""
    model, x, (log_pxm, log_pxn, *rest) = _spread_samples(rng)
    exact = np.array([model.log_conditional(row, [0], [1]) for row in x])
    return f(log_pxm + 4309.77, log_pxn - 778.2, *rest) - 4309.77, exact


@terms(log_conditional_is)
def conditional_is_terms(log_pxm, log_pxn, log_pz, log_q):
    """The joint's estimate and the given's."""
    log_w = log_pxn + log_pz - log_q
    return {"log p(x_m, x_n)": log_mean(log_pxm + log_w), "−log p(x_n)": -log_mean(log_w)}, None
