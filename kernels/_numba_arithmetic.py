"""Compiler options, exp, log and sums for the compiled loops of numba_cpu.

NumPy's exp and log do not vectorise in a compiled loop; these do.  With NUMBA_DISABLE_JIT=1 the
loops run as plain Python, in which a debugger stops; only rounding differs.

Literals would widen float32 to float64, so constants are cast to the arrays' own type.
"""

import pickle
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from zlib import crc32

import numpy as np
from numba import config, njit, types
from numba.core.caching import IndexDataCacheFile
from numba.core.compiler import Compiler
from numba.extending import intrinsic, overload

EXACT = {"contract"}  # fused multiply-add; the order of a compensated sum stays as written
SUMS = {"contract", "reassoc", "nsz"}  # sums in any order, so that they vectorise; NaN and ∞ hold


class NoAlias(Compiler):
    """Numba's compiler, which tells LLVM that outputs overlap no input, so that it vectorises."""

    def define_pipelines(self):
        self.state.flags.noalias = True
        return super().define_pipelines()


class CacheFiles(IndexDataCacheFile):
    """Numba's cache of one loop, a file a signature; a file that is damaged counts as absent.

    Numba's own raises on a damaged file, and would run code in which a bit has changed.
    """

    def load(self, key):
        with suppress(OSError):
            stored = Path(self._path(key)).read_bytes()
            digest, data = stored[:32], stored[32:]
            if digest == self._digest(key, data):
                return pickle.loads(data)

    def save(self, key, data):
        data = self._dump(data)
        with suppress(OSError), self._open_for_write(self._path(key)) as file:
            file.write(self._digest(key, data) + data)

    def _path(self, key):
        signature_and_processor = repr(key[:2])
        return self._data_path(self._data_name(crc32(signature_and_processor.encode())))

    def _digest(self, key, data):
        return sha256(repr((self._version, sources(), key)).encode() + data).digest()


def compiled(fastmath=EXACT, *, inline=False):
    """Compile a loop on its first call with each dtype, and cache it if a folder is writable.

    inline: for a function that loops call.  A copy that is not inlined may be another in the
    process that compiles than in those that read the cache, and round another way.
    """
    options = {"nogil": True, "error_model": "numpy", "fastmath": fastmath, "forceinline": inline}

    def compile_loop(loop):
        try:
            compiled_loop = njit(cache=True, pipeline_class=NoAlias, **options)(loop)
        except RuntimeError:  # no folder for a cache is writable
            return njit(pipeline_class=NoAlias, **options)(loop)
        with suppress(AttributeError):  # not compiled, or another Numba with another attribute
            compiled_loop._cache._cache_file.__class__ = CacheFiles
        return compiled_loop

    return compile_loop


@cache
def sources():
    """Return time and size of every compiled file: Numba's cache looks only at the loop's own."""
    files = sorted(Path(__file__).parent.glob("_numba_*.py"))
    return [(file.name, file.stat().st_mtime, file.stat().st_size) for file in files]


def wide_vectors():
    """Let the calling loop use vectors of 64 bytes, where the processor has them.

    By itself LLVM uses 32, since the first processors with longer vectors slowed down under them.
    """


if not config.DISABLE_JIT:

    @intrinsic
    def wide_vectors(typing_context):
        def wide_vectors_codegen(context, builder, signature, arguments):
            attributes = builder.function.attributes
            set.add(attributes, '"prefer-vector-width"="512"')  # llvmlite's add refuses this name
            return context.get_dummy_value()

        return types.void(), wide_vectors_codegen


