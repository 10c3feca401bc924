"""Checks of arguments that several rooms share."""

from math import inf
from numbers import Integral, Real


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
