"""Argument types and the parser class that several command families share."""

import argparse
import sys

from ..support.terminal import visible


class UsageParser(argparse.ArgumentParser):
    """argparse's parser with exit code 64 for a mistyped command."""

    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(64, visible(f"{self.prog}: {message}\n"))


def whole(least):
    """Return an argparse type: a whole number from `least` on."""

    def number(text):
        if (value := int(text)) < least:
            raise argparse.ArgumentTypeError(f"expected at least {least}, found {value}")
        return value

    return number
