"""Matrix products of CuPy arrays by direct calls of the C library cuBLAS.

CuPy's own `matmul` calls the same functions, but not while a CUDA graph is being recorded.
"""

import ctypes
import threading
from functools import cached_property

WORKSPACE = 32 << 20  # bytes, as NVIDIA recommends for its largest chips
KEEP, TRANSPOSE = 0, 1  # CUBLAS_OP_N, CUBLAS_OP_T


class Cublas:
    """cuBLAS on the current stream of `cupy`."""

    def __init__(self, cupy):
        self.cupy = cupy
        self.of_this_thread = threading.local()  # a handle serves one thread at a time

    def matmul(self, a, b, out=None):
        """Multiply matrices (n, k) and (k, m) of one dtype, float32 or float64; returns (n, m).

        cuBLAS stores matrices column after column, so that it reads an array as its transpose.
        Since (a b)ᵀ = bᵀ aᵀ, it is given b first and a second, and writes the product row by row.
        """
        (n, k), (rows, m) = a.shape, b.shape
        if k != rows or a.dtype != b.dtype or not (n and k and m):
            return self.cupy.matmul(a, b, out=out)  # with its errors, and its zeros
        c = self.cupy.empty((n, m), a.dtype) if out is None else out
        single = a.dtype.itemsize == 4
        gemm = self.library.cublasSgemm_v2 if single else self.library.cublasDgemm_v2
        one, zero = ((ctypes.c_float if single else ctypes.c_double)(value) for value in (1, 0))
        (b, of_b, b_step), (a, of_a, a_step) = self.operand(b), self.operand(a)
        check(
            gemm(
                self.handle(), of_b, of_a, m, n, k, ctypes.byref(one), pointer(b), b_step,
                pointer(a), a_step, ctypes.byref(zero), pointer(c), m,
            )
        )  # fmt: skip
        return c

    def operand(self, x):
        """Return the matrix, whether its memory holds the transpose, and the step between rows."""
        if x.T.flags.c_contiguous:
            return x, TRANSPOSE, x.shape[0]
        return self.cupy.ascontiguousarray(x), KEEP, x.shape[1]

    @cached_property
    def library(self):
        from cuda.pathfinder import load_nvidia_dynamic_lib  # CuPy 14 brings it

        return ctypes.CDLL(load_nvidia_dynamic_lib("cublas").abs_path)

    def handle(self):
        """Return a cuBLAS handle for the current stream, with a workspace of its own.

        A recorded graph uses that workspace too, so both are kept as long as the thread lives.
        """
        stream = self.cupy.cuda.get_current_stream().ptr
        handles = self.of_this_thread.__dict__.setdefault("handles", {})
        if stream not in handles:
            handle, memory = ctypes.c_void_p(), self.cupy.cuda.Memory(WORKSPACE)
            check(self.library.cublasCreate_v2(ctypes.byref(handle)))
            check(self.library.cublasSetStream_v2(handle, ctypes.c_void_p(stream)))
            size = ctypes.c_size_t(WORKSPACE)
            check(self.library.cublasSetWorkspace_v2(handle, ctypes.c_void_p(memory.ptr), size))
            handles[stream] = handle, memory
        return handles[stream][0]


def pointer(array):
    return ctypes.c_void_p(array.data.ptr)


def check(status):
    if status:
        raise RuntimeError(f"cuBLAS fails with status {status}")
