"""The hot paths in CUDA C: one .cu file an op, compiled by CuPy on the first call, for CuPy arrays.

Each function agrees with the one of its name in `reference`, for float32 and float64, and runs on
CuPy's current stream.  KERNELS says which kernel computes which op, the last version in its file
that has run on a GPU; put another there, such as "product_of_experts_v1<{real}>", and the op runs
on it.  `unchecked` has the same functions without input checks, for arrays that the library has
just made.
"""

from functools import cache

from ._cublas import Cublas
from ._cuda_source import OPTIONS, source, templates
from ._gpu import PANEL, UNTRIED, Device, last_versions
from .table import TABLE
from .usable import usable_cupy

KERNELS = last_versions(templates("".join(map(source, TABLE))), UNTRIED["cuda_c"])


@cache
def _kernel(op, expression):
    module = cupy.RawModule(code=source(op), options=OPTIONS, name_expressions=[expression])
    return module.get_function(expression)


def _launch(op, grid, block, *args, lanes):
    """Launch; CuPy passes a Python int as long long, which the kernels call Int."""
    real = "float" if args[-1].dtype.itemsize == 4 else "double"
    _kernel(op, KERNELS[op].format(real=real, lanes=lanes))(grid, block, args)


def _address(array):
    return array.data.ptr


@cache
def _chip_of(number):
    found = cupy.cuda.runtime.getDeviceProperties(number)
    return found["multiProcessorCount"], found["l2CacheSize"]


def _chip():
    return _chip_of(cupy.cuda.runtime.getDevice())


cupy = usable_cupy()
device = Device(
    "cuda_c", cupy, KERNELS, _launch, Cublas(cupy).matmul, _address, panel=PANEL, chip=_chip
)
unchecked = device.unchecked
ndarray = cupy.ndarray  # the arrays that it takes
globals().update(vars(device.checked))  # product_of_experts and all others of the table
