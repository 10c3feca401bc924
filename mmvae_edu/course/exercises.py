"""The exercises: which library function each asks for, its equations and its hints.

A table in `lessons/checks/NN_name.toml` names the function; its claims and mutants come from the
registry, its solution is the library's function itself.  Nothing is stored twice.
"""

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from ..claims import CLAIMS, mutants_of
from ..claims.laws import laws_of
from ..support.files import read_toml
from .old_names import LESSONS


class NotAttempted(NotImplementedError):
    """A stub's body was reached; `args[0]` is the exercise's id."""


def todo(id):
    """Stand in a stub: raise NotAttempted, which the checker reports as exit code 2."""
    raise NotAttempted(current(id))


@dataclass(frozen=True)
class Exercise:
    id: str  # "L05.neg_kl_std_normal"
    stub: Path  # the pristine file
    equations: tuple[str, ...]
    hints: tuple[str, ...]
    of: Callable  # the library's function, which is the solution
    locked: tuple[Callable, ...]  # library functions that the learner's own may not call
    changes: tuple[int, ...] = ()  # the arguments that it changes in place, where it does

    @property
    def name(self):
        return self.id.partition(".")[2]

    @property
    def claims(self):
        return [claim for claims in self.rounds for claim in claims]

    @property
    def rounds(self):
        """List what an answer must obey, in rounds: limits matter only once the rest is right.

        A gradient's claim comes after those about the value.
        """
        generator, ordinary, limits = laws_of(self.of)
        own = [claim for claim in CLAIMS.values() if claim.of is self.of]
        gradient = [claim for claim in own if claim.name == f"{self.of.__name__}_gradient"]
        value = [claim for claim in own if claim not in gradient]
        return generator, [*value, *ordinary, *gradient], limits

    @property
    def mutants(self):
        return mutants_of(self.of)

    def fitting_hint(self, mistakes):
        """Return the number of the hint for the first of these mistakes that has one; else 2."""
        hints = {mutant.name: mutant.hint for mutant in self.mutants}
        return next((hints[name] for name in mistakes if hints.get(name)), 2)


@dataclass(frozen=True)
class DerivationExercise(Exercise):
    """A derivation to complete or to mend, in a file of its own."""

    of: None = None
    locked: tuple = ()
    uses: tuple = ()  # what a line between the first and the last depends on: beginnings of parts
    solution: tuple = ()  # (line, text), …: what replaces the stub's lines

    @property
    def mutants(self):
        return []


@cache
def exercises():
    """Read all exercises in the course's order: {id: Exercise}."""
    folder = Path(str(resources.files("mmvae_edu.lessons")))
    found = {}
    for path in sorted((folder / "checks").glob("*.toml")):
        table = read_toml(path)
        for row in table.get("exercise", ()):
            of = _library(f"{row['module']}.{row['id'].partition('.')[2]}")
            stub = folder / "exercises" / f"{path.stem}.py"
            names = list(inspect.signature(of).parameters)
            found[row["id"]] = Exercise(
                id=row["id"],
                stub=stub,
                equations=tuple(row["equations"]),
                hints=tuple(row["hints"]),
                of=of,
                locked=(of, *map(_library, row.get("locked", ()))),
                changes=tuple(map(names.index, row.get("changes", ()))),
            )
        for row in table.get("derivation", ()):
            name = f"{path.stem.partition('_')[0]}_{row['id'].partition('.')[2]}.derive"
            row = {key: tuple(part) if key != "id" else part for key, part in row.items()}
            row["uses"] = tuple(map(tuple, row["uses"]))
            found[row["id"]] = DerivationExercise(stub=folder / "exercises" / name, **row)
    return found


def current(id):
    """Return today's id for a function's name, or an id with the number its lesson had once."""
    lesson, _, function = id.rpartition(".")
    if not lesson:
        return next((known for known in exercises() if known.endswith(f".{function}")), id)
    today = f"{LESSONS.get(lesson)}.{function}"
    return today if id not in exercises() and today in exercises() else id


def select(names):
    """Return the exercises named by id, function, "L05" or "05"; all where no name is given.

    Raises ValueError for a name that is none of these.
    """
    chosen = {} if names else exercises()
    for name in names:
        matches = {id: e for id, e in exercises().items() if _matches(id, name)}
        if not matches:
            raise ValueError(f"no exercise {name}; there are {', '.join(exercises())}")
        chosen = {**chosen, **matches}
    return list(chosen.values())


def _matches(id, name):
    lesson, _, function = id.partition(".")
    return name in (id, function, lesson) or (name.isdigit() and lesson == f"L{name.zfill(2)}")


def _library(dotted):
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(f"mmvae_edu.{module}"), name)
