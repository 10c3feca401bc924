"""Claims about slide 8's three estimates: their expectations and biases."""

import math

import numpy as np

from ..oracles import iwae_exact
from ..oracles.fifty_digits import exp, log, number
from ..slides.s08_table_2 import is_log_conditional, is_log_joint, is_log_marginal
from .gaussian_instances import exact_posterior, linear_gaussian
from .instances import (
    discrete_model,
    every_draw,
    log_liks,
    log_normal_sum,
    occupied_states,
    random_symbols,
    violation,
)
from .registry import T0, T1, claim


def image_and_label(rng, S=4):
    """Draw an O1 model of two modalities, x; log p(x1|z), log p(x2|z), log p(z), (S,) each."""
    model = discrete_model(rng, S, symbols=(3, 4))
    x = random_symbols(model, rng)
    return model, x, [*log_liks(model, x), model.log_prior]


def _expected(f, q, K, *parts):
    """Compute E f over all outcomes of K draws of the state from q; parts (S,): f's arguments."""
    states, chance = every_draw(q, K=K)
    return chance @ f(*(part[states[0]] for part in parts))


# log p(x1)


@claim("S8.T2", of=is_log_marginal, tol=T1, oracle="O4 Frullani")
def the_marginal_in_expectation(f, rng):
    """Averaged over all outcomes of K draws from q(z|x1), the first block is L_K of log p(x1)."""
    model, x, (log_px1, _, log_pz) = image_and_label(rng)
    q = rng.dirichlet(np.full(4, 4.0))
    w, sizes = np.exp(model.log_joint(x, [0])) / q, (1, 2, 4)
    lhs = [_expected(f, q, K, log_px1, log_pz, np.log(q)) for K in sizes]
    return lhs, [iwae_exact(q, w, K) for K in sizes]


@claim("S8.T2", of=is_log_marginal, tol=T0, oracle="O1 enumeration")
def the_marginal_rises_from_below(f, rng):
    """The estimated log p(x1) is on average not above the true one, and rises to it with K."""
    model, x, (log_px1, _, log_pz) = image_and_label(rng, 3)
    q = rng.dirichlet(np.full(3, 4.0))
    found = [_expected(f, q, K, log_px1, log_pz, np.log(q)) for K in (1, 2, 3, 4, 5)]
    return violation(found, [*found[1:], model.log_evidence(x, [0])])


@claim("S8.T2", of=is_log_marginal, tol=T1, oracle="O3 closed form")
def the_marginal_is_exact_with_the_posterior(f, rng):
    """Where q(z|x1) is the exact posterior, every weight is p(x1): no bias and no noise."""
    model, x, _, _ = linear_gaussian(rng, N=4)
    mean, log_var = exact_posterior(model, x, [True, False, False])
    z = mean + np.exp(log_var / 2) * rng.standard_normal((5, *mean.shape))
    log_pz, log_q = log_normal_sum(z, 0.0, np.zeros(2)), log_normal_sum(z, mean, log_var)
    return f(model.log_lik(z, x["a"], "a"), log_pz, log_q), model.log_prob(x, ["a"])


@claim("S8.T2", of=is_log_marginal, tol=T1, oracle="O5 mpmath, 50 digits")
def the_marginal_survives_the_scale_of_celeba(f, rng):
    """Log likelihoods near −6237, whose exponentials are all 0 in float64, lose no digit."""
    log_px1 = np.array([-86.0, -6237.1, 800.0]) + rng.normal(0, 3, size=(5, 3))
    log_pz, log_q = rng.normal(-9, 2, size=(2, 5, 3))
    log_w = number(log_px1) + number(log_pz) - number(log_q)
    return f(log_px1, log_pz, log_q), log(exp(log_w).sum(axis=0) / 5).astype(float)


# log p(x1, x2)


@claim("S8.T2", of=is_log_joint, tol=T1, oracle="O4 Frullani")
def the_joint_in_expectation(f, rng):
    """Averaged over all outcomes of K draws from q(z|x1), the estimate is L_K of log p(x1, x2)."""
    model, x, parts = image_and_label(rng)
    q = rng.dirichlet(np.full(4, 4.0))
    w, sizes = np.exp(model.log_joint(x)) / q, (1, 2, 4)
    lhs = [_expected(f, q, K, *parts, np.log(q)) for K in sizes]
    return lhs, [iwae_exact(q, w, K) for K in sizes]


