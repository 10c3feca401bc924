"""Two CUDA kernels in Python for c = a b, to compare what they move; `matmul` stays the library's.

Both take a block of TILE × TILE threads for each tile of c.  The sizes are any.
"""

from numba import cuda

TILE = 16


@cuda.jit
def matmul_naive(rows, inner, columns, a, b, c):
    """Give a thread an element of c, for which it reads a row of a and a column of b."""
    j, i = cuda.grid(2)
    if i < rows and j < columns:
        total = c.dtype.type(0)
        for k in range(inner):
            total += a[i, k] * b[k, j]
        c[i, j] = total


@cuda.jit
def matmul_tiled(rows, inner, columns, a, b, c):
    """Share tiles of a and b in shared memory: an element is read once for TILE threads."""
    Real = c.dtype.type
    of_a = cuda.shared.array((TILE, TILE), a.dtype)
    of_b = cuda.shared.array((TILE, TILE), b.dtype)
    j, i = cuda.grid(2)
    x, y, total = cuda.threadIdx.x, cuda.threadIdx.y, Real(0)
    for first in range(0, inner, TILE):
        of_a[y, x] = a[i, first + x] if i < rows and first + x < inner else Real(0)
        of_b[y, x] = b[first + y, j] if first + y < inner and j < columns else Real(0)
        cuda.syncthreads()
        for k in range(TILE):
            total += of_a[y, k] * of_b[k, x]
        cuda.syncthreads()  # before the next tiles
    if i < rows and j < columns:  # outside the loop: all threads meet
        c[i, j] = total
