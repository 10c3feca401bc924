"""The learner's folder: copies of the stubs, the progress of each exercise, and predictions.

A result belongs to an exercise, to the hash of the learner's file and to the version of the
checker: an edit, or another checker, makes it "changed since".
"""

import hashlib
import inspect
import json
import os
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from ..claims import examples, gradients, inputs
from ..claims.registry import FUNCTIONS
from ..mistakes import rows_of
from ..support import files
from .exercises import DerivationExercise, current, exercises
from .source import function_source, is_stub, lines_of, with_function

FILE = "mmvae_edu_progress.json"  # also marks the folder
DEFAULT = Path("mmvae_edu_exercises")
VERSION = 2  # of FILE; version 1 had no number, and rows of hash and code alone


@dataclass
class Row:
    """The kept record of one exercise."""

    code: int | None = None  # of the last check
    hash: str = ""  # of the file at that check
    checker: str = ""  # which checker it was
    mistakes: list = field(default_factory=list)  # the names of the mistakes it found
    hints: list = field(default_factory=list)  # the numbers of the hints shown

    def __post_init__(self):
        texts = [self.hash, self.checker, *self.mistakes]
        if self.code not in (None, 0, 1, 2, 3) or not all(isinstance(t, str) for t in texts):
            raise ValueError("not a row of progress")
        if not all(map(str.isidentifier, self.mistakes)):
            raise ValueError("not the names of mistakes")
        if not set(self.hints) <= {1, 2, 3}:
            raise ValueError("not the number of a hint")


@dataclass
class Prediction:
    """The kept record of one prediction: the answer, and whether the outcome was that."""

    said: str
    right: bool

    def __post_init__(self):
        if not isinstance(self.said, str) or not isinstance(self.right, bool):
            raise ValueError("not a prediction")


def start(folder):
    """Copy the stubs that the folder lacks; returns the names of the new files."""
    stubs = sorted({exercise.stub for exercise in exercises().values()})
    whole = Path(os.path.realpath(folder))  # resolve() raises where a link leads to itself
    if whole == stubs[0].parent.resolve():
        raise ValueError(f"{folder} holds the stubs themselves; choose another folder")
    if outer := [above for above in whole.parents if (above / FILE).is_file()]:
        raise ValueError(f"{folder} would be inside {outer[0]}, whose exercises would be checked")
    with files.on_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with files.locked(folder):
        new = [stub for stub in stubs if not own_file(folder, stub).exists()]
        for stub in new:
            files.write_bytes(folder / stub.name, stub.read_bytes())
        if not (folder / FILE).exists():
            save(folder, {})
    return [stub.name for stub in new]


def find_folder():
    """Find the exercises' folder: here, above, or the only one just below; else ValueError."""
    here = Path.cwd()
    above = [folder for folder in (here, *here.parents) if (folder / FILE).is_file()]
    below = sorted(path.parent for path in here.glob(f"*/{FILE}"))
    if above or len(below) == 1:
        return (above or below)[0]
    if below:
        several = ", ".join(map(str, below))
        raise ValueError(f"several folders of exercises, go into one: {several}")
    stubs = {exercise.stub.name: exercise.stub for exercise in exercises().values()}
    named = [path for path in (*here.glob("*.py"), *here.glob("*/*.py")) if path.name in stubs]
    if found := [path for path in named if not path.samefile(stubs[path.name])]:
        adds = f"`mmvae-edu start {found[0].parent}` adds it, and changes no file"
        raise ValueError(f"{found[0].parent} holds exercises, but no {FILE}: {adds}")
    raise ValueError("no exercises here; `mmvae-edu start` makes them")


def own_file(folder, stub):
    """Return the learner's file for a stub, which may have the number that its lesson had once.

    Of several files one that differs from the stub is the learner's, today's number first.
    """
    found = sorted(folder.glob(f"[0-9][0-9]_{stub.name.partition('_')[2]}"), reverse=True)
    found.sort(key=lambda path: path.name != stub.name)
    return next((path for path in found if not _same(path, stub)), folder / stub.name)


def _same(path, stub):
    try:
        return files.read_bytes(path, files.SOURCE) == stub.read_bytes()
    except ValueError:  # it is there, though nobody can read it
        return False


def load(folder):
    """Return {id: Row, name: Prediction}; a damaged file, or another version's, is set aside."""
    try:
        return _rows(folder)
    except _Damaged:
        with files.locked(folder):
            return _rows_or_set_aside(folder)


def _rows_or_set_aside(folder):
    """Return {id: Row} in a folder that is locked, after setting a damaged file aside."""
    path = folder / FILE
    try:
        return _rows(folder)  # another process may have set it aside
    except _Damaged:
        aside = backup(path)
    print(
        f"{path} was unreadable or of another version, and is kept as {aside.name}; "
        "`mmvae-edu check` finds again what is right",
        file=sys.stderr,
    )
    save(folder, {})
    return {}


class _Damaged(ValueError):
    """The file of progress is damaged or of another version."""


