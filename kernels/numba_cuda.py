"""The hot paths in Python for Numba's CUDA compiler, for reading and for stepping through.

The same kernels as the .cu files, without what only makes those fast: loads of 16 bytes, tiles in
registers, shuffles within a warp.  They are in `_cuda_elements`, `_cuda_sums` and `_cuda_mixtures`;
here they become functions that agree with those of their names in `reference`.  `unchecked` has the
same functions without input checks, for arrays that the library has just made.  `versions` lists
others, which are for reading and tracing; one has shuffles, which Numba's simulator lacks.

With the environment variable NUMBA_ENABLE_CUDASIM=1, set before Python starts, every thread of a
kernel is a Python thread: it runs on NumPy arrays without a GPU, and `breakpoint()` in a kernel
stops there.  Without it the kernels are compiled and take CuPy arrays.
"""

import numba
import numpy as np
from numba import cuda

from ._gpu import UNTRIED, Device, last_versions
from .usable import need, usable_cupy
from .versions import EVERY

KERNELS = last_versions(EVERY, UNTRIED["numba_cuda"])
SIMULATOR = "; NUMBA_ENABLE_CUDASIM=1, set before Python starts, runs the kernels in its simulator"


def _array_library():
    """Return NumPy in the simulator, CuPy on a GPU; without either raise an ImportError."""
    if numba.config.ENABLE_CUDASIM:
        return np
    need("a usable GPU, and Numba finds none here", lambda: len(cuda.gpus), fix=SIMULATOR)
    need("NVVM to compile with, and Numba finds none", lambda: cuda.cudadrv.nvvm.NVVM())
    return usable_cupy()


xp = _array_library()


def _launch(op, grid, block, *args, **_):
    """Launch on CuPy's current stream."""
    stream = 0 if xp is np else cuda.external_stream(xp.cuda.get_current_stream().ptr)
    KERNELS[op][grid, block, stream](*args)


small = {"threads": 32, "width": 8, "tall": 4, "blocks": 2}  # 50 ms a launch in the simulator
matmul = np.matmul  # which hands CuPy arrays to CuPy
device = Device("numba_cuda", xp, KERNELS, _launch, matmul, **(small if xp is np else {}))
unchecked = device.unchecked
ndarray = xp.ndarray  # the arrays that it takes
globals().update(EVERY | vars(device.checked))  # product_of_experts_v1, product_of_experts, …
