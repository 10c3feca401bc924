"""The command line `mmvae-edu`: the parser of all commands, and the exit codes."""

import os
import sys
from contextlib import suppress
from pathlib import Path

from ..support import spelling
from ..support.clones import PACKAGE, another_clone
from ..support.interrupts import ending_at_once
from ..support.terminal import say
from ..support.threads import one_for_products
from ..version import __version__
from .arguments import UsageParser, asks_for_json, refuse

ABOUT = "An executable course on multimodal VAEs. Begin with `tour`, then `run 00`."
CODES = "Exit codes: 0 right or done, 1 wrong or a claim fails, 2 not attempted, 3 the checker's "
CODES += "own fault, 64 usage, 130 interrupted, 141 nobody reads the output."


def main(argv=None):
    """Run a command and return its exit code, one that CODES lists."""
    one_for_products()  # the parser loads NumPy
    spelling.spell_out(sys.stdout, sys.stderr)
    words = sys.argv[1:] if argv is None else argv
    try:
        try:
            say_whose()
            with ending_at_once():
                arguments = parser().parse_args(words)
            return arguments.run(arguments)
        finally:
            if sys.stdout:  # None: closed by the shell
                sys.stdout.flush()
    except (BrokenPipeError, SystemExit) as end:  # `mmvae-edu status | head`: nobody reads on
        if BrokenPipeError not in (type(end), type(end.__context__)):  # rich hides it in the other
            raise
        _discard_output()
        return 141  # the shell's code for any tool that ends so
    except OSError as problem:
        if problem.errno and not problem.filename:  # the disk that output goes to is full
            problem.filename = "standard output"
            _discard_output()
        reason = f"{problem.filename}: {problem.strerror}" if problem.errno else problem
        return refuse(reason, words)
    except ValueError as problem:
        return refuse(problem, words)
    except ImportError as problem:
        own = (problem.name or "").startswith("mmvae_edu")  # nothing that pip could mend
        if own or asks_for_json(words):
            return refuse(problem, words)
        from .doctor import doctor

        refuse(f"{problem}; `mmvae-edu doctor` says:", words)
        return doctor() or 64
    except KeyboardInterrupt:
        print("mmvae-edu: interrupted", file=sys.stderr)
        return 130


def _discard_output():
    """Send what is still buffered nowhere, so that Python finds no fault with it as it ends."""
    with suppress(OSError, ValueError):  # a stream of tests, or of a notebook, has no number
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say_whose():
    """Say on standard error when the current folder lies in a clone with a library of its own."""
    with suppress(OSError):  # the folder may be gone, or closed
        if clone := another_clone(Path.cwd()):
            own = f"the library of {clone}, type `python -m mmvae_edu` there"
            say(f"mmvae-edu: this is {PACKAGE}; to run {own}", file=sys.stderr)


def parser():
    """Return the parser of all commands; each sets `run`, a function of the arguments."""
    from . import data, derive, doctor, exercises, gradcheck, kernels, lessons, tables, tour, train

    top = UsageParser(prog="mmvae-edu", description=ABOUT, epilog=CODES)
    top.add_argument("--version", action="version", version=f"mmvae_edu {__version__}")
    subparsers = top.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(name, run, help, description=None, *, example):
        command = subparsers.add_parser(
            name, help=help, description=description or help, epilog=f"example: mmvae-edu {example}"
        )
        command.set_defaults(run=run)
        return command

    for family in tour, doctor, lessons, exercises, derive, gradcheck, train, kernels, data, tables:
        family.add_commands(add)
    return top
