"""Compiled loops of numba_cpu with a log-sum-exp: importance weights and mixtures.

As in `_numba_loops`, each works on examples start … stop − 1 and releases the interpreter lock.
"""

import numpy as np

from ._numba_arithmetic import (
    SUMS,
    add,
    below,
    compiled,
    exp,
    exp_low,
    finite,
    log,
    max_,
    raised,
    wide_vectors,
)  # fmt: skip

LOG_2PI = float(np.log(2 * np.pi))
ROWS, SAMPLES = 16, 8  # a mixture's tile: a cache line of examples, by so many samples
TILE = ROWS * SAMPLES


@compiled()
def importance_weights(start, stop, log_K, log_w, bound, weights):
    """Work on as many columns at a time as the first level cache holds sums of."""
    wide_vectors()
    K, N = log_w.shape
    terms, shares, log_sum = log_w.reshape(K, 1, N), weights.reshape(K, 1, N), bound.reshape(1, N)
    width = 1024
    shift = np.empty(width, log_w.dtype)
    total, lost = np.empty_like(shift), np.empty_like(shift)
    for first in range(start, stop, width):
        columns = min(width, stop - first)
        log_sum_exp(terms, first, shares, log_sum, 0, first, columns, shift, total, lost)
    for n in range(start, stop):
        bound[n] -= log_K


@compiled(inline=True)
def log_sum_exp(a, first, weights, log_sum, k, n, columns, shift, total, lost):
    """Write log Σ_i exp(a[i, 0, first …]) to log_sum[k, n …], its derivative to weights[:, k, n …].

    `a` is read twice, for the sums and for the weights.  The maximum would take a third pass, so
    the shift is an entry that none exceeds by more than 1 so far: a greater one replaces it, and
    the sum so far shrinks.  The sum is compensated (Kahan), so that 5,000 terms lose no more digits
    than two.
    """
    wide_vectors()
    real = a.dtype.type
    one, fours = real(1), len(a) // 4 * 4
    for j in range(columns):
        shift[j] = -np.inf
        total[j] = lost[j] = real(0)
    for i in range(0, fours, 4):
        a0, a1 = a[i, 0, first : first + columns], a[i + 1, 0, first : first + columns]
        a2, a3 = a[i + 2, 0, first : first + columns], a[i + 3, 0, first : first + columns]
        for j in range(columns):
            low, high = max_(a0[j], a1[j]), max_(a2[j], a3[j])
            before, shift[j] = finite(shift[j]), raised(shift[j], max_(low, high), one)
            now = finite(shift[j])
            shrink = exp_low(before - now)
            e01 = exp_low(below(a0[j]) - now) + exp_low(below(a1[j]) - now)
            e23 = exp_low(below(a2[j]) - now) + exp_low(below(a3[j]) - now)
            sum_, lost[j] = total[j] * shrink, lost[j] * shrink
            total[j], lost[j] = add(sum_, lost[j], e01 + e23)
    for i in range(fours, len(a)):
        row = a[i, 0, first : first + columns]
        for j in range(columns):
            before, shift[j] = finite(shift[j]), raised(shift[j], row[j], one)
            now = finite(shift[j])
            shrink = exp_low(before - now)
            sum_, lost[j] = total[j] * shrink, lost[j] * shrink
            total[j], lost[j] = add(sum_, lost[j], exp_low(below(row[j]) - now))
    for j in range(columns):
        nothing = total[j] == real(0)  # only −∞: the weights are 0
        log_sum[k, n + j] = real(-np.inf) if nothing else shift[j] + log(total[j])
        total[j] = one if nothing else one / total[j]
        shift[j] = finite(shift[j])
    for i in range(len(a)):
        row, out = a[i, 0, first : first + columns], weights[i, k, n : n + columns]
        for j in range(columns):
            out[j] = exp_low(below(row[j]) - shift[j]) * total[j]
    for j in range(columns):
        if log_sum[k, n + j] == np.inf:  # the +∞ alone have weight, not the largest finite number
            infinite = a[:, 0, first + j] == np.inf
            weights[:, k, n + j] = infinite / infinite.sum()


