"""A block that runs: its threads in turn from barrier to barrier, and `cuda` as they see it."""

import linecache
import operator
import re
import sys
from collections.abc import Generator
from dataclasses import dataclass
from functools import cache, partial
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from .arrays import Access, Exp, Left, Line, Memory, Watched
from .faults import Apart
from .text import ROUNDS
from .warps import CALLS, WARP, Call, meet

MOST = 1_000_000  # accesses of a launch, elements of an array, threads
MOST_SHARED = 48 * 1024  # bytes of a block
BARRIER, ENDED = "at a barrier", ""


class Dim3(NamedTuple):
    x: int = 1
    y: int = 1
    z: int = 1

    def indices(self):
        """List all indices below it, x fastest: the order in which threads are numbered."""
        return [Dim3(*reversed(index)) for index in np.ndindex(self[::-1])]


def check_most(name, found, most, what):
    if found > most:
        raise ValueError(f"{name}: expected at most {most:,} {what}, found {found:,}")


@dataclass(eq=False)
class Thread:
    """A thread of the block that runs; `call` is where it stands: BARRIER, a Call or ENDED."""

    index: Dim3
    warp: int
    lane: int
    steps: Generator
    clock: tuple = (0,) * WARP
    call: Call | str = BARRIER

    def lines(self):
        """List the lines where it stands: the kernel's, and those of the functions it is in."""
        lines, steps = (), self.steps
        while steps is not None and self.call:
            lines += (Line(steps.gi_frame.f_lineno, steps.gi_code.co_name),)
            steps = steps.gi_yieldfrom
        return lines


class Running:
    """The name `cuda` in a kernel that runs: the thread whose turn it is."""

    warpsize = WARP
    threadIdx = property(lambda self: self.thread.index)
    laneid = property(lambda self: self.thread.lane)

    def __init__(self, seen):
        self.gridDim, self.blockDim = seen.grid, seen.block
        self.blockIdx = self.thread = self.code = None
        self.seen, self.epoch, self.in_block, self.turns = seen, 0, {}, {}
        for name in CALLS:
            setattr(self, name, partial(self._call, name))
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
        site = frame.f_code, _position(frame)
        if site not in self.in_block:
            name = _assigned(frame, "shared")
            self.in_block[site] = Memory.empty(name, "shared", shape, dtype)
            size = sum(memory.values.nbytes for memory in self.in_block.values())
            check_most(name, size, MOST_SHARED, "bytes of shared memory in a block")
        return Watched(self.in_block[site], self.note)

    def _local_array(self, shape, dtype):
        name = _assigned(sys._getframe(1), "local")
        return Watched(Memory.empty(name, "local", shape, dtype), self.note)

    def __getattr__(self, name):
        raise AttributeError(f"the recorder has no cuda.{name}")

    def syncthreads(self):
        self.note(sys._getframe(1), "syncthreads")
        return BARRIER

    def _call(self, name, *given):
        given = given or (-1,) * (name == "syncwarp")  # −1: all lanes
        if len(given) != len(CALLS[name]):
            wanted = ", ".join(CALLS[name])
            raise TypeError(f"cuda.{name}: expected ({wanted}), found {len(given)} arguments")
        for what, number in zip(CALLS[name][::2], given[::2], strict=True):
            if not isinstance(number, int | np.integer):
                raise TypeError(f"cuda.{name}: {what}: expected a whole number, found {number}")
        mask, value, which = (*given, None, None)[:3]
        event = self.note(sys._getframe(1), name)
        return Call(name, int(mask) & 2**WARP - 1, value, which, event)

    def note(self, frame, kind, memory=None, at=None, unwritten=False, shape=()):
        """Add and return the Access that the thread whose turn it is makes in a frame."""
        thread, line, turn = self.thread, Line(frame.f_lineno, frame.f_code.co_name), _place(frame)
        while frame.f_code is not self.code:  # what its callers do, up to the kernel
            frame = frame.f_back
            turn += _place(frame)
        turn = self.turns.setdefault(turn, turn)  # one object for the many accesses of a turn
        when = self.blockIdx, thread.index, self.epoch, thread.clock, line, turn
        access = Access(*when, kind, memory, at, unwritten, shape)
        events = self.seen.outside if shape else self.seen.accesses if memory else self.seen.waits
        events.append(access)
        if len(events) > MOST:
            why = "does a loop ever end? If so, record smaller arrays"
            raise RuntimeError(f"more than {MOST:,} accesses: {why}")
        return access

    def note_exp(self, exp, x):
        """Add a call of exp, and return its value."""
        self.seen.exps.append(Exp(self.blockIdx, self.threadIdx, self.epoch))
        return exp(x)

    def run_block(self, block, body, args):
        """Run every thread as far as its next barrier, then all again, until all have ended."""
        self.blockIdx, self.in_block, self.epoch, self.code = block, {}, 0, body.__code__
        self.left, apart = False, None
        numbered = enumerate(self.blockDim.indices())
        threads = [Thread(index, *divmod(number, WARP), body(*args)) for number, index in numbered]
        while any(thread.call for thread in threads) and not (self.left or apart):
            for first in range(0, len(threads), WARP):
                self._run_warp(threads[first : first + WARP])
            apart = _apart(block, threads)
            self.epoch += 1
        if apart and not self.left:
            self.seen.apart.append(apart)

    def _run_warp(self, warp):
        """Run the lanes of a warp, all at a barrier, as far as the next; one may stay behind."""
        ready = [(thread, None) for thread in warp if thread.call]
        while ready:
            for self.thread, value in ready:
                try:
                    self.thread.call = self.thread.steps.send(value)
                except StopIteration:
                    self.thread.call = ENDED
                except Left:
                    self.thread.call, self.left = ENDED, True
            ready = meet(warp, self.seen.undefined)


def _position(frame):
    """Return where the instruction of a frame stands in its text."""
    return _positions(frame.f_code)[frame.f_lasti // 2]  # also where f_lasti is its cache's


@cache
def _positions(code):
    return tuple(code.co_positions())


def _place(frame):
    return ((_position(frame), *frame.f_locals.get(ROUNDS, ())),)


def _apart(block, threads):
    """Return an Apart for the first thread that waits in vain, if one does."""
    calling = (thread for thread in threads if isinstance(thread.call, Call))
    waiting = (thread for thread in threads if thread.call)
    first = next(calling, None) or next(waiting, None)
    if first is None:
        return None
    here, name = first.lines(), getattr(first.call, "name", "the barrier")
    if first.call is BARRIER:
        away = [thread for thread in threads if thread.lines() != here]
    elif not first.call.names(first.lane):
        return Apart(block, first.index, name, here[-1], None, ())
    else:
        named = (t for t in threads if t.warp == first.warp and first.call.names(t.lane))
        away = [thread for thread in named if not first.call.meets(thread.call)]
    if not away:
        return None
    there = away[0].lines()
    pairs = zip(here, there, strict=False)
    line, other = next((p for p in pairs if p[0] != p[1]), (here[-1], there and there[-1]))
    return Apart(block, first.index, name, line, away[0].index, other)


def _atomic(combine, array, index, value):
    return array.atomic(index, combine, value)


def _assigned(frame, otherwise):
    """Return the name of the variable on the left of a line."""
    text = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
    name = re.match(r"\s*(\w+)\s*=[^=]", text)
    return name[1] if name else otherwise
