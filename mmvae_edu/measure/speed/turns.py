"""Timing by turns: each contender in a process of its own, so that the threads of one library,
which spin for a while after their work, do not slow the next one down."""

import math
import multiprocessing
import os
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np

WARM = 0.01  # seconds of runs before a turn counts: threads, caches, the processor's frequency
TURN, LEAST, MOST = 0.1, 3, 25  # counted runs: for so many seconds, at least and at most so many


@dataclass(frozen=True)
class Turns:
    """What one contender took: median milliseconds, peak memory in MB; or why it has none."""

    milliseconds: float = float("nan")
    peak: float = float("nan")
    problem: str | None = None


def take_turns(make, contenders, rounds, *, threads, device="cpu"):
    """Turns of each contender, in a process of its own that has so many threads.

    contenders: a list of the arguments of `make`, as in `play`.
    """
    with company(range(len(contenders)), threads, device) as players:
        return list(play(players, make, dict(enumerate(contenders)), rounds).values())


@contextmanager
def company(names, threads, device="cpu"):
    """A Player for each name, with so many threads in every library, while the context lasts."""
    from .on_gpu import GpuPlayer

    with library_threads(threads):
        players = {name: GpuPlayer() if device == "cuda" else Player() for name in names}
        try:
            yield players
        finally:
            for player in players.values():
                player.leave()


def play(players, make, contenders, rounds):
    """Name → Turns of each contender, which uses the player of that name.

    make(*arguments) returns, in the player's process, the function to time and its timer, such as
    `milliseconds`; contenders: name → arguments.  A player that plays again should need more memory
    each time, since its peak is that of its whole life.
    """
    for name, arguments in contenders.items():
        players[name].prepare(make, arguments)
    for name in contenders:
        players[name].hear()  # ready: set up, compiled and warm
    for _ in range(rounds):
        for name in contenders:
            players[name].samples += players[name].ask("go") or []
    return {name: players[name].turns() for name in contenders}


class Player:
    """A contender's process, seen from here."""

    def __init__(self):
        self.start()

    def start(self):
        """Begin a process, which waits."""
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=contend, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.samples, self.problem = [], None

    def prepare(self, make, arguments):
        """Begin to set up; a process that has failed is replaced."""
        if self.problem is not None:
            self.leave()
            self.start()
        self.samples = []
        self.tell((make, arguments))

    def tell(self, word):
        """Send it a word, which nobody reads where its process has ended: `hear` says so."""
        with suppress(OSError):
            self.pipe.send(word)

    def hear(self):
        """Its answer, or None once it has failed."""
        try:
            problem, answer = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            problem, answer = f"its process ended with code {self.process.exitcode}", None
        self.problem = problem
        return answer

    def ask(self, word):
        if self.problem is None:
            if word == "go":
                time.sleep(0.05)  # the last one's idle threads go to sleep
            self.tell(word)
            return self.hear()

    def turns(self):
        """What it took since it was prepared."""
        peak = self.ask("peak")
        if self.problem is not None:
            return Turns(problem=self.problem)
        return Turns(float(np.median(self.samples)), peak)

    def leave(self):
        """End its process."""
        self.pipe.close()
        self.process.join()


def contend(pipe):
    """A contender's process: set up, and a turn of timed runs whenever it is told to go."""
    run = timer = None
    try:
        while True:
            word = pipe.recv()
            if word == "go":
                answer = turn(run, timer)
            elif word == "peak":
                answer = peak_memory()
            else:
                make, arguments = word
                run = timer = None  # the last one's arrays
                run, timer = make(*arguments)
                for _ in range(3):
                    run()
                answer = "ready"
            pipe.send((None, answer))
    except EOFError:
        return  # nobody asks any more
    except Exception as problem:
        pipe.send((in_a_sentence(problem), None))


def in_a_sentence(problem):
    """What went wrong, without the lines that follow the first."""
    sentence = (str(problem).strip().splitlines() or [""])[0]
    return f"{type(problem).__name__}: {sentence}"


def peak_memory():
    """The most MB that this process has held; NaN on Windows, which has no such call."""
    try:
        import resource
    except ImportError:
        return float("nan")
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def turn(run, timer):
    """Milliseconds of each counted run of a turn."""
    start = time.perf_counter()
    while time.perf_counter() < start + WARM:
        timer(run)
    times, start = [], time.perf_counter()
    while len(times) < LEAST or (len(times) < MOST and time.perf_counter() < start + TURN):
        times.append(timer(run))
    return times


@contextmanager
def library_threads(threads):
    """Processes started meanwhile have so many threads in every library."""
    names = [f"{library}_NUM_THREADS" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")]
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def milliseconds(run):
    """One run, by the clock."""
    start = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - start)


def ratio(turns, contender):
    """How many times faster ours is: turns, a dict name → Turns."""
    return turns[contender].milliseconds / turns["ours"].milliseconds


def written(number, form, unit="", none="failed"):
    """The number with its unit, for a table."""
    return none if math.isnan(number) else f"{number:{form}}{unit}"


def show_problems(console, row, turns):
    """Print why contenders have no times: turns, a dict name → Turns."""
    for name, turn in turns.items():
        if turn.problem is not None:
            console.print(f"{row}, {name}: {turn.problem}", highlight=False)
