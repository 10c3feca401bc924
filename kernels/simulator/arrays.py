"""Arrays that record each access to them."""

import sys
from dataclasses import dataclass
from operator import index as as_int
from typing import NamedTuple

import numpy as np


@dataclass(eq=False)
class Memory:
    """One allocation: its name in the kernel, its values, and what has been written of it."""

    name: str
    role: int | str  # which of the kernel's arguments it is, or "shared", "local"
    values: np.ndarray
    written: np.ndarray | None = None  # None: all of it, before the kernel began

    @classmethod
    def empty(cls, name, role, shape, dtype):
        """Make shared or local memory, which holds junk at first; dtype is NumPy's or Numba's."""
        dtype = np.dtype(getattr(dtype, "name", dtype))
        junk = np.nan if dtype.kind == "f" else 0
        return cls(name, role, np.full(shape, junk, dtype), np.zeros(shape, dtype=bool))

    def element(self, at):
        """Write the element at the flat place `at` as the kernel does: "tops[3]"."""
        return f"{self.name}[{', '.join(map(str, np.unravel_index(at, self.values.shape)))}]"


class Line(NamedTuple):
    number: int
    function: str


class Access(NamedTuple):
    """One touch of one element.  `epoch` counts the barriers that the thread has passed."""

    block: tuple
    thread: tuple
    epoch: int
    memory: Memory
    at: int  # the flat place in memory.values
    kind: str  # "read", "write" or "atomic"
    line: Line
    unwritten: bool = False  # a read of what nobody has written


class Outside(NamedTuple):
    """An index out of bounds, which ended its thread."""

    block: tuple
    thread: tuple
    epoch: int
    memory: Memory
    index: tuple
    shape: tuple  # of what was indexed
    kind: str
    line: Line


class Exp(NamedTuple):
    """One call of exp, from math or NumPy."""

    block: tuple
    thread: tuple
    epoch: int


class Left(BaseException):
    """Raised to end one thread of a kernel, which has left an array."""


class Watched:
    """An array, or a row of one, as a kernel sees it: `note` gets every Access."""

    __iter__ = None  # or Python would index until one index is out of bounds

    def __init__(self, memory, note, places=None):
        if places is None:
            places = np.arange(memory.values.size).reshape(memory.values.shape)
        self._memory, self._note, self._places = memory, note, places
        self.shape, self.ndim, self.size = places.shape, places.ndim, places.size
        self.dtype = memory.values.dtype

    def __array__(self, *_, **__):
        raise TypeError(f"{self._memory.name}: a thread takes one element at a time, not an array")

    def __len__(self):
        return len(self._places)

    def __getitem__(self, index):
        at = self._at(index, "read")
        if isinstance(at, np.ndarray):
            return Watched(self._memory, self._note, at)
        self._noted(at, "read")
        return self._memory.values.flat[at]

    def __setitem__(self, index, value):
        at = self._at(index, "write")
        if isinstance(at, np.ndarray):
            raise TypeError(f"{self._memory.name}: a thread writes one element at a time")
        self._noted(at, "write")
        self._write(at, value)

    def atomic(self, index, combine, value):
        """Read, combine and write in one step; returns the old value."""
        at = self._at(index, "atomic", depth=3)
        self._noted(at, "atomic", depth=3)
        old = self._memory.values.flat[at]
        self._write(at, combine(old, value))
        return old

    def _write(self, at, value):
        self._memory.values.flat[at] = value
        if self._memory.written is not None:
            self._memory.written.flat[at] = True

    def _at(self, index, kind, depth=2):
        """Return the flat place of an element, or those of a row; raises Left outside the array."""
        index = tuple(map(as_int, index if isinstance(index, tuple) else (index,)))
        if any(not 0 <= i < n for i, n in zip(index, self.shape, strict=False)):
            line = caller(depth + 1)
            self._note(Outside, self._memory, index, self.shape, kind, line)
            raise Left
        places = self._places[index]
        return places if len(index) < self.ndim else int(places)

    def _noted(self, at, kind, depth=2):
        written = self._memory.written
        unwritten = kind != "write" and written is not None and not written.flat[at]
        self._note(Access, self._memory, at, kind, caller(depth + 1), unwritten)


def caller(depth):
    """Return the Line that runs `depth` frames up."""
    frame = sys._getframe(depth)
    return Line(frame.f_lineno, frame.f_code.co_name)
