"""The hot paths in Python for Numba's CUDA compiler, for reading and for stepping through.

The same kernels as the .cu files, without what only makes those fast: loads of 16 bytes, tiles in
registers, shuffles within a warp.  Each function agrees with the one of its name in `reference`.

With the environment variable NUMBA_ENABLE_CUDASIM=1, set before Python starts, every thread of a
kernel is a Python thread: it runs on NumPy arrays without a GPU, and `breakpoint()` in a kernel
stops there.  Without it the kernels are compiled and take CuPy arrays.
"""

import math

import numba
import numpy as np
from numba import cuda

from ._gpu import Device

LOG_2PI = math.log(2 * math.pi)
ROWS, WIDTH = 16, 32  # the greatest block in which threads add up


def _array_library():
    """NumPy in the simulator, CuPy on a GPU; an ImportError of one sentence without either."""
    if numba.config.ENABLE_CUDASIM:
        return np
    if not cuda.is_available():
        raise ImportError(
            "Numba finds no GPU here: set NUMBA_ENABLE_CUDASIM=1 before Python starts "
            "to run the kernels in Numba's simulator"
        )
    try:
        import cupy
    except ImportError:
        raise ImportError(
            "needs CuPy for arrays on the GPU: pip install 'mmvae_edu[cuda13]' (or [cuda12])"
        ) from None
    return cupy


xp = _array_library()


# ---- what kernels share --------------------------------------------------------------------------


@cuda.jit(device=True)
def ratio(a, b):
    """exp(−|a − b|): 1 for two equal infinities, NaN for NaN."""
    return 1.0 if a == b else math.exp(-abs(a - b))


@cuda.jit(device=True)
def sum_across(part, parts):
    """Over threadIdx.x, a power of 2: a tree whose steps halve the threads; all get the sum."""
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
    """The same over threadIdx.y."""
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


@cuda.jit(device=True)
def add(top, total, other_top, other_total):
    """Σ exp(a) = total · exp(top): the sum of two such sums."""
    scale = ratio(other_top, top)
    if other_top > top:
        return other_top, total * scale + other_total
    return top, total + other_total * scale


@cuda.jit(device=True)
def log_sum_down(top, total, tops, totals):
    """The sums of the threads along threadIdx.y, added up as in sum_down."""
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    tops[y, x], totals[y, x] = top, total
    cuda.syncthreads()
    half = cuda.blockDim.y // 2
    while half > 0:
        if y < half:
            top, total = add(top, total, tops[y + half, x], totals[y + half, x])
            tops[y, x], totals[y, x] = top, total
        cuda.syncthreads()
        half //= 2
    top, total = tops[0, x], totals[0, x]
    cuda.syncthreads()
    return top, total


@cuda.jit(device=True)
def weight(a, top, total):
    """exp(a) as a share of the sum; 0 if the sum has nothing but −∞."""
    return 0.0 if top == -math.inf and total == total else ratio(a, top) / total


@cuda.jit(device=True)
def softplus_and_sigmoid(a):
    e = math.exp(-abs(a))
    return max(a, 0.0) + math.log1p(e), (1.0 if a > 0 else e) / (1.0 + e)


# ---- product of experts --------------------------------------------------------------------------


@cuda.jit
def product_of_experts_v1(M, N, D, mu, log_var, mask, mean, joint_log_var):
    """Two passes: first the least log variance, then the sums in units of its precision."""
    first, rows = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y, cuda.gridDim.x
    for n in range(first, N, rows * cuda.blockDim.y):
        for d in range(cuda.threadIdx.x, D, cuda.blockDim.x):
            least = 0.0  # the prior's log variance
            for m in range(M):
                if mask[m, n] and log_var[m, n, d] < least:
                    least = log_var[m, n, d]
            total, weighted = ratio(least, 0.0), 0.0
            for m in range(M):
                if mask[m, n]:  # what is masked is never read
                    share = ratio(least, log_var[m, n, d])
                    total += share
                    weighted += share * mu[m, n, d]
            mean[n, d] = weighted / total
            joint_log_var[n, d] = least - math.log(total)


