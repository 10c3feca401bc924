"""The slides' equations as executable claims; importing registers them all, slide by slide."""

import pkgutil
from importlib import import_module

from .registry import CLAIMS, POWER, T4, Claim, Mutant, Result, Tolerance, mutants_of, run

__all__ = [
    "CLAIMS",
    "POWER",
    "T4",
    "Claim",
    "Mutant",
    "Result",
    "Tolerance",
    "mutants_of",
    "run",
]

for _module in pkgutil.walk_packages(__path__, f"{__name__}."):
    import_module(_module.name)
