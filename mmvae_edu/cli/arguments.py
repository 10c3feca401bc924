"""Argument types and the parser class that several command families share."""

import argparse
import sys
from pathlib import Path

from ..support.terminal import visible


class UsageParser(argparse.ArgumentParser):
    """argparse's parser with exit code 64, and the usage of the command that is mistyped."""

    def parse_known_args(self, args=None, namespace=None):
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown:  # argparse itself passes them up, to the parser of all commands
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return namespace, unknown

    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(64, visible(f"{self.prog}: {message}\n"))


def filename(text):
    """Return a Path: an argparse type that refuses an empty name, which would be this folder."""
    if not text:
        raise argparse.ArgumentTypeError("expected the name of a file or folder, found ''")
    return Path(text)


def whole(least):
    """Return an argparse type: a whole number from `least` on."""

    def number(text):
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            wanted = f"expected a whole number, at least {least}, found {text!r}"
            raise argparse.ArgumentTypeError(wanted)
        return value

    return number
