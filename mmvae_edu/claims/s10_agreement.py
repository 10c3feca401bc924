"""Claims about slide 10's generations: how often they agree, and how surely."""

import math
from itertools import product

import numpy as np

from ..criteria import coherence, micro_and_macro, wilson_interval
from ..oracles import DiscreteModel
from .registry import T0, T1, claim


def counted_model(rng, M, V=3):
    """An O1 model whose probabilities are counts, and x (n, M), each x as often as it makes it."""
    prior, lik = rng.permutation([1, 2, 3]), rng.permuted(np.tile([1, 2, 4], (3, M, 1)), axis=2)
    rows = [
        x
        for s, here in enumerate(lik)
        for x in product(*(np.repeat(np.arange(V), counts) for counts in here))
        for _ in range(prior[s])
    ]
    model = DiscreteModel(np.log(prior / 6), [np.log(lik[:, m] / 7) for m in range(M)])
    return model, np.array(rows)


# ---- S10.b, S10.c: do generations agree? ------------------------------------------------------


@claim("S10.b", of=coherence, tol=T0, oracle="O1 enumeration")
def coherence_is_the_chance_of_one_class(f, rng):
    """Coherence of what z ~ p(z) generates is the sum over classes v of p(v, v, …)."""
    found, exact = [], []
    for M in 2, 3:
        model, x = counted_model(rng, M)
        found.append(f(rng.permutation(x).T))
        exact.append(math.fsum(math.exp(model.log_evidence([v] * M)) for v in range(3)))
    return found, exact


@claim("S10.b", of=coherence, tol=T0, oracle="planted models")
def planted_coherence(f, rng):
    """A model that always agrees scores 1; an independent one, over V classes, 1/V^(M−1)."""
    agreeing = np.tile(rng.integers(0, 5, 40), (3, 1))
    pairs, triples = (np.array(list(product(range(4), repeat=M))).T for M in (2, 3))
    return [f(agreeing), f(pairs), f(triples)], [1, 1 / 4, 1 / 16]


@claim("S10.c", "S10.b", of=coherence, tol=T0, oracle="O1 enumeration")
def crossing_agrees_as_often_as_the_prior(f, rng):
    """With exact posteriors, x_n made from the model's own x_m agrees as often as jointly made."""
    model, x = counted_model(rng, 2)
    exact = [
        math.fsum(
            math.exp(model.log_evidence([v, v], [m]) + model.log_conditional([v, v], [1 - m], [m]))
            for v in range(3)
        )
        for m in range(2)
    ]
    return [f(x.T[1:], given=x[:, 0]), f(x.T[:1], given=x[:, 1])], exact


@claim("S10.c", of=micro_and_macro, tol=T0, oracle="plain loops")
def micro_counts_rows_macro_counts_classes(f, rng):
    """Micro accuracy is hits over rows; macro accuracy the plain mean of each class's."""
    y, predicted = np.repeat([4, 1, 2], [9, 5, 2]), rng.integers(1, 5, 16)
    predicted[:7] = 4
    hits = {c: [int(p == c) for p, true in zip(predicted, y, strict=True) if true == c] for c in y}
    macro = sum(sum(h) / len(h) for h in hits.values()) / 3
    return f(predicted, y), (sum(map(sum, hits.values())) / 16, macro)


# ---- how far a frequency may be trusted -------------------------------------------------------


def _binomial(n, p):
    return np.array([math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)])


@claim("S10.b", "S10.c", of=wilson_interval, tol=T1, oracle="roots of the quadratic")
def wilson_solves_its_equation(f, rng):
    """Its ends are the two p that lie z of their own standard errors from hits/n."""
    n, z = 23, rng.uniform(1, 3)
    hits = np.arange(1, n)
    equations = [[1 + z**2 / n, -2 * k / n - z**2 / n, (k / n) ** 2] for k in hits]
    return np.array(f(hits, n, z=z)), np.sort([np.roots(e) for e in equations]).T


@claim("S10.b", "S10.c", of=wilson_interval, tol=T0, oracle="exact binomial sum")
def wilson_covers_as_often_as_the_score_test_accepts(f, rng):
    """It covers p as often as hits/n falls within z standard errors of p, summed exactly."""
    n, z, ps = 20, rng.uniform(1, 3), rng.uniform(0, 1, size=50)
    low, high = f(np.arange(n + 1), n, z=z)
    covered, accepted = [], []
    for p in ps:
        near = abs(np.arange(n + 1) / n - p) <= z * math.sqrt(p * (1 - p) / n)
        covered.append(_binomial(n, p) @ ((low <= p) & (p <= high)))
        accepted.append(_binomial(n, p) @ near)
    return covered, accepted


@claim("S10.b", "S10.c", of=wilson_interval, tol=T0, oracle="exact binomial sum")
def wilson_covers_as_promised(f, rng):
    """At n = 20 it holds p in 94% of cases or more, averaged over p; hits/n ± z s.e. does not."""
    n, ps = 20, (np.arange(200) + rng.uniform()) / 200
    low, high = f(np.arange(n + 1), n)
    coverage = np.mean([_binomial(n, p) @ ((low <= p) & (p <= high)) for p in ps])
    return np.minimum(coverage, 0.94), 0.94


@claim("S10.b", "S10.c", of=wilson_interval, tol=T0, oracle="closed form")
def no_hit_is_no_certainty(f, rng):
    """No hit of n leaves p up to z²/(n + z²), and n hits leave it down to n/(n + z²)."""
    n, z = 17, rng.uniform(1, 3)
    top = z**2 / (n + z**2)
    return np.array([f(0, n, z=z), f(n, n, z=z)]), np.array([[0, top], [1 - top, 1]])
