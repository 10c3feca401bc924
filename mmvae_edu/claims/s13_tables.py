"""Claims about slide 13's Table 3 as it is printed: ceilings, and what its columns add up to."""

import math
import tomllib
from decimal import Decimal
from importlib import resources

import mpmath
import numpy as np

from ..oracles import DiscreteModel
from ..slides.s13_tables import audit_table3, laplace_ceiling
from .registry import T0, T1, claim

SLIDES = resources.files("mmvae_edu.measure.tables").joinpath("slides.toml")
FEATURES = 784, 3072  # MNIST, SVHN


def table3(parse=float):
    """The slide's Table 3, its rows by system: (2 systems, 2 modalities, 4 columns)."""
    rows = tomllib.loads(SLIDES.read_text("utf-8"), parse_float=parse)["S13.T3"]["rows"]
    found = rows["mnist-svhn"]
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
    """Means over an O1 model with a state a class: what an honest table has; and I(x_1; x_2)."""
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
