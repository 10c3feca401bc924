"""Timing on a GPU, where contenders share this process: its threads spin against nobody's."""

import sys
import time
from functools import cache

import numpy as np

from ...support.devices import namespace
from .turns import Turns, in_a_sentence, turn

SERIES = 0.02  # seconds of steps, one after the other, that are timed as one
FLUSHED = 256 << 20  # bytes read between two runs of a kernel: more than any L2 cache holds


class GpuPlayer:
    """A contender on the GPU: what `turns.Player` is on the CPU."""

    def prepare(self, make, arguments):
        """Set up, compile, and note how much of the GPU's memory that takes."""
        self.samples, self.problem, self.run, self.timer = [], None, None, None
        before = free_memory()
        self.attempt(self.set_up, make, arguments)
        self.peak = (before - free_memory(keep=True)) / 2**20

    def set_up(self, make, arguments):
        self.run, self.timer = make(*arguments)
        for _ in range(3):
            self.run()
        synchronize()

    def attempt(self, function, *arguments):
        """What the function returns; None once something has failed."""
        if self.problem is None:
            try:
                return function(*arguments)
            except Exception as problem:
                self.problem = in_a_sentence(problem)

    def hear(self):
        """It is ready, or has failed."""

    def ask(self, word):
        return self.attempt(turn, self.run, self.timer)

    def turns(self):
        if self.problem is not None:
            return Turns(problem=self.problem)
        return Turns(float(np.median(self.samples)), self.peak)

    def leave(self):
        self.run = None


def free_memory(keep=False):
    """Free bytes of the GPU; unless told to keep them, libraries give back what they hoard."""
    cupy = namespace("cuda")
    if not keep:
        cupy.get_default_memory_pool().free_all_blocks()
        if "torch" in sys.modules:  # a contender has imported it
            sys.modules["torch"].cuda.empty_cache()
    return cupy.cuda.runtime.memGetInfo()[0]


def synchronize():
    namespace("cuda").cuda.Device().synchronize()


def kernel_milliseconds(run):
    """One run between two events, with its inputs in no cache and its launch not waited for.

    Both come from reading a large array first: the GPU is busy with it while Python launches.
    """
    cupy = namespace("cuda")
    _flush().max()  # writing would leave the timed run lines to write back
    start, end = cupy.cuda.Event(), cupy.cuda.Event()
    start.record()
    run()
    end.record()
    end.synchronize()
    return cupy.cuda.get_elapsed_time(start, end)


@cache
def _flush():
    return namespace("cuda").zeros(FLUSHED // 4, np.float32)


def step_milliseconds(run):
    """A step by the clock, in a series: Python may run ahead of the GPU, as in training."""
    synchronize()
    steps, start = 0, time.perf_counter()
    while not steps or time.perf_counter() < start + SERIES:
        run()
        steps += 1
    synchronize()
    return 1000 * (time.perf_counter() - start) / steps
