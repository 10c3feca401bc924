"""Benchmarks: kernels and training steps beside their peers, the roofline, a step's growing cost.

Medians of interleaved runs, one process a contender, on a GPU one for all; see `turns`.
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

from ...kernels.table import TABLE
from ...support import files
from ...support.devices import namespace

PARTS = ("kernels", "roof", "steps", "growth")


def bench(console, *, device="cpu", parts=PARTS, threads=2, out=None):
    """Run the parts, print each table as it is there, and write all as JSON to `out` if given."""
    from .epoch import bench_epoch, epoch_table
    from .evaluation import bench_evaluation, evaluation_table
    from .growth import bench_growth, growth_table
    from .kernels import bench_kernel, kernel_table
    from .roof import bench_roof, roof_table
    from .steps import CASES, bench_step, step_table

    namespace(device)  # raises now if there is no such device
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
        for kernel in TABLE:
            rows = bench_kernel(kernel, **options)
            results["kernels"] += show(console, kernel_table(rows), rows)
    if "roof" in parts:
        row = results["roof"] = bench_roof(threads=threads, device=device)
        show(console, roof_table(**row), [row], "roof")
    if "steps" in parts:
        for case in CASES:
            row = bench_step(*case, **options)
            results["steps"] += show(console, step_table(**row), [row], "step")
        if device == "cpu":
            row = results["epoch"] = bench_epoch(peers=peers, threads=threads)
            show(console, epoch_table(**row), [row], "epoch")
        row = results["evaluation"] = bench_evaluation(threads=threads, device=device)
        show(console, evaluation_table(**row), [row], "evaluation")
    if "growth" in parts:
        rows = bench_growth(threads=threads, device=device)
        results["growth"] += show(console, growth_table(rows), rows)
    console.print(f"\n{time.monotonic() - start:.0f} s", highlight=False)
    if out is not None:
        files.write_text(out, json.dumps(results, indent=1, default=without_nan) + "\n")
        console.print(f"written: {out}", highlight=False)


def show(console, table, rows, what=None):
    """Print the table of these rows, and why contenders have no times; returns the rows."""
    table.show(console)
    for row in rows:
        for name, turns in row["turns"].items():
            if turns.problem is not None:
                words = f"{what or row['size']}, {name}: {turns.problem}"
                console.print(words, highlight=False)
    return rows


def without_nan(turns):
    """Convert Turns for JSON: None for NaN, the time of a contender that failed."""
    return {key: None if value != value else value for key, value in asdict(turns).items()}


def environment(device, threads):
    """List what a measurement depends on: date, machine, versions, threads, command."""
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
    """Name the processor or the GPU."""
    if device == "cuda":
        return namespace(device).cuda.runtime.getDeviceProperties(0)["name"].decode()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
