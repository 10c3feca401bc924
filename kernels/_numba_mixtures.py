"""Compiled loops of numba_cpu with a log-sum-exp: importance weights and mixtures.

As in `_numba_loops`, each works on examples start … stop − 1 and releases the interpreter lock.
"""

import numpy as np

from ._numba_arithmetic import (
    SUMS,
    add,
    compiled,
    exp,
    exp_low,
    log,
    max_,
    wide_vectors,
)  # fmt: skip

LOG_2PI = float(np.log(2 * np.pi))
ROWS, SAMPLES = 16, 8  # a mixture's tile: a cache line of examples, by so many samples
TILE = ROWS * SAMPLES
BLOCK, WIDTH = 32, 4096  # importance weights: a block's rows, and the columns of it at a time


@compiled()
def importance_weights_of_blocks(start, stop, log_w, weights, top, total):
    """Write exp(log w − top) of each block of rows to weights, and its sums to total.

    top, total (blocks, N).  The blocks do not depend on the number of threads, nor do the results.
    """
    wide_vectors()
    K, N = log_w.shape
    lost = np.empty(WIDTH, log_w.dtype)
    for b in range(start, stop):
        rows = b * BLOCK, min((b + 1) * BLOCK, K)
        for first in range(0, N, WIDTH):
            last = min(first + WIDTH, N)
            sums = top[b, first:last], total[b, first:last], lost[: last - first]
            exponentials(log_w, rows, first, last, weights, *sums)


@compiled()
def importance_weights_joined(start, stop, log_K, top, total, bound):
    """Join the blocks' sums to the bound; write the factors of the blocks' weights over top."""
    wide_vectors()
    tops, bound = top, bound[start:stop]
    top, lost = np.empty((2, len(bound)), tops.dtype)
    sum_ = np.empty_like(top)
    one = tops.dtype.type(1)
    maxima(tops, (0, len(tops)), start, stop, top)
    sum_[:] = lost[:] = 0
    for b in range(len(tops)):
        factor, terms = tops[b, start:stop], total[b, start:stop]
        for j in range(len(top)):
            share = relative(factor[j], top[j], one)
            factor[j] = share
            sum_[j], lost[j] = add(sum_[j], lost[j], share * terms[j])
    for j in range(len(top)):
        log_sum, sum_[j] = log_and_inverse(top[j], sum_[j], one)
        bound[j] = log_sum - log_K
    for b in range(len(tops)):
        factor = tops[b, start:stop]
        for j in range(len(top)):
            factor[j] *= sum_[j]


@compiled()
def importance_weights_scaled(start, stop, factor, weights):
    """Multiply the blocks of rows by their factors, from the last, which caches may still hold."""
    wide_vectors()
    for b in range(stop - 1, start - 1, -1):
        of_block = factor[b]
        for k in range(b * BLOCK, min((b + 1) * BLOCK, len(weights))):
            row = weights[k]
            for j in range(len(row)):
                row[j] *= of_block[j]


@compiled(inline=True)
def exponentials(a, rows, first, last, out, top, total, lost):
    """Write exp(a − top) of these rows and columns to out, and the columns' sums to total.

    The sums are compensated (Kahan), so that 5,000 terms lose no more digits than two.
    """
    wide_vectors()
    one = a.dtype.type(1)
    maxima(a, rows, first, last, top)
    total[:] = lost[:] = 0
    start, stop = rows
    fours = start + (stop - start) // 4 * 4
    for i in range(start, fours, 4):
        row0, row1, row2, row3 = four_rows(a, i, first, last)
        out0, out1, out2, out3 = four_rows(out, i, first, last)
        for j in range(len(top)):
            e0, e1 = relative(row0[j], top[j], one), relative(row1[j], top[j], one)
            e2, e3 = relative(row2[j], top[j], one), relative(row3[j], top[j], one)
            out0[j], out1[j], out2[j], out3[j] = e0, e1, e2, e3
            total[j], lost[j] = add(total[j], lost[j], (e0 + e1) + (e2 + e3))
    for i in range(fours, stop):
        row, terms = a[i, first:last], out[i, first:last]
        for j in range(len(top)):
            term = relative(row[j], top[j], one)
            terms[j] = term
            total[j], lost[j] = add(total[j], lost[j], term)


