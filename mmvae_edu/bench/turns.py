"""Timing by turns: each contender in a process of its own, so that the threads of one library,
which spin for a while after their work, do not slow the next one down."""

import multiprocessing
import resource
import time

import numpy as np

COUNTED = 5  # runs a turn, after one that wakes the threads and fills the caches


def take_turns(make, contenders, rounds):
    """(median milliseconds, peak memory in MB) of each contender.

    make(*arguments) returns, in the contender's process, the function to time and the function
    that waits for its end (on a GPU); contenders: a list of arguments.
    """
    context = multiprocessing.get_context("spawn")
    pipes, times, peaks = [], [[] for _ in contenders], []
    for arguments in contenders:
        ours, theirs = context.Pipe()
        context.Process(target=contend, args=(theirs, make, arguments), daemon=True).start()
        theirs.close()
        pipes.append(ours)
    for pipe in pipes:
        pipe.recv()  # ready: set up, compiled and warm
    for _ in range(rounds):
        for pipe, samples in zip(pipes, times, strict=True):
            time.sleep(0.05)  # the last one's idle threads go to sleep
            pipe.send("go")
            samples += pipe.recv()
    for pipe in pipes:
        pipe.send("stop")
        peaks.append(pipe.recv())
    return [(float(np.median(t)), peak) for t, peak in zip(times, peaks, strict=True)]


def contend(pipe, make, arguments):
    """A contender's process: warm up, then a few timed runs whenever it is told to go."""
    run, wait = make(*arguments)
    for _ in range(3):
        run()
    pipe.send("ready")
    while pipe.recv() == "go":
        run()
        pipe.send([milliseconds(run, wait) for _ in range(COUNTED)])
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def milliseconds(run, wait):
    """One timed run."""
    wait()
    start = time.perf_counter()
    run()
    wait()
    return 1000 * (time.perf_counter() - start)


def nothing():
    """The CPU has nothing to wait for."""
