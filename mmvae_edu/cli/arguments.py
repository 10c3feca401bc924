"""Argument types and the parser class that several command families share."""

import argparse
import json
import sys
from pathlib import Path

from ..support.terminal import say


class UsageParser(argparse.ArgumentParser):
    """argparse's parser with exit code 64, and the usage of the command that is mistyped."""

    def parse_known_args(self, args=None, namespace=None):
        self.words = sys.argv[1:] if args is None else args
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown:  # argparse itself passes them up, to the parser of all commands
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return namespace, unknown

    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(refuse(message, self.words, self.prog))


def refuse(problem, words, prog="mmvae-edu"):
    """Say what is wrong with a command of these words, also as they ask for it; return 64."""
    say(f"{prog}: {problem}", file=sys.stderr)
    if asks_for_json(words):
        print(json.dumps({"error": str(problem)}))
    return 64


def asks_for_json(words):
    return any(len(word) > 3 and "--json".startswith(word) for word in words)


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
