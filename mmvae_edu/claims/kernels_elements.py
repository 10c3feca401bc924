"""Kernels with a thread an element: the global index and its guard, for S7.5."""

import numpy as np

from ..kernels.simulator.examples import precision_kernel, product_kernel
from .registry import T0, claim

RECORDED = "NumPy, under the access recorder"


def launched(f, shape, *args):
    """The arrays after a launch; raises what the access recorder finds wrong with it."""
    check, _, *arrays = f(shape, *args)
    check()
    return arrays


@claim("S7.5", of=precision_kernel, tol=T0, oracle=RECORDED)
def every_element_has_its_thread(f, rng):
    """A thread computes one precision 1/σ²; those left over in the last block touch nothing."""
    blocks, threads = 4, 7
    size = int(rng.integers(22, 27))  # no multiple of a block: at least two threads are left over
    log_var = rng.normal(size=size)
    _, precision = launched(f, (blocks, threads), size, log_var, np.full(size, 9.0))
    return precision, np.exp(-log_var)


@claim("S7.5", of=precision_kernel, tol=T0, oracle=RECORDED)
def what_is_beyond_the_size_stays(f, rng):
    """A kernel that is given a size leaves alone what stands in memory behind it."""
    log_var, before = rng.normal(size=(2, 25))
    _, precision = launched(f, (3, 7), 18, log_var, before)
    return precision, np.append(np.exp(-log_var[:18]), before[18:])


@claim("S7.5", of=product_kernel, tol=T0, oracle=RECORDED)
def a_thread_multiplies_its_experts(f, rng):
    """A thread for each dimension of each example multiplies the prior and all the experts."""
    mu, log_var = rng.normal(size=(2, 3, 5, 7))
    *_, mean, joint_log_var = launched(f, ((2, 3), (4, 2)), mu, log_var, *np.full((2, 5, 7), 9.0))
    precision = 1 + np.exp(-log_var).sum(axis=0)
    expected = (np.exp(-log_var) * mu).sum(axis=0) / precision, -np.log(precision)
    return np.stack([mean, joint_log_var]), np.stack(expected)


@claim("S7.5", of=product_kernel, tol=T0, oracle=RECORDED)
def without_experts_the_kernel_gives_the_prior(f, rng):
    """With no expert at all every thread writes the prior: mean 0, log variance 0."""
    none = np.zeros((0, 3, 5))
    *_, mean, joint_log_var = launched(f, ((2, 2), (3, 2)), none, none, *np.full((2, 3, 5), 9.0))
    return np.stack([mean, joint_log_var]), np.zeros((2, 3, 5))
