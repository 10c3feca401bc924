"""Kernels whose threads work together: shared memory, barriers and trees, for S9.2 and S9.5.

The mistakes are edits of the library's kernels, each one line that differs.
"""

import mpmath
import numpy as np

from ..kernels.simulator import edited
from ..kernels.simulator.examples import block_max_kernel, log_mean_exp_kernel, shares_kernel
from .kernels_elements import RECORDED, launched
from .registry import T0, claim, mutant


def mistake(of, name, says, *changes):
    """Register the kernel with pieces of its text replaced: old, new, old, new, …"""
    mutant(of, says=says)(edited(of, name, dict(zip(changes[::2], changes[1::2], strict=True))))


@claim("S9.5", of=shares_kernel, tol=T0, oracle=RECORDED)
def a_block_shares_its_weights(f, rng):
    """A thread normalises one weight by a sum over what all threads of its block have written."""
    log_w = rng.normal(size=(5, 3))  # five samples, and a block of eight
    _, weights = launched(f, (3, 8), log_w, np.full((5, 3), 9.0))
    return weights, np.exp(log_w) / np.exp(log_w).sum(axis=0)


@claim("S9.5", of=shares_kernel, tol=T0, oracle=RECORDED)
def a_full_block_has_no_idle_threads(f, rng):
    """With as many samples as threads the shares are right as well, and add up to 1."""
    log_w = rng.normal(size=(6, 2))
    _, weights = launched(f, (2, 6), log_w, np.full((6, 2), 9.0))
    expected = np.exp(log_w) / np.exp(log_w).sum(axis=0)
    return np.vstack([weights, weights.sum(axis=0)]), np.vstack([expected, np.ones(2)])


mistake(
    shares_kernel, "no_barrier_before_the_sum",
    "no barrier between writing w[k] and summing what others have written",
    "    cuda.syncthreads()  # outside the if: all threads meet\n", "",
)  # fmt: skip
mistake(
    shares_kernel, "barrier_inside_the_guard",
    "the barrier is inside the guard: the threads beyond K never reach it",
    "    cuda.syncthreads()", "        cuda.syncthreads()",
)  # fmt: skip
mistake(
    shares_kernel, "sum_over_the_whole_block",
    "the sum runs over all threads of the block: those beyond K have written no weight",
    "for j in range(K)", "for j in range(cuda.blockDim.x)",
)  # fmt: skip
mistake(
    shares_kernel, "normalised_too_early",
    "w[k] is overwritten while other threads still sum: a barrier belongs in between",
    "weights[k, n] = w[k] / total", "w[k] /= total\n        weights[k, n] = w[k]",
)  # fmt: skip
mistake(
    shares_kernel, "weights_of_no_sum",
    "w itself: S9.5 divides by the sum of all w",
    "weights[k, n] = w[k] / total", "weights[k, n] = w[k]",
)  # fmt: skip


@claim("S9.2", of=block_max_kernel, tol=T0, oracle=RECORDED)
def a_tree_finds_the_maximum(f, rng):
    """A tree over any number of threads finds the greatest of any number of log-weights."""
    log_w = rng.normal(-6237, 9, size=(17, 4))
    log_w[[2, 6, 15, 3], range(4)] += 100  # the greatest belongs to thread 2, 6, 1 and 3 of 7
    _, top = launched(f, (4, 7), log_w, np.full(4, 9.0))
    return top, log_w.max(axis=0)


@claim("S9.2", of=block_max_kernel, tol=T0, oracle=RECORDED)
def idle_threads_do_not_win(f, rng):
    """Threads without a log-weight of their own bring -inf to the maximum, and no other number."""
    log_w = -rng.exponential(size=(3, 2)) - 1
    _, top = launched(f, (2, 6), log_w, np.full(2, 9.0))
    return top, log_w.max(axis=0)


