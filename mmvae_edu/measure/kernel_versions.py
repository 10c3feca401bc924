"""The versions of the CUDA kernels in Python, side by side: the idea of each, and its costs."""

from typing import NamedTuple

from ..kernels.launches import kernel_of, launched
from ..kernels.simulator.costs import total
from ..kernels.versions import VERSIONS
from ..report.page import Table

SIZES = {"K": 128, "M": 2, "N": 32, "D": 32, "rows": 32, "inner": 32, "columns": 32}
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


def _counts(op, version):
    (_, kernel), seen = kernel_of(f"{op}_{version}"), launched(f"{op}_{version}", 1, **SIZES)
    warps = {(access.block, seen.number(access.thread) // 32) for access in seen.accesses}
    local = {a.memory.name for a in seen.accesses if a.memory.role == "local"}  # in registers
    cost = total(cost for cost in seen.costs if cost.memory not in local)
    waits = [cost.accesses for cost in seen.meetings if cost.kind == "syncthreads"]
    exchanges = [cost.accesses for cost in seen.meetings if cost.kind.startswith("shfl")]
    return Counts(
        version, kernel.__doc__.partition("\n")[0],
        len(warps), cost.accesses, cost.lanes, cost.sectors, cost.used, cost.passes,
        sum(waits), sum(exchanges),
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