def _rows(folder):
    path = folder / FILE
    if not path.exists():
        return {}
    content = files.read_bytes(path)
    try:
        content = json.loads(content.decode())
        version = content.get("version", 1)
        if version not in (1, VERSION):
            raise ValueError(f"version {version}")
        rows = content if version == 1 else content.get("exercises")
        made = content.get("predictions", {})
        return {current(id): Row(**row) for id, row in rows.items()} | {
            name: Prediction(**row) for name, row in made.items()
        }
    except (ValueError, TypeError, AttributeError, RecursionError) as problem:
        raise _Damaged from problem


def save(folder, progress):
    """Write the whole file or nothing of it."""
    content = {"version": VERSION}
    for table, kind in ("exercises", Row), ("predictions", Prediction):
        content[table] = {id: asdict(row) for id, row in progress.items() if type(row) is kind}
    text = json.dumps(content, indent=1) + "\n"
    files.write_text(folder / FILE, text)


def record(folder, exercise, verdict, hash):
    """Keep the outcome of a check; hash: of the file, before the check."""
    with _changing(folder) as progress:
        row = progress.setdefault(exercise.id, Row())
        row.code, row.hash, row.mistakes = verdict.code, hash, verdict.mistakes
        row.checker = checker_version(exercise)


def record_hints(folder, exercise, numbers):
    """Keep which hints were shown."""
    with _changing(folder) as progress:
        row = progress.setdefault(exercise.id, Row())
        row.hints = sorted({*row.hints, *numbers})


def record_prediction(folder, name, said, right):
    """Keep what was predicted; a later prediction of the same name replaces it."""
    with _changing(folder) as progress:
        progress[name] = Prediction(said, right)


@contextmanager
def _changing(folder):
    """Yield what `load` returns, to change; meanwhile no other process changes the file."""
    with files.locked(folder):
        progress = _rows_or_set_aside(folder)
        yield progress
        save(folder, progress)


def file_hash(folder, exercise):
    """Return the SHA-256 of the learner's file; empty if none can be read."""
    try:
        content = files.read_bytes(own_file(folder, exercise.stub), files.SOURCE)
    except ValueError:
        return ""
    return hashlib.sha256(content).hexdigest()


def checker_version(exercise):
    """Return twelve digits that change with the checker, the exercise's claims or mistakes."""
    functions = [claim.check for claim in exercise.claims]
    functions += [mutant.f for mutant in FUNCTIONS.get(exercise.of, ())]
    paths = {
        examples.__file__,
        gradients.__file__,
        inputs.__file__,
        *map(inspect.getsourcefile, functions),
    }
    paths |= set(map(str, Path(__file__).parent.rglob("*.py")))
    paths |= set(map(str, (Path(__file__).parent.parent / "derivations").glob("*.py")))
    text = "".join(map(_digest, sorted(paths)))
    text += repr(exercise if isinstance(exercise, DerivationExercise) else rows_of(exercise.of))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@cache
def _digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def backup(path):
    """Copy a file beside itself under a name that is free; returns the copy's path.

    The folder must be locked, or another process might choose the same name.
    """
    content, n = files.read_bytes(path), 1
    while (copy := path.with_name(f"{path.name}.bak{n}")).exists():
        n += 1
    files.write_bytes(copy, content)
    return copy


def reset(folder, exercise):
    """Put the stub's function back, leave the rest of the file; return the backup's path."""
    _refuse_unparsed(folder, exercise)
    path = own_file(folder, exercise.stub)
    with files.locked(folder):
        kept = backup(path) if path.exists() else None
        lines = lines_of(path)
        if lines is None:  # there is no file, or it does not parse
            files.write_bytes(path, exercise.stub.read_bytes())
        else:
            stub = function_source(exercise.stub, exercise.name)
            if "import todo" not in "".join(lines):
                stub = f"from mmvae_edu.course import todo\n\n\n{stub}"
            files.write_text(path, with_function(lines, exercise.name, stub))
    return kept


def _refuse_unparsed(folder, exercise):
    """Raise ValueError for a file of which nobody knows where another function ends."""
    path = own_file(folder, exercise.stub)
    alone = isinstance(exercise, DerivationExercise)  # in its file
    if not alone and path.exists() and lines_of(path) is None:
        files.read_source(path)  # or it raises another ValueError, which says why it cannot
        raise ValueError(
            f"{path} does not parse, so {exercise.name} alone cannot be put back: mend the file, "
            f"or move it away and `mmvae-edu start {folder}` copies it anew"
        )


def reset_all(folder):
    """Put every stub's file back; return the backups' paths, of files and progress."""
    stubs = {own_file(folder, e.stub): e.stub for e in exercises().values()}
    with files.locked(folder):
        backups = [backup(path) for path in (*stubs, folder / FILE) if path.exists()]
        for path, stub in stubs.items():
            files.write_bytes(path, stub.read_bytes())
        save(folder, {})
    return backups


def untouched(folder, exercise):
    """Has the learner written nothing: does the stub stand there, or no such function?"""
    path = own_file(folder, exercise.stub)
    if isinstance(exercise, DerivationExercise):
        return not path.exists() or _same(path, exercise.stub)
    if function_source(path, exercise.name) is None:
        return not path.exists() or lines_of(path) is not None
    return is_stub(path, exercise.name)
