"""The compiled loops of numba_cpu, with the exp and log that let them vectorise.

Each loop works on examples start … stop − 1 of its arrays, holds no Python object and so releases
the interpreter lock: threads run the pieces of one call side by side.  All code that is compiled
together stands in this file, because Numba's cache on disk notices changes of this file only.
With NUMBA_DISABLE_JIT=1 the loops run as plain Python, under a debugger, with the same numbers.

Literals would widen float32 to float64, so constants are cast by `real`, the arrays' own type.
"""

import numpy as np
from numba import config, njit, types
from numba.core.compiler import Compiler
from numba.extending import intrinsic, overload

LOG_2PI = float(np.log(2 * np.pi))
ROWS = 16  # examples that a mixture treats together: a cache line of float32
EXACT = {"contract"}  # fused multiply-add; the order of a compensated sum stays as written
SUMS = {"contract", "reassoc", "nsz"}  # sums in any order, so that they vectorise; NaN and ∞ hold


class NoAlias(Compiler):
    """Numba's compiler, told that outputs overlap no input: else LLVM would not vectorise."""

    def define_pipelines(self):
        self.state.flags.noalias = True
        return super().define_pipelines()


def compiled(fastmath=EXACT):
    """Compile on the first call with each dtype, and cache on disk where a folder is writable."""
    options = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}

    def compile_loop(loop):
        try:
            return njit(cache=True, pipeline_class=NoAlias, **options)(loop)
        except RuntimeError:  # no folder for a cache is writable
            return njit(pipeline_class=NoAlias, **options)(loop)

    return compile_loop


def wide_vectors():
    """For the loop that says so, vectors of 64 bytes where the processor has them.

    LLVM keeps to 32, since the first processors with longer ones slowed down when they used them.
    """


if not config.DISABLE_JIT:

    @intrinsic
    def wide_vectors(typing_context):
        def wide_vectors_codegen(context, builder, signature, arguments):
            attributes = builder.function.attributes
            set.add(attributes, '"prefer-vector-width"="512"')  # llvmlite's own add knows few names
            return context.get_dummy_value()

        return types.void(), wide_vectors_codegen


# ---- exp and log: NumPy's do not vectorise in a compiled loop ------------------------------------
#
# Coefficients: near-minimax (Chebyshev) fits by mpmath.chebyfit, highest power last.
#   (eʳ − 1 − r) / r²              on |r| ≤ ½ log 2
#   2 (artanh(s) / s − 1) / s²     in s² on |s| ≤ (√2 − 1) / (√2 + 1)
# ln 2 in two parts: the first has few enough digits that its product with an integer is exact.

f4, f8 = np.float32, np.float64
EXP4 = tuple(map(f4, (0.5, 0.16666577, 0.041666555, 0.008363179, 0.0013926184)))
EXP8 = (0.5, 0.16666666666666669, 0.04166666666662413, 0.008333333333330062, 0.0013888888917213717,
        0.00019841269863053618, 2.4801521295954376e-05, 2.7557268459997064e-06,
        2.7620088445409746e-07, 2.510038549551032e-08)  # fmt: skip
LOG4 = tuple(map(f4, (0.66666685, 0.39988758, 0.29580986)))
LOG8 = (0.666666666666667, 0.3999999999989889, 0.28571428626253836, 0.22222211089379496,
        0.1818289243253687, 0.15331611722055008, 0.14617807153417325)  # fmt: skip
LN2_HIGH4, LN2_LOW4 = f4(0.693115234375), f4(3.1946184945309415e-05)
LN2_HIGH8, LN2_LOW8 = 0.6931471803691238, 1.9082149292705877e-10
LOG2_E = float(1 / np.log(2))


