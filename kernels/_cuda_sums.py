"""CUDA kernels in Python whose threads add up: a likelihood and a layer's backward pass.

The threads of a block share a sum by a tree in shared memory, and meet at its barriers.
"""

from numba import cuda

from ._cuda_elements import softplus_and_sigmoid

ROWS, WIDTH = 16, 32  # the greatest block in which threads add up
THREADS, TALL = ROWS * WIDTH, 128  # TALL: of a narrow one


# ---- trees ---------------------------------------------------------------------------------------


@cuda.jit(device=True)
def sum_across(part, parts):
    """Sum over threadIdx.x, a power of 2, by a tree that halves the threads; all get the sum."""
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    parts[y, x] = part
    cuda.syncthreads()
    half = cuda.blockDim.x // 2
    while half > 0:
        if x < half:
            parts[y, x] += parts[y, x + half]
        cuda.syncthreads()  # outside the if: all threads meet
        half //= 2
    whole = parts[y, 0]
    cuda.syncthreads()  # before the next use of the memory
    return whole


@cuda.jit(device=True)
def sum_down(part, parts):
    """Sum over threadIdx.y, likewise."""
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    parts[y, x] = part
    cuda.syncthreads()
    half = cuda.blockDim.y // 2
    while half > 0:
        if y < half:
            parts[y, x] += parts[y + half, x]
        cuda.syncthreads()
        half //= 2
    whole = parts[0, x]
    cuda.syncthreads()
    return whole


# ---- binomial ------------------------------------------------------------------------------------


@cuda.jit
def binomial_log_prob(L, N, P, trials, logits, x, log_p):
    """Give a row of threads a row of logits to add up."""
    Real = logits.dtype.type
    parts = cuda.shared.array((WIDTH, WIDTH), logits.dtype)
    for first in range(cuda.blockIdx.x * cuda.blockDim.y, N, cuda.gridDim.x * cuda.blockDim.y):
        n = first + cuda.threadIdx.y
        for l in range(cuda.blockIdx.y, L, cuda.gridDim.y):
            part = Real(0)
            if n < N:
                for p in range(cuda.threadIdx.x, P, cuda.blockDim.x):
                    softplus, _ = softplus_and_sigmoid(logits[l, n, p])
                    part += x[n, p] * logits[l, n, p] - trials * softplus
            whole = sum_across(part, parts)  # outside the if: all threads meet
            if cuda.threadIdx.x == 0 and n < N:
                log_p[l, n] = whole


# ---- layers --------------------------------------------------------------------------------------


@cuda.jit
def bias_activation_vjp(N, H, dy, slope, da, db):
    """Give a block some columns and all their rows."""
    parts = cuda.shared.array((TALL, WIDTH), dy.dtype)
    width = cuda.blockDim.x
    for first in range(cuda.blockIdx.x * width, H, cuda.gridDim.x * width):
        h = first + cuda.threadIdx.x
        part = dy.dtype.type(0)
        for n in range(cuda.threadIdx.y, N if h < H else 0, cuda.blockDim.y):
            da[n, h] = dy[n, h] * slope[n, h]
            part += da[n, h]
        whole = sum_down(part, parts)  # outside the loop: all threads meet
        if cuda.threadIdx.y == 0 and h < H:
            db[h] = whole
