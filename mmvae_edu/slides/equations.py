"""The equation ledger: every equation of the slides, by id."""

import tomllib
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class Equation:
    """One equation of the slides: id "S5.11", in LaTeX, with the lesson that derives it.

    how    "derived" in a line of `lessons/derivations`, "defined", "estimated" by samples, or
           "measured" on trained models
    """

    id: str
    slide: int
    lesson: str
    how: str
    title: str
    latex: str


def load_equations():
    """Read the equations in the order of the slides, a list of Equation."""
    text = resources.files("mmvae_edu.lessons").joinpath("equations.toml").read_text("utf-8")
    return [Equation(id, **row) for id, row in tomllib.loads(text).items()]
