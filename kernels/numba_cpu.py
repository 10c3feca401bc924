"""The hot paths compiled for the CPU: what most people run.

Each function agrees with the one of its name in `reference`, for float32 and float64.  It is made
from its row of the table and its loop in `_numba_loops` or `_numba_mixtures`.  `unchecked` has the
same functions without input checks, for arrays that the library has just made.

The threads are Python's own, since the loops release the interpreter lock.  Unlike Numba's
threading layers they neither spin against those of BLAS, nor abort when two of the caller's
threads meet, nor need each loop compiled once for one thread and once for many.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from math import prod

import numpy as np
from numba import config

from . import _numba_loops as loops
from . import _numba_mixtures as mixtures
from ._functions import functions, plain
from .table import TABLE

GRAIN = 600_000  # elements a thread: fewer are done before a second one, beside BLAS's, is at work
GRAINS = {"adam_step": 2_000_000}  # a second one only competes with those of BLAS, which still spin
ndarray = np.ndarray  # the arrays that it takes
LOOPS = {name: loop for name, loop in (vars(loops) | vars(mixtures)).items() if name in TABLE}


# ---- threads -------------------------------------------------------------------------------------


@cache
def _pool():
    return ThreadPoolExecutor(config.NUMBA_NUM_THREADS - 1, thread_name_prefix="numba_cpu")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a fork takes no threads with it


def _launcher(kernel):
    """Make the function (lengths, arguments) that runs the kernel's loop over its examples."""
    loop, grain = LOOPS[kernel.name], GRAINS.get(kernel.name, GRAIN)
    first = list(kernel.sizes).index(kernel.examples[0])
    last = first + len(kernel.examples)

    def launch(lengths, arguments):
        _deal(loop, prod(lengths[first:last]), prod(lengths) // grain, *arguments)

    return launch


def _deal(loop, size, most, *arguments):
    """Call loop(start, stop, *arguments) over 0 … size, in at most so many pieces, one a thread."""
    pieces = min(config.NUMBA_NUM_THREADS, most, size)
    if pieces < 2:
        loop(0, size, *arguments)
    else:
        _in_threads(loop, [size * piece // pieces for piece in range(pieces + 1)], arguments)


def _in_threads(loop, edges, arguments):
    others = []
    for edge in pairwise(edges[1:]):
        try:
            others.append(_pool().submit(loop, *edge, *arguments))
        except RuntimeError:  # Python is shutting down: only threads that are there go on
            loop(*edge, *arguments)
    loop(0, edges[1], *arguments)
    for other in others:
        other.result()


def _importance_weights(lengths, arguments):
    """Deal out blocks of rows, since two threads with a half of each row would share its pages."""
    log_K, log_w, bound, weights = arguments
    blocks, most = -(-len(log_w) // mixtures.BLOCK), log_w.size // GRAIN
    top, total = np.empty((2, blocks, len(bound)), log_w.dtype)
    _deal(mixtures.importance_weights_of_blocks, blocks, most, log_w, weights, top, total)
    _deal(
        mixtures.importance_weights_joined, len(bound), top.size // GRAIN, log_K, top, total, bound
    )
    _deal(mixtures.importance_weights_scaled, blocks, most, top, weights)


# ---- layers whose matrices lie column after column, as `networks._product` leaves them -----------

LAUNCHERS = {name: _launcher(TABLE[name]) for name in LOOPS} | {
    "importance_weights": _importance_weights,
}
_by_rows = {name: plain(TABLE[name], np, launch) for name, launch in LAUNCHERS.items()}


def _bias_swish(a, b, overwrite_a=False, slope=True, out=None):
    if out is not None or a.ndim != 2 or not a.flags.fnc:
        return _by_rows["bias_swish"](a, b, slope=slope, out=out)
    a, b, most = a.T, np.ascontiguousarray(b), a.size // GRAIN
    dy_da = a if overwrite_a else np.empty(a.shape, a.dtype)
    if not slope:
        _deal(loops.bias_swish_value_by_columns, len(b), most, a, b, dy_da)
        return dy_da.T, None
    y = np.empty(a.shape, a.dtype)
    _deal(loops.bias_swish_by_columns, len(b), most, a, b, y, dy_da)
    return y.T, dy_da.T


def _bias_activation_vjp(dy, slope, overwrite_dy=False, out=None):
    if out is not None or dy.ndim != 2 or not (dy.flags.fnc and slope.flags.fnc):
        return _by_rows["bias_activation_vjp"](dy, slope, out=out)
    dy, slope = dy.T, slope.T
    da = dy if overwrite_dy else np.empty(dy.shape, dy.dtype)
    db = np.empty(len(dy), dy.dtype)
    _deal(loops.bias_activation_vjp_by_columns, len(db), dy.size // GRAIN, dy, slope, da, db)
    return da.T, db


_checked, unchecked = functions(
    "numba_cpu", np, "mmvae_edu.support.devices.to_host", LAUNCHERS,
    {
        "bias_swish": _bias_swish,
        "bias_activation_vjp": _bias_activation_vjp,
        "matmul": np.matmul,
    },
)  # fmt: skip
globals().update(vars(_checked))  # product_of_experts and all others of the table
