"""Compiled loops of numba_cpu: products of experts, likelihoods, activations and Adam.

Each loop works on examples start … stop − 1 of its arrays.  It uses no Python object and releases
the interpreter lock, so that threads run the pieces of one call at the same time.
"""

import numpy as np

from ._numba_arithmetic import (
    SUMS,
    compiled,
    exp,
    exp_low,
    log,
    log1p,
    log1p_wide,
    times,
    wide_vectors,
)  # fmt: skip

ROWS = 16  # the backward pass of a product of experts: examples of one expert at a time
LANES, FACTORS = 64, 100  # binomial: products at a time, and factors of each, which are ≤ 2


@compiled()
def product_of_experts(start, stop, mu, log_var, mask, mean, joint_log_var):
    """Add up shares of precision, exp(least log var − log var_m) ≤ 1."""
    wide_vectors()
    M, N, D = mu.shape
    real = mu.dtype.type
    largest = np.finfo(mu.dtype).max
    total = np.empty(D, mu.dtype)
    for n in range(start, stop):
        for d in range(D):
            joint_log_var[n, d] = real(0)  # the prior's; from here on the least
        for m in range(M):
            if mask[m, n]:
                for d in range(D):
                    least = joint_log_var[n, d]
                    joint_log_var[n, d] = log_var[m, n, d] if log_var[m, n, d] < least else least
        for d in range(D):
            total[d] = exp(joint_log_var[n, d])
            mean[n, d] = real(0)
        for m in range(M):
            if mask[m, n]:
                for d in range(D):
                    least, own = joint_log_var[n, d], log_var[m, n, d]
                    least = -largest if least < -largest else least  # so that −∞ − (−∞) is 0
                    share = exp_low(least - (-largest if own < -largest else own))
                    total[d] += share
                    mean[n, d] += share * mu[m, n, d]
        for d in range(D):
            mean[n, d] /= total[d]
            joint_log_var[n, d] -= log(total[d])


@compiled()
def product_of_experts_vjp(
    start, stop, dmean, djoint_log_var, mu, log_var, mask, mean, joint_log_var, dmu, dlog_var
):
    """Work on ROWS examples of one expert at a time, which are contiguous in memory."""
    wide_vectors()
    M, N, D = mu.shape
    real = mu.dtype.type
    for first in range(start, stop, ROWS):
        for m in range(M):
            for n in range(first, min(first + ROWS, stop)):
                if mask[m, n]:
                    for d in range(D):
                        share = exp(joint_log_var[n, d] - log_var[m, n, d])
                        from_mean = (mu[m, n, d] - mean[n, d]) * dmean[n, d]
                        dmu[m, n, d] = share * dmean[n, d]
                        dlog_var[m, n, d] = share * (djoint_log_var[n, d] - from_mean)
                else:
                    for d in range(D):
                        dmu[m, n, d] = dlog_var[m, n, d] = real(0)


@compiled(inline=True)
def linear(logit, x, n, zero):
    """Return x·l − n·max(l, 0) as one product, 0 where x = n: LLVM adds two to a sum one by one."""
    return (x - (n if logit > zero else zero)) * logit


@compiled(SUMS)
def binomial_log_prob(start, stop, n, logits, x, log_prob):
    """Score each row of logits (L, N, P), an example, against its row of x (N, P).

    Σ log(1 + e) is the logarithm of a product: in long rows one serves up to FACTORS numbers.
    """
    wide_vectors()
    N, P = x.shape
    zero, one = n - n, logits.dtype.type(1)
    alone = P if P < 4 * LANES else 0
    product = np.empty(LANES, logits.dtype)  # less 1, so that a small e keeps its digits
    for i in range(start, stop):
        l, row = i // N, i % N
        total = zero
        for p in range(alone):
            logit = logits[l, row, p]
            total += linear(logit, x[row, p], n, zero) - n * log1p(exp_low(-abs(logit)))
        for first in range(alone, P, FACTORS * LANES):
            last = min(P, first + FACTORS * LANES)
            product[:] = zero
            for block in range(first, last, LANES):
                own, of_x = logits[l, row, block:last], x[row, block:last]
                for j in range(min(LANES, len(own))):
                    total += linear(own[j], of_x[j], n, zero)
                    product[j] = times(product[j], exp_low(-abs(own[j])))
            for j in range(LANES):
                total -= n * log1p_wide(product[j], one)
        log_prob[l, row] = total


