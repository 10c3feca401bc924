# === L24.precision_kernel | wrong | wrong bound | The guard compares with the array's length and not with size. | wrong at: arrays longer than size
import math

import numpy as np
from mmvae_edu.kernels.simulator import cuda

THREADS = 32


@cuda.jit
def precision_kernel(size, log_var, precision):
    i = cuda.grid(1)
    if i < log_var.shape[0]:
        precision[i] = math.exp(-log_var[i])


# === L24.precision_kernel | wrong | off by one | The last element is left out. | wrong at: i = size - 1
import math

import numpy as np
from mmvae_edu.kernels.simulator import cuda

THREADS = 32


@cuda.jit
def precision_kernel(size, log_var, precision):
    i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    if i >= size - 1:
        return
    precision[i] = 1.0 / math.exp(log_var[i])


# === L24.product_kernel | wrong | axes swapped | x goes along N and y along D. | wrong at: N unequal to D, or a grid that is not square
import math

import numpy as np
from mmvae_edu.kernels.simulator import cuda

THREADS = 32


@cuda.jit
def product_kernel(mu, log_var, mean, joint_log_var):
    n, d = cuda.grid(2)
    M, N, D = mu.shape
    if n < N and d < D:
        total, weighted = 1.0, 0.0
        for m in range(M):
            t = math.exp(-log_var[m, n, d])
            total += t
            weighted += t * mu[m, n, d]
        mean[n, d] = weighted / total
        joint_log_var[n, d] = -math.log(total)


# === L24.product_kernel | wrong | prior left out | The total of the precisions starts from the first expert, without the prior. | wrong at: any input; M = 0 reads beyond the array
import math

import numpy as np
from mmvae_edu.kernels.simulator import cuda

THREADS = 32


@cuda.jit
def product_kernel(mu, log_var, mean, joint_log_var):
    d, n = cuda.grid(2)
    M, N, D = mu.shape
    if n < N and d < D:
        total = math.exp(-log_var[0, n, d])
        weighted = total * mu[0, n, d]
        for m in range(1, M):
            t = math.exp(-log_var[m, n, d])
            total += t
            weighted += t * mu[m, n, d]
        mean[n, d] = weighted / total
        joint_log_var[n, d] = -math.log(total)


# === L24.shares_kernel | wrong | required method replaced | Thread 0 does all, without shared memory. | wrong at: every call: the values are right, the method is not
import math

import numpy as np
from mmvae_edu.kernels.simulator import cuda

THREADS = 32


@cuda.jit
def shares_kernel(log_w, weights):
    n, K = cuda.blockIdx.x, log_w.shape[0]
    if cuda.threadIdx.x == 0:
        total = 0.0
        for k in range(K):
            total += math.exp(log_w[k, n])
        for k in range(K):
            weights[k, n] = math.exp(log_w[k, n]) / total


# === L24.shares_kernel | wrong | barrier missing | No barrier between writing the shared weights and summing them. | wrong at: K > 1
import math

import numpy as np
from mmvae_edu.kernels.simulator import cuda

THREADS = 32


@cuda.jit
def shares_kernel(log_w, weights):
    w = cuda.shared.array(THREADS, np.float64)
    k, n, K = cuda.threadIdx.x, cuda.blockIdx.x, log_w.shape[0]
    if k < K:
        w[k] = math.exp(log_w[k, n])
    if k < K:
        total = 0.0
        for j in range(K):
            total += w[j]
        weights[k, n] = w[k] / total


# === L24.block_max_kernel | wrong | power of two taken for granted | The tree halves the number of threads and loses the odd one. | wrong at: 3 threads, the maximum in the last
import math

import numpy as np
from mmvae_edu.kernels.simulator import cuda

THREADS = 32


@cuda.jit
def block_max_kernel(log_w, top):
    part = cuda.shared.array(THREADS, np.float64)
    t, n, K = cuda.threadIdx.x, cuda.blockIdx.x, log_w.shape[0]
    best = -math.inf
    for k in range(t, K, cuda.blockDim.x):
        best = max(best, log_w[k, n])
    part[t] = best
    cuda.syncthreads()
    half = cuda.blockDim.x // 2
    while half > 0:
        if t < half:
            part[t] = max(part[t], part[t + half])
        cuda.syncthreads()
        half //= 2
    if t == 0:
        top[n] = part[0]


# === L24.block_max_kernel | wrong | barrier that not all reach | The barrier in the tree stands inside the if. | wrong at: more than 2 threads
import math

import numpy as np
from mmvae_edu.kernels.simulator import cuda

THREADS = 32


@cuda.jit
def block_max_kernel(log_w, top):
    part = cuda.shared.array(THREADS, np.float64)
    t, n, K = cuda.threadIdx.x, cuda.blockIdx.x, log_w.shape[0]
    best = -math.inf
    for k in range(t, K, cuda.blockDim.x):
        best = max(best, log_w[k, n])
    part[t] = best
    cuda.syncthreads()
    count = cuda.blockDim.x
    while count > 1:
        half = (count + 1) // 2
        if t + half < count:
            part[t] = max(part[t], part[t + half])
            cuda.syncthreads()
        count = half
    if t == 0:
        top[n] = part[0]


# === L24.log_mean_exp_kernel | wrong | wrong starting value | The maximum starts at 0 and not at -inf, so that weights near -6237 underflow. | wrong at: log_w = -6237
import math

import numpy as np
from mmvae_edu.kernels.simulator import cuda

THREADS = 32


@cuda.jit
def log_mean_exp_kernel(log_w, bound):
    part = cuda.shared.array(THREADS, np.float64)
    t, n, K = cuda.threadIdx.x, cuda.blockIdx.x, log_w.shape[0]
    T = cuda.blockDim.x
    top = 0.0
    for k in range(t, K, T):
        top = max(top, log_w[k, n])
    part[t] = top
    cuda.syncthreads()
    count = T
    while count > 1:
        half = (count + 1) // 2
        if t + half < count:
            part[t] = max(part[t], part[t + half])
        cuda.syncthreads()
        count = half
    top = part[0]
    cuda.syncthreads()
    total = 0.0
    for k in range(t, K, T):
        total += math.exp(log_w[k, n] - top)
    part[t] = total
    cuda.syncthreads()
    count = T
    while count > 1:
        half = (count + 1) // 2
        if t + half < count:
            part[t] += part[t + half]
        cuda.syncthreads()
        count = half
    if t == 0:
        bound[n] = top + math.log(part[0] / K) if part[0] > 0 else -math.inf


# === L24.log_mean_exp_kernel | wrong | number of threads for number of samples | The mean divides by blockDim.x. | wrong at: K unequal to the number of threads
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
        bound[n] = tops[0] + math.log(sums[0] / cuda.blockDim.x)