@compiled(inline=True)
def four_rows(a, i, first, last):
    return a[i, first:last], a[i + 1, first:last], a[i + 2, first:last], a[i + 3, first:last]


@compiled(inline=True)
def maxima(a, rows, first, last, top):
    """Write the maximum of these rows, but a finite number for −∞, to top; NaN is passed over."""
    wide_vectors()
    top[:] = -np.finfo(a.dtype).max
    for i in range(rows[0], rows[1]):
        row = a[i, first:last]
        for j in range(len(top)):
            top[j] = max_(row[j], top[j])


@compiled(inline=True)
def relative(x, top, one):
    """Return exp(x − top) for x ≤ top; ∞ − ∞ is 0."""
    return one if x == top else exp_low(x - top)


@compiled(inline=True)
def log_and_inverse(top, total, one):
    """Return log Σ exp(a) and 1 / Σ exp(a − top), from top and that sum; 0 is that of only −∞."""
    nothing = total == one - one
    log_sum = -one / total if nothing else top + log(total)
    return log_sum, one if nothing else one / total


@compiled(SUMS)
def mixture_log_prob(start, stop, z, mu, log_var, log_alpha, log_q, r):
    """Compute log α_m N(z; mu_m, var_m) of a tile of samples and examples, then log-sum-exp."""
    wide_vectors()
    K, N, D = z.shape
    M = len(mu)
    precision = np.empty((ROWS, M, D), mu.dtype)
    constant = np.empty((M, ROWS), mu.dtype)
    score, weights = np.empty((2, M, TILE), mu.dtype)
    top, lost = np.empty((2, TILE), mu.dtype)
    total = np.empty_like(top)
    one = mu.dtype.type(1)
    for n in range(start, stop, ROWS):
        rows = min(ROWS, stop - n)
        normalise(n, rows, log_var, log_alpha, precision, constant)
        for first in range(0, K, SAMPLES):
            samples = min(SAMPLES, K - first)
            here = z[first : first + samples]
            score_tile(here, n, rows, mu, log_alpha, precision, constant, score)
            columns = samples * rows
            sums = top[:columns], total[:columns], lost[:columns]
            exponentials(score, (0, M), 0, columns, weights, *sums)
            for j in range(columns):
                top[j], total[j] = log_and_inverse(top[j], total[j], one)
            for k in range(samples):
                for i in range(rows):
                    log_q[first + k, n + i] = top[k * rows + i]
                for m in range(M):
                    for i in range(rows):
                        r[m, first + k, n + i] = weights[m, k * rows + i] * total[k * rows + i]


@compiled(SUMS, inline=True)
def normalise(n, rows, log_var, log_alpha, precision, constant):
    """Write the precisions of examples n …, and the constants log α_m − ½ Σ_D log 2π var_m."""
    wide_vectors()
    M, _, D = log_var.shape
    half, log_2pi = log_var.dtype.type(0.5), log_var.dtype.type(LOG_2PI)
    for m in range(M):
        for i in range(rows):
            constant[m, i] = log_alpha[m, n + i]
            if log_alpha[m, n + i] > -np.inf:
                normaliser = half - half
                for d in range(D):
                    precision[i, m, d] = exp(-log_var[m, n + i, d])
                    normaliser += log_2pi + log_var[m, n + i, d]
                constant[m, i] -= half * normaliser


@compiled(SUMS, inline=True)
def score_tile(z, n, rows, mu, log_alpha, precision, constant, score):
    """Write log α_m N(z; mu_m, var_m), sample k, example n + i, to score[m, 0, k · rows + i]."""
    wide_vectors()
    half = mu.dtype.type(0.5)
    for i in range(rows):
        for m in range(len(mu)):
            for k in range(len(z)):
                distance = half - half
                if log_alpha[m, n + i] > -np.inf:
                    for d in range(z.shape[2]):
                        difference = z[k, n + i, d] - mu[m, n + i, d]
                        distance += difference * difference * precision[i, m, d]
                score[m, k * rows + i] = constant[m, i] - half * distance


