"""Stage A4: what was found as a simple function of what was expected, array by array.

A constant factor, a factor that depends on the inputs (σ, σ², ε), a constant added, axes
exchanged, entries in another order, another argument's gradient.
"""

import itertools
from functools import partial

import numpy as np

from ..comparisons import VALUE
from .factors import factor, lengths

EXACT = 1e-9  # of the array's largest number
SMALLEST = 1e-4  # what is smaller may be rounding
FUNCTIONS = {
    "the exponential of": np.exp,
    "the logarithm of": np.log,
    "the square of": np.square,
    "the square root of": np.sqrt,
    "the inverse of": np.reciprocal,
    "the absolute value of": np.abs,
    "1 minus": lambda x: 1 - x,
}
LOG_2PI = float(np.log(2 * np.pi))


def simple_changes(exercise, samples):
    """Return {phrase: the arrays that it explains}; {} where a wrong array stays unexplained."""
    samples = [s for s in samples if s.expected.keys() == samples[0].expected.keys()]
    changes = {}
    for path in samples[0].expected if samples else ():
        if any(_differs(s.found[path], s.expected[path]) for s in samples):
            changes.setdefault(_explained(exercise, samples, path), []).append(path)
    return {} if None in changes else changes


def sentence(changes, samples, part):
    """Write the headline: "the gradient of b is 1/N times what it should be"."""
    for a, b in itertools.combinations(samples[0].expected, 2) if part == VALUE else ():
        if changes == {f"is that of {b}": [a], f"is that of {a}": [b]}:
            return f"the outputs {a} and {b} are swapped"
    parts = []
    for phrase, paths in changes.items():
        every = len(paths) == len(samples[0].expected)
        if part == VALUE:
            subject = "the value" if every else f"output {', '.join(paths)}"
        elif every and len(paths) > 1:
            subject = "every gradient"
        else:
            subject = f"the gradient of {', '.join(paths)}"
        parts.append(f"{subject} {phrase}")
    return "; ".join(parts)


def _explained(exercise, samples, path):
    """Say how one array departs from what it should be; None if no simple way is found."""
    found = [sample.found[path] for sample in samples]
    expected = [sample.expected[path] for sample in samples]
    phrase = None
    if all(a.shape == b.shape for a, b in zip(found, expected, strict=True)):
        sizes = [lengths(exercise.of, sample.inputs) for sample in samples]
        phrase = (
            _factor(found, expected, samples, sizes)
            or _offset(found, expected, sizes)
            or (not samples[0].cotangents and _mapped(found, expected))
        )
    return phrase or _rearranged(found, expected) or _of_another(samples, path)


def _differs(a, b):
    return a.shape != b.shape or np.abs(a - b).max(initial=0) > EXACT * _size(b)


def _size(a):
    return max(np.abs(a).max(initial=0), SMALLEST)


def _all_equal(found, expected):
    """Do all pairs agree, and are they enough to tell?"""
    pairs = zip(found, expected, strict=True)
    return not any(_differs(a, b) for a, b in pairs) and _enough(expected)


def _enough(arrays, count=3):
    """Are there so many different numbers?  Of one or two, anything is a simple function."""
    return len(np.unique(np.concatenate([np.ravel(a) for a in arrays]))) >= count


def _factor(found, expected, samples, sizes):
    """Say that found = c · expected · q, with q = 1 or one of σ, σ², ε … of the inputs."""
    if not any(_differs(a, -b) for a, b in zip(found, expected, strict=True)):
        return "has the wrong sign"
    choices = [{"": 1.0, **_quantities(sample)} for sample in samples]
    for name in choices[0]:
        try:
            scaled = [
                b * np.broadcast_to(q[name], b.shape)
                for b, q in zip(expected, choices, strict=True)
            ]
        except (KeyError, ValueError):
            continue
        if number := _constant(found, scaled, sizes):
            if name:
                number = name if number == "1" else f"{number} · {name}"
            if number != "0":
                return f"is {number} times what it should be"
            return "is 0" if _enough(scaled) else None
    return None


