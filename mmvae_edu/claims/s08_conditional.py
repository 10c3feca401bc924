"""Claims about slide 8's estimate of log p(x1|x2): a difference, so its bias has either sign."""

import numpy as np

from ..oracles import iwae_exact
from ..slides.s08_table_2 import is_log_conditional, is_log_joint
from .instances import discrete_model, every_draw, occupied_states, violation
from .registry import T0, T1, claim
from .s08_estimates import image_and_label


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
    """E f over all outcomes of K draws from q and L draws from the prior."""
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