@cuda.jit
def product_of_experts_v2(M, N, D, mu, log_var, mask, mean, joint_log_var):
    """One pass: a new least log variance rescales the sums so far."""
    first, rows = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y, cuda.gridDim.x
    for n in range(first, N, rows * cuda.blockDim.y):
        for d in range(cuda.threadIdx.x, D, cuda.blockDim.x):
            least, total, weighted = 0.0, 1.0, 0.0  # the prior
            for m in range(M):
                if mask[m, n]:
                    scale = ratio(log_var[m, n, d], least)
                    if log_var[m, n, d] < least:
                        least = log_var[m, n, d]
                        total, weighted = total * scale + 1.0, weighted * scale + mu[m, n, d]
                    else:
                        total, weighted = total + scale, weighted + scale * mu[m, n, d]
            mean[n, d] = weighted / total
            joint_log_var[n, d] = least - math.log(total)


@cuda.jit
def product_of_experts_vjp(
    M, N, D, dmean, djoint_log_var, mu, log_var, mask, mean, joint_log_var, dmu, dlog_var
):
    first, rows = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y, cuda.gridDim.x
    for n in range(first, N, rows * cuda.blockDim.y):
        for d in range(cuda.threadIdx.x, D, cuda.blockDim.x):
            for m in range(M):
                if mask[m, n]:
                    share = math.exp(joint_log_var[n, d] - log_var[m, n, d])
                    from_mean = (mu[m, n, d] - mean[n, d]) * dmean[n, d]
                    dmu[m, n, d] = share * dmean[n, d]
                    dlog_var[m, n, d] = share * (djoint_log_var[n, d] - from_mean)
                else:
                    dmu[m, n, d] = dlog_var[m, n, d] = 0.0


# ---- importance weights --------------------------------------------------------------------------


@cuda.jit
def importance_weights_v1(K, N, log_K, log_w, bound, weights):
    """One thread a column; the greatest, the sum, the weights: three passes."""
    block, threads = cuda.blockIdx.x, cuda.blockDim.x * cuda.blockDim.y
    first = block * threads + cuda.threadIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    for n in range(first, N, cuda.gridDim.x * threads):
        top, total = -math.inf, 0.0
        for k in range(K):
            top = log_w[k, n] if log_w[k, n] > top else top
        for k in range(K):
            total += ratio(log_w[k, n], top)
        bound[n] = top + math.log(total) - log_K
        for k in range(K):
            weights[k, n] = weight(log_w[k, n], top, total)


@cuda.jit
def importance_weights_v2(K, N, log_K, log_w, bound, weights):
    """A block shares its columns, and greatest and sum take one pass."""
    tops = cuda.shared.array((ROWS, WIDTH), numba.float64)
    totals = cuda.shared.array((ROWS, WIDTH), numba.float64)
    x, y, width = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockDim.x
    for first in range(cuda.blockIdx.x * width, N, cuda.gridDim.x * width):
        n = first + x
        rows = K if n < N else 0  # no early return: the tree needs all threads
        top, total = -math.inf, 0.0
        for k in range(y, rows, cuda.blockDim.y):
            top, total = add(top, total, log_w[k, n], 1.0)
        top, total = log_sum_down(top, total, tops, totals)
        for k in range(y, rows, cuda.blockDim.y):
            weights[k, n] = weight(log_w[k, n], top, total)
        if y == 0 and n < N:
            bound[n] = top + math.log(total) - log_K


# ---- mixture of experts --------------------------------------------------------------------------


