"""The files of the bug hunt, and versions of each with a few lines exchanged, right or wrong.

A check is graded on versions: it must tell the right ones from the wrong ones.  The wrong ones are
also the mistakes that a fix is compared with.  The file as it stands is a version like the others.
"""

import tomllib
import types
from functools import cache, partial
from importlib import resources
from pathlib import Path

import numpy as np

from ...gradcheck import GradientError, check_pullback
from ...mistakes import rows_of
from ...mistakes.edits import EDITED
from ..examples import AXES, Example
from ..registry import T0, claim, mutant

FILES = tomllib.loads(Path(__file__).with_name("files.toml").read_text("utf-8"))
UNFIXED = "left_as_it_is"  # the mistake where a file is not clean


def files():
    """List the paths of the twelve files, in order."""
    folder = Path(str(resources.files("mmvae_edu.lessons"))) / "bug_hunt"
    return sorted(folder.glob("[0-9][0-9]_*.py"))


def load(number, edits=()):
    """Load the file of that number as a fresh module, edited; edits: old, new, old, new, …"""
    path = files()[number - 1]
    module = types.ModuleType(f"a version of {path.name}")
    exec(_compiled(path, tuple(edits)), vars(module))
    return module


@cache
def _compiled(path, edits):
    source = path.read_text("utf-8")
    for old, new in zip(edits[::2], edits[1::2], strict=True):
        if source.count(old) != 1:
            raise ValueError(f"{path.name}: {old!r} stands there {source.count(old)} times")
        source = source.replace(old, new)
    return compile(source, str(path), "exec")


class Hunted(Example):
    """An example with the file of that number."""

    def __init__(self, number, *args, **constants):
        super().__init__(*args, **constants)
        self.number = number

    def __call__(self, rng, sizes=AXES):
        args, constants = super().__call__(rng, sizes)
        return args, {**constants, "file": load(self.number)}


def gradient_agrees(op, *args, **constants):
    """Is op's pullback its derivative, by central differences?"""
    try:
        check_pullback(op, *args, rng=np.random.default_rng(0), **constants)
    except GradientError:
        return False
    return True


def close(found, exact):
    """Compare two results up to rounding."""
    return bool(np.allclose(found, exact, rtol=1e-9, atol=1e-9))


class Misjudged(AssertionError):
    """A check passes a wrong version or fails a right one."""


def hunted(equation, check, fix):
    """Register what grades `check`, and how the mistakes of `fix` edit a function of its file."""
    number = int(check.__name__.removeprefix("check_"))
    about = FILES[f"{number:02}"]
    EDITED[fix] = partial(_answer_of, number, about["function"])

    def tells_apart(f, rng):
        verdicts, wrong = {}, dict(rows_of(fix))
        versions = [*enumerate(about["right"])]
        versions += [(name, row["edit"]) for name, row in wrong.items()]
        for i in rng.permutation(len(versions)):
            name, edits = versions[i]
            verdicts[name] = bool(f(load(number, edits)))
        return _graded(verdicts, {name: row["says"] for name, row in wrong.items()})

    tells_apart.__name__ = f"check_{number:02}_tells_right_from_wrong"
    tells_apart.__doc__ = (
        f"A check of {about['subject']} passes right versions of a file and fails wrong ones."
    )
    claim(equation, of=check, tol=T0, oracle="right and wrong versions of a file")(tells_apart)
    for answer, says in (
        (passes_everything, "it passes everything, wrong versions too"),
        (fails_everything, "it fails everything, right versions too"),
    ):
        mutant(check, says=says, because="it never looks at the file")(answer)


def _graded(verdicts, wrong):
    passed = [name for name in wrong if verdicts[name]]
    right = [name for name in verdicts if name not in wrong]
    failed = [name for name in right if not verdicts[name]]
    if passed:  # a planted mistake is told before the file's own
        which = min(passed, key=lambda name: name == UNFIXED)
        words = "the file as it stands" if which == UNFIXED else wrong[which]
        raise Misjudged(f"passes {len(passed)} of {len(wrong)} wrong versions; one: {words}")
    if failed:
        raise Misjudged(f"fails {len(failed)} of {len(right)} right versions")
    return np.ones(len(verdicts)), np.ones(len(verdicts))


def passes_everything(file):
    return True


def fails_everything(file):
    return False


def _answer_of(number, function, name, edits):
    version = cache(partial(load, number, edits))
    _compiled(files()[number - 1], tuple(edits))  # raises ValueError where they do not fit

    def answer(*args, file, **constants):
        return getattr(version(), function)(*args, **constants)

    answer.__name__ = name
    return answer
