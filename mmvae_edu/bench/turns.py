"""Timing by turns: each contender in a process of its own, so that the threads of one library,
which spin for a while after their work, do not slow the next one down."""

import math
import multiprocessing
import os
import resource
import time
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

COUNTED = 5  # runs a turn, after one that wakes the threads and fills the caches


@dataclass(frozen=True)
class Turns:
    """What one contender took: median milliseconds, peak memory in MB; or why it has none."""

    milliseconds: float = float("nan")
    peak: float = float("nan")
    problem: str | None = None


def take_turns(make, contenders, rounds, *, threads):
    """Turns of each contender, which has so many threads.

    make(*arguments) returns, in the contender's process, the function to time and the function
    that waits for its end (on a GPU); contenders: a list of arguments.
    """
    with library_threads(threads):
        players = [Player(make, arguments) for arguments in contenders]
    for player in players:
        player.hear()  # ready: set up, compiled and warm
    for _ in range(rounds):
        for player in players:
            time.sleep(0.05)  # the last one's idle threads go to sleep
            player.samples += player.ask("go") or []
    return [player.stop() for player in players]


class Player:
    """A contender's process, seen from here."""

    def __init__(self, make, arguments):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=contend, args=(theirs, make, arguments), daemon=True)
        self.process.start()
        theirs.close()
        self.samples, self.problem = [], None

    def hear(self):
        """Its answer, or None once it has failed."""
        try:
            problem, answer = self.pipe.recv()
        except EOFError:
            self.process.join()
            problem, answer = f"its process ended with code {self.process.exitcode}", None
        self.problem = problem
        return answer

    def ask(self, word):
        if self.problem is None:
            self.pipe.send(word)
            return self.hear()

    def stop(self):
        peak = self.ask("stop")
        self.process.join()
        if self.problem is not None:
            return Turns(problem=self.problem)
        return Turns(float(np.median(self.samples)), peak)


def contend(pipe, make, arguments):
    """A contender's process: warm up, then a few timed runs whenever it is told to go."""
    try:
        run, wait = make(*arguments)
        for _ in range(3):
            run()
        pipe.send((None, "ready"))
        while pipe.recv() == "go":
            run()
            pipe.send((None, [milliseconds(run, wait) for _ in range(COUNTED)]))
        pipe.send((None, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
    except Exception as problem:
        sentence = (str(problem).strip().splitlines() or [""])[0]
        pipe.send((f"{type(problem).__name__}: {sentence}", None))


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


def milliseconds(run, wait):
    """One timed run."""
    wait()
    start = time.perf_counter()
    run()
    wait()
    return 1000 * (time.perf_counter() - start)


def nothing():
    """The CPU has nothing to wait for."""


def ratio(turns, contender):
    """How many times faster ours is: turns, a dict name → Turns."""
    return turns[contender].milliseconds / turns["ours"].milliseconds


def written(number, form, unit=""):
    """The number with its unit, for a table."""
    return "failed" if math.isnan(number) else f"{number:{form}}{unit}"


def show_problems(console, row, turns):
    """Print why contenders have no times: turns, a dict name → Turns."""
    for name, turn in turns.items():
        if turn.problem is not None:
            console.print(f"{row}, {name}: {turn.problem}", highlight=False)
