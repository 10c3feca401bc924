"""The command line: `mmvae-edu tour` and its relatives."""

import argparse
import sys
from pathlib import Path

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
    return parser


class UsageParser(argparse.ArgumentParser):
    """argparse, with the exit code that says the command was mistyped."""

    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(64, f"{self.prog}: {message}\n")


def _tour(arguments):
    from .tour import tour

    return tour(arguments.out, seeds=arguments.seed, fast=arguments.fast, only=arguments.only)
