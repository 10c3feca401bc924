"""Five small CUDA kernels, from one thread an element to a whole block's log-mean-exp.

The text is Numba's: with `from numba import cuda` it is compiled for a GPU.  As it stands here it
runs under the access recorder.  `kernels/` has the kernels that the library uses.
"""

import math

import numpy as np

from . import cuda

THREADS = 32  # the largest block: shared memory has a fixed size


@cuda.jit
def precision_kernel(size, log_var, precision):
    """1/σ² of the first `size` elements, one thread an element.                     [S7.5]"""
    i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    if i < size:
        precision[i] = math.exp(-log_var[i])


@cuda.jit
def product_kernel(mu, log_var, mean, joint_log_var):
    """Multiply the prior N(0, I) and M Gaussian experts, one thread an element of (N, D).  [S7.5]

        1/var = 1 + Σ_m 1/var_m        mean = var Σ_m mu_m / var_m

    mu, log_var (M, N, D), mean, joint_log_var (N, D).  x runs along D, whose neighbours are
    neighbours in memory, and y along N.
    """
    d, n = cuda.grid(2)
    M, N, D = mu.shape
    if n < N and d < D:
        total, weighted = 1.0, 0.0  # the prior
        for m in range(M):
            precision = math.exp(-log_var[m, n, d])
            total += precision
            weighted += precision * mu[m, n, d]
        mean[n, d] = weighted / total
        joint_log_var[n, d] = -math.log(total)


@cuda.jit
def shares_kernel(log_w, weights):
    """w_k / Σ_j w_j: a block an example, a thread a sample.                            [S9.5]

    log_w, weights (K, N), K at most the threads of a block.
    """
    w = cuda.shared.array(THREADS, np.float64)
    k, n = cuda.threadIdx.x, cuda.blockIdx.x
    K = log_w.shape[0]
    if k < K:
        w[k] = math.exp(log_w[k, n])
    cuda.syncthreads()  # outside the if: all threads meet
    if k < K:
        total = 0.0
        for j in range(K):
            total += w[j]
        weights[k, n] = w[k] / total


@cuda.jit
def block_max_kernel(log_w, top):
    """max_k log w_k: a block an example, a tree over its threads.                      [S9.2]

    log_w (K, N), top (N,), for any K and any number of threads.
    """
    tops = cuda.shared.array(THREADS, np.float64)
    t, n, width = cuda.threadIdx.x, cuda.blockIdx.x, cuda.blockDim.x
    own = -math.inf
    for k in range(t, log_w.shape[0], width):
        own = max(own, log_w[k, n])
    tops[t] = own
    cuda.syncthreads()
    while width > 1:
        half = (width + 1) // 2  # an odd one in the middle waits for the next step
        if t + half < width:
            tops[t] = max(tops[t], tops[t + half])
        cuda.syncthreads()
        width = half
    if t == 0:
        top[n] = tops[0]


@cuda.jit
def log_mean_exp_kernel(log_w, bound):
    """log (1/K) Σ_k w_k, at any scale of log w: a block an example, two trees.         [S9.2]

    log_w (K, N), bound (N,), for any K and any number of threads.
    """
    parts = cuda.shared.array(THREADS, np.float64)
    t, n, K = cuda.threadIdx.x, cuda.blockIdx.x, log_w.shape[0]
    own = -math.inf
    for k in range(t, K, cuda.blockDim.x):
        own = max(own, log_w[k, n])
    parts[t] = own
    cuda.syncthreads()
    width = cuda.blockDim.x
    while width > 1:
        half = (width + 1) // 2
        if t + half < width:
            parts[t] = max(parts[t], parts[t + half])
        cuda.syncthreads()
        width = half
    top = parts[0]
    cuda.syncthreads()  # all have read it before the memory is used again
    own = 0.0
    for k in range(t, K, cuda.blockDim.x):
        own += math.exp(log_w[k, n] - top)
    parts[t] = own
    cuda.syncthreads()
    width = cuda.blockDim.x
    while width > 1:
        half = (width + 1) // 2
        if t + half < width:
            parts[t] += parts[t + half]
        cuda.syncthreads()
        width = half
    if t == 0:
        bound[n] = top + math.log(parts[0]) - math.log(K)
