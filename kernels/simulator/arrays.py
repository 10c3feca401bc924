"""Arrays that record each access to them."""

import sys
from dataclasses import dataclass
from functools import cached_property
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

    @cached_property
    def places(self):
        """The flat place of each element."""
        return np.arange(self.values.size).reshape(self.values.shape)

    @cached_property
    def addresses(self):
        """The byte at which each element begins; memory begins at a multiple of 256 bytes."""
        index = np.indices(self.values.shape, sparse=True)
        steps = [at * step for at, step in zip(index, self.values.strides, strict=True)]
        return np.broadcast_to(sum(steps), self.values.shape).ravel().tolist()

    def element(self, at):
        """Write the element at the flat place `at` as the kernel does: "tops[3]"."""
        return f"{self.name}[{', '.join(map(str, np.unravel_index(at, self.values.shape)))}]"


class Line(NamedTuple):
    number: int
    function: str


class Access(NamedTuple):
    """One touch of one element; with no memory, the arrival at a barrier or in a call of a warp.

    epoch: the number of barriers that the thread has passed.
    clock: for each lane of its warp, how many syncwarps of that lane lie before.
    turn: the instruction, and the times round each loop about it; lanes of a warp that have it in
    common run together.
    """

    block: tuple
    thread: tuple
    epoch: int
    clock: tuple
    line: Line
    turn: tuple
    kind: str  # "read", "write", "atomic", or the name of the barrier or call
    memory: Memory | None = None
    at: int | tuple | None = None  # the flat place in memory.values, or an index out of bounds
    unwritten: bool = False  # a read of what nobody has written
    shape: tuple = ()  # of what an index out of bounds was used on


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
            places = memory.places
        self._memory, self._note, self._places = memory, note, places
        self.shape, self.ndim, self.size = places.shape, places.ndim, places.size
        self.dtype = memory.values.dtype

    def __array__(self, *_, **__):
        raise TypeError(f"{self._memory.name}: a thread takes one element at a time, not an array")

    def __len__(self):
        return len(self._places)

    def __getitem__(self, index):
        at = self._at(index, "read", sys._getframe(1))
        if isinstance(at, np.ndarray):
            return Watched(self._memory, self._note, at)
        return self._memory.values.flat[at]

    def __setitem__(self, index, value):
        self._write(self._at(index, "write", sys._getframe(1)), value)

    def atomic(self, index, combine, value):
        """Read, combine and write in one step; returns the old value."""
        at = self._at(index, "atomic", sys._getframe(2))
        old = self._memory.values.flat[at]
        self._write(at, combine(old, value))
        return old

    def _write(self, at, value):
        self._memory.values.flat[at] = value
        if self._memory.written is not None:
            self._memory.written.flat[at] = True

    def _at(self, index, kind, frame):
        """Return the flat place of an element that a frame touches, or those of a row.

        The touch of an element is noted; raises Left outside the array.
        """
        index = tuple(map(as_int, index if isinstance(index, tuple) else (index,)))
        if any(not 0 <= i < n for i, n in zip(index, self.shape, strict=False)):
            self._note(frame, kind, self._memory, index, shape=self.shape)
            raise Left
        places = self._places[index]
        if len(index) < self.ndim:
            if kind != "read":
                raise TypeError(f"{self._memory.name}: a thread writes one element at a time")
            return places
        at, written = int(places), self._memory.written
        unwritten = kind != "write" and written is not None and not written.flat[at]
        self._note(frame, kind, self._memory, at, unwritten)
        return at
