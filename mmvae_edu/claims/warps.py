"""Claims about the CUDA kernels of lesson 25: right, and no work for a warp beyond what is needed.

All numbers are small integers in float32, so that sums are exact in any order.
"""

import numpy as np

from ..kernels.simulator.examples_of_warps import (
    distance_kernel,
    row_sum_kernel,
    sample_kernel,
    transpose_kernel,
)
from ..kernels.simulator.methods import (
    by_neighbours,
    by_shuffles,
    by_tiles,
    by_whole_warps,
)
from .kernels import RECORDED, launched
from .registry import T0, claim


def integers(rng, *shape):
    return rng.integers(-9, 10, shape).astype(np.float32)


def unset(*shape):
    return np.full(shape, 99, np.float32)


@claim("S5.12", of=sample_kernel, tol=T0, oracle=RECORDED)
def a_warp_draws_neighbours(f, rng):
    """Fewer threads than elements draw every sample, and a warp touches neighbouring elements."""
    mu, std, eps = integers(rng, 3, 581)
    *_, z = launched(f, (2, 32), mu, std, eps, unset(581), method=by_neighbours)
    return z, mu + std * eps


@claim("S5.12", of=sample_kernel, tol=T0, oracle=RECORDED)
def threads_without_a_sample_are_idle(f, rng):
    """With more threads than elements those that are left over touch nothing."""
    mu, std, eps = integers(rng, 3, 37)
    *_, z = launched(f, (2, 32), mu, std, eps, unset(37), method=by_neighbours)
    return z, mu + std * eps


@claim(of=transpose_kernel, tol=T0, oracle=RECORDED)
def a_tile_turns_columns_into_rows(f, rng):
    """Tiles transpose a matrix: it is read and written by neighbours, and no bank is crowded."""
    x = integers(rng, 36, 12)
    _, y = launched(f, ((1, 2), (32, 32)), x, unset(12, 36), method=by_tiles)
    return y, x.T


@claim(of=transpose_kernel, tol=T0, oracle=RECORDED)
def a_low_matrix_is_transposed(f, rng):
    """A matrix that ends within every tile is transposed, and nothing beyond it is touched."""
    x = integers(rng, 5, 45)
    _, y = launched(f, ((2, 1), (32, 32)), x, unset(45, 5), method=by_tiles)
    return y, x.T


@claim("S5.13", of=row_sum_kernel, tol=T0, oracle=RECORDED)
def a_tree_keeps_its_warps_whole(f, rng):
    """A tree adds up a row, and the threads of each step fill as few warps as they can."""
    x = integers(rng, 2, 140)
    _, total = launched(f, (2, 64), x, unset(2), method=by_whole_warps)
    return total, x.sum(axis=1)


@claim("S5.13", of=row_sum_kernel, tol=T0, oracle=RECORDED)
def a_short_row_has_its_sum(f, rng):
    """Threads without an element of the row add 0 to its sum, in a block of any power of 2."""
    x = integers(rng, 1, 20)
    _, total = launched(f, (1, 128), x, unset(1), method=by_whole_warps)
    return total, x.sum(axis=1)


@claim("S5.13", of=distance_kernel, tol=T0, oracle=RECORDED)
def warps_add_up_by_shuffles(f, rng):
    """Shuffles add up what the lanes of a warp find, and one number a warp goes further."""
    x, mu = integers(rng, 2, 2, 140)
    *_, distance = launched(f, (2, 64), x, mu, unset(2), method=by_shuffles)
    return distance, ((x - mu) ** 2).sum(axis=1)


@claim("S5.13", of=distance_kernel, tol=T0, oracle=RECORDED)
def one_warp_or_four_have_the_distance(f, rng):
    """A short row's distance is right for any number of warps, however many lanes find nothing."""
    x, mu = integers(rng, 2, 1, 20)
    found = []
    for threads in 32, 128:
        *_, distance = launched(f, (1, threads), x, mu, unset(1), method=by_shuffles)
        found.append(distance)
    return np.stack(found), np.stack(2 * [((x - mu) ** 2).sum(axis=1)])
