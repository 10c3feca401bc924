"""The slides' equations as executable claims, one module a slide; importing registers them all."""

from . import s04, s05, s06, s07, s09, s11, s12
from .registry import CLAIMS, MUTANTS, POWER, T4, Claim, Mutant, Result, Tolerance, run

__all__ = [
    "CLAIMS",
    "MUTANTS",
    "POWER",
    "T4",
    "Claim",
    "Mutant",
    "Result",
    "Tolerance",
    "run",
    "s04",
    "s05",
    "s06",
    "s07",
    "s09",
    "s11",
    "s12",
]
