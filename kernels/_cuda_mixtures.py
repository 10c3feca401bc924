"""CUDA kernels in Python with a log-sum-exp: importance weights and mixtures.

The threads of a block share it by a tree in shared memory, or those of a warp by shuffles.
"""

import math

from numba import cuda

from ._cuda_elements import ratio
from ._cuda_sums import ROWS, THREADS, WIDTH, sum_across, sum_down

LOG_2PI = math.log(2 * math.pi)
WARP, ALL = 32, 0xFFFFFFFF  # the threads of a warp, and all of them in a shuffle
HELD = 8  # entries of a column that a thread keeps in registers


# ---- trees ---------------------------------------------------------------------------------------


@cuda.jit(device=True)
def add(top, total, other_top, other_total):
    """Add two sums Σ exp(a) = total · exp(top)."""
    scale = ratio(other_top, top)
    if other_top > top:
        return other_top, total * scale + other_total
    return top, total + other_total * scale


@cuda.jit(device=True)
def log_sum_down(top, total, tops, totals):
    """Add up the sums of the threads along threadIdx.y as in sum_down."""
    x, y, width = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockDim.x
    own, half = y * width + x, cuda.blockDim.y // 2
    tops[own], totals[own] = top, total
    cuda.syncthreads()
    while half > 0:
        if y < half:
            other = own + half * width
            top, total = add(top, total, tops[other], totals[other])
            tops[own], totals[own] = top, total
        cuda.syncthreads()
        half //= 2
    top, total = tops[x], totals[x]
    cuda.syncthreads()
    return top, total


@cuda.jit(device=True)
def log_sum_interleaved(top, total, tops, totals):
    """Add up likewise, with threads at work that are further and further apart."""
    x, y, width = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockDim.x
    own, apart = y * width + x, 1
    tops[own], totals[own] = top, total
    cuda.syncthreads()
    while apart < cuda.blockDim.y:
        if y % (2 * apart) == 0:
            other = own + apart * width
            top, total = add(top, total, tops[other], totals[other])
            tops[own], totals[own] = top, total
        cuda.syncthreads()
        apart *= 2
    top, total = tops[x], totals[x]
    cuda.syncthreads()
    return top, total


@cuda.jit(device=True)
def log_sum_in_warp(top, total, rows):
    """Add up the rows of a warp, whose lanes read each other's registers: no barrier, no memory."""
    apart = cuda.blockDim.x
    while apart < rows * cuda.blockDim.x:
        other_top = cuda.shfl_xor_sync(ALL, top, apart)
        other_total = cuda.shfl_xor_sync(ALL, total, apart)
        top, total = add(top, total, other_top, other_total)
        apart *= 2
    return top, total