@claim("S8.T2", of=is_log_joint, tol=T0, oracle="O1 enumeration")
def the_exact_posterior_of_x1_is_not_exact_for_both(f, rng):
    """With q the exact p(z|x1) and K = 1, log p(x1, x2) is missed by KL(p(z|x1) ‖ p(z|x1, x2))."""
    model, x, parts = image_and_label(rng)
    q, p = model.posterior(x, [0]), model.posterior(x)
    found = _expected(f, q, 1, *parts, np.log(q))
    return model.log_evidence(x) - found, math.fsum(q * np.log(q / p))


@claim("S8.T2", of=is_log_conditional, tol=T1, oracle="O4 Frullani")
def the_conditional_in_expectation(f, rng):
    """The third block is on average L_K of log p(x1, x2) less L_L of log p(x2) from the prior."""
    model, x, parts = image_and_label(rng, 3)
    q, prior = rng.dirichlet(np.full(3, 4.0)), np.exp(model.log_prior)
    w, lhs, rhs = np.exp(model.log_joint(x)) / q, [], []
    for K, L in (1, 1), (1, 3), (3, 2):
        lhs.append(_expected_conditional(f, q, prior, parts, K, L))
        rhs.append(iwae_exact(q, w, K) - iwae_exact(prior, np.exp(parts[1]), L))
    return lhs, rhs


def _expected_conditional(f, q, prior, parts, K, L):
    """Compute E f over all outcomes of K draws from q and L draws from the prior."""
    states, chance = every_draw(q, K=K)
    prior_states, prior_chance = every_draw(prior, K=L)
    first, second = (a.ravel() for a in np.indices((len(chance), len(prior_chance))))
    drawn = states[0][:, first]
    arguments = [part[drawn] for part in (*parts, np.log(q))]
    found = f(*arguments, parts[1][prior_states[0][:, second]])
    return (chance[first] * prior_chance[second]) @ found


@claim("S8.T2", of=is_log_conditional, tol=T0, oracle="O1 enumeration")
def the_conditional_errs_either_way(f, rng):
    """log p(x1|x2) comes out too high where q is p(z|x1, x2), too low where p(x2|z) is constant."""
    model, x, parts = image_and_label(rng, 3)
    prior, truth = np.exp(model.log_prior), model.log_conditional(x, [0], [1])
    high = _expected_conditional(f, model.posterior(x), prior, parts, 2, 2) - truth
    parts[1] = np.full(3, parts[1][0])
    q = rng.dirichlet(np.full(3, 4.0))
    low = _expected_conditional(f, q, prior, parts, 2, 2) - model.log_evidence(x, [0])
    return np.sign([high, low]), np.array([1.0, -1.0])


@claim("S8.T2", of=is_log_conditional, tol=T0, oracle="O1 enumeration")
def joint_less_conditional_is_the_label(f, rng):
    """Joint − conditional is log p(x2), exactly where the prior's samples are spread as p(z)."""
    model, x, parts = image_and_label(rng)
    states, q = occupied_states(rng, 4, 9)
    prior_states, prior = occupied_states(rng, 4, 13)
    model.log_prior = np.log(prior)
    arguments = [part[states, None] for part in (*parts[:2], model.log_prior, np.log(q))]
    conditional = f(*arguments, parts[1][prior_states, None])
    return is_log_joint(*arguments) - conditional, np.array([model.log_evidence(x, [1])])


@claim("S8.T2", of=is_log_conditional, tol=T0, oracle="entropy of the labels")
def no_estimate_beats_the_labels_entropy(f, rng):
    """With prior samples in common, the mean of joint − conditional is never above −H(x2)."""
    model, states = discrete_model(rng, 4, symbols=(3, 4)), rng.integers(4, size=20)
    label = np.repeat(np.arange(4), [5, 2, 7, 3])
    arguments = rng.normal(-3, 1, size=(4, 6, 17))
    log_px2 = model.log_lik[1][np.ix_(states, label)]
    implied = (is_log_joint(*arguments) - f(*arguments, log_px2)).mean()
    share = np.bincount(label) / 17
    return violation(implied, share @ np.log(share))
