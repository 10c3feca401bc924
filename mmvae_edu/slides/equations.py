"""The ledger: every equation of the slides, and every other item of theirs, by id."""

import tomllib
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class Item:
    """A figure, a question or a remark of a slide: id "S4.why-q", with the lesson that cites it.

    how    it is "drawn", "answered", "derived" or "told" there
    """

    id: str
    slide: int
    lesson: str
    how: str
    title: str


@dataclass(frozen=True)
class Equation(Item):
    """One equation of the slides: id "S5.11", in LaTeX, with the lesson that derives it.

    how    "derived" in a line of `lessons/derivations`, "defined", "estimated" by samples, or
           "measured" on trained models
    """

    latex: str


def load_equations():
    """Read the equations in the order of the slides, a list of Equation."""
    return _load("equation", Equation)


def load_items():
    """Read what else stands on the slides, in their order, a list of Item."""
    return _load("item", Item)


def _load(kind, row_class):
    text = resources.files("mmvae_edu.lessons").joinpath("equations.toml").read_text("utf-8")
    rows = {id: {"kind": "equation"} | row for id, row in tomllib.loads(text).items()}
    return [row_class(id, **row) for id, row in rows.items() if row.pop("kind") == kind]
