"""Stage: results that are right to a few digits only, as those of float32 arithmetic."""

import numpy as np

from ..comparisons import both
from ..trees import mapped

RIGHT = 1e-11  # an error that is float64's own
TINY = 1e-9
COARSE = 30  # times the error that the library's function has in float32


def few_digits(f, samples, part):
    """Tell whether every sample is as wrong as the library's function in float32 would be."""
    typical = []
    for sample in samples:
        error = _error(sample.found, sample.expected)
        inputs = mapped(_rounded, [sample.args, sample.constants, sample.cotangents])
        _, rounded = both(f, *inputs, part)
        allowed = 0 if isinstance(rounded, str) else _error(rounded, sample.expected)
        if not error <= COARSE * max(allowed, 1e-8):
            return False
        typical.append(np.median(np.concatenate(_relative(sample.found, sample.expected))))
    return bool(typical) and np.median(typical) > RIGHT


def _rounded(leaf):
    """Round a float64 array or number to the nearest of float32."""
    if isinstance(leaf, np.ndarray) and leaf.dtype == np.float64:
        return leaf.astype(np.float32).astype(np.float64)
    return float(np.float32(leaf)) if isinstance(leaf, float) else leaf


def _error(found, expected):
    """Return the largest error of any array, relative to its largest number."""
    pairs = [(found[path], b) for path, b in expected.items() if b.size]
    if any(a.shape != b.shape for a, b in pairs):
        return np.inf
    return max(np.abs(a - b).max() / max(1e-3, np.abs(b).max()) for a, b in pairs)


def _relative(found, expected):
    """List each array's errors, every one relative to the number itself."""
    return [np.ravel(np.abs(found[path] - b) / (np.abs(b) + TINY)) for path, b in expected.items()]
