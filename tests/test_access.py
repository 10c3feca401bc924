"""The access recorder finds planted mistakes, by line and thread, and nothing in right kernels."""

import inspect
import math
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from mmvae_edu.kernels.simulator import (
    BarrierMissed,
    OutOfBounds,
    Race,
    Unwritten,
    cuda,
    edited,
    examples,
    record,
)
from mmvae_edu.kernels.simulator.text import plain

from mmvae_edu.course import checker
from mmvae_edu.course.examine import NOT_ATTEMPTED, RIGHT, WRONG
from mmvae_edu.course.exercises import exercises
from mmvae_edu.course.runner import check

N = 8  # the shared memory of a block below


def line_of(kernel, text):
    """The number of the one line of a kernel that has the text."""
    lines, first = inspect.getsourcelines(plain(kernel))
    (at,) = (i for i, line in enumerate(lines, start=first) if text in line)
    return at


# ---- planted mistakes --------------------------------------------------------------------------


@cuda.jit
def beyond(x, y):
    i = cuda.grid(1)
    y[i] = x[i] + 1  # here


@cuda.jit
def before(x, y):
    i = cuda.grid(1)
    if 0 < i < len(x):
        y[i] = x[i]
        y[i] -= x[i - 2]  # here


@cuda.jit
def wrong_row(x, y):
    d, n = cuda.grid(2)
    row = x[1]
    y[n, d] = row[n, d]  # here


@cuda.jit
def inside_the_if(x, y):
    t, s = cuda.threadIdx.x, cuda.shared.array(N, np.float64)
    s[t] = x[t]
    if t < 3:
        cuda.syncthreads()  # here
        y[t] = s[t]


@cuda.jit
def after_a_return(x, y):
    t = cuda.threadIdx.x
    if t > 4:
        return
    cuda.syncthreads()  # here
    y[t] = x[t]


@cuda.jit
def two_barriers(x, y):
    t = cuda.threadIdx.x
    if t % 2:
        cuda.syncthreads()  # odd
    else:
        cuda.syncthreads()  # here
    y[t] = x[t]


@cuda.jit(device=True)
def neighbour(s, t):
    cuda.syncthreads()
    return s[(t + 1) % cuda.blockDim.x]


@cuda.jit
def one_barrier_from_two_lines(x, y):
    t, s = cuda.threadIdx.x, cuda.shared.array(N, np.float64)
    s[t] = x[t]
    if t < 2:
        y[t] = neighbour(s, t)  # here
    else:
        y[t] = neighbour(s, t)


@cuda.jit
def no_barrier(x, y):
    tile = cuda.shared.array(N, np.float64)
    t = cuda.threadIdx.x
    tile[t] = x[t]  # here
    y[t] = tile[cuda.blockDim.x - 1 - t]


@cuda.jit
def all_write_one(x, y):
    y[0] = x[cuda.threadIdx.x]  # here


@cuda.jit
def two_blocks_one_sum(x, y):
    if cuda.threadIdx.x == 0:
        y[0] += x[cuda.blockIdx.x]  # here


@cuda.jit
def atomic_and_plain(x, y):
    cuda.atomic.add(y, 0, x[cuda.threadIdx.x])  # here
    if cuda.threadIdx.x == 1:
        y[1] = y[0]


@cuda.jit
def never_written(x, y):
    tile = cuda.shared.array(N, np.float64)
    t = cuda.threadIdx.x
    if t < 4:
        tile[t] = x[t]
    cuda.syncthreads()
    y[t] = tile[t]  # here


@cuda.jit
def local_never_written(x, y):
    own = cuda.local.array(2, np.float64)
    own[0] = x[cuda.threadIdx.x]
    y[cuda.threadIdx.x] = own[0] + own[1]  # here