@cuda.jit(device=True)
def log_sum_shuffled(top, total, tops, totals):
    """Add up each warp's rows, leave one row a warp in shared memory, and add up these likewise."""
    x, y, width = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockDim.x
    rows, Real = min(WARP // width, cuda.blockDim.y), type(top)
    top, total = log_sum_in_warp(top, total, rows)
    if y % rows == 0:
        tops[y // rows * width + x], totals[y // rows * width + x] = top, total
    cuda.syncthreads()
    top, total = Real(-math.inf), Real(0)
    for warp in range(y % rows, cuda.blockDim.y // rows, rows):
        at = warp * width + x
        top, total = add(top, total, tops[at], totals[at])
    top, total = log_sum_in_warp(top, total, rows)
    cuda.syncthreads()
    return top, total


@cuda.jit(device=True)
def weight(a, top, total):
    """Return exp(a) as a share of the sum; 0 if every term is exp(−∞)."""
    Real = type(a)
    return Real(0) if top == Real(-math.inf) and total == total else ratio(a, top) / total


# ---- importance weights --------------------------------------------------------------------------


@cuda.jit
def importance_weights_v1(K, N, log_K, log_w, bound, weights):
    """Give a thread a column, which it reads thrice: for the greatest, the sum, the weights."""
    Real = log_w.dtype.type
    block, threads = cuda.blockIdx.x, cuda.blockDim.x * cuda.blockDim.y
    first = block * threads + cuda.threadIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    for n in range(first, N, cuda.gridDim.x * threads):
        top, total = Real(-math.inf), Real(0)
        for k in range(K):
            top = max(top, log_w[k, n])
        for k in range(K):
            total += ratio(log_w[k, n], top)
        bound[n] = top + math.log(total) - log_K
        for k in range(K):
            weights[k, n] = weight(log_w[k, n], top, total)


@cuda.jit
def importance_weights_v1_running(K, N, log_K, log_w, bound, weights):
    """Read a column twice, not thrice: a new greatest rescales the sum so far."""
    Real = log_w.dtype.type
    block, threads = cuda.blockIdx.x, cuda.blockDim.x * cuda.blockDim.y
    first = block * threads + cuda.threadIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    for n in range(first, N, cuda.gridDim.x * threads):
        top, total = Real(-math.inf), Real(0)
        for k in range(K):
            top, total = add(top, total, log_w[k, n], Real(1))
        bound[n] = top + math.log(total) - log_K
        for k in range(K):
            weights[k, n] = weight(log_w[k, n], top, total)


@cuda.jit
def importance_weights_v2_interleaved(K, N, log_K, log_w, bound, weights):
    """Share a column among the threads of a block, so that more are at work than columns."""
    Real = log_w.dtype.type
    tops = cuda.shared.array(THREADS, log_w.dtype)
    totals = cuda.shared.array(THREADS, log_w.dtype)
    x, y, width = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockDim.x
    for first in range(cuda.blockIdx.x * width, N, cuda.gridDim.x * width):
        n = first + x
        rows = K if n < N else 0  # no early return: the tree needs all threads
        top, total = Real(-math.inf), Real(0)
        for k in range(y, rows, cuda.blockDim.y):
            top, total = add(top, total, log_w[k, n], Real(1))
        top, total = log_sum_interleaved(top, total, tops, totals)
        for k in range(y, rows, cuda.blockDim.y):
            weights[k, n] = weight(log_w[k, n], top, total)
        if y == 0 and n < N:
            bound[n] = top + math.log(total) - log_K


@cuda.jit
def importance_weights_v2(K, N, log_K, log_w, bound, weights):
    """Let the tree's first threads go on: whole warps work or rest, not some lanes of each."""
    Real = log_w.dtype.type
    tops = cuda.shared.array(THREADS, log_w.dtype)
    totals = cuda.shared.array(THREADS, log_w.dtype)
    x, y, width = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockDim.x
    for first in range(cuda.blockIdx.x * width, N, cuda.gridDim.x * width):
        n = first + x
        rows = K if n < N else 0  # no early return: the tree needs all threads
        top, total = Real(-math.inf), Real(0)
        for k in range(y, rows, cuda.blockDim.y):
            top, total = add(top, total, log_w[k, n], Real(1))
        top, total = log_sum_down(top, total, tops, totals)
        for k in range(y, rows, cuda.blockDim.y):
            weights[k, n] = weight(log_w[k, n], top, total)
        if y == 0 and n < N:
            bound[n] = top + math.log(total) - log_K


@cuda.jit
def importance_weights_v3(K, N, log_K, log_w, bound, weights):
    """Keep a thread's first HELD entries in registers: they are read once, not twice."""
    Real = log_w.dtype.type
    held = cuda.local.array(HELD, log_w.dtype)
    tops = cuda.shared.array(THREADS, log_w.dtype)
    totals = cuda.shared.array(THREADS, log_w.dtype)
    x, y, width, step = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockDim.x, cuda.blockDim.y
    for first in range(cuda.blockIdx.x * width, N, cuda.gridDim.x * width):
        n = first + x
        rows = K if n < N else 0  # no early return: the tree needs all threads
        top, total = Real(-math.inf), Real(0)
        for h in range(HELD):
            held[h] = log_w[y + h * step, n] if y + h * step < rows else Real(-math.inf)
            top, total = add(top, total, held[h], Real(1))
        for k in range(y + HELD * step, rows, step):
            top, total = add(top, total, log_w[k, n], Real(1))
        top, total = log_sum_down(top, total, tops, totals)
        for h in range(HELD):
            if y + h * step < rows:
                weights[y + h * step, n] = weight(held[h], top, total)
        for k in range(y + HELD * step, rows, step):
            weights[k, n] = weight(log_w[k, n], top, total)
        if y == 0 and n < N:
            bound[n] = top + math.log(total) - log_K


@cuda.jit
def importance_weights_v3_shuffled(K, N, log_K, log_w, bound, weights):
    """Add within a warp by shuffles: fewer barriers, and less goes through shared memory."""
    Real = log_w.dtype.type
    held = cuda.local.array(HELD, log_w.dtype)
    tops = cuda.shared.array(THREADS, log_w.dtype)
    totals = cuda.shared.array(THREADS, log_w.dtype)
    x, y, width, step = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockDim.x, cuda.blockDim.y
    for first in range(cuda.blockIdx.x * width, N, cuda.gridDim.x * width):
        n = first + x
        rows = K if n < N else 0  # no early return: the tree needs all threads
        top, total = Real(-math.inf), Real(0)
        for h in range(HELD):
            held[h] = log_w[y + h * step, n] if y + h * step < rows else Real(-math.inf)
            top, total = add(top, total, held[h], Real(1))
        for k in range(y + HELD * step, rows, step):
            top, total = add(top, total, log_w[k, n], Real(1))
        top, total = log_sum_shuffled(top, total, tops, totals)
        for h in range(HELD):
            if y + h * step < rows:
                weights[y + h * step, n] = weight(held[h], top, total)
        for k in range(y + HELD * step, rows, step):
            weights[k, n] = weight(log_w[k, n], top, total)
        if y == 0 and n < N:
            bound[n] = top + math.log(total) - log_K


# ---- mixture of experts --------------------------------------------------------------------------


@cuda.jit
def mixture_log_prob(K, M, N, D, z, mu, log_var, log_alpha, log_q, r):
    """Give a row of threads one sample of one example at a time, to add up over D."""
    Real = z.dtype.type
    parts = cuda.shared.array((WIDTH, WIDTH), z.dtype)
    x, rows = cuda.threadIdx.x, cuda.blockDim.y
    for first in range(cuda.blockIdx.x * rows, N, cuda.gridDim.x * rows):
        n = first + cuda.threadIdx.y
        for k in range(cuda.blockIdx.y, K, cuda.gridDim.y):
            top, total = Real(-math.inf), Real(0)
            for m in range(M):
                alpha = log_alpha[m, n] if n < N else Real(-math.inf)
                part = Real(0)
                if alpha > Real(-math.inf):
                    for d in range(x, D, cuda.blockDim.x):
                        s = (z[k, n, d] - mu[m, n, d]) * math.exp(-Real(0.5) * log_var[m, n, d])
                        part += s * s + (Real(LOG_2PI) + log_var[m, n, d])
                score = alpha - Real(0.5) * sum_across(part, parts)
                top, total = add(top, total, score, Real(1))
                if x == 0 and n < N:
                    r[m, k, n] = score
            if x == 0 and n < N:
                log_q[k, n] = top + math.log(total)
                for m in range(M):
                    r[m, k, n] = weight(r[m, k, n], top, total)


@cuda.jit
def mixture_log_prob_vjp(K, M, N, D, dlog_q, r, z, mu, log_var, dz, dmu, dlog_var):
    """Work on one expert after another; a thread owns every blockDim.y-th sample of a dimension."""
    Real = z.dtype.type
    parts = cuda.shared.array((ROWS, WIDTH), z.dtype)
    x, y, width = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockDim.x
    for first in range(cuda.blockIdx.x * width, N * D, cuda.gridDim.x * width):
        n, d = (first + x) // D, (first + x) % D
        rows = K if n < N else 0
        for k in range(y, rows, cuda.blockDim.y):
            dz[k, n, d] = Real(0)
        for m in range(M):
            from_mu, from_log_var = Real(0), Real(0)
            for k in range(y, rows, cuda.blockDim.y):
                w = dlog_q[k, n] * r[m, k, n]
                if w != Real(0):  # NaN in an absent expert is not 0 · NaN
                    inverse_std = math.exp(-Real(0.5) * log_var[m, n, d])
                    s = (z[k, n, d] - mu[m, n, d]) * inverse_std
                    dz[k, n, d] -= w * s * inverse_std
                    from_mu += w * s * inverse_std
                    from_log_var += Real(0.5) * w * (s * s - Real(1))
            from_mu, from_log_var = sum_down(from_mu, parts), sum_down(from_log_var, parts)
            if y == 0 and n < N:
                dmu[m, n, d], dlog_var[m, n, d] = from_mu, from_log_var
