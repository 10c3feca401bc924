"""`python -m mmvae_edu` is `mmvae-edu`."""

import sys

from .cli import main

sys.exit(main())
