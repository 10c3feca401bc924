"""Checks of arguments that several rooms share."""

from math import inf
from numbers import Integral, Real

import numpy as np

from ..kernels.arrays import FLOATS, check


def whole_number(name, value, least):
    """Raise a ValueError unless value is a whole number, at least `least`; True is none."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name}: expected a whole number, at least {least}, found {value!r}")


def finite_number(name, value, least=-inf):
    """Raise a ValueError unless value is a finite real number, at least `least`; True is none."""
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not (real and value >= least and -inf < value < inf):
        bound = "" if least == -inf else f", {least} or more"
        raise ValueError(f"{name}: expected a finite number{bound}, found {value!r}")


def real_numbers(name, values, kinds="iuf"):
    """Return an array of real numbers, wherever it lies; lists become one of NumPy."""
    if not hasattr(getattr(values, "dtype", None), "kind"):  # nor of NumPy or CuPy
        try:
            values = np.asarray(values)
        except ValueError:
            raise ValueError(f"{name}: expected rows of one length, found ragged") from None
    check(name, values, kinds)
    return values


def finite_numbers(name, values, shape=None, kinds="iuf"):
    """Return real numbers without NaN or inf; shape: the axes, each a length, or a name for any."""
    values = real_numbers(name, values, kinds)
    if shape is not None:
        lengths = dict(zip(shape, values.shape, strict=False))
        if values.shape != tuple(lengths.get(N) if isinstance(N, str) else N for N in shape):
            axes = ", ".join(map(str, shape)) + "," * (len(shape) == 1)
            raise ValueError(f"{name}: expected shape ({axes}), found {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name}: expected finite numbers, found NaN or inf")
    return values


def random_generator(rng):
    """Return a generator as it is, or one from a seed; a ValueError for anything else."""
    try:
        if not isinstance(rng, bool):
            return rng if hasattr(rng, "integers") else np.random.default_rng(rng)
    except (TypeError, ValueError):
        pass
    raise ValueError(f"rng: expected a generator or a seed, found {rng!r}")


def float_type(dtype):
    """Raise a ValueError unless dtype is float32 or float64."""
    try:
        known = dtype is not None and np.dtype(dtype) in FLOATS
    except TypeError:
        known = False
    if not known:
        raise ValueError(f"dtype: expected float32 or float64, found {dtype!r}")