mistake(
    block_max_kernel, "maximum_starts_at_zero",
    "the maximum starts at 0; below every log-weight is only -inf",
    "own = -math.inf", "own = 0.0",
)  # fmt: skip
mistake(
    block_max_kernel, "tail_of_the_tree_dropped",
    "half of an odd width is rounded down: the last thread's value never enters the tree",
    "(width + 1) // 2", "width // 2",
    "if t + half < width:", "if t < half:",
)  # fmt: skip
mistake(
    block_max_kernel, "one_sample_a_thread",
    "a thread reads one log-weight only: there may be more samples than threads",
    "for k in range(t, log_w.shape[0], width)", "for k in range(t, min(t + 1, log_w.shape[0]))",
)  # fmt: skip
mistake(
    block_max_kernel, "no_barrier_before_the_tree",
    "no barrier before the tree: it reads what another thread has yet to write",
    "    tops[t] = own\n    cuda.syncthreads()\n", "    tops[t] = own\n",
)  # fmt: skip
mistake(
    block_max_kernel, "no_barrier_in_the_tree",
    "no barrier between the steps of the tree",
    "        cuda.syncthreads()\n        width = half", "        width = half",
)  # fmt: skip
mistake(
    block_max_kernel, "barrier_inside_the_branch",
    "the barrier of the tree is inside the if: only the threads that add reach it",
    "        cuda.syncthreads()\n        width = half",
    "            cuda.syncthreads()\n        width = half",
)  # fmt: skip
mistake(
    block_max_kernel, "every_thread_steps",
    "every thread takes every step of the tree: only those with t + half < width have a partner",
    "if t + half < width:", "if True:",
)  # fmt: skip


@claim("S9.2", of=log_mean_exp_kernel, tol=T0, oracle="O5 mpmath, under the access recorder")
def a_block_computes_the_iwae_bound(f, rng):
    """A block reduces log (1/K) sum w over K samples, at the scale of slide 8, in two trees."""
    log_w = np.array([-6237.1, 700.0]) + rng.normal(0, 3, size=(11, 2))
    _, bound = launched(f, (2, 6), log_w, np.full(2, 9.0))
    with mpmath.workdps(50):
        means = [mpmath.fsum(map(mpmath.exp, column)) / 11 for column in log_w.T.tolist()]
        return bound, np.array([float(mpmath.log(mean)) for mean in means])


@claim("S9.2", "S9.1", of=log_mean_exp_kernel, tol=T0, oracle=RECORDED)
def a_single_sample_is_its_own_mean(f, rng):
    """With K = 1 the block gives the log-weight itself, however many of its threads are idle."""
    log_w = rng.normal(size=(1, 3))
    _, bound = launched(f, (3, 5), log_w, np.full(3, 9.0))
    return bound, log_w[0]


mistake(
    log_mean_exp_kernel, "memory_reused_at_once",
    "the memory is used again before all threads have read the maximum: one barrier more",
    "    cuda.syncthreads()  # all have read it before the memory is used again\n", "",
)  # fmt: skip
mistake(
    log_mean_exp_kernel, "no_shift_in_the_block",
    "no shift by the maximum: exp overflows, or the sum is 0",
    "    top = parts[0]\n", "    top = 0.0\n",
)  # fmt: skip
mistake(
    log_mean_exp_kernel, "sum_for_the_mean",
    "log K is not subtracted: S9.2 has the mean of the weights",
    " - math.log(K)", "",
)  # fmt: skip
mistake(
    log_mean_exp_kernel, "mean_over_threads",
    "divided by the number of threads: S9.2 divides by the K samples",
    "math.log(K)", "math.log(cuda.blockDim.x)",
)  # fmt: skip
mistake(
    log_mean_exp_kernel, "sum_starts_at_one",
    "the sum of a thread starts at 1; it starts at 0, also in threads without a sample",
    "own = 0.0", "own = 1.0",
)  # fmt: skip
mistake(
    log_mean_exp_kernel, "maximum_not_added_back",
    "the maximum is taken out of the sum and not added back",
    "bound[n] = top + ", "bound[n] = ",
)  # fmt: skip