def exp(x):
    """eˣ within 1.2 ulp; e⁻∞ = 0, overflow gives ∞, NaN stays NaN; a subnormal result becomes 0,
    since the processor takes a hundred times as long to compute one.

    eˣ = 2ᵏ eʳ with k the nearest integer to x / log 2.  Adding 1.5·2^(mantissa bits) rounds to an
    integer and leaves it in the low bits, biased here by twice the exponent's bias: halved, they
    are the exponents of two factors of 2ᵏ, neither of which overflows or is subnormal.
    """
    return np.exp(x)


@overload(exp, jit_options={"fastmath": EXACT, "error_model": "numpy"})
def _exp(x):
    if x == types.float32:

        def exp4(x):
            tiny = x < f4(-87.33654)
            x = f4(-87) if tiny else f4(100) if x > f4(100) else x
            shifted = x * f4(LOG2_E) + f4(12582912 + 254)
            k = shifted - f4(12582912 + 254)
            r = (x - k * LN2_HIGH4) - k * LN2_LOW4
            q = EXP4[3] + r * EXP4[4]
            q = EXP4[0] + r * (EXP4[1] + r * (EXP4[2] + r * q))
            bits = np.int32(f4(shifted).view(np.int32) & np.int32(0x1FF))
            half = np.int32(bits >> np.int32(1))
            low = np.int32(half << np.int32(23)).view(f4)
            high = np.int32((bits - half) << np.int32(23)).view(f4)
            return f4(0) if tiny else (f4(1) + (r + r * r * q)) * low * high

        return exp4

    def exp8(x):
        tiny = x < -708.3964185322641
        x = -708.0 if tiny else 800.0 if x > 800.0 else x
        shifted = x * LOG2_E + (6755399441055744.0 + 2046.0)
        k = shifted - (6755399441055744.0 + 2046.0)
        r = (x - k * LN2_HIGH8) - k * LN2_LOW8
        q = EXP8[6] + r * (EXP8[7] + r * (EXP8[8] + r * EXP8[9]))
        q = EXP8[3] + r * (EXP8[4] + r * (EXP8[5] + r * q))
        q = EXP8[0] + r * (EXP8[1] + r * (EXP8[2] + r * q))
        bits = f8(shifted).view(np.int64) & 0xFFF
        half = bits >> 1
        low, high = np.int64(half << 52).view(f8), np.int64((bits - half) << 52).view(f8)
        return 0.0 if tiny else (1.0 + (r + r * r * q)) * low * high

    return exp8


def exp_low(x):
    """eˣ for x ≤ 88 (709 in float64), faster than `exp`: there one factor 2ᵏ is enough."""
    return np.exp(x)


@overload(exp_low, jit_options={"fastmath": EXACT, "error_model": "numpy"})
def _exp_low(x):
    if x == types.float32:

        def exp_low4(x):
            tiny = x < f4(-87.33654)
            x = f4(-87) if tiny else x
            shifted = x * f4(LOG2_E) + f4(12582912 + 127)
            k = shifted - f4(12582912 + 127)
            r = (x - k * LN2_HIGH4) - k * LN2_LOW4
            q = EXP4[3] + r * EXP4[4]
            q = EXP4[0] + r * (EXP4[1] + r * (EXP4[2] + r * q))
            power = np.int32(f4(shifted).view(np.int32) << np.int32(23)).view(f4)
            return f4(0) if tiny else (f4(1) + (r + r * r * q)) * power

        return exp_low4

    def exp_low8(x):
        tiny = x < -708.3964185322641
        x = -708.0 if tiny else x
        shifted = x * LOG2_E + (6755399441055744.0 + 1023.0)
        k = shifted - (6755399441055744.0 + 1023.0)
        r = (x - k * LN2_HIGH8) - k * LN2_LOW8
        q = EXP8[6] + r * (EXP8[7] + r * (EXP8[8] + r * EXP8[9]))
        q = EXP8[3] + r * (EXP8[4] + r * (EXP8[5] + r * q))
        q = EXP8[0] + r * (EXP8[1] + r * (EXP8[2] + r * q))
        power = np.int64(f8(shifted).view(np.int64) << 52).view(f8)
        return 0.0 if tiny else (1.0 + (r + r * r * q)) * power

    return exp_low8


