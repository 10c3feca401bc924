"""Errors of the kernels against arithmetic of 50 digits, beside those of SciPy and PyTorch.

An error is given in ulp of the sum of the terms' magnitudes:

    |computed − exact| / ulp(s),   ulp(s) = 2^(e − p + 1) for 2^e ≤ s < 2^(e + 1),

with p = 24 digits in float32 and 53 in float64.  `exact` is the function of the backend's own
inputs, to 50 digits; s is the size that `fifty_digits` defines, the sum of |terms| and not the sum,
which may cancel.  One rounding costs 0.5.  A backend may put 0 for a subnormal number; therefore if
s and the result are both below the least normal number / ε, the result counts as exact.
"""

from dataclasses import dataclass
from importlib import import_module

import numpy as np

from .. import kernels
from ..kernels.arguments import arguments
from ..kernels.table import TABLE
from ..oracles import fifty_digits as exact
from ..report.page import Table

OPS = [op for op in TABLE if hasattr(exact, op)]
EXTREME = {np.float32: 80, np.float64: 700}  # of log variances and logits
PEERS = {
    "scipy": "pip install 'mmvae_edu[data]'",
    "torch": "pip install 'mmvae_edu[bench]'",
}


@dataclass(frozen=True)
class AccuracyRow:
    """The error of one output of one backend, in ulp; inputs: "ordinary" or "extreme"."""

    op: str
    output: str
    backend: str
    dtype: str
    inputs: str
    max_ulp: float
    mean_ulp: float


def accuracy_rows(seed=0, *, backends=None, N=16, ops=OPS):
    """Measure each op and output of each backend that has it, by dtype and kind of input."""
    backends, rows = backends or contenders()[0], []
    for dtype in EXTREME:
        for kind in "ordinary", "extreme":
            for op in ops:
                given = inputs(op, dtype, kind == "extreme", N, np.random.default_rng(seed))
                truths = getattr(exact, op)(*without_mask(given))
                for name, backend in backends.items():
                    if not hasattr(backend, op):
                        continue
                    outputs = compute(backend, op, without_mask(given) if name in PEERS else given)
                    for output, truth, found in zip(
                        TABLE[op].outputs, truths, outputs, strict=True
                    ):
                        ulp = errors(found, *truth, dtype)
                        key = (op, output, name, np.dtype(dtype).name, kind)
                        rows.append(AccuracyRow(*key, float(ulp.max()), float(ulp.mean())))
    return rows


def contenders():
    """Find the CPU's backends and the peers: name → module, and name → reason of absent ones."""
    found = {name: backend for name, backend in kernels.available().items() if "cuda" not in name}
    for name, fix in PEERS.items():
        try:
            found[name] = import_module(f".speed.{name}_kernels", __package__)
        except ImportError:
            found[name] = f"absent; {fix}"
    absent = {name: reason for name, reason in found.items() if isinstance(reason, str)}
    return {name: found[name] for name in found if name not in absent}, absent


def inputs(op, dtype, extreme, N, rng):
    """Draw the arrays of an op; None for a mask."""
    lengths = {"K": 10, "M": 3, "N": N, "D": 8, "L": 1, "P": 300, "H": 200, "size": 200}
    lengths["K"] *= 100 if op == "importance_weights" else 1

    def normal(scale):
        return lambda shape: (scale * rng.standard_normal(shape)).astype(dtype)

    def wide(scale):
        if not extreme:
            return normal(scale)
        return lambda shape: rng.uniform(-EXTREME[dtype], EXTREME[dtype], shape).astype(dtype)

    def log_weights(shape):  # from nearly equal weights to one that is nearly 1
        scale = rng.choice([0.1, 1, 10] if not extreme else [100, 1000], N)
        return normal(scale)(shape) - dtype(90)

    laws = {"log_var": wide(1), "logits": wide(3), "a": wide(3), "log_w": log_weights}
    return arguments(op, lengths, rng, dtype, **laws)


def without_mask(arrays):
    """Leave out a mask, as the exact functions and the peers do."""
    return [array for array in arrays if array is not None]


def compute(backend, op, arrays):
    """Call the backend's function; a list of its outputs as NumPy arrays."""
    if torch := getattr(backend, "torch", None):
        arrays = [torch.from_numpy(array) for array in arrays]
    found = getattr(backend, op)(*arrays)
    return [np.asarray(a) for a in (found if isinstance(found, tuple) else (found,))]


def errors(found, value, size, dtype):
    """Compute |found − value| in ulp of size; NaN where found is; TypeError for another dtype."""
    limits = np.finfo(dtype)
    if found.dtype != dtype:
        raise TypeError(f"expected {np.dtype(dtype)}, found {found.dtype}")
    least = float(limits.tiny / limits.eps)

    def error(found, value, size):
        if size < least and abs(found) < least:
            return 0.0
        _, exponent = exact.digits.frexp(size)  # size = mantissa · 2^exponent, mantissa in [½, 1)
        return float(abs(found - value) / exact.digits.ldexp(1, exponent - limits.nmant - 1))

    with np.errstate(invalid="ignore"):  # NaN on its way into mpmath
        return np.frompyfunc(error, 3, 1)(exact.number(found), value, size).astype(float)


def print_accuracy(console, seed=0):
    """Print a table for each op with a column for each backend, and the absent backends."""
    present, absent = contenders()
    tables = list(accuracy_tables(accuracy_rows(seed, backends=present)))
    console.print(
        "Maximum (mean) error in ulp of the sum of the terms' magnitudes", highlight=False
    )
    for table in tables:
        table.show(console)
    for name, reason in absent.items():
        console.print(f"{name}: {reason}", highlight=False, markup=False)


def accuracy_tables(rows):
    """Make a report.Table for each op, narrow enough for a terminal of 80 columns."""
    names = list(dict.fromkeys(row.backend for row in rows))
    for op in dict.fromkeys(row.op for row in rows):
        cells = {}
        for row in (row for row in rows if row.op == op):
            line = cells.setdefault((row.output, row.dtype, row.inputs), dict.fromkeys(names, "-"))
            line[row.backend] = f"{row.max_ulp:.2f} ({row.mean_ulp:.2f})"
        body = [[*key, *line.values()] for key, line in sorted(cells.items())]
        yield Table(op, ["output", "dtype", "inputs", *names], body)
