"""Stage: what about the inputs makes the result wrong, infinite or NaN, found by trial.

An input's special entries are replaced by ordinary ones, or an axis is cut to one entry.  Where
that alone makes the result right, it is named.
"""

import numpy as np

from ..comparisons import both, call, distance, is_finite, is_numeric, pull_back
from ..trees import leaves, mapped
from .factors import lengths
from .input_laws import laws

TRIED = 4  # wrong samples, the smallest
CUTS = 6  # entries of an axis that are tried alone
RIGHT = 1e-9
LARGE = 10.0


def wrong_only_where(f, samples, part):
    """Say on what a wrong result depends, "mask has a False"; None where nothing is found."""
    wrong = sorted((s for s in samples if s.wrong_paths), key=lambda sample: sample.size)[:TRIED]
    mended = [
        {says for says, _, trials in _mended(f, sample) if _all_right(f, trials, part)}
        for sample in wrong
    ]
    if not mended or not (common := set.intersection(*mended)):
        return None
    return next(says for says, _, _ in _mended(f, wrong[0]) if says in common)


def not_finite_where(f):
    """Name an entry of an input without which the result is finite: "log_w[2, 0] is −∞"."""
    samples = [s for s in f.samples if s.has_names and any(map(_is_spoilt, (s, *s.pulls)))]
    for sample in sorted(samples, key=lambda sample: sample.size):
        for _, entry, trials in _mended(f, sample):
            if entry and _is_finite(f, sample, trials[0]):
                return entry
    return None


def _is_spoilt(sample):
    """Is a number not finite that should be?"""
    if isinstance(sample.found, str) or isinstance(sample.expected, str):
        return False
    pairs = [(sample.found.get(path), b) for path, b in sample.expected.items()]
    pairs = [(a, b) for a, b in pairs if np.shape(a) == b.shape and is_numeric(a, b)]
    return any((np.isfinite(b) & ~np.isfinite(a)).any() for a, b in pairs)


def _mended(f, sample):
    """Yield (what is special in the inputs, its first entry or "", [inputs without that])."""
    inputs = [sample.args, sample.constants, sample.cotangents]
    for path, leaf in sample.named_inputs:
        for says, special, usual in _specials(leaf):
            if special.any() and (usual is not None or not special.all()):
                other = leaf.copy()
                other[special] = leaf[~special].mean() if usual is None else usual
                i = tuple(map(int, np.argwhere(special)[0]))
                entry = f"{path}[{', '.join(map(str, i))}] is {_number(leaf[i])}"
                yield f"{path} {says}", entry, [_replaced(inputs, leaf, other)]
        if type(leaf) is int and leaf > 1 and sum(other is leaf for other in leaves(inputs)) == 1:
            yield f"{path} is 2 or more", "", [_replaced(inputs, leaf, 1)]
    sizes = {letter: n for letter, n in lengths(f.exercise.of, sample.inputs).items() if letter}
    for letter, n in sizes.items():
        alone = list(sizes.values()).count(n) == 1 and isinstance(n, int) and n > 1
        if alone:
            trials = [_cut(inputs, n, i) for i in range(min(n, CUTS))]
            yield f"{letter} is 2 or more", "", trials
    for path, leaf in sample.named_inputs if not sample.cotangents else ():
        if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f" and leaf.any():
            zeroed = _replaced(inputs, leaf, 0 * np.nan_to_num(leaf))
            _, expected = call(f.exercise, f.exercise.of, *zeroed[:2])
            if is_finite(expected) and any(map(np.any, expected.values())):  # else all is 0
                yield f"{path} is not 0", "", [zeroed]


def _specials(leaf):
    """Yield (words, where a leaf is so, the number to take there or None for the others' mean)."""
    if not isinstance(leaf, np.ndarray) or leaf.ndim == 0:
        return
    if leaf.dtype == bool:
        yield "has a False", ~leaf, True
    elif leaf.dtype.kind == "f":
        yield "has a NaN", np.isnan(leaf), 0.0
        yield "has an infinite entry", np.isinf(leaf), None
        zero = leaf == 0
        if zero.mean() <= 0.5:  # no one-hot rows
            yield "has a 0", zero, None
        yield f"is beyond ±{LARGE:.0f}", np.abs(leaf) > LARGE, 1.0


def _replaced(inputs, old, new):
    return mapped(lambda leaf: new if leaf is old else leaf, inputs)


def _cut(inputs, n, i):
    """Cut the axes of length n to their entry i; None where no valid inputs are left."""
    arrays = [leaf for leaf in leaves(inputs) if isinstance(leaf, np.ndarray)]
    cut = [a[tuple(slice(i, i + 1) if m == n else slice(None) for m in a.shape)] for a in arrays]
    cut = [law(a) for law, a in zip(laws(arrays), cut, strict=True)]
    if any(a is None for a in cut):
        return None
    cut = iter(cut)
    return mapped(lambda leaf: next(cut) if isinstance(leaf, np.ndarray) else leaf, inputs)


def _all_right(f, trials, part):
    for inputs in trials:
        found, expected = both(f, *inputs, part) if inputs else (None, "")
        if not is_finite(expected) or distance(found, expected) > RIGHT:
            return False
    return True


def _is_finite(f, sample, inputs):
    """Are the value and all gradients finite?"""
    args, constants, _ = inputs
    result, outcome = call(f.exercise, f.f, args, constants)
    if not is_finite(outcome):
        return False
    pulled = (pull_back(f.exercise, args, result, pull.cotangents) for pull in sample.pulls)
    return all(is_finite(outcome) for _, outcome in pulled)


def _number(x):
    return {"inf": "∞", "-inf": "−∞"}.get(str(x), f"{x:.6g}" if x.dtype.kind == "f" else str(x))
