# === L24.precision_kernel | right | a loop that strides | Each thread takes every gridsize-th element, though one is enough.
import math

import numpy as np
from mmvae_edu.kernels.simulator import cuda

THREADS = 32


@cuda.jit
def precision_kernel(size, log_var, precision):
    step = cuda.gridDim.x * cuda.blockDim.x
    for i in range(cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x, size, step):
        precision[i] = math.exp(-log_var[i])


# === L24.log_mean_exp_kernel | right | pairs of maximum and sum | One pass with pairs that add at any scale.
import math

import numpy as np
from mmvae_edu.kernels.simulator import cuda

THREADS = 32


@cuda.jit
def log_mean_exp_kernel(log_w, bound):
    tops = cuda.shared.array(THREADS, np.float64)
    sums = cuda.shared.array(THREADS, np.float64)
    t, n, K = cuda.threadIdx.x, cuda.blockIdx.x, log_w.shape[0]
    top, total = -math.inf, 0.0
    for k in range(t, K, cuda.blockDim.x):
        a = log_w[k, n]
        if a > top:
            total = total * math.exp(top - a) + 1.0
            top = a
        else:
            total += math.exp(a - top)
    tops[t] = top
    sums[t] = total
    cuda.syncthreads()
    count = cuda.blockDim.x
    while count > 1:
        half = (count + 1) // 2
        if t + half < count and sums[t + half] > 0:
            a, s = tops[t + half], sums[t + half]
            high = max(tops[t], a)
            sums[t] = sums[t] * math.exp(tops[t] - high) + s * math.exp(a - high)
            tops[t] = high
        cuda.syncthreads()
        count = half
    if t == 0:
        bound[n] = tops[0] + math.log(sums[0]) - math.log(K)
