"""Claims about slide 7: random subsets, flat directions, and the sub-sampled objective."""

import itertools
import math
from collections import Counter

import numpy as np

from ..models import MVAE
from ..models.one_function.mvae import subsampled_bound
from ..objectives import sample_subsets, subsampled_terms
from ..oracles import LinearGaussian, expect_gaussian, log_integrate, log_normal
from ..posteriors import product_of_experts
from ..slides.s07_joint_posterior import flat_direction, scored_unseen, subset_weights
from .by_hand_instances import affine, experts, log_likelihood, random_data, two_layers
from .gaussian_instances import (
    FEATURES,
    affine_model,
    exact_posterior,
    linear_gaussian,
    set_exact_encoders,
    sigma_points,
)
from .instances import noise_grid, repeated
from .registry import T0, T1, T4, claim

# ---- the random subsets X_j -------------------------------------------------------------------


@claim("S7.6", of=sample_subsets, tol=T0, oracle="counting")
def sampled_subsets_are_proper(f, rng):
    """Among 300 random subsets X_j of 5 modalities there are some of 2, 3 and 4 members, and of no
    other number."""
    sizes = f(5, 300, rng).sum(axis=1)
    return np.unique(sizes), np.array([2, 3, 4])


@claim("S7.6", of=subset_weights, tol=T0, oracle="counting")
def every_draw_counted_gives_the_weights(f, rng):
    """A step of S7.6 scores a subset of s modalities as often as a count of all draws says."""
    M, k = int(rng.integers(3, 6)), int(rng.integers(1, 5))
    counts, orders = np.zeros(2**M), list(itertools.permutations(1 << np.arange(M)))
    counts[[2**M - 1, *(1 << np.arange(M))]] = 1
    for size, order in itertools.product(range(2, M), orders):
        counts[sum(order[:size])] += k / (M - 2) / len(orders)
    weights = f(M, k)
    return np.array([weights[bin(c).count("1") - 1] for c in range(1, 2**M)]), counts[1:]


@claim("S7.6", of=subset_weights, tol=T0, oracle="the number of terms")
def the_weights_add_up_to_the_number_of_terms(f, rng):
    """Over all subsets the weights add up to the terms of S7.6, 1 + M + k."""
    M, k = int(rng.integers(3, 9)), int(rng.integers(0, 6))
    many = np.array([math.comb(M, size) for size in range(1, M + 1)])
    return np.float64(many @ f(M, k)), np.float64(1 + M + k)


# ---- which modalities are scored from a z that has not seen them ---------------------------------


@claim("S7.6", of=scored_unseen, tol=T0, oracle="sets")
def a_pair_counts_where_its_target_was_not_seen(f, rng):
    """Each term that encodes i, and scores j without encoding it, adds its weight to R[i, j]."""
    T, M = 8, 4
    given, scored, weight = rng.random((T, M)) < 0.5, rng.random((T, M)) < 0.5, rng.random(T)
    expected = np.zeros((M, M))
    for g, s, w in zip(given, scored, weight, strict=True):
        seen, asked = ({*np.flatnonzero(row)} for row in (g, s))
        for pair in itertools.product(seen, asked - seen):
            expected[pair] += w
    return f(given, scored, weight), expected


@claim("S7.6", "S11.4", of=scored_unseen, tol=T0, oracle="hand")
def only_mixtures_score_what_they_have_not_seen(f, rng):
    """Of M modalities MVAE's terms score none from a z that has not seen it, whatever the subsets;
    MMVAE's bound scores each from each with the weight 1/M, MoPoE's with 2^(M − 2)/(2^M − 1)."""
    M, some = 4, rng.random((6, 4)) < 0.6
    members = np.array(list(itertools.product([False, True], repeat=M))[1:])
    everything = np.ones((len(members), M), dtype=bool)
    mvae = f(some, some, np.ones(6))
    mmvae = f(np.eye(M, dtype=bool), everything[:M], np.full(M, 1 / M))
    mopoe = f(members, everything, np.full(len(members), 1 / len(members)))
    pairs = 1 - np.eye(M)
    return np.stack([mvae, mmvae, mopoe]), np.stack([0 * pairs, pairs / 4, pairs * 4 / 15])


# ---- the flat directions of ELBO(x_1..M) ------------------------------------------------------


@claim("S7.6", "S7.5", of=flat_direction, tol=T0, oracle="O3 linear-Gaussian")
def a_flat_step_keeps_the_joint_posterior(f, rng):
    """Exact experts that take a flat step still multiply to the exact joint posterior."""
    model, x, mu, log_var = linear_gaussian(rng)
    tau, (dtau, deta) = np.exp(-log_var), f(*_step(rng, log_var))
    total = 1 + (tau + dtau).sum(axis=0)
    joint = np.stack([(tau * mu + deta).sum(axis=0) / total, -np.log(total)])
    return joint, exact_posterior(model, x, [True] * 3)


