"""Derivations, checked line by line: `read` a text, `check` it, and write the `rows` in words."""

import re
from functools import cache
from importlib import resources

from ..oracles import symbolic
from . import checking
from .lines import Unreadable
from .reading import read

__all__ = ["Unreadable", "check", "checked", "course", "lines_of", "read", "text_of"]

UNTESTED = f"not tested: {symbolic.INSTALL}"


def check(derivation):
    """Check every line: among Gaussians by SymPy, else in finite models; returns Checked."""
    if not derivation.gaussian:
        return checking.check(derivation)
    if not symbolic.available():
        return checking.check_lines(derivation, _untested)
    from . import gaussians

    return gaussians.check(derivation)


def _untested(before, step, over):
    return checking.Outcome(step, None, note=UNTESTED)


def course():
    """List the names of the slides' own derivations, in order."""
    folder = resources.files("mmvae_edu.lessons") / "derivations"
    names = [path.name for path in folder.iterdir() if path.name.endswith(".derive")]
    return sorted(name.removesuffix(".derive") for name in names)


def text_of(name):
    """Read a derivation of the slides by its name: "s05_evidence"."""
    folder = resources.files("mmvae_edu.lessons") / "derivations"
    return (folder / f"{name}.derive").read_text("utf-8")


@cache
def checked(name):
    """Check a derivation of the slides, once."""
    return check(read(text_of(name)))


def lines_of(equation):
    """List (name, line) of the slides' derivations that an equation's id stands behind."""
    return [
        (name, step.line)
        for name in course()
        for chain in read(text_of(name)).chains
        for step in chain
        if equation in re.findall(r"S\d+\.\w+", step.label)
    ]
