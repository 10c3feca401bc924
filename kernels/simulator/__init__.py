"""An access recorder: it runs a CUDA kernel in Python and reports what a GPU does not.

    from mmvae_edu.kernels.simulator import cuda, record

    @cuda.jit
    def double(x):
        i = cuda.grid(1)
        if i < x.size:
            x[i] *= 2

    seen = record(double, blocks, threads, x)
    seen.faults    # an index out of bounds, barriers missed, races, reads of what nobody wrote
    seen.accesses  # who touched which element, on which line, after how many barriers
    seen.costs     # line by line and memory by memory: warp accesses, lanes, sectors, passes
    seen.meetings  # likewise the barriers, shuffles and other calls of a warp
    seen.total(memory="x", kind="read").sectors  # a sum of costs

`record(..., method=)` also demands a way of dividing the work among the threads, see `methods`.
With `from numba import cuda` in place of the first line the same text is compiled for a GPU, or
runs in Numba's simulator; `record` takes such kernels too.  Everything runs in one Python thread,
always in the same order, and `breakpoint()` in a kernel stops there.
"""

from .arrays import Access
from .costs import Cost
from .faults import BarrierMissed, Fault, OtherMethod, OutOfBounds, Race, Record, Unwritten
from .launch import cuda, record
from .text import edited

__all__ = [
    "Access",
    "BarrierMissed",
    "Cost",
    "Fault",
    "OtherMethod",
    "OutOfBounds",
    "Race",
    "Record",
    "Unwritten",
    "cuda",
    "edited",
    "record",
]
