"""Stage: the entries of the output in which alone the result is wrong."""

import numpy as np

WRONG = 1e-9


def wrong_entries(samples):
    """Say along which axis only the first or the last entry is wrong, or all but the first."""
    wrong = [sample for sample in samples if sample.wrong_paths]
    for path in wrong[0].wrong_paths if wrong else ():
        pairs = [(s.found[path], s.expected[path]) for s in wrong if path in s.wrong_paths]
        if any(a.shape != b.shape or a.ndim != pairs[0][0].ndim for a, b in pairs):
            continue
        masks = [np.abs(a - b) > WRONG * np.maximum(1, np.abs(b)) for a, b in pairs]
        output = f"output {path}" if path.startswith("[") else path or "the value"
        for axis in range(masks[0].ndim):
            if any(mask.shape[axis] < 3 for mask in masks):
                continue
            for text, rows in (("first", slice(1, None)), ("last", slice(-1))):
                if not any(_along(mask, axis, rows).any() for mask in masks):
                    return f"wrong only in the {text} entry along axis {axis} of {output}"
            if not any(_along(mask, axis, slice(1)).any() for mask in masks):
                return f"right only in the first entry along axis {axis} of {output}"
    return None


def _along(mask, axis, rows):
    return mask[(slice(None),) * axis + (rows,)]


def same_along(samples):
    """Return (path, axis) of an output that is constant along an axis as it should not be."""
    for path, first in samples[0].expected.items() if samples else ():
        pairs = [(s.found.get(path), s.expected[path]) for s in samples if path in s.expected]
        for axis in range(first.ndim):
            judged = [(a, b) for a, b in pairs if b.ndim > axis and b.shape[axis] > 1]
            if any(a.shape != b.shape for a, b in judged):
                continue
            judged = [a for a, b in judged if np.ptp(b, axis=axis).any()]
            if judged and not any(np.ptp(a, axis=axis).any() for a in judged):
                return path, axis
    return None