@cuda.jit
def mixture_log_prob(K, M, N, D, z, mu, log_var, log_alpha, log_q, r):
    """One sample of one example at a time for each row of threads, which add up over D."""
    parts = cuda.shared.array((WIDTH, WIDTH), numba.float64)
    x, rows = cuda.threadIdx.x, cuda.blockDim.y
    for first in range(cuda.blockIdx.x * rows, N, cuda.gridDim.x * rows):
        n = first + cuda.threadIdx.y
        for k in range(cuda.blockIdx.y, K, cuda.gridDim.y):
            top, total = -math.inf, 0.0
            for m in range(M):
                alpha = log_alpha[m, n] if n < N else -math.inf
                part = 0.0
                if alpha > -math.inf:
                    for d in range(x, D, cuda.blockDim.x):
                        s = (z[k, n, d] - mu[m, n, d]) * math.exp(-0.5 * log_var[m, n, d])
                        part += s * s + (LOG_2PI + log_var[m, n, d])
                score = alpha - 0.5 * sum_across(part, parts)
                top, total = add(top, total, score, 1.0)
                if x == 0 and n < N:
                    r[m, k, n] = score
            if x == 0 and n < N:
                log_q[k, n] = top + math.log(total)
                for m in range(M):
                    r[m, k, n] = weight(r[m, k, n], top, total)


@cuda.jit
def mixture_log_prob_vjp(K, M, N, D, dlog_q, r, z, mu, log_var, dz, dmu, dlog_var):
    """One expert after the other; a thread owns every blockDim.y-th sample of a dimension."""
    parts = cuda.shared.array((ROWS, WIDTH), numba.float64)
    x, y, width = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockDim.x
    for first in range(cuda.blockIdx.x * width, N * D, cuda.gridDim.x * width):
        n, d = (first + x) // D, (first + x) % D
        rows = K if n < N else 0
        for k in range(y, rows, cuda.blockDim.y):
            dz[k, n, d] = 0.0
        for m in range(M):
            from_mu, from_log_var = 0.0, 0.0
            for k in range(y, rows, cuda.blockDim.y):
                w = dlog_q[k, n] * r[m, k, n]
                if w != 0:  # NaN in an absent expert is not 0 · NaN
                    inverse_std = math.exp(-0.5 * log_var[m, n, d])
                    s = (z[k, n, d] - mu[m, n, d]) * inverse_std
                    dz[k, n, d] -= w * s * inverse_std
                    from_mu += w * s * inverse_std
                    from_log_var += 0.5 * w * (s * s - 1.0)
            from_mu, from_log_var = sum_down(from_mu, parts), sum_down(from_log_var, parts)
            if y == 0 and n < N:
                dmu[m, n, d], dlog_var[m, n, d] = from_mu, from_log_var


# ---- binomial ------------------------------------------------------------------------------------


@cuda.jit
def binomial_log_prob(L, N, P, trials, logits, x, log_p):
    """A row of threads adds up a row of logits."""
    parts = cuda.shared.array((WIDTH, WIDTH), numba.float64)
    for first in range(cuda.blockIdx.x * cuda.blockDim.y, N, cuda.gridDim.x * cuda.blockDim.y):
        n = first + cuda.threadIdx.y
        for l in range(cuda.blockIdx.y, L, cuda.gridDim.y):
            part = 0.0
            if n < N:
                for p in range(cuda.threadIdx.x, P, cuda.blockDim.x):
                    softplus, _ = softplus_and_sigmoid(logits[l, n, p])
                    part += x[n, p] * logits[l, n, p] - trials * softplus
            whole = sum_across(part, parts)  # outside the if: all threads meet
            if cuda.threadIdx.x == 0 and n < N:
                log_p[l, n] = whole


@cuda.jit
def binomial_log_prob_value_and_grad(L, N, P, trials, logits, x, log_p, dlogits):
    parts = cuda.shared.array((WIDTH, WIDTH), numba.float64)
    for first in range(cuda.blockIdx.x * cuda.blockDim.y, N, cuda.gridDim.x * cuda.blockDim.y):
        n = first + cuda.threadIdx.y
        for l in range(cuda.blockIdx.y, L, cuda.gridDim.y):
            part = 0.0
            if n < N:
                for p in range(cuda.threadIdx.x, P, cuda.blockDim.x):
                    softplus, sigmoid = softplus_and_sigmoid(logits[l, n, p])
                    part += x[n, p] * logits[l, n, p] - trials * softplus
                    dlogits[l, n, p] = x[n, p] - trials * sigmoid
            whole = sum_across(part, parts)
            if cuda.threadIdx.x == 0 and n < N:
                log_p[l, n] = whole


