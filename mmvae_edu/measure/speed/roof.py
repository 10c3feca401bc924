"""The roofline of this machine, and each kernel under it (Williams, Waterman, Patterson, 2009).

    operations a second ≤ min(the rate of a matrix product, operations a byte · bytes a second)

Bytes are those that must move.  Their rate is the highest in the run, of an update in place or of a
kernel: a copy is slower, since a processor reads what it is to overwrite.  Operations are those of
the formula in `reference`, an exp as one, so that arithmetic may bound a kernel where the roof is
memory's.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ...kernels import inner, reference
from ...kernels.table import TABLE
from ...report.page import Table
from ...support.devices import namespace
from .kernels import SCALES, inputs, make_kernel, traffic
from .tables import written
from .turns import kernel_milliseconds, time_all

UPDATED = {"cpu": 1 << 28, "cuda": 1 << 31}  # bytes, in no cache
SIDE = {"cpu": 2048, "cuda": 8192}  # of the square matrices of the product


class Counted(NDArrayOperatorsMixin):
    """An array that counts the arithmetic done with it: an exp is one operation, as a sum is."""

    operations = 0

    def __init__(self, array):
        self.array = array

    def __getattr__(self, name):  # shape, ndim, dtype
        return getattr(self.array, name)

    def __len__(self):
        return len(self.array)

    def __getitem__(self, index):
        return Counted(self.array[index])

    def sum(self, axis, **options):
        return np.add.reduce(self, axis=axis, **options)

    def max(self, axis, **options):
        return np.maximum.reduce(self, axis=axis, **options)

    @property
    def real(self):
        return self

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **options):
        given, out = plain(inputs), plain(out) or None
        result = getattr(ufunc, method)(*given, out=out, **options)
        if result.dtype != bool:
            Counted.operations += np.size(given[0] if method == "reduce" else result)
        return Counted(result)

    def __array_function__(self, function, types, args, options):
        return Counted(function(*plain(args), **options))


def plain(values):
    """Replace each Counted in a tuple or list, and in those within, by its array."""
    within = [plain(v) if isinstance(v, tuple | list) else getattr(v, "array", v) for v in values]
    return type(values)(within)


def intensity(kernel):
    """Count the operations of a kernel's formula for each byte that must move, in float32."""
    size = TABLE[kernel].sizes | {TABLE[kernel].examples[-1]: 64}
    arrays = inputs(kernel, size, np.random.default_rng(0))
    options = {"step": 3, "learning_rate": 1e-3} if kernel == "adam_step" else {}
    Counted.operations = 0
    getattr(reference, kernel)(*(a if a is None else Counted(a) for a in arrays), **options)
    return Counted.operations / traffic(kernel, size)


def bench_roof(*, rounds=5, threads=2, device="cpu", scale=None):
    """Time an update in place, a matrix product and each kernel: bytes, operations and Turns.

    scale: how many times its stated size each kernel has; by default the benchmark's largest.
    """
    scale, case, moved, operations = scale or SCALES[device]["large"], {}, {}, {}
    for kernel, row in TABLE.items():
        axis = row.examples[-1]
        size = row.sizes | {axis: int(row.sizes[axis] * scale)}
        case[kernel] = kernel, size, threads, device
        moved[kernel] = traffic(kernel, size)
        operations[kernel] = round(moved[kernel] * intensity(kernel))
    updated, side = UPDATED[device], SIDE[device]
    case |= {"update": ("update", updated // 8, threads, device)}
    case |= {"product": ("product", side, threads, device)}
    moved |= {"update": updated, "product": 3 * 4 * side**2}
    operations |= {"update": 0, "product": 2 * side**3}
    options = {"threads": threads, "device": device, "gpu_clock": kernel_milliseconds}
    (turns,) = time_all(make, [case], rounds, **options)
    return {"bytes": moved, "operations": operations, "turns": turns}


def make(name, size, threads, device):
    """Make the contender's call; size: numbers, the side of a matrix, or a kernel's lengths."""
    if name == "update":
        return make_update(size, threads, device)
    if name == "product":
        a, b, out = namespace(device).ones((3, size, size), np.float32)
        return partial(inner(a).matmul, a, b, out=out)
    return make_kernel("ours", name, size, threads, device)


def make_update(size, threads, device):
    """Make a call that reads so many numbers and writes them where they were."""
    xp = namespace(device)
    array = xp.ones(size, np.float32)
    if device == "cuda":
        return partial(xp.multiply, array, 1, out=array)
    pool, pieces = ThreadPoolExecutor(threads), np.array_split(array, threads)

    def run():
        list(pool.map(lambda piece: np.multiply(piece, 1, out=piece), pieces))

    return run


def roof_table(bytes, operations, turns):
    """Make a report.Table of what bounds each kernel, and how much of that it reaches."""
    seconds = {name: t.milliseconds / 1000 for name, t in turns.items()}
    bandwidth = np.nanmax([bytes[name] / seconds[name] for name in bytes])  # NaN: it failed
    peak = operations["product"] / seconds["product"]
    cells = []
    for name, n in operations.items():
        roof = min(peak, n / bytes[name] * bandwidth)
        rate = n / seconds[name]
        reached = written(100 * rate / roof, ".0f", "%") if n else "-"
        moved = written(bytes[name] / seconds[name] / 1e9, ".1f")
        cells.append([name, f"{n / bytes[name]:.2f}", moved, written(rate / 1e9, ".1f"), reached])
    ridge = written(peak / bandwidth, ".1f")
    title = f"The roof: memory sets it for what does fewer than {ridge} operations a byte"
    header = ["", "operations\na byte", "GB/s", "10⁹ operations\na second", "of its roof"]
    return Table(title, header, cells)
