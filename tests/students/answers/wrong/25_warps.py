# === L25.sample_kernel | wrong | a piece a thread | Each thread takes neighbouring elements of its own. | wrong at: more elements than threads: the sectors
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def sample_kernel(mu, std, eps, z):
    threads = cuda.gridsize(1)
    piece = (mu.size + threads - 1) // threads
    first = cuda.grid(1) * piece
    for i in range(first, min(first + piece, mu.size)):
        z[i] = mu[i] + std[i] * eps[i]


# === L25.sample_kernel | wrong | four at once | A thread takes four neighbours a round, as with loads of 16 bytes, but one by one. | wrong at: more than one warp of elements: the sectors
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def sample_kernel(mu, std, eps, z):
    for first in range(4 * cuda.grid(1), mu.shape[0], 4 * cuda.gridsize(1)):
        for i in range(first, min(first + 4, mu.shape[0])):
            z[i] = mu[i] + std[i] * eps[i]


# === L25.sample_kernel | wrong | blocks run fastest | Neighbouring threads lie gridDim.x elements apart. | wrong at: two blocks: the sectors
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def sample_kernel(mu, std, eps, z):
    i = cuda.threadIdx.x * cuda.gridDim.x + cuda.blockIdx.x
    while i < mu.shape[0]:
        z[i] = mu[i] + std[i] * eps[i]
        i += cuda.gridsize(1)


# === L25.sample_kernel | wrong | one element a thread | There is no loop. | wrong at: more elements than threads
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def sample_kernel(mu, std, eps, z):
    i = cuda.grid(1)
    if i < mu.size:
        z[i] = mu[i] + std[i] * eps[i]


# === L25.sample_kernel | wrong | a thread of each block works | Thread 0 goes through what its block should share. | wrong at: every call: the method
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def sample_kernel(mu, std, eps, z):
    if cuda.threadIdx.x == 0:
        for i in range(cuda.blockIdx.x, mu.size, cuda.gridDim.x):
            z[i] = mu[i] + std[i] * eps[i]


# === L25.sample_kernel | wrong | last element left out | The loop ends at size - 1. | wrong at: i = size - 1
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def sample_kernel(mu, std, eps, z):
    for i in range(cuda.grid(1), mu.size - 1, cuda.gridsize(1)):
        z[i] = mu[i] + std[i] * eps[i]


# === L25.transpose_kernel | wrong | no padding | A column of the tile lies in one bank. | wrong at: every call: the passes
import numpy as np
from mmvae_edu.kernels.simulator import cuda

TILE = 32


@cuda.jit
def transpose_kernel(x, y):
    tile = cuda.shared.array((TILE, TILE), np.float32)
    j, i = cuda.grid(2)
    if i < x.shape[0] and j < x.shape[1]:
        tile[cuda.threadIdx.y, cuda.threadIdx.x] = x[i, j]
    cuda.syncthreads()
    r = cuda.blockIdx.x * TILE + cuda.threadIdx.y
    c = cuda.blockIdx.y * TILE + cuda.threadIdx.x
    if r < y.shape[0] and c < y.shape[1]:
        y[r, c] = tile[cuda.threadIdx.x, cuda.threadIdx.y]


# === L25.transpose_kernel | wrong | padded by two | Rows of 34 numbers: two lanes of a column share each bank. | wrong at: every call: the passes
import numpy as np
from mmvae_edu.kernels.simulator import cuda

TILE = 32


@cuda.jit
def transpose_kernel(x, y):
    tile = cuda.shared.array((TILE, TILE + 2), np.float32)
    j, i = cuda.grid(2)
    if i < x.shape[0] and j < x.shape[1]:
        tile[cuda.threadIdx.y, cuda.threadIdx.x] = x[i, j]
    cuda.syncthreads()
    r = cuda.blockIdx.x * TILE + cuda.threadIdx.y
    c = cuda.blockIdx.y * TILE + cuda.threadIdx.x
    if r < y.shape[0] and c < y.shape[1]:
        y[r, c] = tile[cuda.threadIdx.x, cuda.threadIdx.y]


