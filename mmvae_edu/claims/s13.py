"""Claims about slide 13: its tables' arithmetic, its rates over seeds, and log p(x_m|x_n)."""

import itertools
import math
from decimal import Decimal

import mpmath
import numpy as np

from ..criteria import wilson_interval
from ..oracles import DiscreteModel, LinearGaussian
from ..slides.s13_tables import (
    against_chance,
    audit_table3,
    laplace_ceiling,
    log_conditional_exact_lg,
    log_conditional_is,
    over_seeds,
)
from .instances import discrete_model, log_liks, log_mean, occupied_states, printed
from .registry import T0, T1, claim, terms

FEATURES = 784, 3072  # MNIST, SVHN


def table3(parse=float):
    """Read the slide's Table 3, its rows by system: (2 systems, 2 modalities, 4 columns)."""
    found = printed("S13.T3", parse)["mnist-svhn"]
    return [
        [found[f"{system}, m = {m}"] for m in ("MNIST", "SVHN")] for system in ("MMVAE", "MVAE")
    ]


# ---- how large a log density can be -----------------------------------------------------------


@claim("S13.T3", of=laplace_ceiling, tol=T1, oracle="O5, integrals in original units")
def the_ceiling_is_one_over_an_integral(f, rng):
    """Over c the density is at most 1/∫ exp(−|c − m|/(b·unit)) dc for each feature."""
    found, exact = [], []
    for P, b, unit in (3, 0.75, 1.0), (7, rng.uniform(0.05, 2), rng.uniform(2, 300)):
        scale = b * unit
        area = 2 * mpmath.quad(
            lambda c, s=scale: mpmath.exp(-c / s), [0, scale, 20 * scale, mpmath.inf]
        )
        found.append(f(P, b, unit=unit))
        exact.append(float(-P * mpmath.log(area)))
    return found, exact


@claim("S13.T3", of=laplace_ceiling, tol=T0, oracle="sums over random x")
def no_data_lie_above_the_ceiling(f, rng):
    """No x has a larger log density, and x at the medians has just this one."""
    P, b = 6, rng.uniform(0.1, 2)
    x = rng.normal(size=(9, P))
    x[4] = 0
    densities = [math.fsum(-abs(c) / b - math.log(2) - math.log(b) for c in row) for row in x]
    return f(P, b), max(densities)


@claim("S13.T3", of=laplace_ceiling, tol=T0, oracle="the slide's numbers")
def the_released_scale_cannot_give_table_3(f, rng):
    """MMVAE's 868.76 and 3441.01 are above the ceilings of b = 0.75 and below those of b = 0.1."""
    best = [row[1] for row in table3()[0]]
    sides = [np.sign(v - f(P, b)) for b in (0.75, 0.1) for v, P in zip(best, FEATURES, strict=True)]
    return sides, [1.0, 1.0, -1.0, -1.0]


# ---- the arithmetic of Table 3 ----------------------------------------------------------------


@claim("S13.T3", of=audit_table3, tol=T1, oracle="the slide's numbers, decimal arithmetic")
def the_audit_of_the_slides(f, rng):
    """MMVAE's joint is 1951.63 nats above its two parts, not ln 10; no last column fits it."""
    shared, conditional = [], []
    for (joint, both, own, other), (_, both2, own2, other2) in table3(Decimal):
        best = max(both, own), max(both2, own2)
        shared.append(float(joint - sum(best)) - math.log(10))
        conditional.append([float(joint - other - best[1]), float(joint - other2 - best[0])])
    ceilings = np.array([-100.0, 50.0])
    above = [
        [float(max(row[1:3])) - c for row, c in zip(s, ceilings, strict=True)]
        for s in table3(Decimal)
    ]
    found = f(np.array(table3()), classes=10, ceilings=ceilings)
    return np.column_stack(found), np.column_stack([shared, conditional, above])


def _true_table(rng, classes=3):
    """Average over an O1 model with a state a class: an honest table; and I(x_1; x_2)."""
    lik = [rng.dirichlet(np.full(V, 0.5), size=classes) for V in (5, 4)]
    model = DiscreteModel(np.log(rng.dirichlet(np.ones(classes))), [np.log(t) for t in lik])

    def mean(log_p):
        return math.fsum(math.exp(model.log_evidence(x)) * log_p(x) for x in model.all_x())

    marginals = [mean(lambda x, m=m: model.log_evidence(x, [m])) for m in (0, 1)]
    conditionals = [mean(lambda x, m=m: model.log_conditional(x, [m], [1 - m])) for m in (0, 1)]
    joint, loose = mean(model.log_evidence), rng.uniform(0.5, 2, size=(2, 1))
    columns = [
        [joint, p - d, p, c] for p, c, (d,) in zip(marginals, conditionals, loose, strict=True)
    ]
    columns[1][1:3] = columns[1][2:0:-1]  # of one modality, z from both is the better proposal
    return np.array([columns, columns]), joint - sum(marginals)


@claim("S13.T3", of=audit_table3, tol=T0, oracle="O1 enumeration")
def an_honest_table_passes(f, rng):
    """Of exact values, shared is I(x_1; x_2) − log classes, at most 0, and conditional is 0."""
    rows, information = _true_table(rng)
    shared, conditional, _ = f(rows, classes=3, ceilings=np.zeros(2))
    honest = [information - math.log(3), 0.0]
    return [*shared, *np.maximum(shared, 0), *conditional.ravel()], [honest[0]] * 2 + [0.0] * 6


