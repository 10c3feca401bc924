"""Random arguments of any kernel, for the accuracy table, the benchmark and tests."""

from math import log

import numpy as np

from . import reference
from .table import TABLE


def arguments(kernel, lengths, rng, dtype=np.float32, **laws):
    """Draw the arrays of a kernel, in the order of the call; None for a mask.

    lengths: axis → its length; rng: a generator of NumPy or CuPy; laws: array → the function of a
    shape that draws it, in place of standard normal numbers or the law below.
    """
    given, row = {}, TABLE[kernel]

    def normal(shape):
        return rng.standard_normal(shape, dtype=dtype)

    def product():
        return reference.product_of_experts(given["mu"], given["log_var"])

    laws = {
        "mask": lambda shape: None,
        "x": lambda shape: rng.integers(0, 2, shape).astype(dtype),
        "v": lambda shape: abs(normal(shape)),
        "log_alpha": lambda shape: np.full_like(given["mu"], -log(shape[0]), shape=shape),
        "responsibilities": lambda shape: reference.log_sum_exp_and_weights(normal(shape), 0)[1],
        "mean": lambda shape: product()[0],
        "joint_log_var": lambda shape: product()[1],
    } | laws
    for name, axes in row.inputs.items():
        given[name] = laws.get(name, normal)(tuple(lengths[axis] for axis in axes))
    return [given[name] for name in row.arrays]
