"""The command line `mmvae-edu`: the parser of all commands, and the exit codes."""

import codecs
import os
import sys
from contextlib import suppress
from pathlib import Path

from ..support.clones import PACKAGE, another_clone
from ..support.terminal import say
from ..support.threads import one_for_products
from ..version import __version__
from .arguments import UsageParser

ABOUT = "An executable course on multimodal VAEs. Begin with `tour`, then `run 00`."
CODES = "Exit codes: 0 right or done, 1 wrong or a claim fails, 2 not attempted, 3 the checker's "
CODES += "own fault, 64 usage, 130 interrupted."


def main(argv=None):
    """Run a command and return its exit code, one that CODES lists."""
    one_for_products()  # the parser loads NumPy
    codecs.register_error("plain", plain)
    for stream in filter(None, (sys.stdout, sys.stderr)):  # None: closed by the shell
        stream.reconfigure(errors="plain")
    say_whose()
    try:
        arguments = parser().parse_args(argv)
        return arguments.run(arguments)
    except ValueError as problem:
        say(f"mmvae-edu: {problem}", file=sys.stderr)
        return 64
    except BrokenPipeError:  # `mmvae-edu status | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as problem:
        say(f"mmvae-edu: {problem}", file=sys.stderr)
        return 64
    except ImportError as problem:
        if (problem.name or "").startswith("mmvae_edu"):  # nothing that pip could mend
            say(f"mmvae-edu: {problem}", file=sys.stderr)
            return 64
        from .doctor import doctor

        say(f"mmvae-edu: {problem}; `mmvae-edu doctor` says:", file=sys.stderr)
        return doctor() or 64
    except KeyboardInterrupt:
        print("mmvae-edu: interrupted", file=sys.stderr)
        return 130


def say_whose():
    """Say on standard error when the current folder lies in a clone with a library of its own."""
    with suppress(OSError):  # the folder may be gone, or closed
        if clone := another_clone(Path.cwd()):
            own = f"the library of {clone}, type `python -m mmvae_edu` there"
            say(f"mmvae-edu: this is {PACKAGE}; to run {own}", file=sys.stderr)


def plain(problem):
    """Replace signs that a console or a file without UTF-8 lacks: an error handler of `codecs`."""
    signs = {"−": "-", "–": "-", "→": "->", "±": "+/-", "×": "x", "’": "'"}
    text = problem.object[problem.start : problem.end]
    return "".join(signs.get(sign, "?") for sign in text), problem.end


def parser():
    """Return the parser of all commands; each sets `run`, a function of the arguments."""
    from . import data, doctor, exercises, gradcheck, kernels, lessons, tables, tour, train

    top = UsageParser(prog="mmvae-edu", description=ABOUT, epilog=CODES)
    top.add_argument("--version", action="version", version=f"mmvae_edu {__version__}")
    subparsers = top.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(name, run, help, description=None, *, example):
        command = subparsers.add_parser(
            name, help=help, description=description or help, epilog=f"example: mmvae-edu {example}"
        )
        command.set_defaults(run=run)
        return command

    for family in tour, doctor, lessons, exercises, gradcheck, train, kernels, data, tables:
        family.add_commands(add)
    return top
