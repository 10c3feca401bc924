"""Each kernel: time, bandwidth, and ratios to NumPy and PyTorch, float32, at three sizes."""

from dataclasses import dataclass

import numpy as np

from .. import kernels
from ..arrays import namespace
from ..kernels import reference
from ..report import Table
from .turns import nothing, take_turns

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
SCALES = {"small": 1 / 16, "stated": 1, "large": 4}
ON_GPU = 64  # times larger there, beyond its L2 cache


@dataclass(frozen=True)
class KernelRow:
    """One kernel at one size: median milliseconds of each contender, bytes that must move."""

    kernel: str
    size: dict
    bytes: int
    milliseconds: dict

    def gigabytes_per_second(self, contender="ours"):
        return self.bytes / self.milliseconds[contender] / 1e6


def bench_kernels(*, rounds=5, peers=True, threads=2, device="cpu", scales=SCALES):
    """(KernelRows, copy bandwidth in GB/s); contenders take turns."""
    rows, factor = [], ON_GPU if device == "cuda" else 1
    names = ["ours", "reference", *(("torch eager", "torch compile") if peers else ())]
    for kernel, dimensions in SIZES.items():
        first = next(iter(dimensions))
        for scale in scales.values():
            size = dimensions | {first: max(1, int(dimensions[first] * scale * factor))}
            measured = take_turns(
                make_kernel, [(n, kernel, size, threads, device) for n in names], rounds
            )
            times = {n: t for n, (t, _) in zip(names, measured, strict=True)}
            rows.append(KernelRow(kernel, size, traffic(kernel, size), times))
    ((copy, _),) = take_turns(make_copy, [(threads, device)], rounds)
    return rows, 2 * 4 * COPIED * factor / copy / 1e6


def inputs(kernel, size, rng):
    """The arguments of a kernel at a size, as NumPy float32 arrays."""

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
        log_alpha = np.full((M, N), -np.log(M), np.float32)
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
    """Bytes that must move: every input read once, every output written once."""
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
    """The contender's call, and the function that waits for its end."""
    xp = namespace(device)
    arguments = inputs(kernel, size, np.random.default_rng(0))
    if name.startswith("torch"):
        from . import torch_kernels

        return torch_kernels.make(kernel, arguments, name == "torch compile", threads, device)
    arguments = [a if a is None else xp.asarray(a) for a in arguments]
    backend = reference if name == "reference" else kernels.best(arguments[0])
    options = {"step": 3, "learning_rate": 1e-3} if kernel == "adam_step" else {}

    def run():
        getattr(backend, kernel)(*arguments, **options)

    return run, xp.cuda.Device().synchronize if device == "cuda" else nothing


COPIED = 16_000_000  # float32 numbers: 64 MB, twice


def make_copy(threads, device):
    """A plain copy by as many threads: the bandwidth that memory-bound code can reach."""
    from concurrent.futures import ThreadPoolExecutor

    xp = namespace(device)
    size = COPIED * (ON_GPU if device == "cuda" else 1)
    source, target = xp.ones(size, np.float32), xp.zeros(size, np.float32)
    if device == "cuda":
        return lambda: xp.copyto(target, source), xp.cuda.Device().synchronize
    pool = ThreadPoolExecutor(threads)
    pieces = list(
        zip(np.array_split(target, threads), np.array_split(source, threads), strict=True)
    )

    def run():
        list(pool.map(lambda piece: np.copyto(*piece), pieces))

    return run, nothing


def kernel_table(rows, copy):
    """A report.Table of the rows."""
    peers = [name for name in rows[0].milliseconds if name != "ours"]
    header = ["kernel", "size", "ours, ms", "GB/s", "of copy", *peers]
    cells = []
    for row in rows:
        size = " ".join(f"{name} {n}" for name, n in row.size.items())
        speed, ours = row.gigabytes_per_second(), row.milliseconds["ours"]
        ratios = [f"{row.milliseconds[p] / ours:.1f}×" for p in peers]
        numbers = [f"{ours:.3f}", f"{speed:.1f}", f"{100 * speed / copy:.0f}%"]
        cells.append([row.kernel, size, *numbers, *ratios])
    caption = f"Kernels, float32; × says how many times faster ours is; copy {copy:.1f} GB/s"
    return Table(caption, header, cells)
