"""The commands of the kernels: bench and kernels."""

from .arguments import filename, whole


def add_commands(add):
    """Add the commands by `add(name, run, help, example=)`; each `run` returns an exit code."""
    bench = add(
        "bench", _bench, "time the kernels and whole training steps, beside PyTorch's",
        "Prints medians of interleaved runs; on the CPU each contender has a process of its own. "
        "PyTorch comes with the bench extra; without it its columns are absent.",
        example="bench --only kernels",
    )  # fmt: skip
    bench.add_argument("--gpu", action="store_true", help="on the GPU, at sizes beyond its cache")
    bench.add_argument(
        "--only", choices=["kernels", "roof", "steps", "growth"], help="run one part"
    )
    bench.add_argument(
        "--threads", type=whole(1), default=2, metavar="N", help="default %(default)s"
    )
    bench.add_argument("--out", type=filename, metavar="FILE", help="write all numbers as JSON")

    kernels = add(
        "kernels", _kernels, "say which backends work here, and why the others do not",
        example="kernels --accuracy",
    )  # fmt: skip
    table = kernels.add_mutually_exclusive_group()
    table.add_argument(
        "--accuracy", action="store_true", help="print their errors against 50-digit arithmetic"
    )
    table.add_argument(
        "--static", nargs="?", const="sm_90", metavar="ARCH",
        help="print registers, spills and occupancy of the CUDA C kernels, without a GPU; "
        "default %(const)s",
    )  # fmt: skip
    table.add_argument(
        "--trace", metavar="NAME",
        help="print what each line of a kernel in Python asks of the memory, without a GPU",
    )  # fmt: skip
    table.add_argument(
        "--versions", action="store_true",
        help="print what each version of a kernel adds, and what --trace counts in sum",
    )  # fmt: skip


def _bench(arguments):
    from rich.console import Console

    from ..measure import speed
    from ..support import files

    if arguments.out:
        files.prepare(arguments.out, "--out")
    speed.bench(
        Console(markup=False),  # [bench] is to be typed
        device="cuda" if arguments.gpu else "cpu",
        parts=[arguments.only] if arguments.only else speed.PARTS,
        threads=arguments.threads,
        out=arguments.out,
    )
    return 0


def _kernels(arguments):
    import numpy as np
    from rich.console import Console
    from rich.text import Text

    from .. import kernels

    console = Console()
    if arguments.trace is not None:
        from ..measure.kernel_trace import print_trace

        print_trace(Console(markup=False), arguments.trace)  # mu[m, n] is no markup
        return 0
    if arguments.accuracy:
        from ..measure.kernel_accuracy import print_accuracy

        print_accuracy(console)
        return 0
    if arguments.versions:
        from ..measure.kernel_versions import print_versions

        print_versions(console)
        return 0
    if arguments.static is not None:
        from ..measure.kernel_resources import print_resources

        print_resources(console, arguments.static)
        return 0
    chosen = kernels.best(np.zeros(1, np.float32)).__name__.rpartition(".")[2]
    for name, backend in kernels.available().items():
        state = backend if isinstance(backend, str) else "works here"
        state += ", and is what training on the CPU uses" if name == chosen else ""
        console.print(Text(f"{name:12}", "bold") + Text(f" {state}"))  # [cuda13] is no markup
    return 0
