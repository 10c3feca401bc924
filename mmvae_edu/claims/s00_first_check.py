"""A warm-up that belongs to no slide: one claim and three mistakes, to try the checker on."""

import numpy as np

from .registry import T0, claim


def two_plus_two():
    """Compute 2 + 2, a number."""
    return 2 + 2


@claim(of=two_plus_two, tol=T0, oracle="counting")
def two_and_two_are_four(f, rng):
    """Two things and two more things are as many as can be counted one by one."""
    return np.float64(f()), np.float64(len("||" + "||"))
