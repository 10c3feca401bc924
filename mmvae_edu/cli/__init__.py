"""The command line: `mmvae-edu tour` and its relatives."""

import argparse
import codecs
import os
import sys
from pathlib import Path

from ..version import __version__

OUT = Path("mmvae_edu_out")
TRAINED = "VAE IWAE MVAE MVAEQ BiVCCA JMVAE CVAE MMVAE LaplaceMMVAE MoPoE".split()
CODES = "Exit codes: 0 right or done, 1 wrong or a claim fails, 2 not attempted, 3 the checker's "
CODES += "own fault, 64 usage, 130 interrupted."


def main(argv=None):
    """Run a command; the exit code is the one that CODES lists."""
    codecs.register_error("plain", plain)
    for stream in filter(None, (sys.stdout, sys.stderr)):  # None: closed by the shell
        stream.reconfigure(errors="plain")
    try:
        arguments = parser().parse_args(argv)
        return arguments.run(arguments)
    except ValueError as problem:
        print(f"mmvae-edu: {problem}", file=sys.stderr)
        return 64
    except BrokenPipeError:  # `mmvae-edu status | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as problem:
        print(f"mmvae-edu: {problem}", file=sys.stderr)
        return 64
    except ImportError as problem:
        print(f"mmvae-edu: {problem}; `mmvae-edu doctor` says:", file=sys.stderr)
        return _doctor(argparse.Namespace(json=False)) or 64
    except KeyboardInterrupt:
        print("mmvae-edu: interrupted", file=sys.stderr)
        return 130


def plain(problem):
    """Signs for a console or a file without UTF-8, as an error handler of `codecs`."""
    signs = {"−": "-", "–": "-", "→": "->", "±": "+/-", "×": "x", "’": "'"}
    text = problem.object[problem.start : problem.end]
    return "".join(signs.get(sign, "?") for sign in text), problem.end


def whole(least):
    """An argparse type: a whole number from `least` on."""

    def number(text):
        if (value := int(text)) < least:
            raise argparse.ArgumentTypeError(f"expected at least {least}, found {value}")
        return value

    return number


def parser():
    """The parser of all commands; each sets `run`, a function of the arguments."""
    from . import exercises as commands
    from . import lessons as lesson_commands
    from .data import add_commands as add_data
    from .tables import add_commands as add_reproduce

    top = UsageParser(prog="mmvae-edu", description=__doc__.splitlines()[0], epilog=CODES)
    top.add_argument("--version", action="version", version=f"mmvae_edu {__version__}")
    subparsers = top.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(name, run, help, description=None, *, example):
        command = subparsers.add_parser(
            name, help=help, description=description or help, epilog=f"example: mmvae-edu {example}"
        )
        command.set_defaults(run=run)
        return command

    add_reports(add)
    lesson_commands.add_commands(add)
    commands.add_commands(add)
    add_library(add)
    add_data(subparsers)
    add_reproduce(subparsers)
    return top


def add_reports(add):
    """Add tour, report and doctor."""
    tour = add(
        "tour", _tour, "verify every equation, train the systems on real digits, write the report",
        "Verifies every equation of the slides, trains VAE, IWAE, MVAE and MMVAE on the embedded "
        "digits, prints the tables and writes figures and report.html.",
        example="tour --fast",
    )  # fmt: skip
    tour.add_argument("--fast", action="store_true", help="train for fewer steps")
    tour.add_argument(
        "--seed", type=whole(0), nargs="+", default=[0], metavar="N",
        help="several: tables of medians",
    )  # fmt: skip
    tour.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="where files go")
    tour.add_argument("--only", choices=["claims", "systems"], help="one half of the tour")

    report = add(
        "report", _report, "write one offline page: equations, claims, figures, your progress",
        "Checks every claim and writes one offline page: each equation with its claims, their "
        "errors, tolerances and oracles; the tables and figures of the last tour, if its folder is "
        "there; your progress, if exercises are there.",
        example="report -o report.html",
    )  # fmt: skip
    report.add_argument("-o", "--out", type=Path, default=Path("report.html"), metavar="FILE")
    report.add_argument(
        "--tour", type=Path, default=OUT, metavar="DIR", help=f"the tour's folder, else {OUT}"
    )
    doctor = add("doctor", _doctor, "what works here, and how to mend the rest", example="doctor")
    doctor.add_argument("--json", action="store_true", help="the findings as JSON")


