"""The costs that the access recorder counts, warp by warp, against counts made by hand."""

import re

import numpy as np
import pytest
from mmvae_edu.kernels import _cuda_elements
from mmvae_edu.kernels.launches import NAMES
from mmvae_edu.kernels.simulator import BarrierMissed, Race, Unwritten, cuda, examples, record
from mmvae_edu.kernels.simulator.text import plain, source
from mmvae_edu.kernels.versions import EVERY
from test_access import line_of

from mmvae_edu import cli
from mmvae_edu.course.exercises import exercises
from mmvae_edu.measure.kernel_trace import trace

FULL = 0xFFFFFFFF
EXAMPLES = {id.partition(".")[2] for id in exercises() if id.startswith(("L24.", "L25."))}

# ---- global memory -----------------------------------------------------------------------------


@cuda.jit
def row_sums(x, y):
    n, total = cuda.grid(1), 0.0
    if n < x.shape[0]:
        for p in range(x.shape[1]):
            total += x[n, p]
        y[n] = total


@cuda.jit
def column_sums(x, y):
    p, total = cuda.grid(1), 0.0
    if p < x.shape[1]:
        for n in range(x.shape[0]):
            total += x[n, p]
        y[p] = total


@cuda.jit
def shifted(x, y):
    i = cuda.grid(1)
    if i < y.size:
        y[i] = x[i + 1]


@cuda.jit
def one_for_all(x, y):
    y[cuda.grid(1)] = x[3]


@cuda.jit
def neighbours(x, y):
    i = cuda.grid(1)
    y[i] = x[i] + x[i + 1]


@cuda.jit
def by_parity(x, y):
    i = cuda.grid(1)
    if i % 2:
        y[i] = x[i]
    else:
        y[i] = -x[i]


@cuda.jit
def triangle(x, y):
    """Thread i goes round its loop i + 1 times, and reads in every other round."""
    i = cuda.grid(1)
    for j in range(i + 1):
        if (i + j) % 2 == 0:
            y[i] += x[j]


@cuda.jit
def nested(x, y):
    """Lane i leaves out round i; in the others it reads x[0] to x[i − 1]."""
    i = cuda.grid(1)
    for j in range(4):
        if j == i:
            continue
        k = 0
        while True:
            if k == i:
                break
            y[k, i] = x[k]
            k += 1
        y[j, i] = x[j]


@cuda.jit
def comprehension(x, y):
    i = cuda.grid(1)
    y[i] = sum([x[j, i] for j in range(len(x))])


@cuda.jit
def in_two_dimensions(x, y):
    column, row = cuda.grid(2)
    y[row, column] = x[row, column]


@cuda.jit(device=True)
def first_of(x, i):
    return x[i]


@cuda.jit
def from_two_places(x, y):
    i = cuda.grid(1)
    y[i] = first_of(x, i) if i < 8 else first_of(x, i - 8)


@cuda.jit
def all_into_one(x, y):
    cuda.atomic.add(y, 0, x[cuda.grid(1)])