@compiled(SUMS)
def mixture_log_prob(start, stop, z, mu, log_var, log_alpha, log_q, r):
    """Compute log α_m N(z; mu_m, var_m) of a tile of samples and examples, then log-sum-exp."""
    wide_vectors()
    K, N, D = z.shape
    M = len(mu)
    precision = np.empty((ROWS, M, D), mu.dtype)
    constant = np.empty((M, ROWS), mu.dtype)
    score, weights = np.empty((M, 1, TILE), mu.dtype), np.empty((M, 1, TILE), mu.dtype)
    log_sum, shift = np.empty((1, TILE), mu.dtype), np.empty(TILE, mu.dtype)
    total, lost = np.empty_like(shift), np.empty_like(shift)
    for n in range(start, stop, ROWS):
        rows = min(ROWS, stop - n)
        normalise(n, rows, log_var, log_alpha, precision, constant)
        for first in range(0, K, SAMPLES):
            samples = min(SAMPLES, K - first)
            here = z[first : first + samples]
            score_tile(here, n, rows, mu, log_alpha, precision, constant, score)
            columns = samples * rows
            log_sum_exp(score, 0, weights, log_sum, 0, 0, columns, shift, total, lost)
            for k in range(samples):
                for i in range(rows):
                    log_q[first + k, n + i] = log_sum[0, k * rows + i]
                for m in range(M):
                    for i in range(rows):
                        r[m, first + k, n + i] = weights[m, 0, k * rows + i]


@compiled(SUMS, inline=True)
def normalise(n, rows, log_var, log_alpha, precision, constant):
    """Write the precisions of examples n …, and the constants log α_m − ½ Σ_D log 2π var_m."""
    wide_vectors()
    M, _, D = log_var.shape
    half, log_2pi = log_var.dtype.type(0.5), log_var.dtype.type(LOG_2PI)
    for i in range(rows):
        for m in range(M):
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
                score[m, 0, k * rows + i] = constant[m, i] - half * distance


@compiled()
def mixture_log_prob_vjp(start, stop, dlog_q, r, z, mu, log_var, dz, dmu, dlog_var):
    """Sum over k as in log_sum_exp; an expert of responsibility 0 is not read."""
    wide_vectors()
    K, N, D = z.shape
    M = len(mu)
    half, zero = mu.dtype.type(0.5), mu.dtype.type(0)
    tiny = np.finfo(mu.dtype).tiny
    weight = np.empty((M, K), mu.dtype)
    present = np.empty(M, np.bool_)
    precision = np.empty((M, D), mu.dtype)
    sums, lost = np.empty((2, D), mu.dtype), np.empty((2, D), mu.dtype)
    for n in range(start, stop):
        for m in range(M):
            present[m] = False
            for k in range(K):
                product = dlog_q[k, n] * r[m, k, n]
                weight[m, k] = zero if abs(product) < tiny else product  # subnormal ones are slow
                present[m] |= r[m, k, n] != zero
            if present[m]:
                for d in range(D):
                    precision[m, d] = exp(-log_var[m, n, d])
                score_sums(
                    weight[m], z, n, mu[m, n], precision[m], sums[0], sums[1], lost[0], lost[1]
                )
                for d in range(D):
                    dmu[m, n, d], dlog_var[m, n, d] = sums[0, d], half * sums[1, d]
            else:
                dmu[m, n], dlog_var[m, n] = zero, zero
        for k in range(K):
            dz[k, n] = zero
            for m in range(M):
                if present[m]:
                    for d in range(D):
                        dz[k, n, d] -= weight[m, k] * precision[m, d] * (z[k, n, d] - mu[m, n, d])


@compiled(inline=True)
def score_sums(weight, z, n, mean, precision, of_mu, of_log_var, lost, lost_too):
    """Sum w_k t_k and w_k (t_k d_k − 1) over k, with d_k = z_k − mean, t_k = precision · d_k."""
    wide_vectors()
    of_mu[:] = of_log_var[:] = lost[:] = lost_too[:] = 0
    fours = len(weight) // 4 * 4
    for k in range(0, fours, 4):
        w0, w1, w2, w3 = weight[k], weight[k + 1], weight[k + 2], weight[k + 3]
        z0, z1, z2, z3 = z[k, n], z[k + 1, n], z[k + 2, n], z[k + 3, n]
        for i in range(len(mean)):
            d0, d1, d2, d3 = z0[i] - mean[i], z1[i] - mean[i], z2[i] - mean[i], z3[i] - mean[i]
            t0, t1 = w0 * precision[i] * d0, w1 * precision[i] * d1
            t2, t3 = w2 * precision[i] * d2, w3 * precision[i] * d3
            of_mu[i], lost[i] = add(of_mu[i], lost[i], (t0 + t1) + (t2 + t3))
            term = ((t0 * d0 - w0) + (t1 * d1 - w1)) + ((t2 * d2 - w2) + (t3 * d3 - w3))
            of_log_var[i], lost_too[i] = add(of_log_var[i], lost_too[i], term)
    for k in range(fours, len(weight)):
        for i in range(len(mean)):
            difference = z[k, n, i] - mean[i]
            term = weight[k] * precision[i] * difference
            of_mu[i], lost[i] = add(of_mu[i], lost[i], term)
            term = term * difference - weight[k]
            of_log_var[i], lost_too[i] = add(of_log_var[i], lost_too[i], term)
