"""A launch in Python: block after block, and a block's threads in turn from barrier to barrier."""

import linecache
import operator
import re
import sys
from functools import partial, wraps
from inspect import signature
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from .arrays import Exp, Left, Line, Memory, Outside, Watched
from .faults import Apart, OtherMethod, Record
from .text import Namespace, bound, plain

MOST = 1_000_000  # accesses of a launch; more are taken for an endless loop


class Dim3(NamedTuple):
    x: int = 1
    y: int = 1
    z: int = 1

    def indices(self):
        """List all indices below it, x fastest: the order in which threads are numbered."""
        return [Dim3(*reversed(index)) for index in np.ndindex(self[::-1])]


def record(kernel, blocks, threads, *args, method=None):
    """Launch a kernel, in place on its arrays; returns the Record of what it did.

    blocks and threads as in kernel[blocks, threads](*args): a number, or a tuple of up to three.
    method: what is demanded of a launch without other faults, one of `methods`.
    An exception in the kernel is raised, unless a fault came before it and may have caused it.
    """
    sides = (Dim3(*np.atleast_1d(side).tolist()) for side in (blocks, threads))
    cuda = Running(Record(*sides, method))
    named = signature(plain(kernel)).bind(*args).arguments
    args = [
        Watched(Memory(name, i, a), cuda.note) if isinstance(a, np.ndarray) else a
        for i, (name, a) in enumerate(named.items())
    ]
    body = bound(kernel, cuda)
    try:
        for block in cuda.gridDim.indices():
            cuda.run_block(block, body, args)
    except Exception:
        if not cuda.seen.faults:
            raise
    return cuda.seen


class Running:
    """The name `cuda` in a kernel that runs: the thread whose turn it is."""

    def __init__(self, seen):
        self.gridDim, self.blockDim = seen.grid, seen.block
        self.blockIdx = self.threadIdx = None
        self.seen, self.epoch, self.in_block = seen, 0, {}
        self.shared = SimpleNamespace(array=self._shared_array)
        self.local = SimpleNamespace(array=self._local_array)
        names = {"add": operator.add, "sub": operator.sub, "max": max, "min": min}
        atomics = {name: partial(_atomic, combine) for name, combine in names.items()}
        self.atomic = SimpleNamespace(**atomics)

    def grid(self, ndim):
        """Return the index of this thread among all: a number, or a tuple of ndim."""
        sides = zip(self.blockIdx, self.blockDim, self.threadIdx, strict=True)
        at = [block * threads + thread for block, threads, thread in sides]
        return at[0] if ndim == 1 else tuple(at[:ndim])

    def gridsize(self, ndim):
        """Return the number of threads in all: a number, or a tuple of ndim."""
        size = [g * b for g, b in zip(self.gridDim, self.blockDim, strict=True)]
        return size[0] if ndim == 1 else tuple(size[:ndim])

    def _shared_array(self, shape, dtype):
        frame = sys._getframe(1)
        site = frame.f_code, frame.f_lineno
        if site not in self.in_block:
            name = _assigned(frame, "shared")
            self.in_block[site] = Memory.empty(name, "shared", shape, dtype)
        return Watched(self.in_block[site], self.note)

    def _local_array(self, shape, dtype):
        name = _assigned(sys._getframe(1), "local")
        return Watched(Memory.empty(name, "local", shape, dtype), self.note)

    def __getattr__(self, name):
        raise AttributeError(f"the recorder has no cuda.{name}")

    def note(self, kind, *what):
        """Add what the thread whose turn it is does: an Access, or that it is Outside."""
        events = self.seen.outside if kind is Outside else self.seen.accesses
        events.append(kind(self.blockIdx, self.threadIdx, self.epoch, *what))
        if len(events) > MOST:
            raise RuntimeError(f"more than {MOST:,} accesses: does a loop ever end?")

    def note_exp(self, exp, x):
        """Add a call of exp, and return its value."""
        self.seen.exps.append(Exp(self.blockIdx, self.threadIdx, self.epoch))
        return exp(x)

    def run_block(self, block, body, args):
        """Run every thread as far as its next barrier, then all again, until all have ended."""
        self.blockIdx, self.in_block, self.epoch = block, {}, 0
        threads = {index: body(*args) for index in self.blockDim.indices()}
        left = False
        while not left:
            waiting = {}  # thread → the lines of the barrier where it stands
            for index, steps in threads.items():
                self.threadIdx = index
                try:
                    next(steps)
                    waiting[index] = _lines(steps)
                except StopIteration:
                    pass
                except Left:
                    left = True
            apart = 0 < len(waiting) < len(threads) or len(set(waiting.values())) > 1
            if apart and not left:
                self.seen.apart.append(Apart(block, next(iter(waiting)), waiting, list(threads)))
            if apart or not waiting:
                break
            self.epoch += 1


def _lines(steps):
    """List the lines where a paused generator stands: its own, and those it waits for."""
    lines = ()
    while steps is not None:
        lines += (Line(steps.gi_frame.f_lineno, steps.gi_code.co_name),)
        steps = steps.gi_yieldfrom
    return lines


def _atomic(combine, array, index, value):
    return array.atomic(index, combine, value)


def _assigned(frame, otherwise):
    """Return the name of the variable on the left of a line."""
    text = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
    name = re.match(r"\s*(\w+)\s*=[^=]", text)
    return name[1] if name else otherwise


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