def two_artanh(s):
    """2 artanh(s) = log((1 + s) / (1 − s)) for |s| ≤ 0.1716."""


@overload(two_artanh, jit_options={"fastmath": EXACT, "error_model": "numpy"})
def _two_artanh(s):
    if s == types.float32:

        def two_artanh4(s):
            z = s * s
            return f4(2) * s + s * z * (LOG4[0] + z * (LOG4[1] + z * LOG4[2]))

        return two_artanh4

    def two_artanh8(s):
        z = s * s
        q = LOG8[3] + z * (LOG8[4] + z * (LOG8[5] + z * LOG8[6]))
        return 2.0 * s + s * z * (LOG8[0] + z * (LOG8[1] + z * (LOG8[2] + z * q)))

    return two_artanh8


def log(x):
    """log x for x positive, finite and normal; NaN stays NaN.  x = 2ᵏ (1 + s) / (1 − s)."""
    return np.log(x)


@overload(log, jit_options={"fastmath": EXACT, "error_model": "numpy"})
def _log(x):
    if x == types.float32:

        def log4(x):
            bits = f4(x).view(np.int32)
            k = np.int32((bits - np.int32(0x3F3504F3)) >> np.int32(23))  # √½ ≤ mantissa < √2
            mantissa = np.int32(bits - (k << np.int32(23))).view(f4)
            series = two_artanh((mantissa - f4(1)) / (mantissa + f4(1)))
            return f4(k) * LN2_HIGH4 + (series + f4(k) * LN2_LOW4) if x == x else x

        return log4

    def log8(x):
        bits = f8(x).view(np.int64)
        k = (bits - 0x3FE6A09E667F3BCD) >> 52
        mantissa = np.int64(bits - (k << 52)).view(f8)
        series = two_artanh((mantissa - 1.0) / (mantissa + 1.0))
        return f8(k) * LN2_HIGH8 + (series + f8(k) * LN2_LOW8) if x == x else x

    return log8


def log1p(x):
    """log(1 + x) for 0 ≤ x ≤ 1; above √2 − 1 as log 2 + log((1 + x) / 2)."""
    return np.log1p(x)


@overload(log1p, jit_options={"fastmath": EXACT, "error_model": "numpy"})
def _log1p(x):
    one = f4(1) if x == types.float32 else 1.0
    log_2 = f4(np.log(2)) if x == types.float32 else float(np.log(2))
    middle = f4(0.41421354) if x == types.float32 else 0.41421356237309503

    def log1p_01(x):
        above = x > middle
        numerator = x - one if above else x
        denominator = x + (one + one + one) if above else x + (one + one)
        return two_artanh(numerator / denominator) + (log_2 if above else one - one)

    return log1p_01


@compiled()
def add(total, lost, term):
    """total + term, and what the rounding has lost (Kahan)."""
    corrected = term - lost
    sum_ = total + corrected
    return sum_, (sum_ - total) - corrected


@compiled()
def max_(x, y):
    """The greater; y if x is NaN."""
    return x if x > y else y


@compiled()
def raised(shift, x, one):
    """The shift, or x where that exceeds it by more than 1."""
    return x if x > shift + one else shift


@compiled()
def below(x):
    """x, but not +∞, so that ∞ − ∞ is 0."""
    largest = np.finfo(x).max
    return largest if x > largest else x


@compiled()
def finite(x):
    """x, but neither +∞ nor −∞."""
    largest = np.finfo(x).max
    return largest if x > largest else -largest if x < -largest else x


# ---- the loops -----------------------------------------------------------------------------------


