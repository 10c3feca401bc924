"""Faults of a launch, found in the record of its accesses."""

import zlib
from functools import cached_property
from typing import NamedTuple

import numpy as np


class Fault(Exception):
    """A mistake that the hardware may not show; `line` is where, `count` how often it was seen."""

    def __init__(self, says, line, count):
        super().__init__(says)
        self.line, self.count = line, count


class OutOfBounds(Fault):
    """A thread left an array; counted in threads."""


class BarrierMissed(Fault):
    """Some threads of a block stand at a barrier where others do not; counted in blocks."""


class Race(Fault):
    """Two threads touch an element, one of them writes, nothing orders them; in pairs."""


class Unwritten(Fault):
    """A thread reads shared or local memory before anyone has written it; in elements."""


class OtherMethod(Fault):
    """The values may be right, but the work is not done as demanded; in threads of a block."""


class Idle(OtherMethod):
    """Some threads do the work of all."""


class Repeated(OtherMethod):
    """Threads do again what others of their block have done."""


class NotShared(OtherMethod):
    """No value goes from one thread to another through shared memory."""


KINDS = (OutOfBounds, BarrierMissed, Race, Unwritten, Idle, Repeated, NotShared)


class Apart(NamedTuple):
    """A block whose threads do not all stand at one barrier."""

    block: tuple
    thread: tuple  # the first that waits
    waiting: dict  # thread → the lines of its barrier, the kernel's own first
    threads: list  # all


class Record:
    """The accesses of a launch, and the faults in them.

    method: a function of the Record that returns an OtherMethod or None; without one, any will do.
    """

    def __init__(self, grid, block, method=None):
        self.grid, self.block, self.method = grid, block, method
        self.accesses, self.outside, self.apart, self.exps = [], [], [], []

    @cached_property
    def faults(self):
        """At most one Fault of each kind, after the launch: the first, and how often seen."""
        found = (self._out_of_bounds(), self._barrier_missed(), self._race(), self._unwritten())
        found = [fault for fault in found if fault]
        if not found and self.method and (other := self.method(self)):
            return [other]
        return found

    @property
    def marks(self):
        """The number of times that each of KINDS was seen, and a number for the places of races.

        Two launches with the same races, in the same elements of the same memories, have the same.
        """
        seen = {type(fault): fault.count for fault in self.faults}
        races = {(a.memory.role, a.at, *sorted([a.kind, b.kind])) for a, b in self._races}
        places = zlib.crc32(repr(sorted(races, key=repr)).encode()) if races else 0
        return np.array([*(float(seen.get(kind, 0)) for kind in KINDS), places])

    def check(self):
        """Raise the first fault, if there is one."""
        for fault in self.faults:
            raise fault

    def _out_of_bounds(self):
        for first in self.outside:
            name, (*_, shape, kind, line) = first.memory.name, first
            size = f"has {shape[0]} elements" if len(shape) == 1 else f"has shape {shape}"
            verb = "reads" if kind == "read" else "writes"
            says = f"{self._who(first)} {verb} {name}[{', '.join(map(str, first.index))}] "
            says += f"on line {line.number}, but {name} {size}"
            says += _others(len(self.outside), "thread")
            return OutOfBounds(says, line.number, len(self.outside))

    def _barrier_missed(self):
        for first in self.apart:
            lines = first.waiting[first.thread]
            other = next(t for t in first.threads if first.waiting.get(t) != lines)
            here, there = lines[-1], None
            if other in first.waiting:
                pairs = zip(lines, first.waiting[other], strict=False)
                here, there = next(pair for pair in pairs if pair[0] != pair[1])
            says = f"{self._who(first)} waits at the barrier on line {here.number}, but "
            says += f"thread {_index(other, self.block)} "
            says += f"waits on line {there.number}" if there else "has ended without it"
            says += ": all threads of a block must meet, or none"
            return BarrierMissed(says, here.number, len(self.apart))

    def _race(self):
        for a, b in self._races:
            says = (
                f"{self._who(a)} {_verb(a)} {a.memory.element(a.at)} on line {a.line.number} and "
            )
            if a.block == b.block:
                says += f"thread {_index(b.thread, self.block)} {_verb(b)} it on line "
                says += f"{b.line.number}, with no barrier between them"
            else:
                says += f"{self._who(b)} {_verb(b)} it on line {b.line.number}: "
                says += "nothing orders two blocks"
            says += _others(len(self._races), "pair")
            return Race(says, a.line.number, len(self._races))

    @cached_property
    def _races(self):
        """Pairs of accesses that nothing orders, one pair an element and epoch."""
        within, across = {}, {}
        for access in self.accesses:
            block = access.block
            within.setdefault((access.memory, access.at, block, access.epoch), []).append(access)
            across.setdefault((access.memory, access.at), []).append(access)
        pairs = [_conflict(group, "thread") for group in within.values()]
        pairs += [_conflict(group, "block") for group in across.values()]
        return [pair for pair in pairs if pair]

    def _unwritten(self):
        reads = {(a.memory, a.at): a for a in reversed(self.accesses) if a.unwritten}
        for first in reversed(reads.values()):
            says = f"{self._who(first)} reads {first.memory.element(first.at)} on line "
            says += f"{first.line.number}, which no thread has written before"
            says += _others(len(reads), "element")
            return Unwritten(says, first.line.number, len(reads))

    def _who(self, event):
        return self.who(event.block, event.thread)

    def who(self, block, thread):
        """Name a thread: "thread 2 of block 0"."""
        return f"thread {_index(thread, self.block)} of {self.which(block)}"

    def which(self, block):
        return f"block {_index(block, self.grid)}"


def _index(index, dim):
    """Write an index: 5 where there is one dimension, else (5, 1)."""
    last = max(i for i, n in enumerate(dim) if n > 1 or i == 0)
    return index[0] if last == 0 else tuple(index[: last + 1])


def _conflict(group, by):
    """Find the first two accesses, of different threads or blocks, one a write; or None."""
    owners, kinds = {getattr(a, by) for a in group}, {a.kind for a in group}
    if len(owners) == 1 or kinds == {"read"}:
        return None
    for i, a in enumerate(group):
        for b in group[i + 1 :]:
            alike = a.kind == b.kind != "write"  # two reads, or two atomics
            if getattr(a, by) != getattr(b, by) and not alike:
                return a, b
    return None


def _verb(access):
    return {"read": "reads", "write": "writes", "atomic": "updates"}[access.kind]


def _others(count, what):
    return "" if count == 1 else f" ({count} such {what}s)"