# ---- exp and log ---------------------------------------------------------------------------------
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
    """Return eˣ within 1.1 ulp; e⁻∞ = 0, overflow gives ∞, NaN stays NaN.

    A subnormal result becomes 0, since the processor takes a hundred times as long to compute one.

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
            x = f4(100) if x > f4(100) else x
            shifted = x * f4(LOG2_E) + f4(12582912 + 254)
            k = shifted - f4(12582912 + 254)
            r = (x - k * LN2_HIGH4) - k * LN2_LOW4
            q = EXP4[3] + r * EXP4[4]
            q = EXP4[0] + r * (EXP4[1] + r * (EXP4[2] + r * q))
            q = f4(1) + r * (f4(1) + r * q)
            bits = np.int32(f4(shifted).view(np.int32) & np.int32(0x1FF))
            half = np.int32(bits >> np.int32(1))
            low = np.int32(half << np.int32(23)).view(f4)
            high = np.int32((bits - half) << np.int32(23)).view(f4)
            return f4(0) if tiny else q * low * high

        return exp4

    def exp8(x):
        tiny = x < -708.3964185322641
        x = 800.0 if x > 800.0 else x
        shifted = x * LOG2_E + (6755399441055744.0 + 2046.0)
        k = shifted - (6755399441055744.0 + 2046.0)
        r = (x - k * LN2_HIGH8) - k * LN2_LOW8
        q = EXP8[6] + r * (EXP8[7] + r * (EXP8[8] + r * EXP8[9]))
        q = EXP8[3] + r * (EXP8[4] + r * (EXP8[5] + r * q))
        q = EXP8[0] + r * (EXP8[1] + r * (EXP8[2] + r * q))
        q = 1.0 + r * (1.0 + r * q)
        bits = f8(shifted).view(np.int64) & 0xFFF
        half = bits >> 1
        low, high = np.int64(half << 52).view(f8), np.int64((bits - half) << 52).view(f8)
        return 0.0 if tiny else q * low * high

    return exp8


def exp_low(x):
    """Return eˣ for x ≤ 88 (709 in float64), faster than `exp`: one factor 2ᵏ is enough there."""
    return np.exp(x)


@overload(exp_low, jit_options={"fastmath": EXACT, "error_model": "numpy"})
def _exp_low(x):
    if x == types.float32:

        def exp_low4(x):
            tiny = x < f4(-87.33654)
            shifted = x * f4(LOG2_E) + f4(12582912 + 127)
            k = shifted - f4(12582912 + 127)
            r = (x - k * LN2_HIGH4) - k * LN2_LOW4
            q = EXP4[3] + r * EXP4[4]
            q = EXP4[0] + r * (EXP4[1] + r * (EXP4[2] + r * q))
            q = f4(1) + r * (f4(1) + r * q)
            power = np.int32(f4(shifted).view(np.int32) << np.int32(23)).view(f4)
            return f4(0) if tiny else q * power

        return exp_low4

    def exp_low8(x):
        tiny = x < -708.3964185322641
        shifted = x * LOG2_E + (6755399441055744.0 + 1023.0)
        k = shifted - (6755399441055744.0 + 1023.0)
        r = (x - k * LN2_HIGH8) - k * LN2_LOW8
        q = EXP8[6] + r * (EXP8[7] + r * (EXP8[8] + r * EXP8[9]))
        q = EXP8[3] + r * (EXP8[4] + r * (EXP8[5] + r * q))
        q = EXP8[0] + r * (EXP8[1] + r * (EXP8[2] + r * q))
        q = 1.0 + r * (1.0 + r * q)
        power = np.int64(f8(shifted).view(np.int64) << 52).view(f8)
        return 0.0 if tiny else q * power

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
    """Return log x for positive, finite, normal x; NaN stays NaN.  x = 2ᵏ (1 + s) / (1 − s)."""
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
    """Return log(1 + x) for 0 ≤ x ≤ 1; above √2 − 1 it is log 2 + log((1 + x) / 2)."""
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


@compiled(inline=True)
def log1p_wide(x, one):
    """Return log(1 + x) for x ≥ 0; (x − (sum − 1)) / sum restores what 1 + x loses."""
    sum_ = one + x
    return log(sum_) + (x - (sum_ - one)) / sum_


@compiled(inline=True)
def times(product, e):
    """Return (1 + product)(1 + e) − 1."""
    return product * e + (product + e)


@compiled(inline=True)
def add(total, lost, term):
    """Return total + term, and the error of that sum for the next call (Kahan)."""
    corrected = term - lost
    sum_ = total + corrected
    return sum_, (sum_ - total) - corrected


@compiled(inline=True)
def max_(x, y):
    """Return the greater; y if x is NaN."""
    return x if x > y else y
