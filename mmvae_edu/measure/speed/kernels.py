"""Each kernel in float32 at three sizes: time, bandwidth, and ratios to NumPy and PyTorch."""

from functools import partial
from math import prod

import numpy as np

from ... import kernels
from ...kernels import reference
from ...kernels._cuda_source import source, templates
from ...kernels.arguments import arguments
from ...kernels.memory import keep_pages
from ...kernels.table import TABLE
from ...report.page import Table
from ...support.devices import generator, namespace
from .tables import ratio, written
from .turns import kernel_milliseconds, time_all

SCALES = {
    "cpu": {"small": 1 / 16, "stated": 1, "large": 4},
    "cuda": {"small": 8, "stated": 32, "large": 64},  # beyond its L2 cache
}
OTHERS = {  # versions in CUDA C that are not in use: earlier ones, and those to be tried on a GPU
    "product_of_experts": ("v1", "v2", "v4"),
    "importance_weights": ("v1", "v2", "v4"),
    "binomial_log_prob": ("v2",),
    "adam_step": ("v2",),
}


def bench_kernel(kernel, *, rounds=5, peers=True, threads=2, device="cpu", scales=None):
    """Time one kernel at each scale, from the smallest: rows of its size, bytes and turns.

    Ours and PyTorch's compiled code write to outputs made beforehand, the others make new ones.
    bytes must move at least; "copy" is np.copyto of as many, the limit that memory sets.  "v1",
    "v2" and so on are other versions of ours, on a GPU.
    """
    stated, scaled = TABLE[kernel].sizes, TABLE[kernel].examples[-1]
    names = ["ours", "copy", "reference", *(("torch eager", "torch compile") if peers else ())]
    names += OTHERS.get(kernel, ()) if device == "cuda" else ()
    sizes, cases = [], []
    for scale, times in (scales or SCALES[device]).items():
        size = stated | {scaled: max(1, int(stated[scaled] * times))}
        sizes.append(size)
        cases.append(
            {
                name: (name, kernel, size, threads, device)
                for name in names
                if name != "torch compile" or scale == "stated"  # compiling takes long
            }
        )
    options = {"threads": threads, "device": device, "gpu_clock": kernel_milliseconds}
    found = time_all(make_kernel, cases, rounds, **options)
    return [
        {"kernel": kernel, "size": size, "bytes": traffic(kernel, size), "turns": turns}
        for size, turns in zip(sizes, found, strict=True)
    ]


def inputs(kernel, size, rng):
    """Draw the float32 arrays of a kernel at a size, of the library whose generator rng is."""

    def normal(scale):
        return lambda shape: scale * rng.standard_normal(shape, dtype=np.float32)

    return arguments(kernel, size, rng, logits=normal(3), log_w=normal(10))


def traffic(kernel, size):
    """Count the bytes that must move: every input read once, every output written once."""
    row = TABLE[kernel]
    shapes = [axes for name, axes in row.inputs.items() if name != "mask"]
    shapes += [*row.outputs.values(), *(row.inputs[name] for name in row.in_place)]
    return 4 * sum(prod(size[axis] for axis in axes) for axes in shapes)


def make_kernel(name, kernel, size, threads, device):
    """Make the contender's call."""
    keep_pages()  # as in training; else large outputs would time the system's clearing of pages
    if name == "copy":
        return make_copy(traffic(kernel, size), threads, device)
    arrays = inputs(kernel, size, generator(np.random.default_rng(0), namespace(device)))
    if name.startswith("torch"):
        from . import torch_kernels

        sample = inputs(kernel, dict.fromkeys(size, 8), np.random.default_rng(1))
        torch_kernels.check(kernel, sample)
        return torch_kernels.make(kernel, arrays, name == "torch compile", threads)
    options = {"step": 3, "learning_rate": 1e-3} if kernel == "adam_step" else {}
    if name in OTHERS.get(kernel, ()):
        return other_version(f"{kernel}_{name}", kernel, arrays, **options)
    if name == "reference":
        return partial(getattr(reference, kernel), *arrays, **options)
    call = partial(getattr(kernels.inner(arrays[0]), kernel), *arrays, **options)
    return to_outputs(kernel, call)


def to_outputs(kernel, call):
    """Let a call of a kernel write to the outputs of a first one."""
    return partial(call, out=call()) if TABLE[kernel].outputs else call


def other_version(name, kernel, arrays, **options):
    """Make our call with another version of the kernel."""
    from ...kernels import cuda_c

    version = templates(source(kernel))[name]
    call = to_outputs(kernel, partial(getattr(cuda_c, kernel), *arrays, **options))

    def run():
        now, address = cuda_c.KERNELS[kernel], cuda_c.device.address
        wide = "{lanes}" in version  # or it reads one number at a time
        cuda_c.KERNELS[kernel], cuda_c.device.address = version, address if wide else None
        try:
            call()
        finally:  # or a version that fails would be timed as ours
            cuda_c.KERNELS[kernel], cuda_c.device.address = now, address

    return run


def make_copy(moved, threads, device):
    """Make a plain copy that moves so many bytes, half in and half out, by so many threads."""
    from concurrent.futures import ThreadPoolExecutor

    xp = namespace(device)
    source, target = xp.ones(moved // 8, np.float32), xp.zeros(moved // 8, np.float32)
    if device == "cuda":
        return partial(xp.copyto, target, source)
    pool = ThreadPoolExecutor(threads)
    pieces = list(
        zip(np.array_split(target, threads), np.array_split(source, threads), strict=True)
    )

    def run():
        list(pool.map(lambda piece: np.copyto(*piece), pieces))

    return run


def kernel_table(rows):
    """Make a report.Table of one kernel's rows."""
    names = dict.fromkeys(name for row in rows for name in row["turns"])
    peers = [name for name in names if name not in ("ours", "copy")]
    cells = []
    for row in rows:
        turns, size = row["turns"], " ".join(f"{name} {n}" for name, n in row["size"].items())
        ours = turns["ours"].milliseconds
        times = [written(ratio(turns, p), ".1f", "×") if p in turns else "-" for p in peers]
        numbers = [written(ours, ".3f"), written(row["bytes"] / ours / 1e6, ".1f")]
        of_copy = written(100 * ratio(turns, "copy"), ".0f", "%")
        cells.append([size, *numbers, of_copy, *times])
    header = ["size", "ours, ms", "GB/s", "of copy", *(name.replace(" ", "\n") for name in peers)]
    return Table(rows[0]["kernel"], header, cells)
