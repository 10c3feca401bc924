"""Faults of a launch, found in the record of its accesses."""

import zlib
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .arrays import Line
from .costs import costs, total
from .warps import CALLS, WARP


class Fault(Exception):
    """A mistake that the hardware may not show; `line` is where, `count` how often it was seen."""

    def __init__(self, says, line, count):
        super().__init__(says)
        self.line, self.count = line, count


class OutOfBounds(Fault):
    """A thread left an array; counted in threads."""


class BarrierMissed(Fault):
    """A thread waits at a barrier, or in a call of its warp, in vain; counted in blocks."""


class Race(Fault):
    """Two threads touch an element, one of them writes, nothing orders them; in pairs."""


class Unwritten(Fault):
    """A thread reads memory before anyone has written it; in elements.

    Or it takes a value by a shuffle from a lane that takes no part; in threads.
    """


class OtherMethod(Fault):
    """The values may be right, but the work is not done as demanded; in threads of a block."""


class Idle(OtherMethod):
    """Some threads do the work of all."""


class Repeated(OtherMethod):
    """Threads do again what others of their block have done."""


class NotShared(OtherMethod):
    """No value goes from one thread to another through shared memory."""


class Overwritten(OtherMethod):
    """An array that the kernel was given to read is written to; in writes."""


class Uncoalesced(OtherMethod):
    """A warp touches more sectors than hold its elements; in warp accesses."""


class BankConflict(OtherMethod):
    """A warp's access to shared memory takes more passes than it need; in passes."""


class NotShuffled(OtherMethod):
    """Values go through shared memory that a warp's lanes could hand each other; in accesses."""


KINDS = (
    OutOfBounds, BarrierMissed, Race, Unwritten,
    Idle, Repeated, NotShared, Overwritten, Uncoalesced, BankConflict, NotShuffled,
)  # fmt: skip


class Apart(NamedTuple):
    """A block in which a thread waits in vain, at a barrier or in a call of its warp."""

    block: tuple
    thread: tuple  # the first that waits
    name: str  # "the barrier", or that of the call
    line: Line
    other: tuple | None  # a thread that does not come; None: the call's mask lacks the thread
    there: Line | tuple  # where the other waits; empty if it has ended


class Record:
    """The accesses of a launch, and the faults in them.

    method: a function of the Record that returns an OtherMethod or None; without one, any will do.
    """

    def __init__(self, grid, block, method=None):
        self.grid, self.block, self.method = grid, block, method
        self.accesses, self.waits, self.outside, self.apart, self.exps = [], [], [], [], []
        self.undefined = []  # (access, lane): shuffles from a lane that takes no part

    @cached_property
    def faults(self):
        """At most one Fault of each kind, after the launch: the first, and how often seen."""
        found = (self._out_of_bounds(), self._barrier_missed(), self._race(), self._unwritten())
        found = [fault for fault in found if fault]
        if not found and self.method and (other := self.method(self)):
            return [other]
        return found

    @cached_property
    def costs(self):
        """A Cost for each line and memory touched there, in order of lines."""
        return costs(self.accesses, self.number)

    @cached_property
    def meetings(self):
        """A Cost for each line and barrier, or call of a warp: accesses is how often warps wait."""
        return costs(self.waits, self.number)

    def total(self, **fields):
        """Sum the costs whose fields are these, as in total(memory="x", kind="read").sectors."""
        return total(c for c in self.costs if all(getattr(c, f) == v for f, v in fields.items()))

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
            name, shape, line = first.memory.name, first.shape, first.line.number
            size = f"has {shape[0]} elements" if len(shape) == 1 else f"has shape {shape}"
            verb = "reads" if first.kind == "read" else "writes"
            says = f"{self._who(first)} {verb} {name}[{', '.join(map(str, first.at))}] "
            says += f"on line {line}, but {name} {size}"
            says += _others(len(self.outside), "thread")
            return OutOfBounds(says, line, len(self.outside))

    def _barrier_missed(self):
        for first in self.apart:
            says = f"{self._who(first)} waits at {first.name} on line {first.line.number}, "
            if first.other is None:
                says += "whose mask does not name its own lane"
            else:
                says += f"but thread {_index(first.other, self.block)} {_elsewhere(first)}"
            in_warp = first.name in CALLS
            says += f": all {'lanes of a mask' if in_warp else 'threads of a block'} must meet"
            says += "" if in_warp else ", or none"
            return BarrierMissed(says, first.line.number, len(self.apart))

    def _race(self):
        for a, b in self._races:
            says = f"{self._who(a)} {verb(a)} {a.memory.element(a.at)} on line {a.line.number} and "
            if a.block == b.block:
                says += f"thread {_index(b.thread, self.block)} {verb(b)} it on line "
                says += f"{b.line.number}, with no barrier between them"
            else:
                says += f"{self._who(b)} {verb(b)} it on line {b.line.number}: "
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
        pairs = [_conflict(group, "thread", self._ordered) for group in within.values()]
        pairs += [_conflict(group, "block") for group in across.values()]
        return [pair for pair in pairs if pair]

    def _ordered(self, first, later):
        """Does a chain of syncwarps lead from one access to a later one, of a lane of its warp?"""
        warp, lane = divmod(self.number(first.thread), WARP)
        known = later.clock[lane] > first.clock[lane]
        return known and self.number(later.thread) // WARP == warp

    def _unwritten(self):
        reads = {(a.memory, a.at): a for a in reversed(self.accesses) if a.unwritten}
        for first in reversed(reads.values()):
            says = f"{self._who(first)} reads {first.memory.element(first.at)} on line "
            says += f"{first.line.number}, which no thread has written before"
            says += _others(len(reads), "element")
            return Unwritten(says, first.line.number, len(reads))
        for first, source in self.undefined:
            says = f"{self._who(first)} takes a value by {first.kind} on line {first.line.number} "
            says += f"from lane {source} of its warp, which takes no part in it"
            says += _others(len(self.undefined), "thread")
            return Unwritten(says, first.line.number, len(self.undefined))

    def number(self, thread):
        """Number the threads of a block, x fastest; 32 consecutive ones are a warp."""
        return thread.x + self.block.x * (thread.y + self.block.y * thread.z)

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


def _conflict(group, by, ordered=lambda first, later: False):
    """Find the first two accesses, of different threads or blocks, one a write; or None."""
    owners, kinds = {getattr(a, by) for a in group}, {a.kind for a in group}
    if len(owners) == 1 or kinds in ({"read"}, {"atomic"}):
        return None
    for i, a in enumerate(group):
        for b in group[i + 1 :]:
            alike = a.kind == b.kind != "write"  # two reads, or two atomics
            if getattr(a, by) != getattr(b, by) and not alike and not ordered(a, b):
                return a, b
    return None


def _elsewhere(apart):
    if not apart.there:
        return "has ended without it"
    if apart.there == apart.line:
        return "waits there in another call, or with another mask"
    return f"waits on line {apart.there.number}"


def verb(access):
    return {"read": "reads", "write": "writes", "atomic": "updates"}[access.kind]


def _others(count, what):
    return "" if count == 1 else f" ({count} such {what}s)"