@compiled()
def mixture_log_prob_vjp(start, stop, dlog_q, r, z, mu, log_var, dz, dmu, dlog_var):
    """Compute an example at a time; an expert of responsibility 0 is not read."""
    wide_vectors()
    K, N, D = z.shape
    M = len(mu)
    half, zero = mu.dtype.type(0.5), mu.dtype.type(0)
    tiny = np.finfo(mu.dtype).tiny
    weight, precision = np.empty(K, mu.dtype), np.empty(D, mu.dtype)
    lost = np.empty((2, D), mu.dtype)
    for n in range(start, stop):
        for k in range(K):
            dz[k, n] = zero
        for m in range(M):
            present = False
            for k in range(K):
                product = dlog_q[k, n] * r[m, k, n]
                weight[k] = zero if abs(product) < tiny else product  # subnormal ones are slow
                present |= r[m, k, n] != zero
            of_mu, of_log_var = dmu[m, n], dlog_var[m, n]
            of_mu[:] = of_log_var[:] = lost[:] = zero
            if present:
                for d in range(D):
                    precision[d] = exp(-log_var[m, n, d])
                add_expert(weight, z, dz, n, mu[m, n], precision, of_mu, of_log_var, lost)
                for d in range(D):
                    of_log_var[d] *= half


@compiled(inline=True)
def add_expert(weight, z, dz, n, mean, precision, of_mu, of_log_var, lost):
    """Subtract w_k t_k from dz_k, and add w_k t_k and w_k (t_k d_k − 1) over k.

    d_k = z_k − mean, t_k = precision · d_k.  The rows are arguments, so that none is an alias.
    """
    fours = len(weight) // 4 * 4
    sums = of_mu, of_log_var, lost[0], lost[1]
    for k in range(0, fours, 4):
        w = weight[k], weight[k + 1], weight[k + 2], weight[k + 3]
        rows = z[k, n], z[k + 1, n], z[k + 2, n], z[k + 3, n]
        drows = dz[k, n], dz[k + 1, n], dz[k + 2, n], dz[k + 3, n]
        add_four(w, rows, drows, mean, precision, sums)
    for k in range(fours, len(weight)):
        add_one(weight[k], z[k, n], dz[k, n], mean, precision, sums)


@compiled(inline=True)
def add_four(weights, rows, drows, mean, precision, sums):
    wide_vectors()
    w0, w1, w2, w3 = weights
    z0, z1, z2, z3 = rows
    dz0, dz1, dz2, dz3 = drows
    of_mu, of_log_var, lost, lost_too = sums
    for i in range(len(mean)):
        d0, d1, d2, d3 = z0[i] - mean[i], z1[i] - mean[i], z2[i] - mean[i], z3[i] - mean[i]
        t0, t1 = w0 * precision[i] * d0, w1 * precision[i] * d1
        t2, t3 = w2 * precision[i] * d2, w3 * precision[i] * d3
        dz0[i] -= t0
        dz1[i] -= t1
        dz2[i] -= t2
        dz3[i] -= t3
        of_mu[i], lost[i] = add(of_mu[i], lost[i], (t0 + t1) + (t2 + t3))
        term = ((t0 * d0 - w0) + (t1 * d1 - w1)) + ((t2 * d2 - w2) + (t3 * d3 - w3))
        of_log_var[i], lost_too[i] = add(of_log_var[i], lost_too[i], term)


@compiled(inline=True)
def add_one(weight, row, drow, mean, precision, sums):
    wide_vectors()
    of_mu, of_log_var, lost, lost_too = sums
    for i in range(len(mean)):
        difference = row[i] - mean[i]
        term = weight * precision[i] * difference
        drow[i] -= term
        of_mu[i], lost[i] = add(of_mu[i], lost[i], term)
        of_log_var[i], lost_too[i] = add(of_log_var[i], lost_too[i], term * difference - weight)
