"""`mmvae-edu bench`: kernels and training steps beside their peers, and how the cost grows.

Medians of runs by turns, one process a contender, on a GPU one for all; see `turns` and `on_gpu`.
The peers come with the `bench` extra; without it their columns are absent.
"""

import json
import os
import platform
import sys
import time
from dataclasses import asdict
from datetime import datetime
from importlib import metadata, util
from pathlib import Path

from ...support import files as storage
from ...support.devices import namespace
from .turns import show_problems

PARTS = ("kernels", "steps", "growth")


def bench(console, *, device="cpu", parts=PARTS, threads=2, out=None):
    """Run the parts, print each table as it is there, and write all as JSON to `out` if given."""
    from .epoch import bench_epoch, epoch_table
    from .evaluation import bench_evaluation, evaluation_table
    from .growth import bench_growth, growth_table
    from .kernels import SIZES, bench_kernel, kernel_table
    from .steps import CASES, bench_step, step_table

    namespace(device)  # a sentence now if there is no such device
    start = time.monotonic()
    peers = util.find_spec("torch") is not None
    found = environment(device, threads)
    console.print(", ".join(f"{key} {value}" for key, value in found.items()), highlight=False)
    if not peers:
        console.print("PyTorch is absent, and so are its columns: pip install 'mmvae_edu[bench]'")
    options = {"peers": peers, "threads": threads, "device": device}
    results = {"environment": found} | {part: [] for part in parts}
    if "kernels" in parts:
        console.print("\nKernels, float32; × says how many times faster ours is", highlight=False)
        for kernel in SIZES:
            rows = bench_kernel(kernel, **options)
            kernel_table(rows).show(console)
            for row in rows:
                show_problems(console, row.size, row.turns)
            results["kernels"] += [asdict(row, dict_factory=without_nan) for row in rows]
    if "steps" in parts:
        for case in CASES:
            row = bench_step(*case, **options)
            step_table(row).show(console)
            show_problems(console, "step", row.turns)
            results["steps"].append(asdict(row, dict_factory=without_nan))
        if device == "cpu":
            row = bench_epoch(peers=peers, threads=threads)
            epoch_table(row).show(console)
            show_problems(console, "epoch", row.turns)
            results["epoch"] = asdict(row, dict_factory=without_nan)
        row = bench_evaluation(threads=threads, device=device)
        evaluation_table(row).show(console)
        show_problems(console, "evaluation", row.turns)
        results["evaluation"] = asdict(row, dict_factory=without_nan)
    if "growth" in parts:
        rows = bench_growth(threads=threads, device=device)
        growth_table(rows).show(console)
        for row in rows:
            show_problems(console, row.size, row.turns)
            results["growth"].append(asdict(row, dict_factory=without_nan))
    console.print(f"\n{time.monotonic() - start:.0f} s", highlight=False)
    if out is not None:
        storage.write_text(out, json.dumps(results, indent=1) + "\n")
        console.print(f"written: {out}", highlight=False)


def without_nan(pairs):
    """A dict that JSON can hold: None for NaN, the time of a contender that failed."""
    return {key: None if value != value else value for key, value in pairs}


def environment(device, threads):
    """What a measurement depends on: date, machine, versions, threads, command."""
    versions = {}
    for package in "numpy", "numba", "torch", "cupy-cuda12x", "cupy-cuda13x":
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "date": datetime.now().isoformat(timespec="seconds"),
        "device": device_name(device),
        "cores": os.cpu_count(),
        "threads": threads,
        "python": platform.python_version(),
        **versions,
        "command": " ".join(["mmvae-edu", *sys.argv[1:]]),
    }


def device_name(device):
    """The processor's or the GPU's name."""
    if device == "cuda":
        return namespace(device).cuda.runtime.getDeviceProperties(0)["name"].decode()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