@compiled()
def product_of_experts(start, stop, mu, log_var, mask, mean, joint_log_var):
    """Shares of precision, shifted by the greatest: exp(least log var − log var_m) ≤ 1."""
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
    wide_vectors()
    M, N, D = mu.shape
    real = mu.dtype.type
    for n in range(start, stop):
        for m in range(M):
            if mask[m, n]:
                for d in range(D):
                    share = exp(joint_log_var[n, d] - log_var[m, n, d])
                    from_mean = (mu[m, n, d] - mean[n, d]) * dmean[n, d]
                    dmu[m, n, d] = share * dmean[n, d]
                    dlog_var[m, n, d] = share * (djoint_log_var[n, d] - from_mean)
            else:
                for d in range(D):
                    dmu[m, n, d] = dlog_var[m, n, d] = real(0)


@compiled()
def importance_weights(start, stop, log_w, log_sum, weights):
    """So many columns at a time that the first level cache holds their sums."""
    K, _, N = log_w.shape
    width = 1024
    shift = np.empty(width, log_w.dtype)
    total, lost = np.empty_like(shift), np.empty_like(shift)
    for first in range(start, stop, width):
        columns = min(width, stop - first)
        log_sum_exp(log_w, first, weights, log_sum, 0, first, columns, shift, total, lost)


@compiled()
def log_sum_exp(a, first, weights, log_sum, k, n, columns, shift, total, lost):
    """log Σ_i exp(a[i, 0, first …]) to log_sum[k, n …] and its derivative to weights[:, k, n …].

    `a` is read twice, for the sums and for the weights, so the shift is not its maximum: where an
    entry exceeds it by more than 1 it becomes that entry, and the sum so far shrinks.
    The sum is compensated (Kahan), so that 5,000 terms lose no more digits than two.
    """
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


@compiled(SUMS)
def mixture_log_prob(start, stop, z, mu, log_var, log_alpha, log_q, r):
    """log α_m N(z; mu_m, var_m) of ROWS examples at a time, then their log-sum-exp over m."""
    wide_vectors()
    K, N, D = z.shape
    M = len(mu)
    half, log_2pi = mu.dtype.type(0.5), mu.dtype.type(LOG_2PI)
    precision = np.empty((ROWS, M, D), mu.dtype)
    constant = np.empty((M, ROWS), mu.dtype)  # log α_m − ½ Σ_D log 2π var_m
    score = np.empty((M, 1, ROWS), mu.dtype)
    shift = np.empty(ROWS, mu.dtype)
    total, lost = np.empty_like(shift), np.empty_like(shift)
    for first in range(start, stop, ROWS):
        rows = min(ROWS, stop - first)
        for i in range(rows):
            for m in range(M):
                constant[m, i] = log_alpha[m, first + i]
                if log_alpha[m, first + i] > -np.inf:
                    normaliser = half - half
                    for d in range(D):
                        precision[i, m, d] = exp(-log_var[m, first + i, d])
                        normaliser += log_2pi + log_var[m, first + i, d]
                    constant[m, i] -= half * normaliser
        for k in range(K):
            for i in range(rows):
                for m in range(M):
                    distance = half - half
                    if log_alpha[m, first + i] > -np.inf:
                        for d in range(D):
                            difference = z[k, first + i, d] - mu[m, first + i, d]
                            distance += difference * difference * precision[i, m, d]
                    score[m, 0, i] = constant[m, i] - half * distance
            log_sum_exp(score, 0, r, log_q, k, first, rows, shift, total, lost)


@compiled()
def mixture_log_prob_vjp(start, stop, dlog_q, r, z, mu, log_var, dz, dmu, dlog_var):
    """Sums over k as in log_sum_exp; an expert of responsibility 0 is not looked at."""
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


@compiled()
def score_sums(weight, z, n, mean, precision, of_mu, of_log_var, lost, lost_too):
    """Σ_k w_k t_k and Σ_k w_k (t_k d_k − 1) with d_k = z_k − mean, t_k = precision · d_k."""
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


@compiled(SUMS)
def binomial_log_prob(start, stop, logits, x, n, log_prob):
    """Row i of logits (L N, P) is scored against row i mod N of x (N, P)."""
    wide_vectors()
    N, P = x.shape
    for i in range(start, stop):
        row = i % N
        total = n - n
        for p in range(P):
            logit = logits[i, p]
            positive = logit if logit > n - n else n - n
            total += x[row, p] * logit - n * (positive + log1p(exp_low(-abs(logit))))
        log_prob[i] = total


