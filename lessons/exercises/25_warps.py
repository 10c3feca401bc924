"""CUDA kernels that are right and cheap: counted warp by warp.  No GPU is needed.

As in lesson 24 you write what one thread does, and the recorder runs it.  Now it also counts: the
32-byte sectors that each access of a warp touches, the passes that shared memory takes, the lanes
that work.  `seen = record(kernel, blocks, threads, *arrays)` and `print(seen.costs)` show what it
counts, line by line.  All arrays are float32: 32 neighbouring numbers fill four sectors.
"""

import numpy as np
from mmvae_edu.kernels.simulator import cuda

from mmvae_edu.course import todo

TILE, PADDED = 32, 33  # a warp's lanes, and one more
THREADS = 256  # the largest block: the size of shared memory
ALL = 0xFFFFFFFF  # the lanes of a whole warp, the first argument of cuda.shfl_xor_sync


@cuda.jit
def sample_kernel(mu, std, eps, z):
    """z[i] = mu[i] + std[i] * eps[i], all of shape (size,).                           [S5.12]

    There are fewer threads than elements, so each takes several.  Which ones, so that a warp reads
    neighbours?
    """
    return todo("L25.sample_kernel")


@cuda.jit
def transpose_kernel(x, y):
    """y[p, n] = x[n, p] for x (N, P) and y (P, N), in blocks of (TILE, TILE) threads.

    The grid's x runs along P and its y along N; both may end within a block.  A warp reads
    neighbours of x, writes neighbours of y, and has no bank conflict in shared memory.
    """
    return todo("L25.transpose_kernel")


@cuda.jit
def row_sum_kernel(x, total):
    """total[n] = sum_p x[n, p] for x (N, P), a block a row.                           [S5.13]

    The threads, a power of 2 up to THREADS, divide the row, and a tree adds up what they find.
    The threads that work in a step fill as few warps as they can, without a bank conflict in shared
    memory.
    """
    return todo("L25.row_sum_kernel")


@cuda.jit
def distance_kernel(x, mu, distance):
    """distance[n] = sum_p (x[n, p] - mu[n, p])**2 for x, mu (N, P), a block a row.    [S5.13]

    The threads, whole warps up to THREADS, divide the row.  The lanes of a warp add up by shuffles,
    and each warp hands one number on.
    """
    return todo("L25.distance_kernel")
