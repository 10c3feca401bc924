"""Kernels with a thread an element: the global index and its guard, for S7.5."""

import math

import numpy as np

from ..kernels.simulator import cuda
from ..kernels.simulator.examples import precision_kernel, product_kernel
from .registry import T0, claim, mutant

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


@mutant(precision_kernel, says="no guard: the last block has more threads than elements are left")
@cuda.jit
def no_guard(size, log_var, precision):
    i = cuda.grid(1)
    precision[i] = math.exp(-log_var[i])


@mutant(precision_kernel, says="<= in the guard: the last element is size - 1")
@cuda.jit
def guard_admits_the_size(size, log_var, precision):
    i = cuda.grid(1)
    if i <= size:
        precision[i] = math.exp(-log_var[i])


@mutant(precision_kernel, says="threadIdx.x alone: it begins at 0 in every block")
@cuda.jit
def local_index(size, log_var, precision):
    i = cuda.threadIdx.x
    if i < size:
        precision[i] = math.exp(-log_var[i])


@mutant(precision_kernel, says="blocks are blockDim.x elements apart, not gridDim.x")
@cuda.jit
def blocks_a_grid_apart(size, log_var, precision):
    i = cuda.blockIdx.x * cuda.gridDim.x + cuda.threadIdx.x
    if i < size:
        precision[i] = math.exp(-log_var[i])


@mutant(precision_kernel, says="exp(+log_var) is the variance; S7.5 adds up precisions 1/σ²")
@cuda.jit
def variance_for_precision(size, log_var, precision):
    i = cuda.grid(1)
    if i < size:
        precision[i] = math.exp(log_var[i])


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


@mutant(product_kernel, says="no guard along y: rows beyond N")
@cuda.jit
def guard_along_x_only(mu, log_var, mean, joint_log_var):
    d, n = cuda.grid(2)
    M, N, D = mu.shape
    if d < D:
        _product(mu, log_var, mean, joint_log_var, n, d, 1.0)


@mutant(product_kernel, says="no guard along x: dimensions beyond D")
@cuda.jit
def guard_along_y_only(mu, log_var, mean, joint_log_var):
    d, n = cuda.grid(2)
    M, N, D = mu.shape
    if n < N:
        _product(mu, log_var, mean, joint_log_var, n, d, 1.0)


@mutant(product_kernel, says="x and y swapped: the grid's x runs along D, and its y along N")
@cuda.jit
def axes_swapped(mu, log_var, mean, joint_log_var):
    n, d = cuda.grid(2)
    M, N, D = mu.shape
    if n < N and d < D:
        _product(mu, log_var, mean, joint_log_var, n, d, 1.0)


@mutant(product_kernel, says="threadIdx.y alone: every block works on the same rows")
@cuda.jit
def local_row(mu, log_var, mean, joint_log_var):
    d, n = cuda.grid(1), cuda.threadIdx.y
    M, N, D = mu.shape
    if n < N and d < D:
        _product(mu, log_var, mean, joint_log_var, n, d, 1.0)


@mutant(product_kernel, says="the prior's precision 1 is missing from the sum of S7.5")
@cuda.jit
def kernel_without_the_prior(mu, log_var, mean, joint_log_var):
    d, n = cuda.grid(2)
    M, N, D = mu.shape
    if n < N and d < D:
        _product(mu, log_var, mean, joint_log_var, n, d, 0.0)


@mutant(product_kernel, says="the mean is not divided by the precision T of S7.5")
@cuda.jit
def mean_not_divided(mu, log_var, mean, joint_log_var):
    d, n = cuda.grid(2)
    M, N, D = mu.shape
    if n < N and d < D:
        _product(mu, log_var, mean, joint_log_var, n, d, 1.0)
        mean[n, d] *= math.exp(-joint_log_var[n, d])


@cuda.jit(device=True)
def _product(mu, log_var, mean, joint_log_var, n, d, prior):
    total, weighted = prior, 0.0
    for m in range(mu.shape[0]):
        precision = math.exp(-log_var[m, n, d])
        total += precision
        weighted += precision * mu[m, n, d]
    mean[n, d] = weighted / total
    joint_log_var[n, d] = -math.log(total)
