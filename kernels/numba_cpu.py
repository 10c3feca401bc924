"""The hot paths compiled for the CPU: what most people run.

Each function agrees with the one of its name in `reference`, for float32 and float64; the loops
are in `_numba_loops` and `_numba_mixtures`.  Here inputs are checked and made contiguous, outputs
allocated, and the examples dealt out to threads.

The threads are Python's own, since the loops release the interpreter lock.  Unlike Numba's
threading layers they neither spin against those of BLAS, nor abort when two of the caller's
threads meet, nor need each loop compiled once for one thread and once for many.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import numpy as np
from numba import config

from . import _numba_loops as loops
from . import _numba_mixtures as mixtures
from ._inputs import Inputs, counted, fitting

inputs = Inputs("numba_cpu", np, "mmvae_edu.support.devices.to_host")
matmul = np.matmul
GRAIN = 200_000  # elements a thread: fewer are done before a second has woken and found a free core


def product_of_experts(mu, log_var, mask=None):
    """The prior N(0, I) times the present experts: mean, log_var (N, D).                  [S7.5]"""
    mu, log_var = inputs.floats(mu=mu, log_var=log_var)
    M, N, D = fitting("mu", mu, ("M", "N", "D"))
    fitting("log_var", log_var, mu.shape)
    mask = inputs.mask(mask, M, N)
    mean, joint_log_var = np.empty((N, D), mu.dtype), np.empty((N, D), mu.dtype)
    _launch(loops.product_of_experts, N, mu.size, mu, log_var, mask, mean, joint_log_var)
    return mean, joint_log_var


def product_of_experts_vjp(dmean, djoint_log_var, mu, log_var, mask, mean, joint_log_var):
    """Cotangents of mu and log_var, (M, N, D) each; exact zeros for masked experts."""
    names = ("dmean", "djoint_log_var", "mean", "joint_log_var")
    mu, log_var, *given = inputs.floats(
        mu=mu, log_var=log_var,
        **dict(zip(names, (dmean, djoint_log_var, mean, joint_log_var), strict=True)),
    )  # fmt: skip
    M, N, D = fitting("mu", mu, ("M", "N", "D"))
    fitting("log_var", log_var, mu.shape)
    for name, array in zip(names, given, strict=True):
        fitting(name, array, (N, D))
    dmean, djoint_log_var, mean, joint_log_var = given
    dmu, dlog_var = np.empty_like(mu), np.empty_like(mu)
    _launch(
        loops.product_of_experts_vjp, N, mu.size, dmean, djoint_log_var, mu, log_var,
        inputs.mask(mask, M, N), mean, joint_log_var, dmu, dlog_var,
    )  # fmt: skip
    return dmu, dlog_var


def importance_weights(log_w):
    """log (1/K) Σ_k w_k (N,) and the normalised weights (K, N).                     [S9.2, S9.5]"""
    (log_w,) = inputs.floats(log_w=log_w)
    K, N = fitting("log_w", log_w, ("K", "N"))
    if K == 0:
        raise ValueError("log_w: expected at least one sample, found K = 0")
    log_sum, weights = np.empty((1, N), log_w.dtype), np.empty((K, 1, N), log_w.dtype)
    _launch(mixtures.importance_weights, N, log_w.size, log_w[:, None], log_sum, weights)
    return log_sum[0] - float(np.log(K)), weights[:, 0]


def mixture_log_prob(z, mu, log_var, log_alpha):
    """log Σ_m α_m N(z; mu_m, var_m) (K, N) and the responsibilities (M, K, N).           [S11.3]"""
    z, mu, log_var, log_alpha = inputs.floats(z=z, mu=mu, log_var=log_var, log_alpha=log_alpha)
    K, N, D = fitting("z", z, ("K", "N", "D"))
    M, _, _ = fitting("mu", mu, ("M", N, D))
    if M == 0:
        raise ValueError("mu: expected at least one expert, found M = 0")
    fitting("log_var", log_var, mu.shape)
    fitting("log_alpha", log_alpha, (M, N))
    log_q, r = np.empty((K, N), z.dtype), np.empty((M, K, N), z.dtype)
    _launch(mixtures.mixture_log_prob, N, M * z.size, z, mu, log_var, log_alpha, log_q, r)
    return log_q, r


def mixture_log_prob_vjp(dlog_q, responsibilities, z, mu, log_var):
    """Cotangents of z (K, N, D), mu and log_var (M, N, D)."""
    dlog_q, r, z, mu, log_var = inputs.floats(
        dlog_q=dlog_q, responsibilities=responsibilities, z=z, mu=mu, log_var=log_var
    )
    K, N, D = fitting("z", z, ("K", "N", "D"))
    M, _, _ = fitting("mu", mu, ("M", N, D))
    fitting("log_var", log_var, mu.shape)
    fitting("dlog_q", dlog_q, (K, N))
    fitting("responsibilities", r, (M, K, N))
    dz, dmu, dlog_var = np.empty_like(z), np.empty_like(mu), np.empty_like(mu)
    work = M * z.size
    _launch(mixtures.mixture_log_prob_vjp, N, work, dlog_q, r, z, mu, log_var, dz, dmu, dlog_var)
    return dz, dmu, dlog_var


def binomial_log_prob(logits, x, n=1):
    """Σ_P x·l − n·softplus(l): logits (…, N, P), x (N, P) → (…, N)."""
    logits, x = inputs.scored(logits, x, n)
    log_p = np.empty(logits.shape[:-1], logits.dtype)
    _launch_rows(loops.binomial_log_prob, logits, x, logits.dtype.type(n), log_p.reshape(-1))
    return log_p


def binomial_log_prob_vjp(dlog_p, logits, x, n=1):
    """Cotangent of the logits, (…, N, P)."""
    logits, x = inputs.scored(logits, x, n)
    (dlog_p, _) = inputs.floats(dlog_p=dlog_p, logits=logits)
    fitting("dlog_p", dlog_p, logits.shape[:-1])
    rows, dlogits = (dlog_p.size, x.shape[1]), np.empty_like(logits)
    _launch(
        loops.binomial_log_prob_vjp, dlog_p.size, logits.size, dlog_p.reshape(-1),
        logits.reshape(rows), x, logits.dtype.type(n), dlogits.reshape(rows),
    )  # fmt: skip
    return dlogits


def binomial_log_prob_value_and_grad(logits, x, n=1):
    """The value (…, N) and its derivative with respect to the logits (…, N, P), in one pass."""
    logits, x = inputs.scored(logits, x, n)
    log_p, dlogits = np.empty(logits.shape[:-1], logits.dtype), np.empty_like(logits)
    _launch_rows(
        loops.binomial_log_prob_value_and_grad, logits, x, logits.dtype.type(n),
        log_p.reshape(-1), dlogits.reshape(log_p.size, x.shape[1]),
    )  # fmt: skip
    return log_p, dlogits


def bias_swish(a, b, overwrite_a=False, slope=True):
    """y = (a + b) · sigmoid(a + b) and its derivative: a (…, H), b (H,) → (…, H) each."""
    turned = _by_columns(a)
    a, b = inputs.floats(a=a.T if turned else a, b=b)
    fitting("b", b, a.shape[:1] if turned else a.shape[-1:])
    spare = a if overwrite_a else np.empty_like(a)
    if turned and not slope:
        _launch(loops.bias_swish_value_by_columns, len(b), a.size, a, b, spare)
        return spare.T, None
    y, dy_da = np.empty_like(a), spare
    if turned:
        _launch(loops.bias_swish_by_columns, len(b), a.size, a, b, y, dy_da)
        return y.T, dy_da.T
    a, y_rows, dy_da_rows = _rows(a, y, dy_da)
    _launch(loops.bias_swish, len(a), a.size, a, b, y_rows, dy_da_rows)
    return y, dy_da if slope else None


def bias_activation_vjp(dy, slope, overwrite_dy=False):
    """Cotangents of a and b in y = f(a + b): dy and f's slope (…, H) → da (…, H), db (H,)."""
    turned = _by_columns(dy, slope)
    dy, slope = (dy.T, slope.T) if turned else (dy, slope)
    dy, slope = inputs.floats(dy=dy, slope=slope)
    fitting("slope", slope, dy.shape)
    da = dy if overwrite_dy else np.empty_like(dy)
    if turned:
        db = np.empty_like(dy, shape=len(dy))
        _launch(loops.bias_activation_vjp_by_columns, len(db), dy.size, dy, slope, da, db)
        return da.T, db
    db = np.empty_like(dy, shape=dy.shape[-1])
    dy, slope, da_rows = _rows(dy, slope, da)
    _launch(loops.bias_activation_vjp, len(db), dy.size, dy, slope, da_rows, db)
    return da, db


