"""Claims about slide 13's rates: what several seeds say, and when a rate is not chance."""

import itertools
import math

import numpy as np

from ..criteria import wilson_interval
from ..slides.s13_tables import against_chance, over_seeds
from .registry import T0, claim

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
    """More than chance: the chance line lies below Wilson's interval; fewer: it lies above."""
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
    """P(no more than `hits` of n) of guesses that hit with probability p."""
    log_n = math.lgamma(n + 1)
    return math.fsum(
        math.exp(
            log_n - math.lgamma(k + 1) - math.lgamma(n - k + 1)
            + k * math.log(p) + (n - k) * math.log(1 - p)
        )
        for k in range(hits + 1)
    )  # fmt: skip
