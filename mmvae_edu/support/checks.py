"""Checks of arguments that several rooms share."""

from numbers import Integral


def whole_number(name, value, least):
    """Raise a ValueError unless value is a whole number, at least `least`."""
    if not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name}: expected a whole number, at least {least}, found {value!r}")