def adam_step(
    theta, grad, m, v, *, step, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8
):  # fmt: skip
    """One Adam step in one pass, in place on theta, m and v; `step` counts from 1."""
    _, grad, _, _ = inputs.floats(theta=theta, grad=grad, m=m, v=v)
    counted(step)
    (size,) = fitting("theta", theta, ("size",))
    for name, array in (("grad", grad), ("m", m), ("v", v)):
        fitting(name, array, (size,))
    for name, array in (("theta", theta), ("m", m), ("v", v)):
        if not (array.flags.c_contiguous and array.flags.writeable):
            raise ValueError(
                f"{name}: it is changed in place; expected a writable contiguous array"
            )
    real = theta.dtype.type
    rate, scale = learning_rate / (1 - beta1**step), 1 / (1 - beta2**step)
    constants = [real(c) for c in (rate, scale, 1 - beta1, 1 - beta2, epsilon)]
    work = size // 10  # BLAS's threads still spin when it starts: a second one waits for its turn
    _launch(loops.adam_step, size, work, theta, grad, m, v, *constants)


# ---- threads -------------------------------------------------------------------------------------


@cache
def _pool():
    return ThreadPoolExecutor(config.NUMBA_NUM_THREADS - 1, thread_name_prefix="numba_cpu")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a fork takes no threads with it


def _launch(loop, size, work, *arrays):
    """loop(start, stop, *arrays) over 0 … size, one piece a thread where the work is worth it."""
    pieces = min(config.NUMBA_NUM_THREADS, work // GRAIN, size)
    if pieces < 2:
        return loop(0, size, *arrays)
    edges = [size * piece // pieces for piece in range(pieces + 1)]
    others = []
    for edge in pairwise(edges[1:]):
        try:
            others.append(_pool().submit(loop, *edge, *arrays))
        except RuntimeError:  # Python is shutting down: only threads that are there go on
            loop(*edge, *arrays)
    loop(0, edges[1], *arrays)
    for other in others:
        other.result()


# ---- what comes in -------------------------------------------------------------------------------


def _by_columns(*arrays):
    """Whether these matrices lie column after column, as `networks.product` leaves them."""
    return all(isinstance(a, np.ndarray) and a.ndim == 2 and a.flags.fnc for a in arrays)


def _rows(*arrays):
    """Arrays (…, H) as (N, H)."""
    return [a.reshape(-1, a.shape[-1]) if a.size else a.reshape(0, 1) for a in arrays]


def _launch_rows(loop, logits, x, n, log_p, *dlogits):
    """A loop over the L·N rows of logits (…, N, P)."""
    rows = logits.reshape(log_p.size, x.shape[1])
    _launch(loop, log_p.size, logits.size, rows, x, n, log_p, *dlogits)
