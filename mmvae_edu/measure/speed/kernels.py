"""Each kernel in float32 at three sizes: time, bandwidth, and ratios to NumPy and PyTorch."""

from functools import partial

import numpy as np

from ... import kernels
from ...kernels import reference
from ...kernels.memory import keep_pages
from ...report.page import Table
from ...support.devices import generator, namespace
from .tables import ratio, written
from .turns import kernel_milliseconds, time_all

# name → the dimensions of the acceptance figures; the smaller and larger sizes scale the first
SIZES = {
    "product_of_experts": {"N": 16384, "M": 5, "D": 64},
    "product_of_experts_vjp": {"N": 16384, "M": 5, "D": 64},
    "mixture_log_prob": {"N": 2048, "K": 8, "M": 5, "D": 64},
    "mixture_log_prob_vjp": {"N": 2048, "K": 8, "M": 5, "D": 64},
    "importance_weights": {"N": 1000, "K": 5000},
    "binomial_log_prob": {"N": 2000, "P": 784},
    "binomial_log_prob_value_and_grad": {"N": 2000, "P": 784},
    "bias_swish": {"N": 2000, "H": 512},
    "adam_step": {"size": 2_588_186},
}
SCALES = {
    "cpu": {"small": 1 / 16, "stated": 1, "large": 4},
    "cuda": {"small": 8, "stated": 32, "large": 64},  # beyond its L2 cache
}
EARLIER = {"product_of_experts": ("v1", "v2"), "importance_weights": ("v1", "v2")}  # in CUDA C


def bench_kernel(kernel, *, rounds=5, peers=True, threads=2, device="cpu", scales=None):
    """Time one kernel at each scale, from the smallest: rows of its size, bytes and turns.

    bytes must move at least; "copy" is np.copyto of as many, the limit that memory sets.  "v1" and
    "v2" are earlier versions of ours, on a GPU.
    """
    dimensions, first = SIZES[kernel], next(iter(SIZES[kernel]))
    names = ["ours", "copy", "reference", *(("torch eager", "torch compile") if peers else ())]
    names += EARLIER.get(kernel, ()) if device == "cuda" else ()
    sizes, cases = [], []
    for scale, times in (scales or SCALES[device]).items():
        size = dimensions | {first: max(1, int(dimensions[first] * times))}
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


def inputs(kernel, size, rng, xp=np):
    """Draw the arguments of a kernel at a size: float32 arrays of the library xp, by its rng."""

    def normal(*shape):
        return rng.standard_normal(shape, dtype=np.float32)

    N, K, M, D = (size.get(name, 0) for name in "NKMD")
    if kernel.startswith("product"):
        mu, log_var = normal(M, N, D), normal(M, N, D)
        if kernel == "product_of_experts":
            return mu, log_var, None
        mean, joint = reference.product_of_experts(mu, log_var)
        return normal(N, D), normal(N, D), mu, log_var, None, mean, joint
    if kernel.startswith("mixture"):
        z, mu, log_var = normal(K, N, D), normal(M, N, D), normal(M, N, D)
        log_alpha = xp.full((M, N), -float(np.log(M)), np.float32)
        if kernel == "mixture_log_prob":
            return z, mu, log_var, log_alpha
        _, r = reference.mixture_log_prob(z, mu, log_var, log_alpha)
        return normal(K, N), r, z, mu, log_var
    if kernel == "importance_weights":
        return (10 * normal(K, N),)
    if kernel.startswith("binomial"):
        x = rng.integers(0, 2, (N, size["P"])).astype(np.float32)
        return 3 * normal(N, size["P"]), x
    if kernel == "bias_swish":
        return normal(N, size["H"]), normal(size["H"])
    return tuple(np.abs(normal(size["size"])) for _ in range(4))


def traffic(kernel, size):
    """Count the bytes that must move: every input read once, every output written once."""
    arrays = {name: size.get(name, 1) for name in ("N", "K", "M", "D", "P", "H", "size")}
    N, K, M, D, P, H, S = arrays.values()
    numbers = {
        "product_of_experts": 2 * M * N * D + 2 * N * D,
        "product_of_experts_vjp": 4 * M * N * D + 4 * N * D,
        "mixture_log_prob": K * N * D + 2 * M * N * D + (M + 1) * K * N,
        "mixture_log_prob_vjp": 2 * K * N * D + 4 * M * N * D + (M + 1) * K * N,
        "importance_weights": 2 * K * N + N,
        "binomial_log_prob": 2 * N * P + N,
        "binomial_log_prob_value_and_grad": 3 * N * P + N,
        "bias_swish": 3 * N * H + H,
        "adam_step": 7 * S,
    }
    return 4 * numbers[kernel]


def make_kernel(name, kernel, size, threads, device):
    """Make the contender's call."""
    keep_pages()  # as in training; else large outputs would time the system's clearing of pages
    if name == "copy":
        return make_copy(traffic(kernel, size), threads, device)
    xp = namespace(device)
    arguments = inputs(kernel, size, generator(np.random.default_rng(0), xp), xp)
    if name.startswith("torch"):
        from . import torch_kernels

        sample = inputs(kernel, dict.fromkeys(size, 8), np.random.default_rng(1))
        torch_kernels.check(kernel, sample)
        return torch_kernels.make(kernel, arguments, name == "torch compile", threads)
    if name in EARLIER.get(kernel, ()):
        return earlier(f"{kernel}_{name}<{{real}}>", kernel, arguments)
    backend = reference if name == "reference" else kernels.best(arguments[0])
    options = {"step": 3, "learning_rate": 1e-3} if kernel == "adam_step" else {}
    return partial(getattr(backend, kernel), *arguments, **options)


def earlier(version, kernel, arguments):
    """Make our call with an earlier version of the kernel, which reads one number at a time."""
    from ...kernels import cuda_c

    def run():
        now, address = cuda_c.KERNELS[kernel], cuda_c.device.address
        cuda_c.KERNELS[kernel], cuda_c.device.address = version, None
        try:
            getattr(cuda_c, kernel)(*arguments)
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
