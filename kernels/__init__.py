"""The hot paths, one module a backend; the caller passes the module, there is no registry to set.

`available()` says which backends work here, and why the others do not.
"""

from functools import cache
from importlib import import_module

import numpy as np

from ._inputs import FLOATS

BACKENDS = ("reference", "numba_cpu", "numba_cuda", "cuda_c")


def available():
    """Backend name → its module, or the sentence that says why it is absent."""
    return {name: _load(name) for name in BACKENDS}


def best(array):
    """The fastest backend for this array: what the trainer uses."""
    name = "numba_cpu" if isinstance(array, np.ndarray) else "cuda_c"
    floats = getattr(array, "dtype", None) in FLOATS
    backend = _load(name) if floats else ""
    return _load("reference") if isinstance(backend, str) else backend


@cache
def _load(name):
    try:
        return import_module(f".{name}", __name__)
    except ImportError as problem:
        return str(problem)
