"""Small launches of the library's kernels, each line beside what it costs."""

import difflib

import numpy as np

from .._gpu import Device
from ..arguments import arguments
from ..table import TABLE
from ..versions import EVERY, VERSIONS
from . import examples
from .launch import record
from .text import called, numbered

SIZES = {"K": 3, "L": 2, "M": 3, "N": 20, "D": 20, "P": 50, "H": 40, "size": 1000}
LARGER = {"importance_weights": {"K": 40}, "mixture_log_prob_vjp": {"K": 9}}
OPTIONS = {"adam_step": {"step": 1, "learning_rate": 1e-3}}
PRODUCT = (3, 2), (16, 16), 20, 20, 48, (20, 20), (20, 48), (20, 48)
OTHERS = {  # kernels without a grid in the table: blocks, threads, numbers, shapes of arrays
    "bias_activation_vjp": (2, (32, 8), 20, 40, (20, 40), (20, 40), (20, 40), (40,)),
    "matmul_naive": PRODUCT,
    "matmul_tiled": PRODUCT,
    "precision_kernel": (2, 32, 50, (50,), (50,)),
    "product_kernel": ((1, 3), (32, 8), (3, 20, 20), (3, 20, 20), (20, 20), (20, 20)),
    "shares_kernel": (4, 32, (20, 4), (20, 4)),
    "block_max_kernel": (4, 32, (50, 4), (4,)),
    "log_mean_exp_kernel": (4, 32, (50, 4), (4,)),
}
OPS = {f"{op}_{version}": op for op, versions in VERSIONS.items() for version in versions}
OPS |= {op: op for op in TABLE if op in EVERY}
NAMES = [*OPS | OTHERS]


def trace(name):
    """Record a small launch of a kernel; returns the Record, and its functions line by line.

    Each function by name is a list: (number of the line, text, list of Costs).  The name of an op
    stands for its last version.  ValueError for another name.
    """
    name = f"{name}_{VERSIONS[name][-1]}" if name in VERSIONS else name
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, 1, 0.5)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"--trace: expected one of {', '.join(NAMES)}, found {name!r}{meant}")
    kernel = EVERY.get(name) or getattr(examples, name)
    seen = _launched(name, kernel)
    return seen, {each.__name__: _lines(each, seen) for each in called(kernel)}


def _launched(name, kernel):
    """Return the Record of a launch on random float32 arrays."""
    rng, seen = np.random.default_rng(0), []
    if name in OTHERS:
        blocks, threads, *given = OTHERS[name]
        drawn = [rng.random(a, np.float32) if isinstance(a, tuple) else a for a in given]
        return record(kernel, blocks, threads, *drawn)

    def launch(op, grid, block, *args, **_):
        seen.append(record(kernel, grid, block, *args))

    op = OPS[name]
    sizes = SIZES | LARGER.get(op, {})
    drawn = arguments(op, sizes, rng, mask=lambda shape: rng.random(shape) < 0.7)
    device = Device("recorded", np, {op: kernel}, launch, np.matmul, panel=(8, 8))
    getattr(device.unchecked, op)(*drawn, **OPTIONS.get(op, {}))
    return seen[0]


def _lines(function, seen):
    text, first = numbered(function)
    costs = [c for c in seen.costs + seen.meetings if c.line.function == function.__name__]
    return [
        (number, line, [cost for cost in costs if cost.line.number == number])
        for number, line in enumerate(text.splitlines(), first)
    ]
