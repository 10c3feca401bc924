"""Arithmetic of tables, in which 0 times anything is 0."""

import operator

import numpy as np


def times(a, b):
    """Multiply; a factor 0 makes the product 0, whatever the other is."""
    product = a * b
    zero = (a == 0) | (b == 0)
    return np.where(zero, 0, product) if zero.any() else product


def over(a, b):
    """Divide; 0 divided by anything is 0."""
    quotient = a / b
    return np.where(a == 0, 0, quotient) if (a == 0).any() else quotient


OPERATIONS = {"+": operator.add, "-": operator.sub, "*": times, "/": over, "**": operator.pow}