@claim("S13.T3", of=audit_table3, tol=T0, oracle="O1 enumeration")
def a_marginal_under_the_conditionals_name_is_found(f, rng):
    """With log p(x_m) in the last column, conditional is I(x_1; x_2): more than 0."""
    rows, information = _true_table(rng)
    rows[:, :, 3] = rows[:, :, 1:3].max(axis=-1)
    _, conditional, _ = f(rows, classes=3, ceilings=np.zeros(2))
    return conditional, np.full((2, 2), information)


# ---- several seeds ----------------------------------------------------------------------------


@claim("S13.T1", "S13.T2", of=over_seeds, tol=T0, oracle="enumeration of all seeds")
def the_range_covers_the_median_as_promised(f, rng):
    """Over all ways of n seeds to fall, the range holds the median as often as it says."""
    found, exact = [], []
    for n in 2, 3, 5:
        draws = [f(sides * rng.uniform(size=n)) for sides in _each_side_of_0(n)]
        found.append(draws[0][3])
        exact.append(np.mean([low <= 0 <= high for _, low, high, _ in draws]))
    return found, exact


def _each_side_of_0(n):
    return np.array(list(itertools.product([-1, 1], repeat=n)))


@claim("S13.T1", "S13.T2", of=over_seeds, tol=T0, oracle="sorted by hand")
def the_median_is_in_the_middle(f, rng):
    """As many seeds lie above the median as below; of an even number it halves the middle pair."""
    odd, even = np.sort(rng.uniform(0, 100, size=5)), np.sort(rng.uniform(0, 100, size=4))
    found = [f(rng.permutation(values))[:3] for values in (odd, even)]
    return found, [[odd[2], odd[0], odd[4]], [(even[1] + even[2]) / 2, even[0], even[3]]]


# ---- the chance line --------------------------------------------------------------------------


@claim("S13.T1", "S13.T2", of=against_chance, tol=T0, oracle="Wilson's interval")
def chance_is_outside_of_wilsons_interval(f, rng):
    """More than chance says that the chance line lies below Wilson's interval, fewer that it
    lies above.
    """
    n, z, chance = 57, rng.uniform(1, 3), rng.uniform(0.2, 0.6)
    hits = np.arange(n + 1)
    low, high = wilson_interval(hits, n, z=z)
    return f(hits, n, chance=chance, z=z), 1.0 * (low > chance) - 1.0 * (high < chance)


@claim("S13.T1", of=against_chance, tol=T0, oracle="exact binomial sum")
def under_the_chance_line_by_chance(f, rng):
    """91 of 1,000 is no fewer than guesses have, 910 of 10,000 is; 0 of 10 says nothing."""
    cases = (91, 1_000), (910, 10_000), (0, 10)
    found = [f(hits, n, chance=0.1) for hits, n in cases]
    return found, [-1.0 if _at_most(hits, n, 0.1) < 0.025 else 0.0 for hits, n in cases]


def _at_most(hits, n, p):
    """Compute P(no more than `hits` of n) of guesses that hit with probability p."""
    log_n = math.lgamma(n + 1)
    return math.fsum(
        math.exp(
            log_n - math.lgamma(k + 1) - math.lgamma(n - k + 1)
            + k * math.log(p) + (n - k) * math.log(1 - p)
        )
        for k in range(hits + 1)
    )  # fmt: skip


# ---- exactly, where everything is Gaussian ----------------------------------------------------


def _linear_gaussian(rng):
    """Draw an O3 model of m and n, x of 4 examples, and the pairs W, b, sigma."""
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


# ---- by importance sampling -------------------------------------------------------------------


def _spread_samples(rng, S=4, K=11, N=3):
    """Draw a discrete model of m and n, x of N examples; for each, K samples spread as some q.

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
    """The estimate is exactly log p(x_m|x_n) if the samples are spread just as their q."""
    model, x, arguments = _spread_samples(rng)
    return f(*arguments), [model.log_conditional(row, [0], [1]) for row in x]


@claim("S13.T3", of=log_conditional_is, tol=T0, oracle="O1 enumeration")
def an_exact_proposal_needs_no_weights(f, rng):
    """The estimate is the log of the mean p(x_m|z_k), whatever the samples, if q is p(z|x_n)."""
    model, x, _ = _spread_samples(rng)
    states = rng.integers(4, size=7)
    log_pxm, log_pxn = log_liks(model, x[0])
    terms = log_pxm, log_pxn, model.log_prior, np.log(model.posterior(x[0], [1]))
    found = f(*(term[states, None] for term in terms))
    return found, [math.log(math.fsum(np.exp(log_pxm[states])) / 7)]


@claim("S13.T3", of=log_conditional_is, tol=T1, oracle="shift by a constant")
def the_conditional_survives_tiny_densities(f, rng):
    """Densities e^4309 times larger and e^778 times smaller shift the estimate by x_m's part
    alone.
    """
    model, x, (log_pxm, log_pxn, *rest) = _spread_samples(rng)
    exact = np.array([model.log_conditional(row, [0], [1]) for row in x])
    return f(log_pxm + 4309.77, log_pxn - 778.2, *rest) - 4309.77, exact


@terms(log_conditional_is)
def conditional_is_terms(log_pxm, log_pxn, log_pz, log_q):
    """Split the estimate into the joint's and the given's."""
    log_w = log_pxn + log_pz - log_q
    return {"log p(x_m, x_n)": log_mean(log_pxm + log_w), "−log p(x_n)": -log_mean(log_w)}, None
