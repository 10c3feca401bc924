"""The table of what the CUDA C kernels need of a multiprocessor, without a GPU."""

from ..kernels import compiled
from ..report.page import Table


def print_resources(console, arch):
    """Print a line for each kernel, type and width of loads; a ValueError for an unknown sm_…"""
    known = {f"sm_{number}": number for number in compiled.CHIPS}
    if arch not in known:
        raise ValueError(f"--static: expected one of {', '.join(known)}, found {arch}")
    rows = [
        [k.name, *map(str, (k.registers, k.shared, k.spilled, threads, k.warps(threads)))]
        for k, threads in compiled.blocks(known[arch])
    ]
    header = ["kernel", "registers", "shared", "spilled", "threads", "warps"]
    Table(f"{arch}, compiled as CuPy does", header, rows).show(console)
    console.print(
        "\nOf a thread its registers, and the bytes that did not fit into them; of a block the "
        "bytes of shared memory, and its threads at the benchmark's sizes; the warps that a "
        f"multiprocessor then holds at once, of at most {compiled.CHIPS[known[arch]][0] // 32}.",
        highlight=False,
    )
