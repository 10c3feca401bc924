"""Stage A4: what was found as a simple function of what was expected, array by array.

A constant factor, a factor that depends on the inputs (σ, σ², ε), a constant added, axes
exchanged, entries in another order, another argument's gradient.
"""

import itertools

import numpy as np

from .factors import factor, lengths
from .mistakes import VALUE

EXACT = 1e-9  # of the array's largest number
LOG_2PI = float(np.log(2 * np.pi))


def signature(exercise, samples, part):
    """{phrase: the arrays that it explains}; {} where a wrong array stays unexplained."""
    samples = [s for s in samples if s.expected.keys() == samples[0].expected.keys()]
    phrases = {}
    for path in samples[0].expected if samples else ():
        if any(_differs(s.found[path], s.expected[path]) for s in samples):
            phrases.setdefault(explained(exercise, samples, path), []).append(path)
    return {} if None in phrases else phrases


def sentence(phrases, samples, part):
    """The headline: "the gradient of b is 1/N times what it should be"."""
    parts = []
    for phrase, paths in phrases.items():
        every = len(paths) == len(samples[0].expected)
        if part == VALUE:
            subject = "the value" if every else f"output {', '.join(paths)}"
        elif every and len(paths) > 1:
            subject = "every gradient"
        else:
            subject = f"the gradient of {', '.join(paths)}"
        parts.append(f"{subject} {phrase}")
    return "; ".join(parts)


def explained(exercise, samples, path):
    """How one array departs from what it should be, in words; None if no simple way is found."""
    found = [sample.found[path] for sample in samples]
    expected = [sample.expected[path] for sample in samples]
    if all(a.shape == b.shape for a, b in zip(found, expected, strict=True)):
        sizes = [lengths(exercise.of, s.inputs) for s in samples]
        return (
            _constant_factor(found, expected, sizes)
            or _input_factor(found, expected, samples, sizes)
            or _offset(found, expected, sizes)
            or _order(found, expected)
            or _transposed(found, expected)
            or _another(samples, path)
        )
    return _transposed(found, expected) or _another(samples, path)


def _differs(a, b):
    return a.shape != b.shape or np.abs(a - b).max(initial=0) > EXACT * _size(b)


def _size(a):
    return max(np.abs(a).max(initial=0), 1e-300)


def _all(pairs):
    """Do all pairs agree, and are they enough to tell?"""
    pairs = list(pairs)
    agree = all(a.shape == b.shape and not _differs(a, b) for a, b in pairs)
    return agree and _enough(b for _, b in pairs)


def _enough(arrays):
    """Are there three different numbers?  Of one or two, anything is a simple function."""
    return len(np.unique(np.concatenate([np.ravel(a) for a in arrays]))) > 2


def _ratios(found, expected):
    """The factor of each sample, by projection; samples whose expectation is 0 are left out."""
    there = [i for i, b in enumerate(expected) if b.any()]
    return there, [float((found[i] * expected[i]).sum() / (expected[i] ** 2).sum()) for i in there]


def _constant_factor(found, expected, sizes):
    there, ratios = _ratios(found, expected)
    if not there or not _enough(expected):
        return None
    for i, ratio in zip(there, ratios, strict=True):
        if np.abs(found[i] - ratio * expected[i]).max() > EXACT * _size(expected[i]):
            return None
    name = factor(ratios, [sizes[i] for i in there])
    words = {"0": "is 0", "−1": "has the wrong sign"}
    return name and words.get(name, f"is {name} times what it should be")


def _input_factor(found, expected, samples, sizes):
    """found = c · expected · q with q one of σ, σ², ε … of the inputs."""
    choices = [_quantities(sample) for sample in samples]
    for name in choices[0]:
        try:
            scaled = [
                b * np.broadcast_to(q[name], b.shape)
                for b, q in zip(expected, choices, strict=True)
            ]
        except (KeyError, ValueError):
            continue
        there, ratios = _ratios(found, scaled)
        if not there or not _all(
            (found[i], ratio * scaled[i]) for i, ratio in zip(there, ratios, strict=True)
        ):
            continue
        if number := factor(ratios, [sizes[i] for i in there]):
            times = "" if number == "1" else f"{number} · "
            return f"is {times}{name} times what it should be"
    return None


def _quantities(sample):
    """{name: array}, what an entry may have been multiplied by mistake."""
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
    """found = expected + c with c = log K, D/2, (D/2) log 2π, or any constant."""
    offsets = [a - b for a, b in zip(found, expected, strict=True)]
    if not _enough(expected):
        return None
    if any(np.ptp(o) > EXACT * max(_size(b), 1) for o, b in zip(offsets, expected, strict=True)):
        return None
    means = np.array([offset.mean() for offset in offsets])
    for letter in (letter for letter in sizes[0] if (sizes[0][letter] or 0) > 0):
        length = np.array([size.get(letter, np.nan) for size in sizes], dtype=float)
        known = {f"log {letter}": np.log(length), f"{letter}/2": length / 2}
        known[f"({letter}/2) log 2π"] = length / 2 * LOG_2PI
        for name, value in known.items():
            for side, sign in (("large", 1), ("small", -1)):
                if (length > 1).any() and np.allclose(means, sign * value, rtol=1e-9, atol=0):
                    return f"is {name} too {side}, the same in every place"
    if np.ptp(means) <= EXACT * max(1, abs(means[0])):
        return f"is {abs(means[0]):.6g} too {'large' if means[0] > 0 else 'small'} in every place"
    return None


def _order(found, expected):
    """The right entries in another order along an axis."""
    for axis in range(found[0].ndim):
        n = found[0].shape[axis]
        if not 1 < n <= 5 or any(a.shape[axis : axis + 1] != (n,) for a in found):
            continue
        for order in itertools.permutations(range(n)):
            if list(order) != sorted(order) and _all(
                (a, np.take(b, order, axis)) for a, b in zip(found, expected, strict=True)
            ):
                way = "backwards" if list(order) == sorted(order, reverse=True) else f"{order}"
                return f"has the right entries, but axis {axis} in another order: {way}"
    return None


def _transposed(found, expected):
    if len({a.ndim for a in (*found, *expected)}) != 1:
        return None
    for axes in itertools.permutations(range(found[0].ndim)):
        if list(axes) != sorted(axes) and _all(
            (a, b.transpose(axes)) for a, b in zip(found, expected, strict=True)
        ):
            plain = "transposed" if len(axes) == 2 else f"right, but its axes are in order {axes}"
            return f"is {plain}"
    return None


def _another(samples, path):
    """What another argument should have."""
    for other in samples[0].expected:
        if other != path and _all((s.found[path], s.expected[other]) for s in samples):
            return f"is that of {other}"
    return None