@cuda.jit
def binomial_log_prob_vjp(L, N, P, trials, dlog_p, logits, x, dlogits):
    first, rows = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y, cuda.gridDim.x
    for n in range(first, N, rows * cuda.blockDim.y):
        for l in range(cuda.blockIdx.y, L, cuda.gridDim.y):
            for p in range(cuda.threadIdx.x, P, cuda.blockDim.x):
                _, sigmoid = softplus_and_sigmoid(logits[l, n, p])
                dlogits[l, n, p] = dlog_p[l, n] * (x[n, p] - trials * sigmoid)


# ---- layers and optimiser ------------------------------------------------------------------------


@cuda.jit
def bias_swish(N, H, a, b, y, slope):
    first, rows = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y, cuda.gridDim.x
    for n in range(first, N, rows * cuda.blockDim.y):
        for h in range(cuda.threadIdx.x, H, cuda.blockDim.x):
            s = a[n, h] + b[h]
            _, gate = softplus_and_sigmoid(s)
            _, shut = softplus_and_sigmoid(-s)  # 1 − gate, without its rounding
            y[n, h] = s * gate
            slope[n, h] = gate + s * gate * shut


@cuda.jit
def adam_step(size, rate, scale, keep1, keep2, epsilon, theta, grad, m, v):
    """rate = η / (1 − β1ᵗ), scale = 1 / (1 − β2ᵗ), keep = 1 − β."""
    first, threads = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x, cuda.blockDim.x
    for i in range(first, size, cuda.gridDim.x * threads):
        m[i] += keep1 * (grad[i] - m[i])
        v[i] += keep2 * (grad[i] * grad[i] - v[i])
        theta[i] -= rate * m[i] / (math.sqrt(scale * v[i]) + epsilon)


# ---- the backend ---------------------------------------------------------------------------------

KERNELS = {
    "product_of_experts": product_of_experts_v2,
    "product_of_experts_vjp": product_of_experts_vjp,
    "importance_weights": importance_weights_v2,
    "mixture_log_prob": mixture_log_prob,
    "mixture_log_prob_vjp": mixture_log_prob_vjp,
    "binomial_log_prob": binomial_log_prob,
    "binomial_log_prob_vjp": binomial_log_prob_vjp,
    "binomial_log_prob_value_and_grad": binomial_log_prob_value_and_grad,
    "bias_swish": bias_swish,
    "adam_step": adam_step,
}


def _launch(op, grid, block, *args, **_):
    """On CuPy's current stream.  The simulator takes 50 ms a launch: few blocks, few threads."""
    stream = 0 if xp is np else cuda.external_stream(xp.cuda.get_current_stream().ptr)
    KERNELS[op][grid, block, stream](*args)


small = {"threads": 32, "width": 8, "tall": 4, "blocks": 2}
device = Device("numba_cuda", xp, _launch, **(small if xp is np else {}))

product_of_experts = device.product_of_experts
product_of_experts_vjp = device.product_of_experts_vjp
importance_weights = device.importance_weights
mixture_log_prob = device.mixture_log_prob
mixture_log_prob_vjp = device.mixture_log_prob_vjp
binomial_log_prob = device.binomial_log_prob
binomial_log_prob_vjp = device.binomial_log_prob_vjp
binomial_log_prob_value_and_grad = device.binomial_log_prob_value_and_grad
bias_swish = device.bias_swish
bias_activation_vjp = device.bias_activation_vjp
adam_step = device.adam_step
matmul = np.matmul  # which hands CuPy arrays to CuPy