# === L25.transpose_kernel | wrong | padded along the other axis | One more row does not move the columns. | wrong at: every call: the passes
import numpy as np
from mmvae_edu.kernels.simulator import cuda

TILE = 32


@cuda.jit
def transpose_kernel(x, y):
    tile = cuda.shared.array((TILE + 1, TILE), np.float32)
    j, i = cuda.grid(2)
    if i < x.shape[0] and j < x.shape[1]:
        tile[cuda.threadIdx.x, cuda.threadIdx.y] = x[i, j]
    cuda.syncthreads()
    r = cuda.blockIdx.x * TILE + cuda.threadIdx.y
    c = cuda.blockIdx.y * TILE + cuda.threadIdx.x
    if r < y.shape[0] and c < y.shape[1]:
        y[r, c] = tile[cuda.threadIdx.y, cuda.threadIdx.x]


# === L25.transpose_kernel | wrong | no tile | Each thread writes what it has read, along a column. | wrong at: every call: the sectors
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def transpose_kernel(x, y):
    p, n = cuda.grid(2)
    if n < x.shape[0] and p < x.shape[1]:
        y[p, n] = x[n, p]


# === L25.transpose_kernel | wrong | a tile that turns nothing | It is padded, but y is still written along columns. | wrong at: every call: the sectors
import numpy as np
from mmvae_edu.kernels.simulator import cuda

TILE, PADDED = 32, 33


@cuda.jit
def transpose_kernel(x, y):
    tile = cuda.shared.array((TILE, PADDED), np.float32)
    p, n = cuda.grid(2)
    if n < x.shape[0] and p < x.shape[1]:
        tile[cuda.threadIdx.y, cuda.threadIdx.x] = x[n, p]
    cuda.syncthreads()
    if n < x.shape[0] and p < x.shape[1]:
        y[p, n] = tile[cuda.threadIdx.y, cuda.threadIdx.x]


# === L25.transpose_kernel | wrong | barrier missing | The tile is read at once. | wrong at: every call
import numpy as np
from mmvae_edu.kernels.simulator import cuda

TILE = 32


@cuda.jit
def transpose_kernel(x, y):
    tile = cuda.shared.array((TILE, TILE + 1), np.float32)
    j, i = cuda.grid(2)
    if i < x.shape[0] and j < x.shape[1]:
        tile[cuda.threadIdx.y, cuda.threadIdx.x] = x[i, j]
    r = cuda.blockIdx.x * TILE + cuda.threadIdx.y
    c = cuda.blockIdx.y * TILE + cuda.threadIdx.x
    if r < y.shape[0] and c < y.shape[1]:
        y[r, c] = tile[cuda.threadIdx.x, cuda.threadIdx.y]


# === L25.transpose_kernel | wrong | one guard for both | y is written where x was inside. | wrong at: a matrix that ends within a tile
import numpy as np
from mmvae_edu.kernels.simulator import cuda

TILE = 32


@cuda.jit
def transpose_kernel(x, y):
    tile = cuda.shared.array((TILE, TILE + 1), np.float32)
    j, i = cuda.grid(2)
    inside = i < x.shape[0] and j < x.shape[1]
    if inside:
        tile[cuda.threadIdx.y, cuda.threadIdx.x] = x[i, j]
    cuda.syncthreads()
    r = cuda.blockIdx.x * TILE + cuda.threadIdx.y
    c = cuda.blockIdx.y * TILE + cuda.threadIdx.x
    if inside:
        y[r, c] = tile[cuda.threadIdx.x, cuda.threadIdx.y]