@cuda.jit
def by_fours(x, y):
    i = cuda.grid(1)
    cuda.atomic.max(y, i // 4, x[i])


def f32(*shape):
    return np.zeros(shape, np.float32)


def f64(*shape):
    return np.zeros(shape)


GLOBAL = [  # kernel, blocks, threads, x, y; the cost: memory, kind, accesses, lanes, sectors, used
    # each lane reads another row, 32 sectors for 4 bytes each
    (row_sums, 1, 32, f32(32, 64), f32(32), "x", "read", 64, 32, 64 * 32, 4 / 32),
    (row_sums, 1, 32, f32(32, 64), f32(32), "y", "write", 1, 32, 4, 1),
    (row_sums, 1, 32, f64(32, 64), f64(32), "x", "read", 64, 32, 64 * 32, 8 / 32),
    # 32 neighbours of 4 bytes fill 4 sectors, of 8 bytes 8
    (column_sums, 1, 32, f32(64, 32), f32(32), "x", "read", 64, 32, 64 * 4, 1),
    (column_sums, 1, 32, f64(64, 32), f64(32), "x", "read", 64, 32, 64 * 8, 1),
    # rows of 33: they begin 4 bytes further each time, at 0 of 32 bytes in every eighth row
    (column_sums, 1, 32, f32(8, 33), f32(33), "x", "read", 8, 32, 7 * 5 + 4, 8 * 128 / 39 / 32),
    # the same memory, read along the other axis
    (row_sums, 1, 32, f32(64, 32).T, f32(32), "x", "read", 64, 32, 64 * 4, 1),
    # three warps for 70 elements, in two blocks of 48 threads: 32 + 16, 22 lanes in the last
    (shifted, 2, 48, f32(71), f32(70), "y", "write", 3, 70 / 3, 4 + 2 + 3, 280 / 288),
    # bytes 4 to 131, 132 to 195, 196 to 283: a sector more, where one begins and ends within
    (shifted, 2, 48, f32(71), f32(70), "x", "read", 3, 70 / 3, 5 + 3 + 3, 280 / 352),
    (one_for_all, 2, 64, f32(4), f32(128), "x", "read", 4, 32, 4, 4 / 32),
    # two reads of one array on a line are two accesses
    (neighbours, 1, 32, f32(33), f32(32), "x", "read", 2, 32, 4 + 5, 256 / 288),
    # both branches touch all four sectors, for half of the bytes
    (by_parity, 1, 32, f32(32), f32(32), "x", "read", 2, 16, 8, 1 / 2),
    # round j has lanes j, j + 2, ... 7: 4, 4, 3, 3, 2, 2, 1, 1 of 8, all at one element
    (triangle, 1, 8, f32(8), f32(8), "x", "read", 8, 20 / 8, 8, 4 / 32),
    (triangle, 1, 8, f32(8), f32(8), "y", "read", 8, 20 / 8, 8, 20 * 4 / 256),
    # x[j]: 3 lanes in each of 4 rounds.  x[0]: 3, 2, 2, 2 lanes, x[1]: 2, 2, 1, 1, x[2]: 1, 1, 1
    (nested, 1, 4, f32(4), f32(4, 4), "x", "read", 4 + 11, (12 + 9 + 6 + 3) / 15, 15, 4 / 32),
    (comprehension, 1, 32, f32(5, 32), f32(32), "x", "read", 5, 32, 20, 1),
    # a warp is four rows of 8: each row a sector
    (in_two_dimensions, (2, 1), (8, 8), f32(8, 16), f32(8, 16), "x", "read", 4, 32, 16, 1),
    (in_two_dimensions, (1, 2), (4, 3), f32(6, 4), f32(6, 4), "x", "read", 2, 12, 2 + 2, 96 / 128),
    # one text, two instructions
    (from_two_places, 1, 32, f32(32), f32(32), "x", "read", 2, 16, 1 + 3, 1),
    (all_into_one, 1, 40, f32(40), f32(1), "y", "atomic", 2, 20, 2, 4 / 32),
    (in_two_dimensions, 1, (32, 1), np.zeros((1, 32), bool), f32(1, 32), "x", "read", 1, 32, 1, 1),
]  # fmt: skip


@pytest.mark.parametrize("case", GLOBAL, ids=lambda case: plain(case[0]).__name__)
def test_sectors_counted_by_hand(case):
    kernel, blocks, threads, x, y, memory, kind, *expected = case
    cost = record(kernel, blocks, threads, x, y).total(memory=memory, kind=kind)
    assert (cost.accesses, cost.lanes, cost.sectors, cost.used) == pytest.approx(tuple(expected))


# ---- shared memory -----------------------------------------------------------------------------


@cuda.jit
def transpose(x, y):
    tile = cuda.shared.array((32, 32), np.float32)
    column, row = cuda.threadIdx.x, cuda.threadIdx.y
    tile[row, column] = x[row, column]
    cuda.syncthreads()
    y[row, column] = tile[column, row]


@cuda.jit
def transpose_padded(x, y):
    tile = cuda.shared.array((32, 33), np.float32)
    column, row = cuda.threadIdx.x, cuda.threadIdx.y
    tile[row, column] = x[row, column]
    cuda.syncthreads()
    y[row, column] = tile[column, row]


@cuda.jit
def transpose_float64(x, y):
    tile = cuda.shared.array((32, 32), np.float64)
    column, row = cuda.threadIdx.x, cuda.threadIdx.y
    tile[row, column] = x[row, column]
    cuda.syncthreads()
    y[row, column] = tile[column, row]


@cuda.jit
def strided(step, x, y):
    """Read every step-th element of shared memory, of the type of x."""
    s = cuda.shared.array(1024, x.dtype)
    t = cuda.threadIdx.x
    for i in range(t, 1024, cuda.blockDim.x):
        s[i] = 0
    cuda.syncthreads()
    y[t] = s[step * t]


@cuda.jit
def votes_in_shared(step, x, y):
    counts = cuda.shared.array(256, x.dtype)
    t = cuda.threadIdx.x
    for i in range(t, 256, cuda.blockDim.x):
        counts[i] = 0
    cuda.syncthreads()
    cuda.atomic.add(counts, step * t, 1)


def strided_by(step, dtype, threads=32, kernel=strided):
    x = np.zeros(1, dtype)
    return record(kernel, 1, threads, step, x, np.zeros(threads, dtype))


TILE = f32(32, 32), f32(32, 32)
PASSES = [  # a record, of shared memory by name and kind: accesses, passes
    (lambda: record(transpose, 1, (32, 32), *TILE), "tile", "write", 32, 32),
    (lambda: record(transpose, 1, (32, 32), *TILE), "tile", "read", 32, 32 * 32),
    (lambda: record(transpose_padded, 1, (32, 32), *TILE), "tile", "write", 32, 32),
    (lambda: record(transpose_padded, 1, (32, 32), *TILE), "tile", "read", 32, 32),
    # two halves of a warp; in each a column of 16 elements, all in the same two banks
    (lambda: record(transpose_float64, 1, (32, 32), *TILE), "tile", "write", 32, 2 * 32),
    (lambda: record(transpose_float64, 1, (32, 32), *TILE), "tile", "read", 32, 2 * 16 * 32),
    (lambda: strided_by(0, np.float32), "s", "read", 1, 1),  # a word for all: a broadcast
    (lambda: strided_by(2, np.float32), "s", "read", 1, 2),
    (lambda: strided_by(3, np.float32), "s", "read", 1, 1),  # 3 and 32 share no factor
    (lambda: strided_by(8, np.float32), "s", "read", 1, 8),
    (lambda: strided_by(32, np.float32, threads=20), "s", "read", 1, 20),
    (lambda: strided_by(0, np.float64), "s", "read", 1, 2),  # once a half
    (lambda: strided_by(1, np.float64, threads=20), "s", "read", 1, 2),
    (lambda: strided_by(1, np.float64, threads=16), "s", "read", 1, 1),
    (lambda: strided_by(2, np.float64), "s", "read", 1, 4),
    (lambda: strided_by(1, np.int8), "s", "read", 1, 1),  # 4 lanes a word
    (lambda: strided_by(4, np.int8), "s", "read", 1, 1),
    (lambda: strided_by(8, np.int16), "s", "read", 1, 4),  # every fourth bank
    (lambda: strided_by(0, np.int32, kernel=votes_in_shared), "counts", "atomic", 1, 32),
    (lambda: strided_by(1, np.int32, kernel=votes_in_shared), "counts", "atomic", 1, 1),
    (lambda: strided_by(8, np.int32, kernel=votes_in_shared), "counts", "atomic", 1, 8),
]  # fmt: skip


@pytest.mark.parametrize("case", PASSES, ids=range(len(PASSES)))
def test_passes_counted_by_hand(case):
    launch, memory, kind, *expected = case
    cost = launch().total(memory=memory, kind=kind)
    assert [cost.accesses, cost.passes] == expected
    assert (cost.sectors, cost.used) == (0, None)


@pytest.mark.parametrize(
    ("kernel", "passes"),
    [(all_into_one, 32 + 8), (by_fours, 4 + 4)],
    ids=["all into one", "by fours"],
)
def test_atomic_updates_of_one_address_follow_each_other(kernel, passes):
    seen = record(kernel, 1, 40, f32(40), f32(10))
    assert seen.total(memory="y", kind="atomic").passes == passes


def test_costs_stand_in_order_of_lines_and_add_up():
    seen = record(transpose, 1, (32, 32), *TILE)
    first = line_of(transpose, "tile[row, column] = x")
    assert [(c.line.number - first, c.memory, c.kind, c.accesses) for c in seen.costs] == [
        (0, "x", "read", 32), (0, "tile", "write", 32),
        (2, "tile", "read", 32), (2, "y", "write", 32),
    ]  # fmt: skip
    assert seen.costs[0] == ((first, "transpose"), "x", "read", 32, 32, 128, 1, 0)
    assert seen.total() == (None, None, None, 128, 32, 256, 1, 32 + 32 * 32)
    assert seen.total(line=(first, "transpose")) == (
        seen.costs[0].line,
        *2 * [None],
        64,
        32,
        128,
        1,
        32,
    )
    assert seen.total(memory="nothing") == (None, None, None, 0, 0, 0, None, 0)
    (barrier,) = seen.meetings
    assert barrier == ((first + 1, "transpose"), None, "syncthreads", 32, 32, 0, None, 0)


def test_a_tree_leaves_its_lanes_idle():
    """Of 32 threads 16, 8, 4, 2 and 1 add; all wait six times."""
    log_w = np.zeros((32, 1))
    seen = record(examples.block_max_kernel, 1, 32, log_w, np.zeros(1))
    line = line_of(examples.block_max_kernel, "tops[t] = max(tops[t], tops[t + half])")
    reads = seen.total(line=(line, "block_max_kernel"), kind="read")
    assert (reads.accesses, reads.lanes) == (2 * 5, 31 / 5)
    assert [(wait.accesses, wait.lanes) for wait in seen.meetings] == [(1, 32), (5, 32)]


def test_product_of_experts_at_the_sizes_of_a_lesson():
    """A warp is 8 rows of 4 threads; D = 3 of them and N = 7 rows have work: 21 lanes of 32."""
    M, N, D = 3, 7, 3
    arrays = f32(M, N, D), f32(M, N, D), np.ones((M, N), bool), f32(N, D), f32(N, D)
    kernel = _cuda_elements.product_of_experts_v1
    seen = record(kernel, 2, (4, 8), M, N, D, *arrays)
    *_, last = seen.costs
    assert last.line.number == line_of(kernel, "joint_log_var[n, d] = least")
    # 21 neighbours of 4 bytes lie in 3 sectors
    assert last[1:] == ("joint_log_var", "write", 1, 21, 3, 84 / 96, 0)
    assert seen.total(memory="mask").lanes == 21  # in two loops over M
    assert seen.total(memory="mask").accesses == 2 * M


def test_lanes_that_differ_in_a_mask_meet_again():
    """Rows of the warp have different experts; each round of the loop reads those present."""
    mask = np.array([[True, False], [False, True], [True, True]])
    arrays = f32(3, 2, 16), f32(3, 2, 16), mask, f32(2, 16), f32(2, 16)
    kernel = _cuda_elements.product_of_experts_v1
    seen = record(kernel, 1, (16, 2), 3, 2, 16, *arrays)
    cost = seen.total(memory="mu")
    assert (cost.accesses, cost.lanes) == (3, (16 + 16 + 32) / 3)


# ---- calls of a warp ---------------------------------------------------------------------------


@cuda.jit
def sum_by_xor(x, y):
    total = x[cuda.grid(1)]
    half = cuda.warpsize // 2
    while half:
        total += cuda.shfl_xor_sync(FULL, total, half)
        half //= 2
    y[cuda.grid(1)] = total


@cuda.jit(device=True)
def add_down(part):
    for step in (16, 8, 4, 2, 1):
        part += cuda.shfl_down_sync(FULL, part, step)
    return part


@cuda.jit
def sum_by_blocks(x, y):
    """Warps add up by shuffles, the first one adds what they leave in shared memory."""
    parts = cuda.shared.array(32, np.float64)
    t = cuda.threadIdx.x
    part = add_down(x[t])
    if cuda.laneid == 0:
        parts[t // 32] = part
    cuda.syncthreads()
    if t < 32:
        whole = add_down(parts[t] if t < cuda.blockDim.x // 32 else 0.0)
        if t == 0:
            y[0] = whole


@cuda.jit
def all_shuffles(x, y):
    lane = cuda.laneid
    y[lane, 0] = cuda.shfl_sync(FULL, lane, 35)  # 35 mod 32
    y[lane, 1] = cuda.shfl_up_sync(-1, lane, 3)
    y[lane, 2] = cuda.shfl_down_sync(FULL, lane, 3)
    y[lane, 3] = cuda.shfl_xor_sync(FULL, lane, 33)  # 33 mod 32
    y[lane, 4] = cuda.shfl_sync(FULL, lane, lane // 8 * 8)


@cuda.jit
def all_votes(x, y):
    lane = cuda.laneid
    y[lane, 0] = cuda.all_sync(FULL, lane < 32)
    y[lane, 1] = cuda.all_sync(FULL, lane > 0)
    y[lane, 2] = cuda.any_sync(FULL, lane == 7)
    y[lane, 3] = cuda.ballot_sync(FULL, lane % 8 == 0)
    y[lane, 4] = cuda.any_sync(FULL, lane < 0)


@cuda.jit
def within_halves(x, y):
    t = cuda.threadIdx.x
    if t < 16:
        y[t] = cuda.shfl_xor_sync(0x0000FFFF, x[t], 1)
    else:
        y[t] = cuda.shfl_xor_sync(0xFFFF0000, x[t], 2)


@cuda.jit
def in_either_branch(x, y):
    t = cuda.threadIdx.x
    if t % 2:
        y[t] = cuda.shfl_xor_sync(FULL, x[t], 1)
    else:
        y[t] = cuda.shfl_xor_sync(FULL, x[t], 1)


LANES, ONE_TO_64 = np.arange(32.0), np.arange(1.0, 65)
SHUFFLED = np.transpose([
    np.full(32, 3), np.maximum(LANES - 3, np.where(LANES < 3, LANES, 0)),
    np.where(LANES > 28, LANES, LANES + 3), np.arange(32) ^ 1, LANES // 8 * 8,
])  # fmt: skip
VOTED = np.tile([1, 0, 1, 0x01010101, 0], (32, 1))
CORRECT = [
    (sum_by_xor, 64, ONE_TO_64, np.repeat([528, 1552], 32)),
    (sum_by_blocks, 64, ONE_TO_64, [2080]),
    (all_shuffles, 32, LANES, SHUFFLED),
    (all_votes, 32, LANES, VOTED),
    (within_halves, 32, LANES, np.append(np.arange(16) ^ 1, np.arange(16, 32) ^ 2)),
    (in_either_branch, 32, LANES, np.arange(32) ^ 1),
]


@pytest.mark.parametrize("case", CORRECT, ids=lambda case: plain(case[0]).__name__)
def test_lanes_exchange_values(case):
    kernel, threads, x, expected = case
    y = np.zeros(np.shape(expected))
    assert record(kernel, 1, threads, x, y).faults == []
    assert y.tolist() == np.asarray(expected).tolist()


def test_meetings_are_counted_by_warps():
    seen = record(sum_by_blocks, 1, 64, ONE_TO_64, np.zeros(1))
    counts = [(wait.kind, wait.accesses, wait.lanes) for wait in seen.meetings]
    assert sorted(counts) == [("shfl_down_sync", 15, 32), ("syncthreads", 2, 32)]


@cuda.jit
def in_the_if(x, y):
    t = cuda.threadIdx.x
    if t < 16:
        y[t] = cuda.shfl_down_sync(FULL, x[t], 1)  # here


@cuda.jit
def other_call(x, y):
    t = cuda.threadIdx.x
    if t < 16:
        y[t] = cuda.shfl_down_sync(FULL, x[t], 1)  # here
    else:
        y[t] = cuda.shfl_up_sync(FULL, x[t], 1)


@cuda.jit
def other_masks(x, y):
    t = cuda.threadIdx.x
    y[t] = cuda.shfl_xor_sync(3 if t else 7, x[t], 1)  # here


@cuda.jit
def not_named(x, y):
    t = cuda.threadIdx.x
    y[t] = cuda.shfl_xor_sync(0xFFF, x[t], 1)  # here


@cuda.jit
def at_the_barrier(x, y):
    if cuda.threadIdx.x < 31:
        cuda.syncwarp()  # here
    cuda.syncthreads()


@cuda.jit
def beyond_the_block(x, y):
    t = cuda.threadIdx.x
    y[t] = cuda.shfl_down_sync(FULL, x[t], 16)  # here


@cuda.jit
def from_outside_the_mask(x, y):
    t = cuda.threadIdx.x
    if t < 4:
        y[t] = cuda.shfl_xor_sync(0xF, x[t], 4)  # here


@cuda.jit
def tree_without_syncwarp(x, y):
    s = cuda.shared.array(32, np.float64)
    t = cuda.threadIdx.x
    s[t] = x[t]
    for half in (16, 8, 4, 2, 1):
        if t < half:
            s[t] += s[t + half]  # here


@cuda.jit
def shuffle_as_a_barrier(x, y):
    s = cuda.shared.array(32, np.float64)
    t = cuda.threadIdx.x
    s[t] = x[t]  # here
    cuda.shfl_sync(FULL, t, 0)
    y[t] = s[31 - t]


@cuda.jit
def syncwarp_between_warps(x, y):
    s = cuda.shared.array(64, np.float64)
    t = cuda.threadIdx.x
    s[t] = x[t]  # here
    cuda.syncwarp()
    y[t] = s[63 - t]


@cuda.jit
def syncwarp_of_others(x, y):
    s = cuda.shared.array(32, np.float64)
    t = cuda.threadIdx.x
    s[t] = x[t]  # here
    cuda.syncwarp(0xFFFF if t < 16 else 0xFFFF0000)
    y[t] = s[31 - t]


PLANTED = [
    (in_the_if, 32, BarrierMissed, "thread 0 of block 0 waits at shfl_down_sync on line {}, but "
     "thread 16 has ended without it: all lanes of a mask must meet"),
    (other_call, 32, BarrierMissed, "thread 0 of block 0 waits at shfl_down_sync on line {}, but "
     "thread 16 waits on line {+2}: all lanes of a mask must meet"),
    (other_masks, 4, BarrierMissed, "thread 0 of block 0 waits at shfl_xor_sync on line {}, but "
     "thread 1 waits there in another call, or with another mask: all lanes of a mask must meet"),
    (not_named, 16, BarrierMissed, "thread 12 of block 0 waits at shfl_xor_sync on line {}, "
     "whose mask does not name its own lane: all lanes of a mask must meet"),
    (at_the_barrier, 32, BarrierMissed, "thread 0 of block 0 waits at syncwarp on line {}, but "
     "thread 31 waits on line {+1}: all lanes of a mask must meet"),
    (beyond_the_block, 20, Unwritten, "thread 4 of block 0 takes a value by shfl_down_sync on line "
     "{} from lane 20 of its warp, which takes no part in it (12 such threads)"),
    (from_outside_the_mask, 32, Unwritten, "thread 0 of block 0 takes a value by shfl_xor_sync on "
     "line {} from lane 4 of its warp, which takes no part in it (4 such threads)"),
    (tree_without_syncwarp, 32, Race, "thread 0 of block 0 reads s[16] on line {} and thread 16 "
     "writes it on line {-3}, with no barrier between them (31 such pairs)"),
    (shuffle_as_a_barrier, 32, Race, "thread 0 of block 0 writes s[0] on line {} and thread 31 "
     "reads it on line {+2}, with no barrier between them (32 such pairs)"),
    (syncwarp_between_warps, 64, Race, "thread 0 of block 0 writes s[0] on line {} and thread 63 "
     "reads it on line {+2}, with no barrier between them (64 such pairs)"),
    (syncwarp_of_others, 32, Race, "thread 0 of block 0 writes s[0] on line {} and thread 31 "
     "reads it on line {+2}, with no barrier between them (32 such pairs)"),
]  # fmt: skip


@pytest.mark.parametrize("case", PLANTED, ids=lambda case: plain(case[0]).__name__)
def test_faults_within_a_warp(case):
    kernel, threads, kind, sentence = case
    fault = record(kernel, 1, threads, np.arange(64.0), np.zeros(64)).faults[0]
    line = line_of(kernel, "# here")
    sentence = re.sub(r"{(.*?)}", lambda near: str(line + int(near[1] or 0)), sentence)
    assert (type(fault), str(fault), fault.line) == (kind, sentence, line)


def test_syncwarp_orders_the_tree_of_a_warp():
    @cuda.jit
    def tree(x, y):
        s = cuda.shared.array(32, np.float64)
        t = cuda.threadIdx.x
        s[t] = x[t]
        for half in (16, 8, 4, 2, 1):
            cuda.syncwarp()
            if t < half:
                s[t] += s[t + half]
        if t == 0:
            y[0] = s[0]

    y = np.zeros(1)
    assert record(tree, 1, 32, LANES, y).faults == []
    assert y == LANES.sum()


def test_masks_order_their_own_lanes_and_what_lies_before_those():
    """Lane 0 writes, 0 meets 1, 1 meets 2, 2 reads: a chain; without its first link a race."""

    @cuda.jit
    def chain(first, y):
        s = cuda.shared.array(1, np.float64)
        t = cuda.threadIdx.x
        if t == 0:
            s[0] = 5.0
        if t < 2 and first:
            cuda.syncwarp(0b011)
        if 0 < t < 3:
            cuda.syncwarp(0b110)
        if t == 2:
            y[0] = s[0]

    y = np.zeros(1)
    assert record(chain, 1, 4, True, y).faults == []
    assert y == 5
    assert [type(fault) for fault in record(chain, 1, 4, False, y).faults] == [Race]


# ---- bad input ---------------------------------------------------------------------------------


@cuda.jit
def without_mask(x, y):
    y[0] = cuda.shfl_down_sync(x[0], 1)


@cuda.jit
def real_mask(x, y):
    y[0] = cuda.any_sync(x[0], True)


@cuda.jit
def large_tile(x, y):
    tile = cuda.shared.array((128, 64), np.float64)
    tile[0, 0] = x[0]


def typed_in():
    scope = {"cuda": cuda}
    exec("def kernel(x, y):\n    y[0] = x[0]", scope)
    return scope["kernel"]


ONE = np.zeros(1)
REFUSED = [
    (shifted, 1, 1025, ONE, ONE, "threads: expected at most 1,024 along x, found 1,025"),
    (shifted, 1, (32, 33), ONE, ONE, "threads: expected at most 1,024 in a block, found 1,056"),
    (shifted, 1, (1, 1, 65), ONE, ONE, "threads: expected at most 64 along z, found 65"),
    (shifted, (1, 65_536), 1, ONE, ONE, "blocks: expected at most 65,535 along y, found 65,536"),
    (shifted, (1, 1, 65_536), 1, ONE, ONE,
     "blocks: expected at most 65,535 along z, found 65,536"),
    (shifted, 4096, 256, ONE, ONE,
     "blocks: expected at most 1,000,000 threads in all blocks, found 1,048,576"),
    (shifted, 0, 32, ONE, ONE,
     "blocks: expected a positive whole number or a tuple of up to three, found 0"),
    (shifted, 1, 32.0, ONE, ONE,
     "threads: expected a positive whole number or a tuple of up to three, found 32.0"),
    (shifted, (1, 1, 1, 1), 32, ONE, ONE,
     "blocks: expected a positive whole number or a tuple of up to three, found (1, 1, 1, 1)"),
    (shifted, 1, 32, np.zeros((2048, 512)), ONE,
     "x: expected at most 1,000,000 elements to record, found 1,048,576"),
    (shifted, 1, 32, np.array(["a"]), ONE, "x: expected an array of numbers, found dtype <U1"),
    (shifted, 1, 32, ONE, np.array([None]), "y: expected an array of numbers, found dtype object"),
    (shifted, 1, 32, [1.0, 2.0], ONE, "x: expected an array or a number, found list"),
    (shifted, 1, 32, ONE, None, "y: expected an array or a number, found NoneType"),
    (shifted, 1, 32, ONE, "shifted(x, y): missing a required argument: 'y'"),
    (shifted, 1, 32, ONE, ONE, ONE, "shifted(x, y): too many positional arguments"),
    (without_mask, 1, 32, ONE, ONE,
     "cuda.shfl_down_sync: expected (mask, value, lane), found 2 arguments"),
    (real_mask, 1, 32, ONE, ONE,
     "cuda.any_sync: mask: expected a whole number, found 0.0"),
    (large_tile, 1, 32, ONE, ONE,
     "tile: expected at most 49,152 bytes of shared memory in a block, found 65,536"),
    (typed_in(), 1, 1, ONE, ONE, "kernel: expected a kernel in a file or a notebook's cell"),
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case[-1].partition(":")[0])
def test_bad_launches_get_one_sentence(case):
    kernel, blocks, threads, *args, sentence = case
    with pytest.raises((TypeError, ValueError)) as raised:
        record(kernel, blocks, threads, *args)
    assert str(raised.value) == sentence


# ---- kernels --trace ---------------------------------------------------------------------------


def test_every_kernel_can_be_traced():
    device = {name for name in EVERY if source(EVERY[name]).startswith("@cuda.jit(device=True)")}
    assert {*NAMES} == {*EVERY} - device | EXAMPLES


@pytest.mark.parametrize("name", NAMES)
def test_a_trace_shows_each_cost_beside_one_line(name):
    seen, functions = trace(name)
    shown = [cost for lines in functions.values() for *_, costs in lines for cost in costs]
    assert sorted(map(str, shown)) == sorted(map(str, seen.costs + seen.meetings))
    assert seen.faults == []
    for cost in seen.costs:
        (text,) = (text for _, text, costs in functions[cost.line.function] if cost in costs)
        assert "[" in text


def test_the_command_prints_lines_and_costs(capsys):
    """D = 20 of 32 threads have work; their 80 bytes begin at 0 or 16 of a sector: 3 sectors."""
    assert cli.main(["kernels", "--trace", "product_of_experts_v1"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 100
    (row,) = (row for row in out.splitlines() if "write mean" in row)
    assert row.split()[-7:] == ["write", "mean", "20", "20.0", "3.0", "83%", "–"]
    assert "3 × 1 blocks of 32 × 8 threads: " in out
    assert out.rstrip().endswith("no fault")


def test_the_name_of_an_op_stands_for_its_last_version():
    assert [*trace("matmul")[1]] == ["matmul_tiled"]
