"""Claims about the CUDA kernels of lesson 24: one thread an element, and one block an example."""

from functools import partial

import numpy as np

from ..kernels.simulator.examples import (
    block_max_kernel,
    log_mean_exp_kernel,
    precision_kernel,
    product_kernel,
    shares_kernel,
)
from ..kernels.simulator.methods import one_block_an_example, one_thread_an_element
from ..oracles.fifty_digits import exp, log, number
from .registry import T0, claim

RECORDED = "NumPy, under the access recorder"


def launched(f, shape, *args, method=one_thread_an_element):
    """Return the arrays after a launch; raises what the access recorder finds wrong with it."""
    check, _, *arrays = f(shape, *args, method=method)
    check()
    return arrays


launched_in_blocks = partial(launched, method=one_block_an_example)


@claim("S7.5", of=precision_kernel, tol=T0, oracle=RECORDED)
def every_element_has_its_thread(f, rng):
    """A thread computes one precision 1/σ²; those left over in the last block touch nothing."""
    blocks, threads = 4, 7
    size = int(rng.integers(22, 27))  # no multiple of a block: at least two threads are left over
    log_var = rng.normal(size=size)
    _, precision = launched(f, (blocks, threads), size, log_var, np.full(size, 9.0))
    return precision, np.exp(-log_var)


@claim("S7.5", of=precision_kernel, tol=T0, oracle=RECORDED)
def what_is_beyond_the_size_stays(f, rng):
    """A kernel that is given a size leaves alone what stands in memory behind it."""
    log_var, before = rng.normal(size=(2, 25))
    _, precision = launched(f, (3, 7), 18, log_var, before)
    return precision, np.append(np.exp(-log_var[:18]), before[18:])


@claim("S7.5", of=product_kernel, tol=T0, oracle=RECORDED)
def a_thread_multiplies_its_experts(f, rng):
    """A thread for each dimension of each example multiplies the prior and all the experts."""
    mu, log_var = rng.normal(size=(2, 3, 5, 7))
    *_, mean, joint_log_var = launched(f, ((2, 3), (4, 2)), mu, log_var, *np.full((2, 5, 7), 9.0))
    precision = 1 + np.exp(-log_var).sum(axis=0)
    expected = (np.exp(-log_var) * mu).sum(axis=0) / precision, -np.log(precision)
    return np.stack([mean, joint_log_var]), np.stack(expected)


@claim("S7.5", of=product_kernel, tol=T0, oracle=RECORDED)
def without_experts_the_kernel_gives_the_prior(f, rng):
    """With no expert at all every thread writes the prior: mean 0, log variance 0."""
    none = np.zeros((0, 3, 5))
    *_, mean, joint_log_var = launched(f, ((2, 2), (3, 2)), none, none, *np.full((2, 3, 5), 9.0))
    return np.stack([mean, joint_log_var]), np.zeros((2, 3, 5))


@claim("S9.5", of=shares_kernel, tol=T0, oracle=RECORDED)
def a_block_shares_its_weights(f, rng):
    """A thread normalises one weight by a sum over what all threads of its block have written."""
    log_w = rng.normal(size=(5, 3))  # five samples, and a block of eight
    _, weights = launched_in_blocks(f, (3, 8), log_w, np.full((5, 3), 9.0))
    return weights, np.exp(log_w) / np.exp(log_w).sum(axis=0)


@claim("S9.5", of=shares_kernel, tol=T0, oracle=RECORDED)
def a_full_block_has_no_idle_threads(f, rng):
    """With as many samples as threads the shares are right as well, and add up to 1."""
    log_w = rng.normal(size=(6, 2))
    _, weights = launched_in_blocks(f, (2, 6), log_w, np.full((6, 2), 9.0))
    expected = np.exp(log_w) / np.exp(log_w).sum(axis=0)
    return np.vstack([weights, weights.sum(axis=0)]), np.vstack([expected, np.ones(2)])


@claim("S9.2", of=block_max_kernel, tol=T0, oracle=RECORDED)
def a_tree_finds_the_maximum(f, rng):
    """A tree over any number of threads finds the greatest of any number of log-weights."""
    log_w = rng.normal(-6237, 9, size=(17, 4))
    log_w[[2, 6, 15, 3], range(4)] += 100  # the greatest belongs to thread 2, 6, 1 and 3 of 7
    _, top = launched_in_blocks(f, (4, 7), log_w, np.full(4, 9.0))
    return top, log_w.max(axis=0)


@claim("S9.2", of=block_max_kernel, tol=T0, oracle=RECORDED)
def idle_threads_do_not_win(f, rng):
    """Threads without a log-weight of their own bring -inf to the maximum, and no other number."""
    log_w = -rng.exponential(size=(3, 2)) - 1
    _, top = launched_in_blocks(f, (2, 6), log_w, np.full(2, 9.0))
    return top, log_w.max(axis=0)


@claim("S9.2", of=log_mean_exp_kernel, tol=T0, oracle="O5 mpmath, under the access recorder")
def a_block_computes_the_iwae_bound(f, rng):
    """A block reduces log (1/K) sum w over K samples, at the scale of slide 8, in two trees."""
    log_w = np.array([-6237.1, 700.0]) + rng.normal(0, 3, size=(11, 2))
    _, bound = launched_in_blocks(f, (2, 6), log_w, np.full(2, 9.0))
    return bound, log(exp(number(log_w)).sum(axis=0) / 11).astype(float)


@claim("S9.2", "S9.1", of=log_mean_exp_kernel, tol=T0, oracle=RECORDED)
def a_single_sample_is_its_own_mean(f, rng):
    """With K = 1 the block gives the log-weight itself, however many of its threads are idle."""
    log_w = rng.normal(size=(1, 3))
    _, bound = launched_in_blocks(f, (3, 5), log_w, np.full(3, 9.0))
    return bound, log_w[0]
