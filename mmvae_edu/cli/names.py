"""The names by which a command line means exercises: ids, functions, lessons and files."""

import difflib
from pathlib import Path

from ..course import progress
from ..course.exercises import current, exercises, select


def choose(names):
    """Select exercises by names, also a file's; for an unknown name suggest the nearest one."""
    names = [id for name in names for id in _named(name)]
    known = [known for id, e in exercises().items() for known in (id, *id.split("."), e.stub.name)]
    for name in names:
        lesson = f"L{name.zfill(2)}" if name.isdigit() else name
        if lesson not in known or name.endswith((".py", ".derive")):
            near = difflib.get_close_matches(name, known, 1, 0.5)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(
                f"no exercise {name or repr(name)}{meant} (`mmvae-edu status` lists them)"
            )
    return select(names)


def _named(name):
    """List the ids that a name stands for: those of a file, also if it has the number of once.

    ValueError if the path leads elsewhere than to the learner's folder; a name alone is enough.
    """
    path = Path(name)
    if path.suffix not in (".py", ".derive"):
        return [current(name)]
    folder = progress.find_folder()
    alone = path.name == str(path) and not path.is_file()
    if not alone and path.resolve().parent != folder.resolve():
        if not path.exists():
            raise ValueError(f"{path}: there is no such file")
        raise ValueError(f"{path} is not in {folder}, where the exercises are checked")
    stubs = {id: e.stub for id, e in exercises().items()}
    own = {stub: progress.own_file(folder, stub).name for stub in {*stubs.values()}}
    return [id for id, s in stubs.items() if path.name in (s.name, own[s])] or [path.name]


def one(name):
    chosen = choose([name])
    if len(chosen) > 1:
        raise ValueError(f"{name} is several exercises: {', '.join(e.id for e in chosen)}")
    return chosen[0]
