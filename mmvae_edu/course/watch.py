"""The watch on the learner's files, by reading them: it works on every file system.

File events get lost on WSL, in containers and on network drives, and editors replace a file as
often as they write into it.  So only the content counts, once it has stood still for one look.
"""

from time import sleep, strftime

from ..support.terminal import say
from . import progress
from .status import counts, statuses

LOOK = 0.2  # seconds between looks


def watch(chosen, folder, check):
    """Call check(exercises of one file) for what is new since its last check, then at each save."""
    names = {exercise.id: progress.own_file(folder, exercise.stub).name for exercise in chosen}
    one_of = {names[exercise.id]: exercise for exercise in chosen}
    files = f"{len(one_of)} files" if len(one_of) > 1 else next(iter(one_of))
    say(f"watching {files} in {folder}; Ctrl-C ends", flush=True)
    known = {name: progress.file_hash(folder, one) for name, one in one_of.items()}
    rows = [row for row in statuses(folder) if row.exercise.id in names]
    say(f"{counts(rows)}; a file is checked when it is saved", flush=True)
    unchecked = {row.file.name for row in rows if not up_to_date(row)}

    def look(name, what):
        say(f"\n{strftime('%H:%M:%S')}  {name} {what}", flush=True)
        check([exercise for exercise in chosen if names[exercise.id] == name])

    for name in one_of:
        if name in unchecked:
            look(name, "is not checked yet")
    for name in saves(one_of, folder, known):
        look(name, "was saved")


def saves(one_of, folder, known):
    """Yield the name of each file whose content changes, for ever; known: {name: hash}.

    A file that is being written or replaced is not yielded before two looks find the same content.
    """
    before = dict(known)
    while True:
        for name, one in one_of.items():
            now = progress.file_hash(folder, one)
            if now == before[name] != known[name]:
                known[name] = now
                yield name
            before[name] = now
        sleep(LOOK)


def up_to_date(row):
    """Does the last check still say how a Status's exercise is?"""
    return row.state == "not attempted" or (row.state != "not checked" and not row.changed)
