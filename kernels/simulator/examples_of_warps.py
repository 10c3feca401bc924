"""Four small CUDA kernels whose cost a warp decides: sectors, banks, lanes and shuffles.

As in `examples`, the text is Numba's, and runs here under the access recorder.
"""

import numpy as np

from . import cuda

TILE, PADDED = 32, 33  # a warp's lanes, and one more
THREADS = 256  # the largest block of row_sum_kernel and distance_kernel
ALL = 0xFFFFFFFF  # the lanes of a whole warp


@cuda.jit
def sample_kernel(mu, std, eps, z):
    """z = mu + std · eps, element by element, all (size,).                            [S5.12]

    There may be fewer threads than elements.
    """
    for i in range(cuda.grid(1), mu.shape[0], cuda.gridsize(1)):
        z[i] = mu[i] + std[i] * eps[i]


@cuda.jit
def transpose_kernel(x, y):
    """y[p, n] = x[n, p]: a block of (TILE, TILE) threads carries a tile of x (N, P) to y (P, N).

    A row of the tile is one number longer than it need be: the numbers of a column then lie in
    different banks.
    """
    tile = cuda.shared.array((TILE, PADDED), np.float32)
    column, row = cuda.threadIdx.x, cuda.threadIdx.y
    N, P = x.shape
    p, n = cuda.blockIdx.x * TILE + column, cuda.blockIdx.y * TILE + row
    if n < N and p < P:
        tile[row, column] = x[n, p]
    cuda.syncthreads()
    p, n = cuda.blockIdx.x * TILE + row, cuda.blockIdx.y * TILE + column
    if n < N and p < P:
        y[p, n] = tile[column, row]


@cuda.jit
def row_sum_kernel(x, total):
    """total[n] = Σ_p x[n, p]: a block a row, a tree over its threads.                 [S5.13]

    x (N, P), total (N,), for any P and a power of 2 of threads.
    """
    parts = cuda.shared.array(THREADS, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    own = np.float32(0)
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += x[n, p]
    parts[t] = own
    cuda.syncthreads()
    half = cuda.blockDim.x // 2
    while half > 0:
        if t < half:  # neighbours: the other warps have nothing to do
            parts[t] += parts[t + half]
        cuda.syncthreads()
        half //= 2
    if t == 0:
        total[n] = parts[0]


@cuda.jit
def distance_kernel(x, mu, distance):
    """distance[n] = Σ_p (x[n, p] − mu[n, p])²: a block a row, shuffles in its warps.  [S5.13]

    x, mu (N, P), distance (N,), for any P and whole warps.
    """
    parts = cuda.shared.array(THREADS // 32, np.float32)
    t, n, warps = cuda.threadIdx.x, cuda.blockIdx.x, cuda.blockDim.x // 32
    own = np.float32(0)
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += (x[n, p] - mu[n, p]) ** 2
    step = 16
    while step > 0:
        own += cuda.shfl_xor_sync(ALL, own, step)
        step //= 2
    if t % 32 == 0:  # one number a warp goes through shared memory
        parts[t // 32] = own
    cuda.syncthreads()
    if t < 32:
        own = parts[t] if t < warps else np.float32(0)
        step = 16
        while step > 0:
            own += cuda.shfl_xor_sync(ALL, own, step)
            step //= 2
        if t == 0:
            distance[n] = own
