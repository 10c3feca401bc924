"""CUDA kernels in Python whose threads work on their own: products, activation, Adam.

Each thread computes whole elements of the result, and none waits for another.  Constants are made
of the arrays' type, as Real(0) is: with a number such as 0.0, a float64 to Numba, float32 input
would be computed in float64.
"""

import math

from numba import cuda


@cuda.jit(device=True)
def ratio(a, b):
    """Return exp(−|a − b|): 1 for two equal infinities, NaN for NaN."""
    Real = type(a)
    return Real(1) if a == b else math.exp(-abs(a - b))


@cuda.jit(device=True)
def softplus_and_sigmoid(a):
    Real = type(a)
    zero, one, e = Real(0), Real(1), math.exp(-abs(a))
    return max(a, zero) + math.log1p(e), (one if a > zero else e) / (one + e)


# ---- product of experts --------------------------------------------------------------------------


@cuda.jit
def product_of_experts_v1_strided(M, N, D, mu, log_var, mask, mean, joint_log_var):
    """Take two passes: the least log variance, then the sums in units of its precision.

    Neighbouring threads take neighbouring examples, so what they read lies D numbers apart.
    """
    Real = mu.dtype.type
    first, columns = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x, cuda.gridDim.x
    for n in range(first, N, columns * cuda.blockDim.x):
        for d in range(cuda.threadIdx.y, D, cuda.blockDim.y):
            least = Real(0)  # the prior's log variance
            for m in range(M):
                if mask[m, n]:  # what is masked is never read
                    least = min(least, log_var[m, n, d])
            total, weighted = ratio(least, Real(0)), Real(0)
            for m in range(M):
                if mask[m, n]:
                    share = ratio(least, log_var[m, n, d])
                    total += share
                    weighted += share * mu[m, n, d]
            mean[n, d] = weighted / total
            joint_log_var[n, d] = least - math.log(total)


@cuda.jit
def product_of_experts_v1(M, N, D, mu, log_var, mask, mean, joint_log_var):
    """Give neighbouring threads neighbouring dimensions, which memory serves together."""
    Real = mu.dtype.type
    first, rows = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y, cuda.gridDim.x
    for n in range(first, N, rows * cuda.blockDim.y):
        for d in range(cuda.threadIdx.x, D, cuda.blockDim.x):
            least = Real(0)  # the prior's log variance
            for m in range(M):
                if mask[m, n]:  # what is masked is never read
                    least = min(least, log_var[m, n, d])
            total, weighted = ratio(least, Real(0)), Real(0)
            for m in range(M):
                if mask[m, n]:
                    share = ratio(least, log_var[m, n, d])
                    total += share
                    weighted += share * mu[m, n, d]
            mean[n, d] = weighted / total
            joint_log_var[n, d] = least - math.log(total)


@cuda.jit
def product_of_experts_v2(M, N, D, mu, log_var, mask, mean, joint_log_var):
    """Take one pass: a new least log variance rescales the sums, and none is read twice."""
    Real = mu.dtype.type
    first, rows = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y, cuda.gridDim.x
    for n in range(first, N, rows * cuda.blockDim.y):
        for d in range(cuda.threadIdx.x, D, cuda.blockDim.x):
            least, total, weighted = Real(0), Real(1), Real(0)  # the prior
            for m in range(M):
                if mask[m, n]:
                    centre, own = mu[m, n, d], log_var[m, n, d]
                    scale = ratio(own, least)
                    if own < least:
                        least = own
                        total, weighted = total * scale + Real(1), weighted * scale + centre
                    else:
                        total, weighted = total + scale, weighted + scale * centre
            mean[n, d] = weighted / total
            joint_log_var[n, d] = least - math.log(total)


@cuda.jit
def product_of_experts_vjp(
    M, N, D, dmean, djoint_log_var, mu, log_var, mask, mean, joint_log_var, dmu, dlog_var
):
    Real = mu.dtype.type
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
                    dmu[m, n, d] = dlog_var[m, n, d] = Real(0)


# ---- binomial, layers and optimiser ------------------------------------------------------------


@cuda.jit
def binomial_log_prob_vjp(L, N, P, trials, dlog_p, logits, x, dlogits):
    first, rows = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y, cuda.gridDim.x
    for n in range(first, N, rows * cuda.blockDim.y):
        for l in range(cuda.blockIdx.y, L, cuda.gridDim.y):
            for p in range(cuda.threadIdx.x, P, cuda.blockDim.x):
                _, sigmoid = softplus_and_sigmoid(logits[l, n, p])
                dlogits[l, n, p] = dlog_p[l, n] * (x[n, p] - trials * sigmoid)


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
    """Take Adam's step with rate = η / (1 − β1ᵗ), scale = 1 / (1 − β2ᵗ), keep = 1 − β."""
    first, threads = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x, cuda.blockDim.x
    for i in range(first, size, cuda.gridDim.x * threads):
        m[i] += keep1 * (grad[i] - m[i])
        v[i] += keep2 * (grad[i] * grad[i] - v[i])
        theta[i] -= rate * m[i] / (math.sqrt(scale * v[i]) + epsilon)
