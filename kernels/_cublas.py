"""Matrix products of CuPy arrays by direct calls of the C library cuBLAS.

CuPy's own `matmul` calls the same functions, but not while a CUDA graph is being recorded.
"""

import ctypes
import threading
import weakref
from functools import cache, cached_property

from .arrays import FLOATS
from .graph import recording

WORKSPACE = 32 << 20  # bytes, as NVIDIA recommends for its largest chips
KEEP, TRANSPOSE = 0, 1  # CUBLAS_OP_N, CUBLAS_OP_T


class Cublas:
    """cuBLAS on the current stream of `cupy`."""

    def __init__(self, cupy):
        self.cupy = cupy
        self.handles = weakref.WeakKeyDictionary()  # stream → {(thread, device): its handle}
        self.retired = []  # handles of streams that are no more, and their workspaces

    def matmul(self, a, b, out=None):
        """Multiply matrices (n, k) and (k, m) of one dtype, float32 or float64; returns (n, m).

        cuBLAS stores matrices column after column, so that it reads an array as its transpose.
        Since (a b)ᵀ = bᵀ aᵀ, it is given b first and a second, and writes the product row by row.
        CuPy multiplies all else, or says why not.
        """
        if not self.takes(a, b):
            return self.cupy.matmul(a, b, out=out)
        (n, k), m = a.shape, b.shape[1]
        c = self.cupy.empty((n, m), a.dtype) if out is None else out
        if c.shape != (n, m) or c.dtype != a.dtype or not c.flags.c_contiguous:
            found = f"{c.dtype} of shape {c.shape}" + " with gaps" * (not c.flags.c_contiguous)
            raise ValueError(f"out: expected contiguous {a.dtype} of shape {(n, m)}, found {found}")
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

    def takes(self, a, b):
        """Tell whether a and b are matrices of one float type that fit and are not empty."""
        ours = isinstance(a, self.cupy.ndarray) and isinstance(b, self.cupy.ndarray)
        if not ours or a.dtype not in FLOATS or b.dtype != a.dtype or not a.ndim == b.ndim == 2:
            return False
        return a.shape[1] == b.shape[0] and bool(a.size and b.size)

    def operand(self, x):
        """Return the matrix, whether its memory holds the transpose, and the step between rows."""
        if x.T.flags.c_contiguous:
            return x, TRANSPOSE, x.shape[0]
        return self.cupy.ascontiguousarray(x), KEEP, x.shape[1]

    @cached_property
    def library(self):
        return load_library()

    def handle(self):
        """Return this thread's cuBLAS handle for the current stream, with a workspace of its own.

        A graph that was recorded on the stream uses the workspace too: it lives as long as that.
        """
        stream = self.cupy.cuda.get_current_stream()
        key = threading.get_ident(), self.cupy.cuda.runtime.getDevice()
        handles = self.handles.setdefault(stream, {})
        if key not in handles:
            handles[key] = self.create(stream)
        return handles[key]

    def create(self, stream):
        """Make a handle; it is retired with the stream, and destroyed before the next is made.

        Both wait for the whole GPU, which no thread may do while another one records a graph.
        """
        handle, memory = ctypes.c_void_p(), self.cupy.cuda.Memory(WORKSPACE)
        with recording:
            while self.retired:
                check(self.library.cublasDestroy_v2(self.retired.pop()[0]))
            check(self.library.cublasCreate_v2(ctypes.byref(handle)))
        weakref.finalize(stream, self.retired.append, (handle, memory)).atexit = False
        check(self.library.cublasSetStream_v2(handle, ctypes.c_void_p(stream.ptr)))
        size = ctypes.c_size_t(WORKSPACE)
        check(self.library.cublasSetWorkspace_v2(handle, ctypes.c_void_p(memory.ptr), size))
        return handle


@cache
def load_library():
    """Load cuBLAS from where CuPy finds it."""
    from cuda.pathfinder import load_nvidia_dynamic_lib  # CuPy 14 brings it

    return ctypes.CDLL(load_nvidia_dynamic_lib("cublas").abs_path)


def pointer(array):
    return ctypes.c_void_p(array.data.ptr)


def check(status):
    if status:
        raise RuntimeError(f"cuBLAS fails with status {status}")