FIVE, FLAT, CUBE = np.arange(5.0), np.arange(16.0), np.arange(24.0).reshape(2, 3, 4)
PLANTED = [  # kernel, blocks, threads, x, y's shape, the fault, its sentence
    (beyond, 2, 3, FIVE, 5, OutOfBounds, r"thread 2 of block 1 reads x\[5\] .* x has 5 elements$"),
    (beyond, 3, 3, FIVE, 5, OutOfBounds, r"thread 2 of block 1 reads x\[5\] .*4 such threads"),
    (before, 1, 5, FIVE, 5, OutOfBounds, r"thread 1 of block 0 reads x\[-1\] on line \d+, but"),
    (wrong_row, (2, 1), (2, 4), CUBE, (3, 4), OutOfBounds,
     r"thread \(0, 3\) of block 0 reads x\[3, 0\] .* x has shape \(3, 4\) \(4 such threads\)"),
    (inside_the_if, 1, 5, FIVE, 5, BarrierMissed, "thread 0 of block 0 .* thread 3 has ended"),
    (after_a_return, 2, 6, FLAT, 8, BarrierMissed, "thread 0 of block 0 .* thread 5 has ended"),
    (two_barriers, 1, 4, FIVE, 5, BarrierMissed, r"thread 0 of .* but thread 1 waits on line \d+:"),
    (one_barrier_from_two_lines, 1, 4, FIVE, 5, BarrierMissed, "thread 0 .* thread 2 waits on"),
    (no_barrier, 1, 5, FIVE, 5, Race,
     r"thread 0 of block 0 writes tile\[0\] .* and thread 4 reads it on line \d+, with no barrier"),
    (all_write_one, 1, 4, FIVE, 5, Race, r"writes y\[0\] .* thread 1 writes it .*no barrier"),
    (two_blocks_one_sum, 3, 2, FIVE, 5, Race,
     r"thread 0 of block 0 reads y\[0\] .* thread 0 of block 1 writes it .*nothing orders two bl"),
    (atomic_and_plain, 1, 3, FIVE, 5, Race,
     r"thread 0 of block 0 updates y\[0\] .* thread 1 reads it"),
    (never_written, 1, 6, FLAT, 8, Unwritten, r"thread 4 of block 0 reads tile\[4\] .*\(2 such"),
    (local_never_written, 1, 2, FIVE, 5, Unwritten, r"thread 0 of block 0 reads own\[1\]"),
]  # fmt: skip


@pytest.mark.parametrize("case", PLANTED, ids=lambda case: plain(case[0]).__name__)
def test_planted_mistake_is_found(case):
    kernel, blocks, threads, x, shape, kind, sentence = case
    fault = record(kernel, blocks, threads, x, np.zeros(shape)).faults[0]
    assert type(fault) is kind
    assert re.search(sentence, str(fault)), fault
    assert fault.line == line_of(kernel, "# here")
    assert f"on line {fault.line}" in str(fault)
    assert str(fault).count(". ") == 0  # one sentence


def test_a_missing_barrier_is_seen_whatever_the_values_are():
    x = np.zeros(4)
    seen = record(no_barrier, 1, 4, x, x.copy())
    assert [type(fault) for fault in seen.faults] == [Race, Unwritten]
    counts = [0, 0, 4, 2, *7 * [0]]  # threads 0 and 1 read before 3 and 2 have written
    assert seen.marks[:-1].tolist() == counts


# ---- right kernels -----------------------------------------------------------------------------


@cuda.jit
def reversed_in_blocks(x, y):
    tile = cuda.shared.array(N, np.float64)
    for first in range(0, x.size, cuda.blockDim.x):
        t = cuda.threadIdx.x
        tile[t] = x[first + t]
        cuda.syncthreads()
        y[first + t] = tile[cuda.blockDim.x - 1 - t]
        cuda.syncthreads()


@cuda.jit
def histogram(x, y):
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        cuda.atomic.add(y, int(x[i]), 1)


@cuda.jit
def through_neighbours(x, y):
    s = cuda.shared.array(shape=N, dtype=np.float32)
    t = cuda.threadIdx.x
    s[t] = x[t]
    y[t] = neighbour(s, t)


@cuda.jit
def own_memory(x, y):
    t, own = cuda.grid(1), cuda.local.array((2, 2), np.float64)
    own[1, 0] = x[t]
    own[1, 0] *= 2
    y[t] = own[1, 0]


COUNTS = np.array([3.0, 1.0, 3.0, 3.0, 0.0, 1.0])
CORRECT = [
    (reversed_in_blocks, 1, 4, np.arange(8.0), [3, 2, 1, 0, 7, 6, 5, 4]),
    (histogram, 2, 2, COUNTS, [1, 2, 0, 3]),
    (through_neighbours, 1, 5, np.arange(5.0), [1, 2, 3, 4, 0]),
    (own_memory, 2, 3, np.arange(6.0), [0, 2, 4, 6, 8, 10]),
]


