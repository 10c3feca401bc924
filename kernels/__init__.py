"""The hot paths, one module a backend, which the caller passes as `kernels=`.

`table` lists the functions of every backend.  A backend checks its inputs; `inner` gives the same
functions without checks, for arrays that the library has just made.
"""

from functools import cache
from importlib import import_module

import numpy as np

from .arrays import FLOATS

BACKENDS = ("reference", "numba_cpu", "numba_cuda", "cuda_c")


def available():
    """Each backend by name: its module, or the sentence that says why it is absent."""
    return {name: _load(name) for name in BACKENDS}


def inner(array, backend=None):
    """The functions without input checks of this backend, or of the best one for the array.

    A backend that does not take such arrays keeps its checks, whose messages say so; one without
    an attribute `unchecked` is returned as it is.
    """
    backend = backend or best(array)
    takes = isinstance(array, getattr(backend, "ndarray", ())) and array.dtype in FLOATS
    return backend.unchecked if takes else backend


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