def add_library(add):
    """Add train, bench and kernels."""
    train = add(
        "train", _train, "train one system on the embedded digits and save it",
        "Trains one system on the embedded digits and saves the model. With --checkpoint an "
        "interrupted run goes on where it stopped, when given again.",
        example="train MMVAE --steps 5000 --checkpoint run.npz",
    )  # fmt: skip
    train.add_argument("system", choices=TRAINED, metavar="SYSTEM", help=", ".join(TRAINED))
    numbers = {"metavar": "N", "help": "default %(default)s"}
    train.add_argument("--steps", type=whole(1), default=1200, **numbers)
    train.add_argument(
        "--samples", type=whole(1), default=1, metavar="K", help="K of the bound, default 1"
    )
    train.add_argument("--seed", type=whole(0), default=0, **numbers)
    train.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    train.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    train.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="go on from here, if it exists"
    )
    train.add_argument(
        "--out", type=Path, default=Path("model.npz"), metavar="FILE", help="default %(default)s"
    )

    bench = add(
        "bench", _bench, "time the kernels and whole training steps, beside PyTorch's",
        "Medians of interleaved runs, on the CPU one process a contender. PyTorch comes with the "
        "bench extra; without it its columns are absent.",
        example="bench --only kernels",
    )  # fmt: skip
    bench.add_argument("--gpu", action="store_true", help="on the GPU, at sizes beyond its cache")
    bench.add_argument("--only", choices=["kernels", "steps", "growth"], help="one part")
    bench.add_argument("--threads", type=whole(1), default=2, **numbers)
    bench.add_argument("--out", type=Path, metavar="FILE", help="write all numbers as JSON")

    kernels = add(
        "kernels", _kernels, "which backends work here, and why the others do not",
        example="kernels --accuracy",
    )  # fmt: skip
    kernels.add_argument(
        "--accuracy", action="store_true", help="their errors against 50-digit arithmetic, in ulp"
    )


class UsageParser(argparse.ArgumentParser):
    """argparse, with the exit code that says the command was mistyped."""

    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(64, f"{self.prog}: {message}\n")


def _report(arguments):
    from ..tour import report_only

    return report_only(arguments.out, arguments.tour)


def _doctor(arguments):
    from .doctor import doctor

    return doctor(as_json=arguments.json)


def _tour(arguments):
    from ..tour import tour

    seeds = list(dict.fromkeys(arguments.seed))
    return tour(arguments.out, seeds=seeds, fast=arguments.fast, only=arguments.only)


def _train(arguments):
    from .. import models
    from ..data import load_digits
    from ..support import files as storage
    from ..tour import digits as systems

    storage.folder(arguments.out.parent)  # before the training, not after it
    if arguments.out.is_dir() or arguments.out == arguments.checkpoint:
        what = "a folder" if arguments.out.is_dir() else "the checkpoint"
        raise ValueError(f"--out {arguments.out}: that is {what}; name another file")
    names = ["image"] if arguments.system in ("VAE", "IWAE") else list(systems.MODALITIES)
    modalities = {name: systems.MODALITIES[name] for name in names}
    condition = {"condition": "strokes"} if arguments.system == "CVAE" else {}
    model = getattr(models, arguments.system)(modalities, **systems.NETWORKS, **condition)
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
    from rich.console import Console

    from ..measure import speed as bench
    from ..support import files as storage

    if arguments.out:
        storage.folder(arguments.out.parent)
    bench.bench(
        Console(markup=False),  # [bench] is to be typed
        device="cuda" if arguments.gpu else "cpu",
        parts=[arguments.only] if arguments.only else bench.PARTS,
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
    if arguments.accuracy:
        from ..measure.kernel_accuracy import print_accuracy

        print_accuracy(console)
        return 0
    chosen = kernels.best(np.zeros(1, np.float32)).__name__.rpartition(".")[2]
    for name, backend in kernels.available().items():
        state = backend if isinstance(backend, str) else "works here"
        state += ", and is what training on the CPU uses" if name == chosen else ""
        console.print(Text(f"{name:12}", "bold") + Text(f" {state}"))  # [cuda13] is no markup
    return 0