@claim("S7.6", of=flat_direction, tol=T0, oracle="eigenvectors of the Fisher information")
def flat_steps_span_the_null_space(f, rng):
    """A step's flat part is its projection on the directions of zero curvature of ELBO(x_1..M),
    2M − 2 for each z_d.
    """
    M, mean, var, (dtau, deta) = 4, rng.normal(), rng.uniform(0.3, 2), rng.normal(size=(2, 4))
    cross = -mean * var
    fisher = np.array([[mean**2 * var + var**2 / 2, cross], [cross, var]])  # of (−z²/2, z)
    curvature, directions = np.linalg.eigh(np.kron(fisher, np.ones((M, M))))
    flat = directions[:, curvature < 1e-9 * curvature[-1]]
    step = np.concatenate(f(dtau[:, None, None], deta[:, None, None]))[:, 0, 0]
    expected = flat @ (flat.T @ np.concatenate([dtau, deta]))
    return np.append(step, flat.shape[1]), np.append(expected, 2 * M - 2)


def _step(rng, log_var):
    """Draw a step of the experts' precisions, which stay positive, and of eta."""
    smallest = np.exp(-log_var).min()
    return rng.uniform(-0.4, 0.4, log_var.shape) * smallest, rng.normal(0, 0.5, log_var.shape)


# ---- S7.6: ELBO(x_1..N) + Σ ELBO(x_i) + Σ ELBO(X_j) -------------------------------------------


@claim("S7.6", of=subsampled_terms, tol=T0, oracle="sets")
def each_distinct_subset_is_scored_once(f, rng):
    """A row scores its modalities together, each alone and each sampled subset, none twice."""
    M, N = 4, 12
    present, sampled = rng.random((M, N)) < 0.7, rng.random((3, M)) < 0.5
    present[:, 0], sampled[0] = True, [True, False, True, False]  # one row has them all
    subsets, counted = f(present, sampled)
    lhs, rhs = np.zeros((2, N, 2**M))
    bits = 1 << np.arange(M)
    for n in range(N):
        here = {m for m in range(M) if present[m, n]}
        terms = [here, *({m} for m in range(M)), *(set(np.flatnonzero(s)) for s in sampled)]
        rhs[n, [sum(1 << m for m in s) for s in {frozenset(t & here) for t in terms} if s]] = 1
        for code, times in Counter((bits @ subsets[:, :, n].T)[counted[:, n]].tolist()).items():
            lhs[n, code] = times
    return lhs, rhs


def _shifted_experts(shift):
    """Move τ and τμ of two experts of x = (0.4, 1.1) by ±(shift/4; 0.4 shift)."""
    a, var, x = np.array([1.3, -0.7]), np.array([0.5, 0.3]), np.array([0.4, 1.1])
    model = LinearGaussian(
        {m: a[m : m + 1, None] for m in range(2)},
        {m: np.zeros(1) for m in range(2)},
        {m: math.sqrt(var[m]) for m in range(2)},
    )
    opposite = shift * np.array([1, -1])
    tau, eta = a**2 / var + 0.25 * opposite, a * x / var + 0.4 * opposite
    mu, log_var = (eta / tau)[:, None, None], -np.log(tau)[:, None, None]
    return model, {m: x[m : m + 1, None] for m in range(2)}, mu, log_var


def _gap(model, x, mean, log_var, present):
    """Compute log p(x_present) − ELBO(x_present)."""
    subset = [m for m in x if present[m]]
    return (model.log_prob(x, subset) - model.elbo(mean, log_var, x, subset))[0]


@claim("S7.6", of=product_of_experts, tol=T0, oracle="O3 linear-Gaussian, to 4 digits")
def joint_term_has_a_flat_direction(f, rng):
    """Moving precision from one expert to the other leaves the joint gap at 0, while the unimodal
    gaps grow: the joint term alone does not identify the experts."""
    gaps = []
    for shift in range(3):
        model, x, *experts = _shifted_experts(shift)
        for present in ([True, True], [True, False], [False, True]):
            mean, log_var = f(*experts, mask=np.array(present)[:, None])[0]
            gaps.append(_gap(model, x, mean, log_var, present))
    exact = [[0, 0, 0], [0, 0.0126, 0.0986], [0, 0.0455, 0.4914]]
    return np.round(np.reshape(gaps, (3, 3)), 4), np.array(exact)


@claim("S7.6", of=product_of_experts, tol=T0, oracle="connected components, by hand")
def a_component_of_pairs_leaves_one_constant_open(f, rng):
    """Experts are functions of x: the joint posteriors of all pairs (x_1, x_2) that occur leave one
    constant open in each connected component of the pairs. Of 5 values each that is 1 if all pairs
    occur, 2 with two classes, 5 if x_1 determines x_2."""
    i, j = np.indices((5, 5)).reshape(2, -1)
    tau, flat = rng.uniform(0.5, 2.0, size=10), []
    for kept in i >= 0, (i < 2) == (j < 2), i == j:
        pairs = np.stack([i[kept], 5 + j[kept]])

        def precision(tau, pairs=pairs):
            log_var = -np.log(tau)[pairs][..., None]
            return np.exp(-f(0 * log_var, log_var)[0][1])[:, 0]

        changes = [precision(tau + step) - precision(tau) for step in np.eye(10)]
        flat.append(10 - np.linalg.matrix_rank(changes, tol=1e-9))
        exact = 1 + tau[pairs].sum(axis=0)
    return np.append(precision(tau), flat), np.append(exact, [1, 2, 5])


