"""Stage: inputs, or slices of them, on which the learner's result does not depend.

Each is changed in turn.  An input is named only where every change that moves the library's result
leaves the learner's as it is.
"""

import numpy as np

from ..comparisons import MATCH, both, distance
from ..trees import mapped

COMPARED = 3  # samples that are wrong, and as many that are right: the smallest of both
MOVED = 1e-6  # by which the library's result must move


def without_effect(f, samples, part):
    """List the inputs that the result should depend on but does not: "eps", "eps[1:]"."""
    samples = sorted(samples, key=lambda sample: sample.size)
    wrong = [sample for sample in samples if sample.wrong_paths][:COMPARED]
    samples = wrong + [sample for sample in samples if not sample.wrong_paths][:COMPARED]
    inputs = {path: leaf for sample in samples for path, leaf in sample.named_inputs}
    whole = [path for path in inputs if _has_none(f, samples, part, path, ...)]
    if whole:
        return whole
    for path, leaf in inputs.items():
        for axis in range(np.ndim(leaf)):
            for piece, text in ((slice(1, None), "1:"), (slice(-1), ":-1")):
                where = (slice(None),) * axis + (piece,)
                if _has_none(f, samples, part, path, where):
                    return [f"{path}[{':, ' * axis}{text}]"]
    return []


def _has_none(f, samples, part, path, where):
    """Does no change of this input there move the result, though some move the library's?"""
    moved = 0
    for sample in samples:
        paths, leaves = zip(*sample.named_inputs, strict=True)
        if path not in paths:
            continue
        i = paths.index(path)
        for other in _changed(leaves[i], where):
            number = iter(range(len(leaves)))
            replaced = mapped(
                lambda leaf, number=number, other=other, i=i: other if next(number) == i else leaf,
                [sample.args, sample.constants],
            )
            found, expected = both(f, *replaced, sample.cotangents, part)
            if isinstance(expected, str) or distance(expected, sample.expected) < MOVED:
                continue
            if not distance(found, sample.found) <= MATCH:
                return False
            moved += 1
    return moved > 0


def _changed(leaf, where):
    """Yield the leaf with other numbers at an index, of the same kind, or nothing."""
    if where is not ... and len(where) > np.ndim(leaf):
        return
    if isinstance(leaf, np.ndarray) and leaf.ndim and leaf.dtype.kind in "fb":
        others = [np.roll(leaf, 1, axis) for axis in (-1, 0)]
        if leaf.dtype.kind == "f":
            others.append(leaf * 1.01 + 0.01)
        for other in others:
            result = leaf.copy()
            result[where] = other[where]
            yield result
    elif where is ... and isinstance(leaf, bool):
        yield not leaf
    elif where is ... and isinstance(leaf, float):
        yield leaf * 0.9
