# === L25.sample_kernel | right | a while loop | The index grows by the number of threads in the grid.
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def sample_kernel(mu, std, eps, z):
    i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    while i < z.size:
        z[i] = mu[i] + std[i] * eps[i]
        i += cuda.gridDim.x * cuda.blockDim.x


# === L25.sample_kernel | right | a piece for each block | Within its block's piece neighbouring threads take neighbours.
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def sample_kernel(mu, std, eps, z):
    size = len(mu)
    piece = (size + cuda.gridDim.x - 1) // cuda.gridDim.x
    first = cuda.blockIdx.x * piece
    for i in range(first + cuda.threadIdx.x, min(size, first + piece), cuda.blockDim.x):
        scaled = std[i] * eps[i]
        z[i] = scaled + mu[i]


# === L25.sample_kernel | right | backwards | The last elements come first, and lanes run downwards.
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def sample_kernel(mu, std, eps, z):
    for i in range(mu.shape[0] - 1 - cuda.grid(1), -1, -cuda.gridsize(1)):
        z[i] = eps[i] * std[i] + mu[i]


# === L25.sample_kernel | right | rounds with a guard | So many rounds for all threads; a guard stands in each.
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def sample_kernel(mu, std, eps, z):
    threads = cuda.gridsize(1)
    for r in range((mu.shape[0] + threads - 1) // threads):
        i = r * threads + cuda.grid(1)
        if i < mu.shape[0]:
            z[i] = mu[i] + std[i] * eps[i]


# === L25.transpose_kernel | right | a tile of other names | The indices are written out, the tile is filled turned.
import numpy as np
from mmvae_edu.kernels.simulator import cuda

TILE = 32


@cuda.jit
def transpose_kernel(x, y):
    s = cuda.shared.array((32, 33), np.float32)
    j, i = cuda.grid(2)
    if i < x.shape[0] and j < x.shape[1]:
        s[cuda.threadIdx.x, cuda.threadIdx.y] = x[i, j]
    cuda.syncthreads()
    r = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.y
    c = cuda.blockIdx.y * cuda.blockDim.y + cuda.threadIdx.x
    if r < y.shape[0] and c < y.shape[1]:
        y[r, c] = s[cuda.threadIdx.y, cuda.threadIdx.x]


# === L25.transpose_kernel | right | a swizzled tile | No padding: a row's columns are exchanged by xor, so that banks differ.
import numpy as np
from mmvae_edu.kernels.simulator import cuda

TILE = 32


@cuda.jit
def transpose_kernel(x, y):
    tile = cuda.shared.array((TILE, TILE), np.float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    p, n = cuda.grid(2)
    if p < x.shape[1] and n < x.shape[0]:
        tile[ty, tx ^ ty] = x[n, p]
    cuda.syncthreads()
    p = cuda.blockIdx.x * TILE + ty
    n = cuda.blockIdx.y * TILE + tx
    if p < x.shape[1] and n < x.shape[0]:
        y[p, n] = tile[tx, tx ^ ty]


# === L25.transpose_kernel | right | a flat tile | One dimension of shared memory, with a rotated column.
import numpy as np
from mmvae_edu.kernels.simulator import cuda

TILE = 32


@cuda.jit
def transpose_kernel(x, y):
    tile = cuda.shared.array(TILE * TILE, np.float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    N, P = x.shape
    left, upper = cuda.blockIdx.x * TILE, cuda.blockIdx.y * TILE
    if upper + ty < N and left + tx < P:
        tile[ty * TILE + (tx + ty) % TILE] = x[upper + ty, left + tx]
    cuda.syncthreads()
    if left + ty < P and upper + tx < N:
        y[left + ty, upper + tx] = tile[tx * TILE + (ty + tx) % TILE]


# === L25.row_sum_kernel | right | halves by a shift | The number that are left is halved by >>, and thread 0 keeps a sum in a register.
import numpy as np
from mmvae_edu.kernels.simulator import cuda

THREADS = 256


@cuda.jit
def row_sum_kernel(x, total):
    s = cuda.shared.array(shape=THREADS, dtype=np.float32)
    tid = cuda.threadIdx.x
    part = 0.0
    i = tid
    while i < x.shape[1]:
        part += x[cuda.blockIdx.x, i]
        i += cuda.blockDim.x
    s[tid] = part
    cuda.syncthreads()
    n = cuda.blockDim.x
    while n > 1:
        n >>= 1
        if tid < n:
            part += s[tid + n]
            s[tid] = part
        cuda.syncthreads()
    if tid == 0:
        total[cuda.blockIdx.x] = part


# === L25.row_sum_kernel | right | sums in float64 | Shared memory holds float64, of which a warp takes two passes an access.
import numpy as np
from mmvae_edu.kernels.simulator import cuda

THREADS = 256


@cuda.jit
def row_sum_kernel(x, total):
    s = cuda.shared.array(shape=THREADS, dtype=np.float64)
    tid = cuda.threadIdx.x
    part = 0.0
    i = tid
    while i < x.shape[1]:
        part += x[cuda.blockIdx.x, i]
        i += cuda.blockDim.x
    s[tid] = part
    cuda.syncthreads()
    n = cuda.blockDim.x
    while n > 1:
        n >>= 1
        if tid < n:
            part += s[tid + n]
            s[tid] = part
        cuda.syncthreads()
    if tid == 0:
        total[cuda.blockIdx.x] = part


# === L25.row_sum_kernel | right | shuffles in the warps | Warps add up by shuffles, and the first one adds their sums.
import numpy as np
from mmvae_edu.kernels.simulator import cuda

FULL = 0xFFFFFFFF


@cuda.jit
def row_sum_kernel(x, total):
    sums = cuda.shared.array(32, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    lane, warp = t % 32, t // 32
    v = np.float32(0.0)
    for p in range(t, x.shape[1], cuda.blockDim.x):
        v += x[n, p]
    for offset in (16, 8, 4, 2, 1):
        v += cuda.shfl_down_sync(FULL, v, offset)
    if lane == 0:
        sums[warp] = v
    cuda.syncthreads()
    if warp == 0:
        v = sums[lane] if lane < cuda.blockDim.x // 32 else np.float32(0.0)
        for offset in (16, 8, 4, 2, 1):
            v += cuda.shfl_down_sync(FULL, v, offset)
        if lane == 0:
            total[n] = v


# === L25.row_sum_kernel | right | a warp ends the tree | Barriers down to 64 numbers; the last warp goes on with syncwarp.
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def row_sum_kernel(x, total):
    parts = cuda.shared.array(256, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    own = np.float32(0)
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += x[n, p]
    parts[t] = own
    cuda.syncthreads()
    half = cuda.blockDim.x // 2
    while half > 32:
        if t < half:
            parts[t] += parts[t + half]
        cuda.syncthreads()
        half //= 2
    if t < 32:
        while half > 0:
            other = parts[t + half] if t < half else np.float32(0)
            cuda.syncwarp()
            if t < half:
                parts[t] += other
            cuda.syncwarp()
            half //= 2
        if t == 0:
            total[n] = parts[0]


# === L25.row_sum_kernel | right | one warp gathers | The first warp's lanes add four parts each, and a tree over 32 ends.
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def row_sum_kernel(x, total):
    parts = cuda.shared.array(256, np.float32)
    t = cuda.threadIdx.x
    own = np.float32(0)
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += x[cuda.blockIdx.x, p]
    parts[t] = own
    cuda.syncthreads()
    if t < 32:
        for j in range(t + 32, cuda.blockDim.x, 32):
            own += parts[j]
        parts[t] = own
    cuda.syncthreads()
    for half in (16, 8, 4, 2, 1):
        if t < half:
            parts[t] = parts[t] + parts[t + half]
        cuda.syncthreads()
    if t == 0:
        total[cuda.blockIdx.x] = parts[0]


# === L25.distance_kernel | right | shuffles downwards | A device function adds up a warp by shfl_down_sync.
import numpy as np
from mmvae_edu.kernels.simulator import cuda

ALL = 0xFFFFFFFF


@cuda.jit(device=True)
def warp_sum(v):
    offset = 16
    while offset > 0:
        v += cuda.shfl_down_sync(ALL, v, offset)
        offset >>= 1
    return v


@cuda.jit
def distance_kernel(x, mu, distance):
    shared = cuda.shared.array(32, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    own = np.float32(0)
    for p in range(t, x.shape[1], cuda.blockDim.x):
        d = x[n, p] - mu[n, p]
        own += d * d
    own = warp_sum(own)
    if t % 32 == 0:
        shared[t // 32] = own
    cuda.syncthreads()
    if t // 32 == 0:
        own = shared[t] if t < (cuda.blockDim.x + 31) // 32 else np.float32(0)
        own = warp_sum(own)
        if t == 0:
            distance[n] = own


# === L25.distance_kernel | right | thread 0 ends | Thread 0 adds the few sums of the warps in a loop.
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def distance_kernel(x, mu, distance):
    sums = cuda.shared.array(8, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    own = np.float32(0)
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += (x[n, p] - mu[n, p]) * (x[n, p] - mu[n, p])
    for lanes in (1, 2, 4, 8, 16):
        own += cuda.shfl_xor_sync(0xFFFFFFFF, own, lanes)
    if t & 31 == 0:
        sums[t >> 5] = own
    cuda.syncthreads()
    if t == 0:
        whole = np.float32(0)
        for w in range(cuda.blockDim.x >> 5):
            whole += sums[w]
        distance[n] = whole


# === L25.distance_kernel | right | an atomic of the block | Lane 0 of each warp adds to one number in shared memory.
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def distance_kernel(x, mu, distance):
    whole = cuda.shared.array(1, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    if t == 0:
        whole[0] = 0
    own = np.float32(0)
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += (x[n, p] - mu[n, p]) ** 2
    step = 1
    while step < 32:
        own += cuda.shfl_xor_sync(0xFFFFFFFF, own, step)
        step *= 2
    cuda.syncthreads()
    if t % 32 == 0:
        cuda.atomic.add(whole, 0, own)
    cuda.syncthreads()
    if t == 0:
        distance[n] = whole[0]


# === L25.distance_kernel | right | all lanes read the sums | Every thread adds the warps' sums, and one writes.
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def distance_kernel(x, mu, distance):
    sums = cuda.shared.array(8, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    lane, warp, warps = t % 32, t // 32, cuda.blockDim.x // 32
    own = np.float32(0)
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += (x[n, p] - mu[n, p]) ** 2
    for step in range(5):
        own += cuda.shfl_xor_sync(0xFFFFFFFF, own, 1 << step)
    if lane == 0:
        sums[warp] = own
    cuda.syncthreads()
    own = np.float32(0)
    for w in range(warps):
        own += sums[w]
    if t == cuda.blockDim.x - 1:
        distance[n] = own


# === L25.row_sum_kernel | right | added up in shared memory | A thread adds to its own place of shared memory.
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def row_sum_kernel(x, total):
    parts = cuda.shared.array(256, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    parts[t] = 0
    for p in range(t, x.shape[1], cuda.blockDim.x):
        parts[t] += x[n, p]
    cuda.syncthreads()
    half = cuda.blockDim.x // 2
    while half > 0:
        if t < half:
            parts[t] += parts[t + half]
        cuda.syncthreads()
        half //= 2
    if t == 0:
        total[n] = parts[0]


# === L25.distance_kernel | right | a scan, then a tree | The sums before a lane by shuffles upwards; a tree over the warps.
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def distance_kernel(x, mu, distance):
    parts = cuda.shared.array(8, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    own = 0.0
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += (x[n, p] - mu[n, p]) ** 2
    lane = t % 32
    for step in (1, 2, 4, 8, 16):
        other = cuda.shfl_up_sync(0xFFFFFFFF, own, step)
        if lane >= step:
            own += other
    if lane == 31:
        parts[t // 32] = own
    cuda.syncthreads()
    half = cuda.blockDim.x // 64
    while half > 0:
        if t < half:
            parts[t] += parts[t + half]
        cuda.syncthreads()
        half //= 2
    if t == 0:
        distance[n] = parts[0]


# === L25.distance_kernel | right | zeros first | The places of all possible warps begin at 0.
import numpy as np
from mmvae_edu.kernels.simulator import cuda


@cuda.jit
def distance_kernel(x, mu, distance):
    parts = cuda.shared.array(8, np.float32)
    t, n = cuda.threadIdx.x, cuda.blockIdx.x
    own = 0.0
    if t < 8:
        parts[t] = 0.0
    cuda.syncthreads()
    for p in range(t, x.shape[1], cuda.blockDim.x):
        own += (x[n, p] - mu[n, p]) ** 2
    for step in (16, 8, 4, 2, 1):
        own += cuda.shfl_xor_sync(0xFFFFFFFF, own, step)
    if t % 32 == 0:
        parts[t // 32] = own
    cuda.syncthreads()
    if t == 0:
        sum = 0.0
        for w in range(8):
            sum += parts[w]
        distance[n] = sum


# === L25.distance_kernel | right | atomics on the result | Each warp adds its sum to the result, which thread 0 has set to 0.
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
    if t == 0:
        distance[n] = 0.0
    cuda.syncthreads()
    if t % 32 == 0:
        cuda.atomic.add(distance, n, own)
