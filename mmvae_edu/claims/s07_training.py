"""Claims about slide 7, sub-sampled training: the subsets of modalities that MVAE scores."""

import math
from collections import Counter

import numpy as np

from ..models import MVAE
from ..objectives import sample_subsets, subsampled_terms
from ..oracles import LinearGaussian
from ..posteriors import product_of_experts
from .gaussian_instances import FEATURES, affine_model, set_exact_encoders
from .registry import T0, T4, claim

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
    """Two experts of x = (0.4, 1.1) with precision τ and τμ moved by ±(shift/4; 0.4 shift)."""
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
    """log p(x_present) − ELBO(x_present)."""
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
    k, draws, law = 40_000, [], []
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
    set_exact_encoders(model, theta, twin, prior=False)
    sampled = np.array([[True, True, False], [False, True, True]])
    eps = rng.standard_normal(model.noise_shape(4, 3))
    terms = [["a", "b", "c"], ["a"], ["b"], ["c"], ["a", "b"], ["b", "c"]]
    bound, _ = f(model, theta, x, eps=eps, sampled=sampled)
    return bound, sum(twin.log_prob(x, subset) for subset in terms)
