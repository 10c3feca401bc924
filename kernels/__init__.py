"""The hot paths, one module a backend; the caller passes the module, there is no registry to set.

`available()` says which backends work here, and why the others do not.
"""

from importlib import import_module

import numpy as np

BACKENDS = ("reference", "numba_cpu")


def available():
    """Backend name → its module, or the sentence that says why it is absent."""
    return {name: _load(name) for name in BACKENDS}


def best(array):
    """The fastest backend for this array: what the trainer uses."""
    if isinstance(array, np.ndarray) and array.dtype in (np.float32, np.float64):
        backend = _load("numba_cpu")
        if not isinstance(backend, str):
            return backend
    return _load("reference")


def _load(name):
    try:
        return import_module(f".{name}", __name__)
    except ImportError as problem:
        return str(problem)