@claim("S7.6", of=subsampled_terms, tol=T0, oracle="O3 linear-Gaussian, to 4 digits")
def unimodal_terms_close_the_flat_direction(f, rng):
    """Scored with all its terms, the objective falls where the joint term alone is flat."""
    subsets, counted = f(np.ones((2, 1), dtype=bool))
    totals = []
    for shift in range(3):
        model, x, *experts = _shifted_experts(shift)
        present = subsets[counted[:, 0], :, 0]
        posteriors = [product_of_experts(*experts, mask=s[:, None])[0] for s in present]
        gaps = [_gap(model, x, *q, s) for q, s in zip(posteriors, present, strict=True)]
        totals.append(sum(np.round(gaps, 4)))
    return np.array(totals), np.array([0, 0.0126 + 0.0986, 0.0455 + 0.4914])


@claim("S7.6", of=sample_subsets, tol=T4, oracle="counting")
def sampled_subsets_follow_their_law(f, rng):
    """Of 4 modalities a sampled subset has 2 or 3, with equal chance, and of 2 it has 1; subsets of
    one size are equally likely."""
    k, draws, law = 16_000, [], []
    for M in (4, 2):
        code = f(M, k, rng) @ (1 << np.arange(M))
        draws.append(code[:, None] == np.arange(2**M))
        size = [bin(c).count("1") for c in range(2**M)]
        chance = {2: 1 / 12, 3: 1 / 8} if M == 4 else {1: 1 / 2}
        law += [chance.get(s, 0.0) for s in size]
    return np.concatenate(draws, axis=1), np.array(law)


@claim("S7.6", of=MVAE.bound, tol=T0, oracle="O3 linear-Gaussian")
def exact_experts_make_every_term_exact(f, rng):
    """With exact experts and decoders the objective is Σ log p(X) over its terms, for any noise."""
    model, theta, twin, x = affine_model(MVAE, rng, FEATURES, 2, subsets=2, kl="monte_carlo")
    set_exact_encoders(model.tree.views(theta), twin, prior=False)
    sampled = np.array([[True, True, False], [False, True, True]])
    eps = rng.standard_normal(model.noise_shape(4, 3))
    terms = [["a", "b", "c"], ["a"], ["b"], ["c"], ["a", "b"], ["b", "c"]]
    bound, _ = f(model, theta, x, eps=eps, sampled=sampled)
    return bound, sum(twin.log_prob(x, subset) for subset in terms)


PAIRS = ~np.eye(3, dtype=bool)  # the proper subsets of two or more out of three modalities


def _masks(M, subsets):
    """List the terms of S7.6: all modalities together, each alone, the sampled subsets."""
    return [np.ones(M, bool), *np.eye(M, dtype=bool), *subsets]


def _product(mu, log_var, kept):
    """Compute mean, log_var of N(0, I) times the kept experts."""
    precision = np.exp(-log_var[kept])
    total = 1 + precision.sum(axis=0)
    return (precision * mu[kept]).sum(axis=0) / total, -np.log(total)


def _names(x, kept):
    return list(itertools.compress(x, kept))


def _exact_elbos(w, x, twin, masks):
    """Sum ELBO(X) over masks, in closed form: affine networks."""
    mu, log_var = experts(w, x)
    return sum(twin.elbo(*_product(mu, log_var, kept), x, _names(x, kept)) for kept in masks)


@claim("S7.6", "S6.3", of=subsampled_bound, tol=T0, oracle="O3 linear-Gaussian")
def the_objective_by_hand_adds_its_elbos(f, rng):
    """The objective is ELBO(x_1..M) + Σ ELBO(x_m) + Σ ELBO(X_j), each under the product of its
    experts.
    """
    w, twin, x = affine(rng, FEATURES, 2)
    bound, _ = f(w, x=x, subsets=PAIRS[1:], eps=sigma_points(6, 3, 2))
    return bound, _exact_elbos(w, x, twin, _masks(3, PAIRS[1:]))


@claim("S7.6", of=subsampled_bound, tol=T0, oracle="O3 linear-Gaussian, every draw of subsets")
def random_subsets_stand_for_all(f, rng):
    """Averaged over every draw of two subsets, Σ_j ELBO(X_j) is twice the mean ELBO(X),
    where a subset that is drawn twice counts twice."""
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
    """Compute log p(X) − KL(q ‖ p(z|X)) of one row by integrals over z."""
    mean, log_var = (parameter.item() for parameter in _product(*experts(w, x), kept))
    present = {m: x[m] for m in _names(x, kept)}

    def log_joint(z):
        return log_normal(z, 0.0, 0.0) + sum(log_likelihood(w, present, z[:, None]).values())

    log_p = log_integrate(log_joint, -12.0, 12.0)

    def log_ratio(z):
        return log_normal(z, mean, log_var) - (log_joint(z) - log_p)

    return log_p - expect_gaussian(log_ratio, mean, log_var)
