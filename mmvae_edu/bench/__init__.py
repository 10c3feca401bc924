"""`mmvae-edu bench`: kernels and training steps beside their peers, and how the cost grows.

Medians of runs by turns, one process a contender; see `turns`.  The peers come with the `bench`
extra; without it their columns are absent.
"""

import json
import os
import platform
import sys
from dataclasses import asdict
from datetime import datetime
from importlib import metadata, util
from pathlib import Path

from ..arrays import namespace

PARTS = ("kernels", "steps", "growth")


def bench(console, *, device="cpu", parts=PARTS, threads=2, out=None):
    """Run the parts, print their tables, and write everything as JSON to `out` if given."""
    from .growth import bench_growth, growth_table
    from .kernels import bench_kernels, kernel_table
    from .steps import bench_steps, step_table

    namespace(device)  # a sentence now if there is no such device
    peers = util.find_spec("torch") is not None
    found = environment(device, threads)
    console.print(", ".join(f"{key} {value}" for key, value in found.items()), highlight=False)
    if not peers:
        console.print("PyTorch is absent, and so are its columns: pip install 'mmvae_edu[bench]'")
    options = {"peers": peers, "threads": threads, "device": device}
    results = {"environment": found}
    if "kernels" in parts:
        rows, copy = bench_kernels(**options)
        kernel_table(rows, copy).show(console)
        results |= {"copy_gb_per_s": copy, "kernels": [asdict(row) for row in rows]}
    if "steps" in parts:
        rows = bench_steps(**options)
        step_table(rows).show(console)
        results["steps"] = [asdict(row) for row in rows]
    if "growth" in parts:
        rows = bench_growth(threads=threads, device=device)
        growth_table(rows).show(console)
        results["growth"] = [asdict(row) for row in rows]
    if out is not None:
        path = Path(out)
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        console.print(f"\nwritten: {path}", highlight=False)


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
