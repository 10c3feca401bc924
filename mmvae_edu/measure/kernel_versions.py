"""The versions of the CUDA kernels in Python, side by side: the idea of each, and its costs."""

from typing import NamedTuple

import numpy as np

from ..kernels.simulator import record
from ..kernels.simulator.costs import total
from ..kernels.versions import EVERY, VERSIONS
from ..report.page import Table

COLUMNS = "warps", "accesses", "lanes", "sectors", "used", "passes", "barriers", "shuffles"
LEGEND = (
    "\nOf a small launch in float32, counted without a GPU: warps at work, their accesses to the "
    "arguments and to shared memory, the lanes at work in these, of 32; the 32-byte sectors of the "
    "arguments that they touch, and the share of these bytes that is used; the passes of shared "
    "memory; the times that a warp waits for its block, and that its lanes exchange values."
)


class Counts(NamedTuple):
    """The counts of a version's small launch: integers, but for `lanes` and `used`, two means."""

    version: str
    idea: str
    warps: int
    accesses: int
    lanes: float
    sectors: int
    used: float
    passes: int
    barriers: int
    shuffles: int


def counts(op):
    """List the Counts of each version of an op, in order."""
    return [_counts(op, version) for version in VERSIONS[op]]


def small_launch(op, version):
    """Return blocks, threads and arguments of a launch in float32, in which no expert is absent."""
    if op == "product_of_experts":
        M, N, D = 2, 32, 32
        experts, joint = np.zeros((2, M, N, D), np.float32), np.zeros((2, N, D), np.float32)
        return 1, (32, 8), (M, N, D, *experts, np.ones((M, N), bool), *joint)
    if op == "importance_weights":
        K, N = 128, 32
        blocks, threads = (1, 32) if version.startswith("v1") else (4, (8, 16))
        log_w, weights, bound = *np.zeros((2, K, N), np.float32), np.zeros(N, np.float32)
        return blocks, threads, (K, N, np.log(np.float32(K)), log_w, bound, weights)
    return (2, 2), (16, 16), (32, 32, 32, *np.zeros((3, 32, 32), np.float32))


def _counts(op, version):
    kernel, (blocks, threads, arguments) = EVERY[f"{op}_{version}"], small_launch(op, version)
    seen = record(kernel, blocks, threads, *arguments)
    local = {a.memory.name for a in seen.accesses if a.memory.role == "local"}  # in registers
    cost = total(cost for cost in seen.costs if cost.memory not in local)
    waits = [cost.accesses for cost in seen.meetings if cost.kind == "syncthreads"]
    exchanges = [cost.accesses for cost in seen.meetings if cost.kind.startswith("shfl")]
    return Counts(
        version, kernel.__doc__.partition("\n")[0],
        int(np.prod(blocks) * np.prod(threads)) // 32, cost.accesses, cost.lanes,
        cost.sectors, cost.used, cost.passes, sum(waits), sum(exchanges),
    )  # fmt: skip


def print_versions(console):
    """Print a table for each op, with a line for each version, and below it their ideas."""
    for op in VERSIONS:
        found, rows = counts(op), []
        for row in found:
            numbers = row._replace(lanes=f"{row.lanes:.1f}", used=f"{row.used:.0%}")[2:]
            rows.append([row.version, *map(str, numbers)])
        Table(op, ["", *COLUMNS], rows).show(console)
        for row in found:
            console.print(f"{row.version}: {row.idea}", highlight=False)
    console.print(LEGEND, highlight=False)
