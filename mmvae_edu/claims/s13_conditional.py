"""Claims about slide 13's log p(x_m|x_n): what it is exactly, and which estimate finds it."""

import math

import numpy as np

from ..objectives import iwae
from ..oracles import LinearGaussian
from ..slides.s13_tables import log_conditional_exact_lg, log_conditional_is
from .instances import discrete_model, every_draw, log_liks, log_mean, occupied_states
from .registry import T0, T1, claim, mutant, terms

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


def _gaussian(xm, xn, W, b, sigma, *, prior=1.0, mean=1.0, spread=1.0, power=2):
    """The library's formula with its choices open, by Cholesky's factors."""
    (Wm, Wn), (bm, bn), (sm, sn) = W, b, sigma
    precision = prior * np.eye(Wm.shape[1]) + Wn.T @ Wn / sn**2
    mu = mean * np.linalg.solve(precision, Wn.T @ (xn - bn).T / sn**2).T
    covariance = spread * Wm @ np.linalg.inv(precision) @ Wm.T + sm**power * np.eye(len(bm))
    L = np.linalg.cholesky(covariance)
    white = np.linalg.solve(L, (xm - bm - mu @ Wm.T).T)
    log_2pi = len(bm) * math.log(2 * math.pi)
    return -0.5 * ((white**2).sum(axis=0) + log_2pi) - np.log(np.diag(L)).sum()


@mutant(
    log_conditional_exact_lg, says="log p(x_m): the marginal under the conditional's name", hint=1
)
def marginal_labelled_conditional(xm, xn, W, b, sigma):
    return _gaussian(xm, xn, (W[0], 0 * W[1]), b, sigma)


@mutant(log_conditional_exact_lg, says="log p(x_m, x_n): log p(x_n) is not subtracted", hint=2)
def joint_labelled_conditional(xm, xn, W, b, sigma):
    log_pxn = _gaussian(xn, xm, (W[1], 0 * W[0]), b[::-1], sigma[::-1])
    return log_conditional_exact_lg(xm, xn, W, b, sigma) + log_pxn


@mutant(log_conditional_exact_lg, says="log p(x_n|x_m): given and asked for are swapped", hint=1)
def conditional_swapped(xm, xn, W, b, sigma):
    return log_conditional_exact_lg(xn, xm, W[::-1], b[::-1], sigma[::-1])


@mutant(
    log_conditional_exact_lg,
    says="one z, the mean of p(z|x_n): its spread W Σ Wᵀ is missing",
    hint=3,
)
def conditional_without_spread(xm, xn, W, b, sigma):
    return _gaussian(xm, xn, W, b, sigma, spread=0.0)


@mutant(log_conditional_exact_lg, says="σ_m where the covariance has σ_m²", hint=3)
def noise_not_squared(xm, xn, W, b, sigma):
    return _gaussian(xm, xn, W, b, sigma, power=1)


@mutant(
    log_conditional_exact_lg,
    says="the prior's precision I is missing from that of z given x_n",
    hint=3,
)
def conditional_without_prior(xm, xn, W, b, sigma):
    prior = 1e-12  # of no weight, and yet with an inverse where W_n is 0
    return _gaussian(xm, xn, W, b, sigma, prior=prior)


@mutant(log_conditional_exact_lg, says="z's mean is 0: x_n moves the mean of x_m too", hint=2)
def conditional_with_the_prior_mean(xm, xn, W, b, sigma):
    return _gaussian(xm, xn, W, b, sigma, mean=0.0)


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


@mutant(
    log_conditional_is,
    says="that is log p(x_m): x_n stands in no weight, only in the proposal",
    hint=2,
)
def released_estimate(log_pxm, log_pxn, log_pz, log_q):
    return iwae(log_pxm + log_pz - log_q)[0]


@mutant(
    log_conditional_is, says="the likelihood is scaled as for training (3072/784): no log p", hint=3
)
def scaled_likelihood_as_log_p(log_pxm, log_pxn, log_pz, log_q):
    return log_conditional_is(3072 / 784 * log_pxm, log_pxn, log_pz, log_q)


@mutant(
    log_conditional_is,
    says="the weights are not divided by their sum: that is log p(x_m, x_n)",
    hint=3,
)
def weights_unnormalised(log_pxm, log_pxn, log_pz, log_q):
    return iwae(log_pxm + log_pxn + log_pz - log_q)[0]


@mutant(log_conditional_is, says="log p(x_n|x_m): given and asked for are swapped")
def given_and_asked_swapped(log_pxm, log_pxn, log_pz, log_q):
    return log_conditional_is(log_pxn, log_pxm, log_pz, log_q)


def _average(log_w, values):
    """Σ_k w̃_k values_k."""
    w = np.exp(log_w - log_w.max(axis=0))
    return (w * values).sum(axis=0) / w.sum(axis=0)


@mutant(
    log_conditional_is,
    says="Σ w̃ log p(x_m|z): a reconstruction score; the log stands outside",
    hint=3,
)
def weighted_mean_of_logs(log_pxm, log_pxn, log_pz, log_q):
    return _average(log_pxn + log_pz - log_q, log_pxm)


@mutant(
    log_conditional_is, says="no weights: right only where q(z|x_n) is exactly p(z|x_n)", hint=1
)
def proposal_taken_for_the_posterior(log_pxm, log_pxn, log_pz, log_q):
    return log_mean(log_pxm)


@mutant(
    log_conditional_is,
    says="p(z)/q(z) is missing from the weights: right only for z ~ p(z)",
    hint=2,
)
def weights_without_prior_ratio(log_pxm, log_pxn, log_pz, log_q):
    return log_conditional_is(log_pxm, log_pxn, 0 * log_pz, 0 * log_q)


@mutant(
    log_conditional_is, says="x_m stands in the weights too: they have to be of x_n alone", hint=2
)
def weights_of_both(log_pxm, log_pxn, log_pz, log_q):
    return log_conditional_is(log_pxm, log_pxm + log_pxn, log_pz, log_q)


@mutant(
    log_conditional_is,
    says="exp without the shift by the maximum: 0/0 or ∞ at slide 13's scale",
    hint=3,
)
def conditional_without_shift(log_pxm, log_pxn, log_pz, log_q):
    w = np.exp(log_pxn + log_pz - log_q)
    return np.log((w * np.exp(log_pxm)).sum(axis=0) / w.sum(axis=0))
