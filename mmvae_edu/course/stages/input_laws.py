"""What inputs obey beyond their shapes, so that a smaller example still means something.

Probabilities sum to 1, a one-hot row has its 1, a covariance is positive definite, something is
present in every column.  What the original inputs do, smaller ones must do as well.
"""

import numpy as np

from ..trees import leaves

ONE = 1e-12  # how near to 1 a sum of probabilities is


def laws(inputs):
    """For each array among the inputs a function that mends a changed one, or gives None."""
    return [_law(leaf) for leaf in leaves(list(inputs)) if isinstance(leaf, np.ndarray)]


def _law(a):
    if a.dtype.kind == "b" and a.ndim and a.any(axis=0).all():
        return _present
    if a.dtype.kind in "iu" and len(np.unique(a)) > 1:
        return _varied
    if a.dtype.kind != "f" or not a.ndim:
        return _any
    for axes in (tuple(range(a.ndim)), (-1,)):
        if (a >= 0).all() and _near(a.sum(axis=axes), 1):
            return _normalised(axes)
        if (a <= 0).all() and _near(np.exp(a).sum(axis=axes), 1):
            return _log_normalised(axes)
    return _covariance if _is_covariance(a) else _any


def _near(a, b):
    return bool((np.abs(a - b) < ONE).all())


def _any(a):
    return a


def _present(a):
    return a if a.any(axis=0).all() else None


def _varied(a):
    return a if len(np.unique(a)) > 1 else None


def _covariance(a):
    return a if _is_covariance(a) else None


def _is_covariance(a):
    if a.ndim != 2 or a.shape[0] != a.shape[1] or not np.isfinite(a).all() or (a != a.T).any():
        return False
    return bool((np.linalg.eigvalsh(a) > 0).all())


def _normalised(axes):
    def normalised(a):
        total = a.sum(axis=axes, keepdims=True)
        return a / total if (total > 0).all() else None

    return normalised


def _log_normalised(axes):
    def log_normalised(a):
        with np.errstate(divide="ignore"):
            total = np.log(np.exp(a).sum(axis=axes, keepdims=True))
        return a - total if np.isfinite(total).all() else None

    return log_normalised
