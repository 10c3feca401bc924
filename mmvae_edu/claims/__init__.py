"""The slides' equations as executable claims; importing registers them all, slide by slide."""

import pkgutil
from importlib import import_module

from .gradients import register_gradients
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
register_gradients()  # last: of a wrong function, claims about its value speak first
