"""Tools for lesson scripts: claims checked inline, figures saved.

A lesson is a script of cells (jupytext's percent format).  It derives in text, shows the smallest
code, asks for a prediction before each figure, and ends with the claims that it has derived.
"""

import sys
from pathlib import Path

from ..claims import CLAIMS, run
from ..support import files, spelling
from ..support.clones import PACKAGE, another_clone
from ..support.terminal import tell
from .exercises import todo
from .predictions import outcome, predict

__all__ = [
    "FAST", "OUT", "ClaimFails",
    "derived", "holds", "keep", "lessons", "outcome", "predict", "todo",
]  # fmt: skip

FAST = "--fast" in sys.argv  # a lesson may then train for fewer steps
OUT = Path("mmvae_edu_out") / "lessons"


def say_whose():
    """Say on standard error when the script that runs is a lesson of another clone."""
    script = Path(getattr(sys.modules["__main__"], "__file__", None) or __file__).resolve()
    clone = another_clone(script.parent)
    if clone and script.parent == clone / "lessons":
        own = f"the library of {clone}, type `python -m mmvae_edu run {script.stem[:2]}` there"
        print(f"{script.name} runs with {PACKAGE}; to run it with {own}", file=sys.stderr)


say_whose()
spelling.spell_out(sys.stdout, sys.stderr)  # a lesson runs as a script, too


class ClaimFails(AssertionError):
    """A lesson's claim does not hold: the statement, and the error beside its limit."""


def holds(*names):
    """Check claims by name and print each with its achieved error; ClaimFails if one fails."""
    for name in names:
        result = run(CLAIMS[name])
        mark, claim = "holds" if result.passed else "FAILS", result.claim
        small_print = f"{result.numbers} ({claim.tol.name}), {claim.oracle}"
        tell(f"{mark}  {claim.statement}\n       {small_print}", claim=result)
        if not result.passed:
            raise ClaimFails(f"{name}: {result.numbers} {result.note}".strip())


def derived(*names):
    """Check derivations of the slides line by line and print what each line needs."""
    from ..derivations import checked
    from ..derivations.words import lines

    for name in names:
        found = checked(name)
        tell("\n".join(lines(found)), derivation=name)
        if any(outcome.holds is False for outcome in found.outcomes):
            raise ClaimFails(f"{name}.derive: a line is wrong")


def keep(figure, name, *, alt, numbers):
    """Save a lesson's figure as PNG, and its numbers (rows, the first names the columns) as CSV.

    alt says in words what the figure shows.  A notebook displays the figure.
    """
    if not alt.strip():
        raise ValueError(f"{name}: expected alt, the words for what it shows, found {alt!r}")
    from ..report import plots  # here, since matplotlib would slow every command down

    try:
        files.folder(OUT)
        picture = plots.save(figure, OUT / f"{name}.png", alt=alt, caption="", numbers=numbers)
    except (
        ValueError,
        OSError,
    ) as problem:  # the folder is not writable
        print(f"{problem}; run the lesson in a folder of your own", file=sys.stderr)
        sys.exit(64)
    tell(f"figure {picture.path}: {alt}", figure=picture)
    if "ipykernel" in sys.modules:
        from IPython.display import display

        display(figure)


def lessons():
    """List the paths of the lesson scripts, in order."""
    from importlib import resources

    folder = resources.files("mmvae_edu.lessons")
    return sorted(path for path in map(Path, map(str, folder.iterdir())) if path.name[:2].isdigit())