# === L25.row_sum_kernel | wrong | interleaved | Every second thread adds, then every fourth. | wrong at: more than one warp: the lanes
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def row_sum_kernel(x, total):
    s = cuda.shared.array(256, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    own = np.float32(0)
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += x[n, p]
    s[t] = own
    cuda.syncthreads()
    step = 1
    while step < cuda.blockDim.x:
        if t % (2 * step) == 0:
            s[t] += s[t + step]
        cuda.syncthreads()
        step *= 2
    if t == 0:
        total[n] = s[0]


# === L25.row_sum_kernel | wrong | strided places | Neighbouring threads add numbers that lie far apart. | wrong at: more than one warp: the passes
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def row_sum_kernel(x, total):
    s = cuda.shared.array(256, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    own = np.float32(0)
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += x[n, p]
    s[t] = own
    cuda.syncthreads()
    step = 1
    while step < cuda.blockDim.x:
        at = 2 * step * t
        if at < cuda.blockDim.x:
            s[at] += s[at + step]
        cuda.syncthreads()
        step *= 2
    if t == 0:
        total[n] = s[0]


# === L25.row_sum_kernel | wrong | thread 0 adds | One thread goes through all parts. | wrong at: every call: the method
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def row_sum_kernel(x, total):
    s = cuda.shared.array(256, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    own = np.float32(0)
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += x[n, p]
    s[t] = own
    cuda.syncthreads()
    if t == 0:
        whole = np.float32(0)
        for j in range(cuda.blockDim.x):
            whole += s[j]
        total[n] = whole


# === L25.row_sum_kernel | wrong | an atomic for all | Every thread adds to one number of shared memory. | wrong at: every call: the method
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def row_sum_kernel(x, total):
    whole = cuda.shared.array(1, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    if t == 0:
        whole[0] = 0
    cuda.syncthreads()
    for p in range(t, x.shape[1], cuda.blockDim.x):
        cuda.atomic.add(whole, 0, x[n, p])
    cuda.syncthreads()
    if t == 0:
        total[n] = whole[0]


# === L25.row_sum_kernel | wrong | pieces of a row | A thread sums neighbours. | wrong at: a long row: the sectors
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def row_sum_kernel(x, total):
    s = cuda.shared.array(256, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    P, T = x.shape[1], cuda.blockDim.x
    own = np.float32(0)
    piece = (P + T - 1) // T
    for p in range(t * piece, min(P, (t + 1) * piece)):
        own += x[n, p]
    s[t] = own
    cuda.syncthreads()
    half = T // 2
    while half > 0:
        if t < half:
            s[t] += s[t + half]
        cuda.syncthreads()
        half //= 2
    if t == 0:
        total[n] = s[0]


# === L25.row_sum_kernel | wrong | barrier inside the branch | Only the threads that add reach it. | wrong at: every call
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def row_sum_kernel(x, total):
    s = cuda.shared.array(256, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    own = np.float32(0)
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += x[n, p]
    s[t] = own
    cuda.syncthreads()
    half = cuda.blockDim.x // 2
    while half > 0:
        if t < half:
            s[t] += s[t + half]
            cuda.syncthreads()
        half //= 2
    if t == 0:
        total[n] = s[0]


# === L25.row_sum_kernel | wrong | the last step is missing | The loop ends at half = 1. | wrong at: every call
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def row_sum_kernel(x, total):
    s = cuda.shared.array(256, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    own = np.float32(0)
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += x[n, p]
    s[t] = own
    cuda.syncthreads()
    half = cuda.blockDim.x // 2
    while half > 1:
        if t < half:
            s[t] += s[t + half]
        cuda.syncthreads()
        half //= 2
    if t == 0:
        total[n] = s[0]


# === L25.distance_kernel | wrong | a tree for all | No shuffle: a tree in shared memory. | wrong at: every call: the method
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def distance_kernel(x, mu, distance):
    s = cuda.shared.array(256, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    own = np.float32(0)
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += (x[n, p] - mu[n, p]) ** 2
    s[t] = own
    cuda.syncthreads()
    half = cuda.blockDim.x // 2
    while half > 0:
        if t < half:
            s[t] += s[t + half]
        cuda.syncthreads()
        half //= 2
    if t == 0:
        distance[n] = s[0]


# === L25.distance_kernel | wrong | shuffles at the end only | All parts go through shared memory, and the first warp shuffles. | wrong at: more than one warp: the method
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def distance_kernel(x, mu, distance):
    s = cuda.shared.array(256, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    own = np.float32(0)
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += (x[n, p] - mu[n, p]) ** 2
    s[t] = own
    cuda.syncthreads()
    if t < 32:
        own = np.float32(0)
        for j in range(t, cuda.blockDim.x, 32):
            own += s[j]
        for step in (16, 8, 4, 2, 1):
            own += cuda.shfl_xor_sync(0xFFFFFFFF, own, step)
        if t == 0:
            distance[n] = own


# === L25.distance_kernel | wrong | four steps | The shuffles begin at 8. | wrong at: more than 16 elements
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def distance_kernel(x, mu, distance):
    s = cuda.shared.array(8, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    own = np.float32(0)
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += (x[n, p] - mu[n, p]) ** 2
    for step in (8, 4, 2, 1):
        own += cuda.shfl_xor_sync(0xFFFFFFFF, own, step)
    if t % 32 == 0:
        s[t // 32] = own
    cuda.syncthreads()
    if t == 0:
        whole = np.float32(0)
        for w in range(cuda.blockDim.x // 32):
            whole += s[w]
        distance[n] = whole


# === L25.distance_kernel | wrong | the wrong lane | After shuffles downwards lane 0 has the sum, and lane 31 writes. | wrong at: every call
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def distance_kernel(x, mu, distance):
    s = cuda.shared.array(8, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    own = np.float32(0)
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += (x[n, p] - mu[n, p]) ** 2
    for step in (16, 8, 4, 2, 1):
        own += cuda.shfl_down_sync(0xFFFFFFFF, own, step)
    if t % 32 == 31:
        s[t // 32] = own
    cuda.syncthreads()
    if t == 0:
        whole = np.float32(0)
        for w in range(cuda.blockDim.x // 32):
            whole += s[w]
        distance[n] = whole


# === L25.distance_kernel | wrong | shuffles of those that add | The lanes beyond the step do not come to the shuffle. | wrong at: every call
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def distance_kernel(x, mu, distance):
    s = cuda.shared.array(8, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    own = np.float32(0)
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += (x[n, p] - mu[n, p]) ** 2
    step = 16
    while step > 0:
        if t % 32 < step:
            own += cuda.shfl_down_sync(0xFFFFFFFF, own, step)
        step //= 2
    if t % 32 == 0:
        s[t // 32] = own
    cuda.syncthreads()
    if t == 0:
        whole = np.float32(0)
        for w in range(cuda.blockDim.x // 32):
            whole += s[w]
        distance[n] = whole


# === L25.distance_kernel | wrong | one warp only | The sums of the other warps are never added. | wrong at: more than one warp
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def distance_kernel(x, mu, distance):
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    own = np.float32(0)
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += (x[n, p] - mu[n, p]) ** 2
    for step in (16, 8, 4, 2, 1):
        own += cuda.shfl_xor_sync(0xFFFFFFFF, own, step)
    if t == 0:
        distance[n] = own


# === L25.distance_kernel | wrong | an atomic a thread | All threads add to one number, after a shuffle that nobody uses. | wrong at: every call: the method
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def distance_kernel(x, mu, distance):
    whole = cuda.shared.array(1, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    if t == 0:
        whole[0] = 0
    cuda.syncthreads()
    own = np.float32(0)
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += (x[n, p] - mu[n, p]) ** 2
    cuda.shfl_xor_sync(0xFFFFFFFF, own, 1)
    cuda.atomic.add(whole, 0, own)
    cuda.syncthreads()
    if t == 0:
        distance[n] = whole[0]


# === L25.sample_kernel | wrong | the mean is overwritten | mu itself takes the noise. | wrong at: every call: an input
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def sample_kernel(mu, std, eps, z):
    for i in range(cuda.grid(1), z.shape[0], cuda.gridsize(1)):
        mu[i] += std[i] * eps[i]
        z[i] = mu[i]


# === L25.sample_kernel | wrong | the variance scales | The noise is multiplied by the square of std. | wrong at: every call
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def sample_kernel(mu, std, eps, z):
    for i in range(cuda.grid(1), z.shape[0], cuda.gridsize(1)):
        z[i] = mu[i] + std[i] ** 2 * eps[i]


# === L25.sample_kernel | wrong | every block begins at 0 | The index lacks the block. | wrong at: two blocks
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def sample_kernel(mu, std, eps, z):
    for i in range(cuda.threadIdx.x, z.shape[0], cuda.gridsize(1)):
        z[i] = mu[i] + std[i] * eps[i]


# === L25.transpose_kernel | wrong | barrier in the guard | Threads without an element do not reach it. | wrong at: a matrix that ends within a tile
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def transpose_kernel(x, y):
    N, P = x.shape
    c, r = cuda.threadIdx.x, cuda.threadIdx.y
    n0, p0 = cuda.blockIdx.y * TILE, cuda.blockIdx.x * TILE
    tile = cuda.shared.array((TILE, PADDED), np.float32)
    if n0 + r < N and p0 + c < P:
        tile[r, c] = x[n0 + r, p0 + c]
        cuda.syncthreads()
    if n0 + c < N and p0 + r < P:
        y[p0 + r, n0 + c] = tile[c, r]


# === L25.row_sum_kernel | wrong | every thread adds in every step | All threads hold the sum in the end. | wrong at: every call: the method
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def row_sum_kernel(x, total):
    parts = cuda.shared.array(256, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    own = 0.0
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += x[n, p]
    parts[t] = own
    cuda.syncthreads()
    half = cuda.blockDim.x // 2
    while half > 0:
        other = parts[(t + half) % cuda.blockDim.x]
        cuda.syncthreads()
        parts[t] += other
        cuda.syncthreads()
        half //= 2
    if t == 0:
        total[n] = parts[0]


# === L25.distance_kernel | wrong | a shuffle for each other lane | 31 shuffles, where 5 do. | wrong at: every call: the method
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def distance_kernel(x, mu, distance):
    parts = cuda.shared.array(8, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    own = 0.0
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += (x[n, p] - mu[n, p]) ** 2
    total = own
    for step in range(1, 32):
        total += cuda.shfl_xor_sync(0xFFFFFFFF, own, step)
    own = total
    if t % 32 == 0:
        parts[t // 32] = own
    cuda.syncthreads()
    if t == 0:
        sum = 0.0
        for w in range(cuda.blockDim.x // 32):
            sum += parts[w]
        distance[n] = sum


# === L25.distance_kernel | wrong | half a warp leaves a number | Four shuffles, and two numbers a warp. | wrong at: every call: the method
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def distance_kernel(x, mu, distance):
    parts = cuda.shared.array(16, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    own = 0.0
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += (x[n, p] - mu[n, p]) ** 2
    for step in (8, 4, 2, 1):
        own += cuda.shfl_xor_sync(0xFFFFFFFF, own, step)
    if t % 16 == 0:
        parts[t // 16] = own
    cuda.syncthreads()
    if t == 0:
        sum = 0.0
        for w in range(cuda.blockDim.x // 16):
            sum += parts[w]
        distance[n] = sum


# === L25.distance_kernel | wrong | absolute differences | Nothing is squared. | wrong at: every call
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def distance_kernel(x, mu, distance):
    parts = cuda.shared.array(8, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    own = 0.0
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += abs(x[n, p] - mu[n, p])
    for step in (16, 8, 4, 2, 1):
        own += cuda.shfl_xor_sync(0xFFFFFFFF, own, step)
    if t % 32 == 0:
        parts[t // 32] = own
    cuda.syncthreads()
    if t == 0:
        sum = 0.0
        for w in range(cuda.blockDim.x // 32):
            sum += parts[w]
        distance[n] = sum


# === L25.distance_kernel | wrong | the root | The distance itself, not its square. | wrong at: every call
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def distance_kernel(x, mu, distance):
    parts = cuda.shared.array(8, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    own = 0.0
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += (x[n, p] - mu[n, p]) ** 2
    for step in (16, 8, 4, 2, 1):
        own += cuda.shfl_xor_sync(0xFFFFFFFF, own, step)
    if t % 32 == 0:
        parts[t // 32] = own
    cuda.syncthreads()
    if t == 0:
        sum = 0.0
        for w in range(cuda.blockDim.x // 32):
            sum += parts[w]
        distance[n] = sum ** 0.5
