"""The command line: `mmvae-edu tour` and its relatives."""

import argparse
import os
import sys
from pathlib import Path

import numpy as np

from .version import __version__


def main(argv=None):
    """Run a command; the exit code is 0, 1 where a claim fails, 64 for a usage error."""
    arguments = parser().parse_args(argv)
    for stream in sys.stdout, sys.stderr:  # a console without UTF-8 gets '?' and not an exception
        stream.reconfigure(errors="replace")
    try:
        return arguments.run(arguments)
    except ValueError as problem:
        print(f"mmvae-edu: {problem}", file=sys.stderr)
        return 64
    except KeyboardInterrupt:
        print("mmvae-edu: interrupted", file=sys.stderr)
        return 130


def parser():
    from .course.commands import add_commands

    parser = UsageParser(prog="mmvae-edu", description=__doc__.splitlines()[0])
    parser.add_argument("--version", action="version", version=f"mmvae_edu {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    tour = commands.add_parser(
        "tour",
        help="verify every equation, train the systems on real digits, write the report",
        description="Verifies every equation of the slides, trains VAE, IWAE, MVAE and MMVAE on "
        "the embedded digits, prints the tables and writes figures and report.html.",
    )
    tour.add_argument("--fast", action="store_true", help="train for fewer steps")
    tour.add_argument(
        "--seed", type=int, nargs="+", default=[0], metavar="N", help="several: tables of medians"
    )
    tour.add_argument(
        "--out", type=Path, default=Path("mmvae_edu_out"), metavar="DIR", help="where files go"
    )
    tour.add_argument("--only", choices=["claims", "systems"], help="one half of the tour")
    tour.set_defaults(run=_tour)

    lesson = commands.add_parser("run", help="run a lesson: mmvae-edu run 04")
    lesson.add_argument("number", help="the lesson's number, as in its file name")
    lesson.add_argument("--fast", action="store_true", help="train for fewer steps")
    lesson.set_defaults(run=_run)

    train = commands.add_parser(
        "train",
        help="train one system on the embedded digits and save it",
        description="Trains one system on the embedded digits and saves the model. With "
        "--checkpoint an interrupted run goes on where it stopped, when given again.",
    )
    train.add_argument("system", choices=["VAE", "IWAE", "MVAE", "MMVAE"])
    train.add_argument("--steps", type=int, default=1200, metavar="N")
    train.add_argument("--samples", type=int, default=1, metavar="K", help="K of the bound")
    train.add_argument("--seed", type=int, default=0, metavar="N")
    train.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    train.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    train.add_argument("--checkpoint", type=Path, metavar="FILE")
    train.add_argument("--out", type=Path, default=Path("model.npz"), metavar="FILE")
    train.set_defaults(run=_train)

    bench = commands.add_parser(
        "bench",
        help="time the kernels and whole training steps, beside PyTorch's",
        description="Medians of interleaved runs, one process a contender. PyTorch comes with "
        "the bench extra; without it its columns are absent.",
    )
    bench.add_argument("--gpu", action="store_true", help="on the GPU, at sizes beyond its cache")
    bench.add_argument("--only", choices=["kernels", "steps", "growth"], help="one part")
    bench.add_argument("--threads", type=int, default=2, metavar="N")
    bench.add_argument("--out", type=Path, metavar="FILE", help="write all numbers as JSON")
    bench.set_defaults(run=_bench)

    kernels = commands.add_parser(
        "kernels", help="which backends work here, and why the others do not"
    )
    kernels.add_argument(
        "--accuracy", action="store_true", help="their errors against 50-digit arithmetic, in ulp"
    )
    kernels.set_defaults(run=_kernels)
    add_commands(commands)
    return parser


class UsageParser(argparse.ArgumentParser):
    """argparse, with the exit code that says the command was mistyped."""

    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(64, f"{self.prog}: {message}\n")


def _tour(arguments):
    from .tour import tour

    return tour(arguments.out, seeds=arguments.seed, fast=arguments.fast, only=arguments.only)


def _run(arguments):
    import runpy

    from .course import lessons

    found = {path.name[:2]: path for path in lessons()}
    path = found.get(arguments.number.removeprefix("L").zfill(2))
    if path is None:
        raise ValueError(f"no lesson {arguments.number}; there are {', '.join(found)}")
    sys.argv = [str(path), *(["--fast"] if arguments.fast else [])]
    runpy.run_path(str(path), run_name="__main__")
    return 0


def _train(arguments):
    from . import models, storage, systems
    from .data import load_digits

    storage.folder(arguments.out.parent)  # before the training, not after it

    names = ["image"] if arguments.system in ("VAE", "IWAE") else list(systems.MODALITIES)
    modalities = {name: systems.MODALITIES[name] for name in names}
    model = getattr(models, arguments.system)(modalities, **systems.NETWORKS)
    x = load_digits("image+strokes", seed=arguments.seed).train.x
    history = model.fit(
        {name: x[name] for name in names},
        steps=arguments.steps,
        samples=arguments.samples,
        seed=arguments.seed,
        device=arguments.device,
        dtype=arguments.dtype,
        checkpoint=arguments.checkpoint,
    )
    model.save(arguments.out)
    print(f"{arguments.out}: {arguments.system}, bound {history[-1]['bound']:.2f} nats an example")
    return 0


def _bench(arguments):
    for library in "OMP", "OPENBLAS", "MKL", "NUMBA":  # read by the contenders' processes
        os.environ[f"{library}_NUM_THREADS"] = str(arguments.threads)
    from rich.console import Console

    from . import bench, storage

    if arguments.out:
        storage.folder(arguments.out.parent)
    bench.bench(
        Console(width=max(Console().width, 170)),
        device="cuda" if arguments.gpu else "cpu",
        parts=[arguments.only] if arguments.only else bench.PARTS,
        threads=arguments.threads,
        out=arguments.out,
    )
    return 0


def _kernels(arguments):
    from rich.console import Console

    from . import kernels

    console = Console()
    if arguments.accuracy:
        from .accuracy import print_accuracy

        print_accuracy(console)
        return 0
    chosen = kernels.best(np.zeros(1, np.float32)).__name__.rpartition(".")[2]
    for name, backend in kernels.available().items():
        state = backend if isinstance(backend, str) else "works here"
        state += ", and is what training on the CPU uses" if name == chosen else ""
        console.print(f"[bold]{name:12}[/bold] {state}", highlight=False)
    return 0