@compiled()
def binomial_log_prob_vjp(start, stop, n, dlog_prob, logits, x, dlogits):
    wide_vectors()
    N, P = x.shape
    zero, one = logits.dtype.type(0), logits.dtype.type(1)
    for i in range(start, stop):
        l, row = i // N, i % N
        for p in range(P):
            decay = exp_low(-abs(logits[l, row, p]))
            gate = (one if logits[l, row, p] > zero else decay) / (one + decay)
            dlogits[l, row, p] = dlog_prob[l, row] * (x[row, p] - n * gate)


@compiled(inline=True)
def swish(s, one):
    """Return s · sigmoid(s) and its derivative."""
    decay = exp_low(-abs(s))
    gate = (one if s > one - one else decay) / (one + decay)
    return s * gate, gate + s * gate * (one - gate)


@compiled()
def bias_swish(start, stop, a, b, y, slope):
    """Work on rows of a (N, H)."""
    wide_vectors()
    one = a.dtype.type(1)
    for i in range(start, stop):
        for h in range(len(b)):
            y[i, h], slope[i, h] = swish(a[i, h] + b[h], one)


@compiled()
def bias_swish_by_columns(start, stop, a, b, y, slope):
    """Work on columns of a (N, H) stored column after column: on rows of a (H, N).

    Two are computed at a time: while the processor waits for one, it works on the other.
    """
    wide_vectors()
    one = a.dtype.type(1)
    paired = stop - (stop - start) % 2
    for h in range(start, paired, 2):
        a0, y0, slope0, bias0 = a[h], y[h], slope[h], b[h]
        a1, y1, slope1, bias1 = a[h + 1], y[h + 1], slope[h + 1], b[h + 1]
        for i in range(a.shape[1]):
            y0[i], slope0[i] = swish(a0[i] + bias0, one)
            y1[i], slope1[i] = swish(a1[i] + bias1, one)
    for h in range(paired, stop):
        bias = b[h]
        for i in range(a.shape[1]):
            y[h, i], slope[h, i] = swish(a[h, i] + bias, one)


@compiled()
def bias_swish_value_by_columns(start, stop, a, b, y):
    wide_vectors()
    one = a.dtype.type(1)
    for h in range(start, stop):
        bias = b[h]
        for i in range(a.shape[1]):
            y[h, i], _ = swish(a[h, i] + bias, one)


@compiled(SUMS)
def bias_activation_vjp(start, stop, dy, slope, da, db):
    """Work on columns start … stop − 1 of dy (N, H).

    A product below the least normal number over eps, from a saturated unit, becomes 0: multiplied
    by a matrix it would be subnormal, which takes a CPU a hundred times as long.
    """
    db = db[start:stop]
    db[:] = 0
    for i in range(len(dy)):
        add_row(dy[i, start:stop], slope[i, start:stop], da[i, start:stop], db)


@compiled(SUMS, inline=True)
def add_row(dy, slope, da, db):
    """Write a row's da, and add it to db.  The rows are arguments, so that none is an alias."""
    wide_vectors()
    zero, least = dy.dtype.type(0), np.finfo(dy.dtype).tiny / np.finfo(dy.dtype).eps
    for h in range(len(db)):
        product = dy[h] * slope[h]
        product = zero if abs(product) < least else product
        da[h] = product
        db[h] += product


@compiled(SUMS)
def bias_activation_vjp_by_columns(start, stop, dy, slope, da, db):
    """Work on columns of dy (N, H) stored column after column: on rows of dy (H, N)."""
    wide_vectors()
    zero, least = dy.dtype.type(0), np.finfo(dy.dtype).tiny / np.finfo(dy.dtype).eps
    for h in range(start, stop):
        total = zero
        for i in range(dy.shape[1]):
            product = dy[h, i] * slope[h, i]
            da[h, i] = zero if abs(product) < least else product
            total += da[h, i]
        db[h] = total


@compiled()
def adam_step(start, stop, rate, scale, keep1, keep2, epsilon, theta, grad, m, v):
    """Take Adam's step with rate = η / (1 − β1ᵗ), scale = 1 / (1 − β2ᵗ), keep = 1 − β."""
    wide_vectors()
    theta, grad = theta[start:stop], grad[start:stop]  # an index from 0 cannot be negative: Numba
    m, v = m[start:stop], v[start:stop]  # then needs no wraparound, which takes thrice the time
    zero, tiny = theta.dtype.type(0), np.finfo(theta.dtype).tiny
    for i in range(len(theta)):
        mean = m[i] + keep1 * (grad[i] - m[i])
        m[i] = zero if abs(mean) < tiny else mean  # of a unit that died: subnormal ones are slow
        square = v[i] + keep2 * (grad[i] * grad[i] - v[i])
        v[i] = zero if square < tiny else square
        theta[i] -= rate * m[i] / (np.sqrt(v[i] * scale) + epsilon)