def _constant(found, scaled, sizes):
    """Name the c of found = c · scaled, by projection; None if there is none."""
    if not _enough(scaled, 2):
        return None
    there = [i for i, b in enumerate(scaled) if np.abs(b).max(initial=0) > SMALLEST]
    ratios = [float((found[i] * scaled[i]).sum() / (scaled[i] ** 2).sum()) for i in there]
    for i, ratio in zip(there, ratios, strict=True):
        if np.abs(found[i] - ratio * scaled[i]).max() > EXACT * _size(scaled[i]):
            return None
    return factor(ratios, [sizes[i] for i in there])


def _quantities(sample):
    """Return {name: array}, what an entry may have been multiplied by mistake."""
    found = {}
    for name, value in sample.inputs.items():
        if name == "eps":
            found["ε"] = value
        if "log_var" in name and isinstance(value, np.ndarray):
            std = np.exp(np.clip(value / 2, -300, 300))
            found |= {f"σ ({name})": std, f"1/σ ({name})": 1 / std}
            found |= {f"σ² ({name})": std**2, f"1/σ² ({name})": std**-2}
    return found


def _offset(found, expected, sizes):
    """Say that found = expected + c with c = log K, D/2, (D/2) log 2π, or any constant."""
    offsets = [a - b for a, b in zip(found, expected, strict=True)]
    if not _enough(expected):
        return None
    if any(np.ptp(o) > EXACT * max(_size(b), 1) for o, b in zip(offsets, expected, strict=True)):
        return None
    means = np.array([offset.mean() for offset in offsets])
    for letter in (letter for letter in sizes[0] if (sizes[0][letter] or 0) > 0):
        length = np.array([size.get(letter, np.nan) for size in sizes], dtype=float)
        words = f"({letter})" if " " in letter else letter
        known = {f"log {words}": np.log(length), f"{words}/2": length / 2}
        known[f"({words}/2) log 2π"] = length / 2 * LOG_2PI
        for name, value in known.items():
            for side, sign in (("large", 1), ("small", -1)):
                if (length > 1).any() and np.allclose(means, sign * value, rtol=1e-9, atol=0):
                    return f"is {name} too {side}, the same in every place"
        if np.ptp(length) and np.ptp(means / length) <= EXACT * abs(means[0] / length[0]):
            side = "large" if means[0] > 0 else "small"
            return f"is {abs(means[0] / length[0]):.6g} times {words} too {side}, in every place"
    if np.ptp(means) <= EXACT * max(1, abs(means[0])):
        return f"is {abs(means[0]):.6g} too {'large' if means[0] > 0 else 'small'} in every place"
    return None


def _mapped(found, expected):
    """Say that every entry is a function of the right one: its exponential, its square …"""
    with np.errstate(all="ignore"):
        for words, f in FUNCTIONS.items():
            images = [f(b) for b in expected]
            if all(np.isfinite(b).all() for b in images) and _all_equal(found, images):
                return f"is {words} what it should be"
    return None


def _rearranged(found, expected):
    """Say that the entries are right, but an axis is in another order or axes are exchanged."""
    if len({a.ndim for a in (*found, *expected)}) != 1:
        return "is transposed" if _all_equal(found, [b.T for b in expected]) else None
    for phrase, change in _rearrangements(found, expected):
        if _all_equal(found, [change(b) for b in expected]):
            return phrase
    return None


def _rearrangements(found, expected):
    """Yield (phrase, function of an array)."""
    for axis in range(found[0].ndim):
        entries = f"has the right entries, but axis {axis} in another order:"
        yield f"{entries} backwards", partial(np.flip, axis=axis)
        (n, *others) = {a.shape[axis] for a in (*found, *expected)}
        for order in itertools.permutations(range(n)) if n <= 5 and not others else ():
            if list(order) != sorted(order):
                yield f"{entries} {order}", partial(np.take, indices=order, axis=axis)
    for axes in itertools.permutations(range(found[0].ndim)):
        if list(axes) != sorted(axes):
            way = "transposed" if len(axes) == 2 else f"right, but its axes are in order {axes}"
            yield f"is {way}", partial(np.transpose, axes=axes)


def _of_another(samples, path):
    """Say that it is what another argument should have."""
    found = [sample.found[path] for sample in samples]
    for other in samples[0].expected:
        if other != path and _all_equal(found, [sample.expected[other] for sample in samples]):
            return f"is that of {other}"
    return None
