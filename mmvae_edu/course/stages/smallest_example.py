"""Stage A6: the smallest inputs on which the learner's function still goes wrong.

Axes are shortened, all those of one length together, and numbers rounded, as long as the function
still differs from the library's and the inputs still are what they were: probabilities, say.
"""

from types import ModuleType

import numpy as np

from ..comparisons import GRADIENT, both, is_finite
from ..trees import leaves, mapped, named_leaves, same
from .input_laws import laws

DIFFERENCE = 1e-9  # of the largest number: what is left must be a mistake, not rounding
ATTEMPTS = 200
SHOWN = 12  # numbers of an array


def differing(found, expected):
    """Mark the entries that differ by more than rounding."""
    gap = np.abs(found.astype(float) - expected)
    return ~(gap <= DIFFERENCE * max(1e-3, np.abs(expected).max(initial=0)))


def not_finite(found, expected):
    """Mark the entries that are infinite or NaN."""
    return ~np.isfinite(found)


def smallest(f, sample, part, wrong_entries=differing):
    """Write the inputs, what was found and what is expected, as lines; [] if it is not wrong.

    wrong_entries(found, expected) marks those that must stay wrong as the inputs get smaller.
    """
    inputs = (sample.args, sample.constants, sample.cotangents)
    if any(isinstance(leaf, np.random.Generator | ModuleType) for leaf in leaves(inputs)):
        return []  # nobody can follow random numbers by hand, or a whole file
    arrays = [leaf for leaf in leaves(inputs) if isinstance(leaf, np.ndarray)]
    wrong = _wrong(f, inputs, part, wrong_entries)
    if not wrong:
        return []
    whole, mend, left = inputs, laws(arrays), ATTEMPTS
    for candidates in (_shorter, _simpler):
        untried = candidates(arrays)
        while left and (candidate := next(untried, None)):
            left -= 1
            candidate = [law(a) for law, a in zip(mend, candidate, strict=True)]
            if any(a is None for a in candidate) or same(candidate, arrays):
                continue
            smaller = _with_arrays(whole, candidate)
            if still_wrong := _wrong(f, smaller, part, wrong_entries):
                inputs, arrays, wrong = smaller, candidate, still_wrong
                untried = candidates(arrays)
    return _lines(sample.names, inputs, wrong, part)


def _with_arrays(inputs, arrays):
    """Return the inputs with these arrays in place of theirs."""
    arrays = iter(arrays)
    return mapped(lambda x: next(arrays) if isinstance(x, np.ndarray) else x, inputs)


def _wrong(f, inputs, part, wrong_entries):
    """List (path, found, expected, the wrong entries) of the outputs that are still wrong.

    The list is empty where none is, and outside the function's domain.
    """
    found, expected = both(f, *inputs, part)
    if isinstance(found, str) or not is_finite(expected) or found.keys() != expected.keys():
        return []
    if any(found[path].shape != b.shape for path, b in expected.items()):
        return []
    rows = [(path, found[path], b, wrong_entries(found[path], b)) for path, b in expected.items()]
    return [row for row in rows if row[-1].any()]


def _shorter(arrays):
    """Yield the arrays with the axes of one length cut to fewer entries."""
    for length in sorted({n for a in arrays for n in a.shape}, reverse=True):
        for shorter in sorted({1, 2, length // 2, length - 1}):
            if 0 < shorter < length:
                yield [_cut(a, length, shorter) for a in arrays]


def _cut(a, length, shorter):
    return a[tuple(slice(shorter) if n == length else slice(None) for n in a.shape)].copy()


def _simpler(arrays):
    """Yield the arrays with one of them rounded: to whole numbers, to halves, to tenths."""
    for scale in (1, 2, 10):
        for i, a in enumerate(arrays):
            if a.dtype.kind == "f":
                rounded = np.round(a * scale) / scale + 0.0  # without −0
                if (rounded != a).any():
                    yield [*arrays[:i], rounded, *arrays[i + 1 :]]


def _lines(names, inputs, wrong, part):
    args, constants, cotangents = inputs
    named = {**dict(zip(names, args, strict=False)), **constants}
    if cotangents:
        named["cotangent"] = cotangents if len(cotangents) > 1 else cotangents[0]
    lines = [f"smallest example: {assignments(named)}"]
    for path, found, expected, wrong_entries in wrong[:2]:
        place = ""
        if found.size > SHOWN:
            first = tuple(map(int, np.argwhere(wrong_entries)[0]))
            place, found, expected = f" at {list(first)}", found[first], expected[first]
        digits = 6 if shown(found) != shown(expected) else 17
        numbers = f"found {shown(found, digits)}, expected {shown(expected, digits)}"
        lines.append(f"  {_named(path, part)}{place}: {numbers}")
    return lines


def assignments(named):
    """Write inputs on one line, name by name: a dict name → array, number or tree of them."""
    given = [leaf for name, tree in named.items() for leaf in named_leaves(tree, name)]
    return ", ".join(f"{path} = {shown(a)}" for path, a in given)


def _named(path, part):
    if part == GRADIENT:
        return f"gradient of {path}"
    return f"output {path}" if path else "value"


def shown(a, digits=6):
    """Write an array on one line: its numbers, or its shape and the range of many."""
    if not isinstance(a, np.ndarray):
        return f"{a:.{digits}g}" if isinstance(a, float) else str(a)
    if a.size > SHOWN:
        ends = [shown(extreme.reduce(a, axis=None), 3) for extreme in (np.fmin, np.fmax)]
        return f"array {a.shape} of {' to '.join(ends)}"
    text = np.array2string(a, precision=digits, suppress_small=False, floatmode="maxprec")
    return " ".join(text.split()).replace("[ ", "[").replace(" ]", "]")