@pytest.mark.parametrize("case", CORRECT, ids=lambda case: case[0].__name__)
def test_no_false_alarm(case):
    kernel, blocks, threads, x, expected = case
    y = np.zeros(len(expected))
    assert record(kernel, blocks, threads, x, y).faults == []
    assert y.tolist() == expected


def test_accesses_say_who_what_where_and_when():
    seen = record(reversed_in_blocks, 1, 2, np.arange(2.0), np.zeros(2))
    rows = [(a.thread.x, a.epoch, a.memory.element(a.at), a.kind) for a in seen.accesses]
    assert rows == [
        (0, 0, "x[0]", "read"), (0, 0, "tile[0]", "write"),
        (1, 0, "x[1]", "read"), (1, 0, "tile[1]", "write"),
        (0, 1, "tile[1]", "read"), (0, 1, "y[0]", "write"),
        (1, 1, "tile[0]", "read"), (1, 1, "y[1]", "write"),
    ]  # fmt: skip
    lines = {a.line.number for a in seen.accesses if a.memory.name == "y"}
    assert lines == {line_of(reversed_in_blocks, "y[first")}
    again = record(reversed_in_blocks, 1, 2, np.arange(2.0), np.zeros(2))
    assert [a.line for a in again.accesses] == [a.line for a in seen.accesses]


# ---- the kernels of the exercises --------------------------------------------------------------

IN_THE_SIMULATOR = """
import sys, types
import numpy as np
text = open(sys.argv[1], encoding="utf-8").read()
scope = {}
exec(text.replace("from . import cuda", "from numba import cuda"), scope)
rng = np.random.default_rng(0)
log_w = np.array([-6237.1, 700.0]) + rng.normal(0, 3, size=(11, 2))
top, bound, weights = np.zeros(2), np.zeros(2), np.zeros((5, 2))
scope["block_max_kernel"][2, 6](log_w, top)
scope["log_mean_exp_kernel"][2, 6](log_w, bound)
scope["shares_kernel"][2, 8](log_w[:5] - top, weights)
mu, log_var = rng.normal(size=(2, 3, 5, 7))
mean, joint, precision = np.zeros((5, 7)), np.zeros((5, 7)), np.zeros(35)
scope["product_kernel"][(2, 3), (4, 2)](mu, log_var, mean, joint)
scope["precision_kernel"][5, 8](35, log_var[0].ravel(), precision)
from mmvae_edu.kernels import reference
for got, want in (
    (top, log_w.max(axis=0)), (bound, reference.importance_weights(log_w)[0]),
    (weights, reference.importance_weights(log_w[:5])[1]),
    ((mean, joint), reference.product_of_experts(mu, log_var)),
    (precision, np.exp(-log_var[0].ravel())),
):
    np.testing.assert_allclose(got, want, rtol=1e-12)
print("equal")
"""


