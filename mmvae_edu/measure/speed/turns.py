"""Interleaved timing: contenders run by turns, and none disturbs the next.

On the CPU each contender has a process of its own, because the threads of a library spin for a
while after their work.  On a GPU all share this process, since no threads compete there.
"""

import multiprocessing
import os
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache

import numpy as np

from ...support.devices import namespace
from ...support.threads import VARIABLES

WARM = 0.01  # seconds of runs before a turn counts: caches, the processor's frequency
SPREAD = 0.1  # the same on a CPU: Linux takes so long to give a woken thread a core of its own
TURN, LEAST, MOST = 0.1, 3, 25  # counted runs: for so many seconds, at least and at most so many
SERIES = 0.02  # seconds of steps, one after the other, that are timed as one
FLUSHED = 1 << 30  # bytes read between two runs of a kernel: more than any L2 cache holds, and
# 0.2 ms even at 5 TB/s, in which Python launches the next run


@dataclass(frozen=True)
class Turns:
    """One contender's median milliseconds and peak memory in MB, or why it has none."""

    milliseconds: float = float("nan")
    peak: float = float("nan")
    problem: str | None = None


# ---- clocks: each times one run, in milliseconds ------------------------------------------------


def milliseconds(run):
    """Time one run by the clock."""
    start = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - start)


def step_milliseconds(run):
    """Time a step on the GPU in a series: Python may run ahead of the GPU, as in training."""
    synchronize()
    steps, start = 0, time.perf_counter()
    while not steps or time.perf_counter() < start + SERIES:
        run()
        steps += 1
    synchronize()
    return 1000 * (time.perf_counter() - start) / steps


def kernel_milliseconds(run):
    """Time one run on the GPU between two events, without its launch, its inputs in no cache.

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


def synchronize():
    namespace("cuda").cuda.Device().synchronize()


# ---- memory -------------------------------------------------------------------------------------


def peak_memory():
    """Return the most MB that this process has held; NaN on Windows, which has no such call."""
    try:
        import resource
    except ImportError:
        return float("nan")
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def free_memory(keep=False):
    """Count the GPU's free bytes; unless `keep`, libraries first give back unused memory."""
    cupy = namespace("cuda")
    if not keep:
        cupy.get_default_memory_pool().free_all_blocks()
        if "torch" in sys.modules:  # a contender has imported it
            sys.modules["torch"].cuda.empty_cache()
    return cupy.cuda.runtime.memGetInfo()[0]


# ---- turns --------------------------------------------------------------------------------------


def time_all(make, cases, rounds, *, threads, device="cpu", gpu_clock=step_milliseconds):
    """Time the contenders of each case: a list of dicts name → Turns.

    cases: dicts name → arguments; make(*arguments) returns the function to time.  A contender of
    several cases keeps its process and so its peak: the cases should need more and more memory.
    """
    names = dict.fromkeys(name for case in cases for name in case)
    with library_threads(threads):
        workers = {name: GpuWorker(gpu_clock) if device == "cuda" else Worker() for name in names}
        try:
            return [interleaved(workers, make, case, rounds) for case in cases]
        finally:
            for worker in workers.values():
                worker.leave()


def interleaved(workers, make, contenders, rounds):
    """Time contenders (name → arguments), each by the worker of its name: name → Turns."""
    for name, arguments in contenders.items():
        workers[name].prepare(make, arguments)
    for name in contenders:
        workers[name].answer()  # it is set up, compiled and warm
    for _ in range(rounds):
        for name in contenders:
            workers[name].take_turn()
    return {name: workers[name].turns() for name in contenders}


class Contender:
    """The function to time, where it runs."""

    clock = staticmethod(milliseconds)
    peak = staticmethod(peak_memory)
    warm = SPREAD

    def set_up(self, make, arguments):
        self.run = None  # frees the last case's arrays
        self.run = make(*arguments)
        for _ in range(3):
            self.run()

    def turn(self):
        """Time a turn: the milliseconds of each counted run."""
        start = time.perf_counter()
        while time.perf_counter() < start + self.warm:
            self.clock(self.run)
        times, start = [], time.perf_counter()
        while len(times) < LEAST or (len(times) < MOST and time.perf_counter() < start + TURN):
            times.append(self.clock(self.run))
        return times


class GpuContender(Contender):
    """The same on a GPU; its peak is what setting up takes of the GPU's memory."""

    warm = WARM

    def __init__(self, clock):
        self.clock = clock

    def set_up(self, make, arguments):
        self.run = None
        before = free_memory()
        super().set_up(make, arguments)
        synchronize()
        self.taken = (before - free_memory(keep=True)) / 2**20

    def peak(self):
        return self.taken


class Worker:
    """A contender in a process of its own, seen from this one."""

    pause = 0.05  # seconds before a turn, in which the last one's idle threads go to sleep

    def __init__(self):
        self.start()

    def start(self):
        """Begin a process, which waits for what to prepare."""
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.samples, self.problem = [], None

    def prepare(self, make, arguments):
        """Begin to set up; a process that has failed is replaced."""
        if self.problem is not None:
            self.leave()
            self.start()
        self.samples = []
        self.tell("set_up", make, arguments)

    def tell(self, method, *arguments):
        """Send a call; if the process has ended nobody reads it, and `answer` says so."""
        with suppress(OSError):
            self.pipe.send((method, arguments))

    def answer(self):
        """Wait for what the call returns; None once the process has failed."""
        try:
            self.problem, answer = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            self.problem, answer = f"its process ended with code {self.process.exitcode}", None
        return answer

    def take_turn(self):
        """Add the times of one turn."""
        if self.problem is None:
            time.sleep(self.pause)
            self.tell("turn")
            self.samples += self.answer() or []

    def turns(self):
        """Summarise the turns since `prepare`."""
        if self.problem is None:
            self.tell("peak")
            peak = self.answer()
        if self.problem is not None:
            return Turns(problem=self.problem)
        return Turns(float(np.median(self.samples)), peak)

    def leave(self):
        """End the process."""
        self.pipe.close()
        self.process.join()


def work(pipe):
    """Run a contender in a Worker's process: answer its calls until it closes the pipe."""
    contender = Contender()
    try:
        while True:
            method, arguments = pipe.recv()
            pipe.send((None, getattr(contender, method)(*arguments)))
    except EOFError:
        return
    except Exception as problem:
        pipe.send((in_a_sentence(problem), None))


class GpuWorker(Worker):
    """A contender on the GPU, in this process."""

    pause = 0

    def __init__(self, clock):
        self.contender = GpuContender(clock)
        self.start()

    def start(self):
        self.samples, self.problem = [], None

    def tell(self, method, *arguments):
        self.result = None
        try:
            self.result = getattr(self.contender, method)(*arguments)
        except Exception as problem:
            self.problem = in_a_sentence(problem)

    def answer(self):
        return self.result

    def leave(self):
        self.contender.run = None


def in_a_sentence(problem):
    """Write the exception's type and the first line of its text."""
    sentence = (str(problem).strip().splitlines() or [""])[0]
    return f"{type(problem).__name__}: {sentence}"


@contextmanager
def library_threads(threads):
    """Set the number of threads of every library, for processes that start in this context."""
    before = {name: os.environ.get(name) for name in VARIABLES}
    os.environ.update(dict.fromkeys(VARIABLES, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
