"""A warm-up that belongs to no slide: one claim and three mistakes, to try the checker on."""

import numpy as np

from .registry import T0, claim, mutant


def two_plus_two():
    """2 + 2, a number."""
    return 2 + 2


@claim(of=two_plus_two, tol=T0, oracle="counting")
def two_and_two_are_four(f, rng):
    """Two things and two more things are as many as can be counted one by one."""
    return np.float64(f()), np.float64(len("||" + "||"))


@mutant(two_plus_two, says="22 is 2 beside 2: add the numbers, not their digits", hint=3)
def digits_side_by_side():
    return 22


@mutant(two_plus_two, says="0 is 2 - 2: the sign is wrong", hint=3)
def difference_of_twos():
    return 0


@mutant(two_plus_two, says="5 is one too many", hint=1)
def one_too_many():
    return 5
