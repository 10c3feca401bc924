"""The GPU backends: how threads and blocks are laid over the axes of a kernel's arrays.

Nothing here waits for the GPU or copies to the host.
"""

import re
from functools import partial

from . import reference
from ._functions import functions
from .table import TABLE

BLOCKS = 65_535  # a side of the grid: every kernel strides over what is left
UNTRIED = {  # kernels that have not run on a GPU: the version before stays in use, or `reference`
    "cuda_c": {
        "product_of_experts_v4", "importance_weights_v4", "binomial_log_prob_v2",
        "bias_activation_vjp", "adam_step_v2",
    },
    "numba_cuda": {"importance_weights_v3", "bias_activation_vjp"},
}  # fmt: skip
GRIDS = {"importance_weights_v4": "packed_panels", "adam_step_v2": "packs"}  # not the table's
PANEL = (16, 64)  # of `cuda_c`, for importance weights; see Device


class Device:
    """The functions of a GPU backend over arrays of the library `xp`: `checked` and `unchecked`.

    launch(op, grid, block, *args, lanes=) runs the kernel of that name.  A block has `threads`
    threads, at most `width` of them along the contiguous axis, or `width` by up to `tall` where a
    column is shared; a grid has at most `blocks` blocks a side.  `address(array)` is a pointer; it
    is None where kernels take one number at a time.  Of importance weights a block has a `panel` of
    so many columns, each shared by so many threads, where K is large, and as many blocks are at
    work as leave their panels in the `cache` of so many bytes, but one for each of the `cores`:
    chip() gives both numbers, of the current device.
    """

    def __init__(
        self, name, xp, kernels, launch, matmul, address=None, threads=256, width=32, tall=16,
        blocks=BLOCKS, panel=None, chip=lambda: (BLOCKS, 0),
    ):  # fmt: skip
        self.name, self.xp, self.launch, self.address = name, xp, launch, address
        self.kernels = kernels
        self.threads, self.width, self.tall, self.blocks = threads, width, tall, blocks
        self.panel, self.chip = panel or (width, tall), chip
        own = {name: getattr(reference, name) for name in TABLE if name not in kernels}
        own["matmul"] = matmul
        launchers = {name: partial(self._run, TABLE[name]) for name in kernels}
        convert = f"{xp.__name__}.asarray"
        self.checked, self.unchecked = functions(name, xp, convert, launchers, own)

    cores = property(lambda self: self.chip()[0])
    cache = property(lambda self: self.chip()[1])

    def _run(self, kernel, lengths, arguments):
        arrays = arguments[-len(kernel.inputs) - len(kernel.outputs) :]
        dtype = arrays[0].dtype
        if any(array.dtype not in (dtype, bool) for array in arrays):  # it would read other numbers
            found = ", ".join(str(array.dtype) for array in arrays)
            raise TypeError(f"{kernel.name}: expected arrays of one dtype, found {found}")
        lanes = self._lanes(kernel, lengths, arrays)
        version = self.kernels[kernel.name]
        version = getattr(version, "__name__", version).partition("<")[0]
        grid, block = self.layout(kernel, version, lengths, lanes, dtype.itemsize)
        if all(grid):  # an empty array needs no threads
            self.launch(kernel.name, grid, block, *lengths, *arguments, lanes=lanes)

    def _lanes(self, kernel, lengths, arrays):
        """Return how many numbers 16 bytes hold, or 1 if a row does not consist of aligned ones."""
        last, lanes = list(kernel.sizes)[-1], 16 // arrays[0].dtype.itemsize
        inputs = zip(kernel.arrays, arrays, strict=False)
        rows = [array for name, array in inputs if kernel.inputs[name][-1] == last]
        aligned = self.address and not any(self.address(array) % 16 for array in rows)
        return lanes if aligned and lengths[-1] % lanes == 0 else 1

    def layout(self, kernel, version, lengths, lanes, itemsize):
        """Return the grid and the block of a version of a kernel for these lengths of its axes."""
        return getattr(self, GRIDS.get(version, kernel.grid))(*lengths, lanes, itemsize)

    # ---- grids: the lengths of a kernel's axes, lanes and bytes of a number → (grid, block) ----

    def rows(self, *sizes):
        """Lay threads along the last axis, the others of a block over the one before."""
        *_, N, D, lanes, _ = sizes
        return self._rows(N, D // lanes)

    def samples(self, K, M, N, D, lanes, itemsize):
        """Let rows of threads add up; the grid's second side is over K, by 8 samples."""
        (blocks,), block = self._rows(N, D // lanes, least=8)
        return (blocks, self._side(-(-K // 8), blocks)), block

    def scores(self, L, N, P, lanes, itemsize):
        """Let rows of threads add up; the grid's second side is over L."""
        (blocks,), block = self._rows(N, P // lanes, least=8)
        return (blocks, self._side(L, blocks)), block

    def sums(self, K, M, N, D, lanes, itemsize):
        """Lay threads along N D; if K is large several share a dimension's sum over samples."""
        shared = _power_of_2(-(-K // 8), most=self.tall)
        return (self._blocks(N * D // lanes, self.width),), (self.width, shared)

    def panels(self, K, N, lanes, itemsize):
        """Lay threads along N; if K is large several share a column."""
        return self._panels(K, N, itemsize, *self.panel)

    def packed_panels(self, K, N, lanes, itemsize):
        """Lay half as many threads over panels as wide, each along as many columns as lanes."""
        columns, most = self.panel
        return self._panels(K, N // lanes, lanes * itemsize, columns // lanes, lanes * most // 2)

    def _panels(self, K, N, itemsize, columns, most):
        shared = _power_of_2(-(-K // 8), most)
        width = min(self.width, columns * most // shared)
        at_work = max(self.cores, self.cache // (K * width * itemsize))
        at_work = at_work // self.cores * self.cores  # or the last ones would run almost alone
        return (min(self._blocks(N, width), at_work),), (width, shared)

    def columns(self, N, H, lanes, itemsize):
        """Lay threads along H, the others of a block along N; narrow blocks if H is short."""
        width = max(4, _power_of_2(H // lanes // self.chip()[0], most=self.width))
        shared = _power_of_2(N, most=self.panel[0] * self.panel[1] // width)
        return (self._blocks(H // lanes, width),), (width, shared)

    def elements(self, size, lanes, itemsize):
        """Lay threads along the only axis."""
        return (self._blocks(size, lanes * self.threads),), (self.threads, 1)

    def packs(self, size, lanes, itemsize):
        """Lay threads along the only axis, each over 16 bytes of it."""
        return self.elements(size, 16 // itemsize, itemsize)

    def _rows(self, N, D, least=1):
        across = max(_power_of_2(D, most=self.width), least)
        rows = self.threads // across
        return (self._blocks(N, rows),), (across, rows)

    def _side(self, work, blocks):
        """Share work out over the grid's second side where the first leaves cores idle.

        A block that takes all of it may find in its first-level cache what it has read before.
        """
        return self._blocks(work, max(1, work * blocks // (8 * self.chip()[0])))

    def _blocks(self, work, each):
        return min(-(-work // each), self.blocks)


def last_versions(found, untried):
    """Choose for each op its last version f_v1, f_v2, … that is tried; found: name → kernel."""
    kernels = {}
    for op in TABLE:
        versions = [name for name in found if re.fullmatch(rf"{op}(_v\d+)?", name)]
        versions = [name for name in versions if name not in untried]
        if versions:
            kernels[op] = found[max(versions, key=lambda name: (len(name), name))]
    return kernels


def _power_of_2(size, most):
    """Return the least power of 2 that is not below `size`, but at most `most`."""
    return min(1 << max(size - 1, 0).bit_length(), most)
