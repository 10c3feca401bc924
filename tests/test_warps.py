"""The costs that the access recorder counts, warp by warp, against counts made by hand."""

import numpy as np
import pytest
from mmvae_edu.kernels.simulator import cuda, record
from mmvae_edu.kernels.simulator.text import plain

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