def test_one_import_takes_the_same_text_to_numba():
    done = subprocess.run(
        [sys.executable, "-c", IN_THE_SIMULATOR, examples.__file__],
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "equal\n", done.stderr


HEAD = """
import math
import numpy as np
from mmvae_edu.kernels.simulator import cuda
from mmvae_edu.course import todo
THREADS = 32
"""
ANSWERS = {
    "a loop over the grid": (RIGHT, """
        @cuda.jit
        def precision_kernel(size, log_var, precision):
            for i in range(cuda.grid(1), size, cuda.gridsize(1)):
                precision[i] = 1 / math.exp(log_var[i])
        """),
    "thread 0 adds for all": (RIGHT, """
        @cuda.jit(device=True)
        def everyone(own, memory):
            t = cuda.threadIdx.x
            memory[t] = own
            cuda.syncthreads()
            top = memory[0]
            for other in range(1, cuda.blockDim.x):
                top = max(top, memory[other])
            return top

        @cuda.jit
        def block_max_kernel(log_w, top):
            own, n = -math.inf, cuda.blockIdx.x
            for k in range(cuda.threadIdx.x, len(log_w), cuda.blockDim.x):
                own = max(own, log_w[k, n])
            found = everyone(own, cuda.shared.array(THREADS, np.float64))
            if cuda.threadIdx.x == 0:
                top[n] = found
        """),
    "one pass, atomics": (RIGHT, """
        @cuda.jit
        def shares_kernel(log_w, weights):
            total = cuda.shared.array(1, np.float64)
            k, n = cuda.threadIdx.x, cuda.blockIdx.x
            if k == 0:
                total[0] = 0.0
            cuda.syncthreads()
            if k < log_w.shape[0]:
                cuda.atomic.add(total, 0, math.exp(log_w[k, n]))
            cuda.syncthreads()
            if k < log_w.shape[0]:
                weights[k, n] = math.exp(log_w[k, n]) / total[0]
        """),
    "the mistake of another text": ("no_guard", """
        @cuda.jit
        def precision_kernel(size, log_var, precision):
            thread = cuda.blockDim.x * cuda.blockIdx.x + cuda.threadIdx.x
            a = log_var[thread]
            precision[thread] = 1 / math.exp(a)
        """),
    "a barrier after an early return": ("barrier_inside_the_guard", """
        @cuda.jit
        def shares_kernel(log_w, weights):
            w = cuda.shared.array(THREADS, np.float64)
            k, n = cuda.threadIdx.x, cuda.blockIdx.x
            if k >= len(log_w):
                return
            w[k] = math.exp(log_w[k, n])
            cuda.syncthreads()
            weights[k, n] = w[k] / sum([w[j] for j in range(len(log_w))])
        """),
    "a fault that is in no catalogue": ("Race: thread 0 of block 0 writes precision[0] on", """
        @cuda.jit
        def precision_kernel(size, log_var, precision):
            precision[0] = math.exp(-log_var[0])
        """),
    "an exception": ("it raises NameError: name 'oops' is not defined", """
        @cuda.jit
        def block_max_kernel(log_w, top):
            cuda.syncthreads()
            top[oops] = 1.0
        """),
    "thread 0 finishes alone": (RIGHT, """
        @cuda.jit
        def block_max_kernel(log_w, top):
            mine = cuda.shared.array(THREADS, np.float64)
            t, n, K, threads = cuda.threadIdx.x, cuda.blockIdx.x, len(log_w), cuda.blockDim.x
            mine[t] = log_w[min(t, K - 1), n]  # where there are more threads than samples
            each = (K + threads - 1) // threads
            for k in range(t * each, min(K, t * each + each)):
                mine[t] = max(mine[t], log_w[k, n])
            cuda.syncthreads()
            if t == 0:
                for other in range(1, threads):
                    mine[0] = max(mine[0], mine[other])
                top[n] = mine[0]
        """),
    "thread 0 finishes with pairs": (RIGHT, """
        @cuda.jit
        def log_mean_exp_kernel(log_w, bound):
            tops = cuda.shared.array(THREADS, np.float64)
            sums = cuda.shared.array(THREADS, np.float64)
            t, n, K = cuda.threadIdx.x, cuda.blockIdx.x, log_w.shape[0]
            tops[t], sums[t] = -math.inf, 0.0
            for k in range(t, K, cuda.blockDim.x):
                top = max(tops[t], log_w[k, n])
                sums[t] = sums[t] * math.exp(tops[t] - top) + math.exp(log_w[k, n] - top)
                tops[t] = top
            cuda.syncthreads()
            if t == 0:
                top, total = -math.inf, 0.0
                for other in range(cuda.blockDim.x):
                    top = max(top, tops[other])
                for other in range(cuda.blockDim.x):
                    total += sums[other] * math.exp(tops[other] - top)
                bound[n] = top + math.log(total / K)
        """),
    "thread 0 has a block to itself": ("shares_of_one_thread", """
        @cuda.jit
        def shares_kernel(log_w, weights):
            n, K = cuda.blockIdx.x, log_w.shape[0]
            if cuda.threadIdx.x == 0:
                total = 0.0
                for k in range(K):
                    total += np.exp(log_w[k, n])
                for k in range(K):
                    weights[k, n] = np.exp(log_w[k, n]) / total
        """),
    "exp of what is shared, again and again": ("exp_again_in_every_thread", """
        from math import exp
        @cuda.jit(device=True)
        def weight(a):
            return exp(a)

        @cuda.jit
        def shares_kernel(log_w, weights):
            own = cuda.shared.array(THREADS, np.float64)
            k, n, K = cuda.threadIdx.x, cuda.blockIdx.x, len(log_w)
            if k < K:
                own[k] = log_w[k, n]
            cuda.syncthreads()
            if k < K:
                weights[k, n] = weight(own[k]) / sum([weight(own[j]) for j in range(K)])
        """),
    "thread 0 walks": ("one_thread_walks", """
        @cuda.jit
        def block_max_kernel(log_w, top):
            if cuda.threadIdx.x == 0:
                n = cuda.blockIdx.x
                top[n] = log_w[0, n]
                for k in range(1, len(log_w)):
                    top[n] = max(top[n], log_w[k, n])
        """),
    "thread 0 walks twice": ("one_thread_walks_twice", """
        @cuda.jit
        def log_mean_exp_kernel(log_w, bound):
            n, K = cuda.blockIdx.x, log_w.shape[0]
            if cuda.threadIdx.x != 0:
                return
            top = max([log_w[k, n] for k in range(K)])
            bound[n] = top + math.log(sum([math.exp(log_w[k, n] - top) for k in range(K)]) / K)
        """),
    "all threads walk, and all write": ("every_thread_writes_the_bound", """
        @cuda.jit
        def log_mean_exp_kernel(log_w, bound):
            n, K = cuda.blockIdx.x, log_w.shape[0]
            top = max([log_w[k, n] for k in range(K)])
            bound[n] = top + math.log(sum([math.exp(log_w[k, n] - top) for k in range(K)]) / K)
        """),
    "a race that is not the catalogue's": ("Race: thread 0 of block 0 reads bound[0] on", """
        @cuda.jit
        def log_mean_exp_kernel(log_w, bound):
            t, n, K = cuda.threadIdx.x, cuda.blockIdx.x, log_w.shape[0]
            if t == 0:
                bound[n] = 0.0
            cuda.syncthreads()
            for k in range(t, K, cuda.blockDim.x):
                bound[n] += math.exp(log_w[k, n])
            cuda.syncthreads()
            if t == 0:
                bound[n] = math.log(bound[n] / K)
        """),
    "the memory of all blocks": ("NotShared: no value goes through shared memory in block 0", """
        @cuda.jit
        def block_max_kernel(log_w, top):
            t, n = cuda.threadIdx.x, cuda.blockIdx.x
            if t == 0:
                top[n] = -math.inf
            cuda.syncthreads()
            for k in range(t, log_w.shape[0], cuda.blockDim.x):
                cuda.atomic.max(top, n, log_w[k, n])
        """),
    "samples are copied for thread 0": ("Idle: thread 0 of block 0 alone reads 17 elements", """
        @cuda.jit
        def block_max_kernel(log_w, top):
            copy = cuda.shared.array(THREADS, np.float64)
            t, n, K = cuda.threadIdx.x, cuda.blockIdx.x, log_w.shape[0]
            for k in range(t, K, cuda.blockDim.x):
                copy[k] = log_w[k, n]
            cuda.syncthreads()
            if t == 0:
                top[n] = max([copy[k] for k in range(K)])
        """),
    "one thread in four": ("Idle: thread 0 of block 0 writes 4 elements of precision", """
        @cuda.jit
        def precision_kernel(size, log_var, precision):
            first = cuda.grid(1)
            if first % 4 == 0:
                for i in range(first, min(size, first + 4)):
                    precision[i] = math.exp(-log_var[i])
        """),
    "a stub": (NOT_ATTEMPTED, """
        @cuda.jit
        def block_max_kernel(log_w, top):
            return todo("L24.block_max_kernel")
        """),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_of_learners(name, tmp_path):
    expected, source = ANSWERS[name]
    source = HEAD + inspect.cleandoc(source)
    (id,) = (id for id, e in exercises().items() if f"def {e.name}(" in source and "L24" in id)
    path = tmp_path / "24_kernels.py"
    path.write_text(source, encoding="utf-8")
    verdict = check(exercises()[id], path, range(3), locked=exercises()[id].locked)
    if isinstance(expected, int):
        assert verdict.code == expected, verdict
    else:
        assert verdict.code == WRONG
        assert expected in [*verdict.mistakes, verdict.says] or expected in verdict.evidence
        method = expected.startswith(("Idle", "Repeated", "NotShared"))
        assert verdict.says.startswith("another method than") == method


def test_the_librarys_kernel_is_locked(tmp_path):
    source = """
        from mmvae_edu.kernels.simulator import examples
        @cuda.jit
        def product_kernel(mu, log_var, mean, joint_log_var):
            examples.product_kernel((1, 1), mu, log_var, mean, joint_log_var)
        """
    path = tmp_path / "24_kernels.py"
    path.write_text(HEAD + inspect.cleandoc(source), encoding="utf-8")
    verdict = checker.check_file(exercises()["L24.product_kernel"], tmp_path)
    assert (verdict.code, verdict.line) == (WRONG, 10)
    assert "hands back the library's own product_kernel" in verdict.says


# ---- the recorder itself -----------------------------------------------------------------------


def test_a_launch_works_on_copies():
    x, y = np.arange(6.0), np.ones(6)
    check_faults, marks, seen_x, seen_y = own_memory((2, 3), x, y)
    check_faults()
    assert not marks.any()
    assert seen_x.tolist() == x.tolist()
    assert seen_y.tolist() == [0, 2, 4, 6, 8, 10]
    assert y.tolist() == [1] * 6
    check_faults, marks, _, seen_y = beyond((2, 3), np.zeros(5), np.ones(5))
    assert marks.tolist() == [1] + 11 * [0]
    assert not seen_y.any()  # what a faulty launch computes means nothing
    with pytest.raises(OutOfBounds):
        check_faults()


@cuda.jit
def stops(x):
    if cuda.grid(1) == 3:
        breakpoint()  # here


def test_breakpoint_stops_in_the_thread(monkeypatch):
    stopped = []

    def hook():
        frame = sys._getframe(1)
        stopped.append((frame.f_code.co_filename, frame.f_lineno, frame.f_globals["cuda"]))

    monkeypatch.setattr(sys, "breakpointhook", hook)
    record(stops, 2, 2, np.zeros(4))
    ((file, line, here),) = stopped
    assert (file, line) == (__file__, line_of(stops, "# here"))
    assert (here.blockIdx.x, here.threadIdx.x) == (1, 1)


@cuda.jit
def endless(x):
    while x[0] == 0:
        cuda.syncthreads()


@cuda.jit
def whole_array(x):
    x[0] = np.exp(x).sum()


@cuda.jit
def unknown(x):
    cuda.nanosleep(1)


@cuda.jit
def raises_late(x):
    x[cuda.grid(1)] = math.sqrt(-1)


@pytest.mark.parametrize(
    ("kernel", "problem", "words"),
    [
        (endless, RuntimeError, "does a loop ever end"),
        (whole_array, TypeError, "x: a thread takes one element at a time"),
        (unknown, AttributeError, "no cuda.nanosleep"),
        (raises_late, ValueError, "math domain error"),
    ],
)
def test_what_is_no_fault_is_raised(kernel, problem, words, monkeypatch):
    monkeypatch.setattr("mmvae_edu.kernels.simulator.running.MOST", 1000)
    with pytest.raises(problem, match=words) as raised:
        record(kernel, 1, 2, np.zeros(3))
    lines, first = inspect.getsourcelines(plain(kernel))
    own = [frame.lineno for frame in raised.traceback if str(frame.path) == __file__]
    assert first <= own[-1] + 1 <= first + len(lines)


def test_a_fault_that_came_first_is_told_instead():
    @cuda.jit
    def through_a_closure(x):
        if cuda.threadIdx.x == 0:
            x[7] = 1.0
        else:
            raise ValueError("as a consequence")

    seen = record(through_a_closure, 1, 2, np.zeros(3))
    assert [type(fault) for fault in seen.faults] == [OutOfBounds]


def test_edits_must_be_found_once():
    with pytest.raises(ValueError, match="own_memory: 0 places have 'nothing of it'"):
        edited(own_memory, "other", {"nothing of it": ""})
    other = edited(own_memory, "other", {"*= 2": "*= 3"})
    y = np.zeros(2)
    record(other, 1, 2, np.ones(2), y)
    assert (other.__name__, y.tolist()) == ("other", [3, 3])


def test_the_stand_in_says_where_cuda_has_a_meaning():
    with pytest.raises(AttributeError, match="threadIdx has a meaning only in a running kernel"):
        _ = cuda.threadIdx
    assert isinstance(cuda.jit(fastmath=True)(plain(beyond)), type(record))
