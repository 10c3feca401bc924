"""Small launches of the CUDA kernels in Python under the access recorder, each by its name."""

import difflib

import numpy as np

from ._cuda_products import TILE
from ._gpu import Device
from .arguments import arguments
from .simulator import examples, examples_of_warps, record
from .table import TABLE
from .versions import EVERY, VERSIONS

SIZES = {
    "K": 3, "L": 2, "M": 3, "N": 20, "D": 20, "P": 50, "H": 40, "size": 1000,
    "rows": 20, "inner": 20, "columns": 48,
}  # fmt: skip
LARGER = {"importance_weights": {"K": 40}, "mixture_log_prob_vjp": {"K": 9}}
OPTIONS = {"adam_step": {"step": 1, "learning_rate": 1e-3}}
EXAMPLES = {  # the kernels of the lessons: blocks, threads, numbers, shapes of arrays
    "precision_kernel": (2, 32, 50, (50,), (50,)),
    "product_kernel": ((1, 3), (32, 8), (3, 20, 20), (3, 20, 20), (20, 20), (20, 20)),
    "shares_kernel": (4, 32, (20, 4), (20, 4)),
    "block_max_kernel": (4, 32, (50, 4), (4,)),
    "log_mean_exp_kernel": (4, 32, (50, 4), (4,)),
    "sample_kernel": (2, 64, (200,), (200,), (200,), (200,)),
    "transpose_kernel": ((1, 2), (32, 32), (40, 20), (20, 40)),
    "row_sum_kernel": (2, 64, (2, 140), (2,)),
    "distance_kernel": (2, 64, (2, 140), (2, 140), (2,)),
}
OPS = {f"{op}_{version}": op for op, versions in VERSIONS.items() for version in versions}
OPS |= {op: op for op in TABLE if op in EVERY}
NAMES = [*OPS, *EXAMPLES]


def kernel_of(name):
    """Find a kernel; the name of an op stands for its last version.  ValueError for another."""
    name = f"{name}_{VERSIONS[name][-1]}" if name in VERSIONS else name
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, 1, 0.5)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"--trace: expected one of {', '.join(NAMES)}, found {name!r}{meant}")
    found = EVERY | vars(examples) | vars(examples_of_warps)
    return name, found[name]


def launched(name, present=0.7, **sizes):
    """Return the Record of a launch on random float32 arrays.

    present: the share of True in a mask; sizes: axis → its length, in place of SIZES.
    """
    (name, kernel), rng = kernel_of(name), np.random.default_rng(0)
    if name in EXAMPLES:
        blocks, threads, *given = EXAMPLES[name]
        drawn = [rng.random(a, np.float32) if isinstance(a, tuple) else a for a in given]
        return record(kernel, blocks, threads, *drawn)
    op, seen = OPS[name], []
    sizes = SIZES | LARGER.get(op, {}) | sizes

    def launch(_, grid, block, *args, **options):
        seen.append(record(kernel, grid, block, *args))

    if op == "matmul":
        rows, inner, columns = lengths = [sizes[axis] for axis in ("rows", "inner", "columns")]
        shapes = (rows, inner), (inner, columns), (rows, columns)
        arrays = [rng.random(shape, np.float32) for shape in shapes]
        launch(op, (-(-columns // TILE), -(-rows // TILE)), (TILE, TILE), *lengths, *arrays)
    else:
        drawn = arguments(op, sizes, rng, mask=lambda shape: rng.random(shape) < present)
        device = Device("recorded", np, {op: kernel}, launch, np.matmul, panel=(8, 16))
        getattr(device.unchecked, op)(*drawn, **OPTIONS.get(op, {}))
    return seen[0]
