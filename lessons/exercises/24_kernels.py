"""CUDA kernels, run thread by thread under an access recorder.  No GPU is needed.

Write what one thread does.  In a kernel `cuda` has threadIdx, blockIdx, blockDim, gridDim (each
with x and y), grid(1), grid(2), shared.array(THREADS, np.float64) and syncthreads(); arrays are
read and written one element at a time.  `breakpoint()` in a kernel works.  Keep `@cuda.jit`.  A
copy of this file with `from numba import cuda` instead is compiled for a GPU.
"""

import math

import numpy as np
from mmvae_edu.kernels.simulator import cuda

from mmvae_edu.course import todo

THREADS = 32  # no block has more: the size of shared memory


@cuda.jit
def precision_kernel(size, log_var, precision):
    """precision[i] = exp(-log_var[i]) for i < size, one thread an element.            [S7.5]

    log_var and precision may be longer than size; there are more threads than elements.
    """
    return todo("L24.precision_kernel")


@cuda.jit
def product_kernel(mu, log_var, mean, joint_log_var):
    """Multiply the prior N(0, 1) and M experts for each example and dimension.        [S7.5]

    mu, log_var (M, N, D) -> mean, joint_log_var (N, D), one thread an element: x along D, y
    along N.  |log_var| is small, so exp is safe.  M may be 0.
    """
    return todo("L24.product_kernel")


@cuda.jit
def shares_kernel(log_w, weights):
    """weights[k, n] = w_k / sum_j w_j of example n, a block an example.                [S9.5]

    log_w, weights (K, N), K at most the threads of a block; |log_w| is small, so exp is safe.
    Each thread calls exp for its own sample alone, and shares the result in shared memory.
    """
    return todo("L24.shares_kernel")


@cuda.jit
def block_max_kernel(log_w, top):
    """top[n] = max_k log_w[k, n], a block an example: the first half of S9.2's log-sum-exp.

    log_w (K, N), top (N,).  K may be smaller or larger than the number of threads, which is at
    most THREADS and need be no power of 2.  Each thread first goes through every blockDim.x-th
    sample and through no other; what they find goes through shared memory, where a tree over the
    threads finishes.                                                                    [S9.2]
    """
    return todo("L24.block_max_kernel")


@cuda.jit
def log_mean_exp_kernel(log_w, bound):
    """bound[n] = log (1/K) sum_k exp(log_w[k, n]), a block an example.                  [S9.2]

    log_w (K, N), bound (N,); sizes as in block_max_kernel, and log_w of any scale, -6237 say.
    The threads divide the samples, and exchange what they find, as there.
    """
    return todo("L24.log_mean_exp_kernel")