@compiled(SUMS)
def binomial_log_prob_value_and_grad(start, stop, logits, x, n, log_prob, dlogits):
    wide_vectors()
    N, P = x.shape
    zero, one = logits.dtype.type(0), logits.dtype.type(1)
    for i in range(start, stop):
        row = i % N
        total = zero
        for p in range(P):
            logit = logits[i, p]
            decay = exp_low(-abs(logit))
            positive = logit if logit > zero else zero
            total += x[row, p] * logit - n * (positive + log1p(decay))
            dlogits[i, p] = x[row, p] - n * ((one if logit > zero else decay) / (one + decay))
        log_prob[i] = total


@compiled()
def binomial_log_prob_vjp(start, stop, dlog_prob, logits, x, n, dlogits):
    wide_vectors()
    N, P = x.shape
    zero, one = logits.dtype.type(0), logits.dtype.type(1)
    for i in range(start, stop):
        row = i % N
        for p in range(P):
            decay = exp_low(-abs(logits[i, p]))
            gate = (one if logits[i, p] > zero else decay) / (one + decay)
            dlogits[i, p] = dlog_prob[i] * (x[row, p] - n * gate)


@compiled()
def swish(s, one):
    """s · sigmoid(s) and its derivative."""
    decay = exp_low(-abs(s))
    gate = (one if s > one - one else decay) / (one + decay)
    return s * gate, gate + s * gate * (one - gate)


@compiled()
def bias_swish(start, stop, a, b, y, slope):
    """Rows of a (N, H)."""
    wide_vectors()
    one = a.dtype.type(1)
    for i in range(start, stop):
        for h in range(len(b)):
            y[i, h], slope[i, h] = swish(a[i, h] + b[h], one)


@compiled()
def bias_swish_by_columns(start, stop, a, b, y, slope):
    """Columns of a (N, H), each of which lies in one piece: rows of a (H, N)."""
    wide_vectors()
    one = a.dtype.type(1)
    for h in range(start, stop):
        bias = b[h]
        for i in range(a.shape[1]):
            y[h, i], slope[h, i] = swish(a[h, i] + bias, one)


@compiled(SUMS)
def bias_activation_vjp(start, stop, dy, slope, da, db):
    """Columns start … stop − 1 of dy (N, H)."""
    wide_vectors()
    dy, slope, da = dy[:, start:stop], slope[:, start:stop], da[:, start:stop]
    db = db[start:stop]
    db[:] = 0
    for i in range(len(dy)):
        for h in range(len(db)):
            da[i, h] = dy[i, h] * slope[i, h]
            db[h] += da[i, h]


@compiled(SUMS)
def bias_activation_vjp_by_columns(start, stop, dy, slope, da, db):
    """Columns of dy (N, H), each of which lies in one piece: rows of dy (H, N)."""
    wide_vectors()
    for h in range(start, stop):
        total = dy.dtype.type(0)
        for i in range(dy.shape[1]):
            da[h, i] = dy[h, i] * slope[h, i]
            total += da[h, i]
        db[h] = total


@compiled()
def adam_step(start, stop, theta, grad, m, v, rate, scale, keep1, keep2, epsilon):
    """rate = η / (1 − β1ᵗ), scale = 1 / (1 − β2ᵗ), keep = 1 − β."""
    wide_vectors()
    theta, grad = theta[start:stop], grad[start:stop]  # an index from 0 cannot be negative: Numba
    m, v = m[start:stop], v[start:stop]  # then needs no wraparound, which takes thrice the time
    for i in range(len(theta)):
        m[i] += keep1 * (grad[i] - m[i])
        v[i] += keep2 * (grad[i] * grad[i] - v[i])
        theta[i] -= rate * m[i] / (np.sqrt(v[i] * scale) + epsilon)
