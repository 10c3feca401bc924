"""Laws that inputs obey beyond their shapes, so that a smaller example still means something.

Probabilities sum to 1, a one-hot row has its 1, a covariance is positive definite, something is
present in every column.  A law that holds for the original inputs must hold for smaller ones.
"""

from functools import partial

import numpy as np

ONE = 1e-12  # how near to 1 a sum of probabilities is


def laws(arrays):
    """Return for each array a function that mends a changed one, or returns None if it cannot."""
    return [_law(a) for a in arrays]


def _law(a):
    if a.dtype.kind == "f" and a.ndim:
        for axis in (None, -1):
            if (a >= 0).all() and _is_one(a.sum(axis=axis)):
                return partial(_normalised, axis=axis)
            if (a <= 0).all() and _is_one(np.exp(a).sum(axis=axis)):
                return partial(_log_normalised, axis=axis)
    for obeys in (_is_present, _varies, _is_covariance):
        if obeys(a):
            return partial(_kept_if, obeys)
    return partial(_kept_if, lambda a: True)


def _is_one(total):
    return bool((np.abs(total - 1) < ONE).all())


def _normalised(a, axis):
    total = a.sum(axis=axis, keepdims=True)
    return a / total if (total > 0).all() else None


def _log_normalised(a, axis):
    with np.errstate(divide="ignore"):
        total = np.log(np.exp(a).sum(axis=axis, keepdims=True))
    return a - total if np.isfinite(total).all() else None


def _kept_if(obeys, a):
    return a if obeys(a) else None


def _is_present(a):
    """Does a mask have something in every column?"""
    return a.dtype.kind == "b" and a.ndim > 0 and bool(a.any(axis=0).all())


def _varies(a):
    return a.dtype.kind in "iu" and len(np.unique(a)) > 1


def _is_covariance(a):
    if a.ndim != 2 or a.shape[0] != a.shape[1] or not np.isfinite(a).all() or (a != a.T).any():
        return False
    return a.dtype.kind == "f" and bool((np.linalg.eigvalsh(a) > 0).all())
