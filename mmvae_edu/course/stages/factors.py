"""Names of numeric factors: 2, 1/2, −1, or an axis length such as 1/N or K."""

import itertools
import re
from fractions import Fraction
from inspect import signature

import numpy as np

from ...claims.inputs import axes

CLOSE = 1e-6  # a factor this near to a number is that number
MAYBE = re.compile(r" \([^()]* here\)")  # another reading of a factor: "2 (K is 2 here)"
SUMMED = "KLMN"  # axes over which means are taken: 2 may be the length of one


def lengths(of, inputs):
    """Return {letter: length} of the inputs' axes and {name: value} of the numbers among them."""
    letters, found = axes(of), {}
    defaults = {name: p.default for name, p in signature(of).parameters.items()}
    for name, array in (defaults | inputs).items():
        if isinstance(array, float | int) and not isinstance(array, bool):
            found.setdefault(name, array)
        for i, length in enumerate(reversed(getattr(array, "shape", ()))):
            own = letters.get(name, "")
            nameless = f"the length of axis {array.ndim - 1 - i} of {name}"
            found.setdefault(own[-1 - i] if i < len(own) else nameless, length)
    return found


def factor(values, sizes, close=CLOSE):
    """Name a factor that was found on several samples: "2", "−1", "1/N"; None if it has no name.

    values: the factor on each; sizes: the lengths of the axes on each.  Where all samples have the
    same N, so that it may be chance, the name is "1/N (1/4 here)", or "2 (N is 2 here)".
    """
    values = np.asarray(values, dtype=float)
    constant = np.ptp(values) <= close * max(1, abs(values[0]))
    number = _number(values[0], close) if constant else None
    if number in ("2", "1/2"):
        perhaps = [a for a in SUMMED if all(size.get(a) == 2 for size in sizes)]
        return f"{number} ({perhaps[0]} is 2 here)" if perhaps else number
    if number in ("0", "1", "−1", "−2", "−1/2"):
        return number
    for name, scale in _monomials(sizes):
        if np.allclose(values, scale, rtol=close, atol=0):
            length = sizes[0].get(name.removeprefix("1/"))
            is_option = isinstance(length, float) and length % 1
            return f"{name} ({number} here)" if constant and not is_option else name
    return number


def _number(value, close):
    fraction = Fraction(float(value)).limit_denominator(20)
    near = abs(fraction - value) <= close
    return (str(fraction) if near else f"{value:.6g}").replace("-", "−")


def _monomials(sizes):
    """Yield (name, value on each sample): N, 1/N, 2N, N/2, … and products of two lengths."""
    length = {
        letter: np.array([size.get(letter, np.nan) for size in sizes], dtype=float)
        for letter in sizes[0]
    }
    known = [(a, n) for a, n in length.items() if (n > 2).any() or (np.nan_to_num(n) % 1).any()]
    pairs = [(f"{a}·{b}", n * m) for (a, n), (b, m) in itertools.combinations(known, 2)]
    for name, n in [*known, *pairs]:
        below = f"({name})" if "·" in name or " " in name else name
        yield from ((name, n), (f"1/{below}", 1 / n), (f"−{name}", -n), (f"−1/{below}", -1 / n))
        yield from ((f"2 {name}", 2 * n), (f"2/{below}", 2 / n))
        yield from ((f"{below}/2", n / 2), (f"1/(2 {name})", 0.5 / n))
    for (a, n), (b, m) in itertools.permutations(known, 2):
        yield f"{a}/{b}", n / m
