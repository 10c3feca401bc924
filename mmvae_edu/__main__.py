"""The start of the command line: `python -m mmvae_edu` is `mmvae-edu`."""

import sys

from .support.interrupts import ending_at_once


def main():
    """Import the command line and run it."""
    with ending_at_once():
        from . import cli
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
