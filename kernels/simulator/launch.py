"""A launch in Python, block after block, and `cuda` in a file that has kernels."""

from functools import partial, wraps
from inspect import signature
from math import prod
from numbers import Number

import numpy as np

from .arrays import Memory, Watched
from .faults import OtherMethod, Record
from .running import MOST, Dim3, Running, check_most
from .text import Namespace, bound, plain

MOST_THREADS = 1024  # of a block
SIDES = {"blocks": (2**31 - 1, 65_535, 65_535), "threads": (1024, 1024, 64)}


def record(kernel, blocks, threads, *args, method=None):
    """Launch a kernel, in place on its arrays; returns the Record of what it did.

    blocks and threads as in kernel[blocks, threads](*args): a number, or a tuple of up to three.
    method: what is demanded of a launch without other faults, one of `methods`.
    An exception in the kernel is raised, unless a fault came before it and may have caused it.
    Raises ValueError or TypeError for a launch that no GPU takes, or that is too large to record.
    """
    grid, block = _dim3("blocks", blocks), _dim3("threads", threads)
    check_most("threads", prod(block), MOST_THREADS, "in a block")
    check_most("blocks", prod(grid + block), MOST, "threads in all blocks")
    cuda = Running(Record(grid, block, method))
    named = _arguments(plain(kernel), args)
    args = [
        Watched(Memory(name, i, a), cuda.note) if isinstance(a, np.ndarray) else a
        for i, (name, a) in enumerate(named.items())
    ]
    body = bound(kernel, cuda)
    try:
        for block in cuda.gridDim.indices():
            cuda.run_block(block, body, args)
    except Exception:
        cuda.seen.method = None  # it is demanded of a whole launch
        if not cuda.seen.faults:
            raise
    return cuda.seen


def _dim3(name, side):
    sides = side if isinstance(side, tuple | list) else (side,)
    whole = all(isinstance(n, int | np.integer) and n > 0 for n in sides)
    if not (whole and 0 < len(sides) <= 3):
        wanted = "expected a positive whole number or a tuple of up to three"
        raise ValueError(f"{name}: {wanted}, found {side!r}")
    for axis, found, most in zip("xyz", sides, SIDES[name], strict=False):
        check_most(name, found, most, f"along {axis}")
    return Dim3(*map(int, sides))


def _arguments(function, args):
    """Map the names of a kernel's arguments to their values; raises for one that it cannot take."""
    try:
        named = signature(function).bind(*args).arguments
    except TypeError as problem:
        raise TypeError(f"{function.__name__}{signature(function)}: {problem}") from None
    for name, a in named.items():
        if isinstance(a, np.ndarray):
            if a.dtype.kind not in "biufc":
                raise TypeError(f"{name}: expected an array of numbers, found dtype {a.dtype}")
            check_most(name, a.size, MOST, "elements to record")
        elif not isinstance(a, Number | np.generic | tuple):
            raise TypeError(f"{name}: expected an array or a number, found {type(a).__name__}")
    return named


class Stub(Namespace):
    """`cuda` in a file: `jit` marks kernels; the rest has a meaning only while a kernel runs."""

    def jit(self, function=None, *, device=False, **options):
        """Mark a kernel, as numba.cuda.jit: calling it records a launch on copies.

        kernel((blocks, threads), *args) returns a function that raises the first fault if there is
        one, `Record.marks` of the faults, and the arrays: as they are after a launch that has at
        most another method than demanded, or zeros, since what else a faulty launch has computed
        means nothing.
        """
        if function is None:
            return partial(self.jit, device=device, **options)
        if device:
            function.py_func = function  # as numba names it
            return function

        @wraps(function)
        def launch(shape, *args, method=None):
            args = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
            seen = record(function, *shape, *args, method=method)
            arrays = [a for a in args if isinstance(a, np.ndarray)]
            if any(not isinstance(fault, OtherMethod) for fault in seen.faults):
                arrays = [np.zeros_like(a) for a in arrays]
            return seen.check, seen.marks, *arrays

        return launch

    def __getattr__(self, name):
        where = "in a running kernel, or a function under @cuda.jit(device=True)"
        raise AttributeError(f"cuda.{name} has a meaning only {where}")


cuda = Stub()
