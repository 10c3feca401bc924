"""The status of every exercise, for the command `status` and for the report."""

from dataclasses import dataclass
from pathlib import Path

from ..support.terminal import visible
from . import progress
from .examine import FAULT, NOT_ATTEMPTED, RIGHT, WRONG
from .exercises import Exercise, exercises

STATES = {
    None: "not checked",
    RIGHT: "right",
    WRONG: "wrong",
    NOT_ATTEMPTED: "not attempted",
    FAULT: "checker's fault",
}
COLOURS = {"right": "green", "wrong": "red", "checker's fault": "magenta", "not checked": "yellow"}


@dataclass(frozen=True)
class Status:
    """One exercise: its state, what has changed since its check, and what its check found."""

    exercise: Exercise
    file: Path  # the learner's
    state: str
    changed: str  # "", "file" or "checker"
    mistakes: list
    hints: list

    @property
    def says(self):
        """The mistakes that the last check found, in words."""
        words = {mutant.name: mutant.says for mutant in self.exercise.mutants}
        return "; ".join(dict.fromkeys(words.get(name, name) for name in self.mistakes))

    def as_dict(self):
        named = {"id": self.exercise.id, "file": self.file.name, "state": self.state}
        return {**named, "changed": self.changed, "mistakes": self.mistakes, "hints": self.hints}


def statuses(folder):
    """Return the Status of every exercise, in the course's order."""
    kept = progress.load(folder)
    return [status_of(kept.get(id, progress.Row()), folder, e) for id, e in exercises().items()]


def status_of(row, folder, exercise):
    """Return an exercise's Status; a missing or unedited function is "not attempted"."""
    file = progress.own_file(folder, exercise.stub)
    if progress.untouched(folder, exercise):
        return Status(exercise, file, STATES[NOT_ATTEMPTED], "", [], row.hints)
    code = None if row.code == NOT_ATTEMPTED else row.code  # attempted since
    changed = ""
    if code is not None and row.checker != progress.checker_version(exercise):
        changed = "checker"
    if code is not None and row.hash != progress.file_hash(folder, exercise):
        changed = "file"
    return Status(exercise, file, STATES[code], changed, row.mistakes, row.hints)


def by_lesson(rows):
    """Group them: {"L05": [Status, ...]} in order."""
    lessons = {}
    for row in rows:
        lessons.setdefault(row.exercise.id.partition(".")[0], []).append(row)
    return lessons


def following(rows):
    """Return the Status of the exercise that comes next, the first not right; None after all."""
    return next((row for row in rows if row.state != "right"), None)


def counts(rows):
    """Write how many exercises are right, and how many are in another state than untouched."""
    states = [row.state for row in rows]
    others = [state for state in COLOURS if state != "right" and state in states]
    words = [f"{states.count('right')} of {len(rows)} right"]
    return ", ".join(words + [f"{states.count(state)} {state}" for state in others])


def predictions(folder):
    """Write how many predictions were made, and how many of them were right."""
    kept = progress.load(folder).values()
    made = [row.right for row in kept if isinstance(row, progress.Prediction)]
    return f"predictions: {len(made)} made, {sum(made)} right"


def show(console, folder, rows):
    """Print the exercises by lesson, and what comes next."""
    from rich.markup import escape

    def safe(text):
        return escape(visible(str(text)))

    for lesson, group in by_lesson(rows).items():
        right = sum(row.state == "right" for row in group)
        file = safe(group[0].file.name)
        console.print(f"[bold]{lesson}[/]  {right} of {len(group)} right  [dim]{file}[/]")
        for row in group:
            colour = COLOURS.get(row.state, "dim")
            words = [f"  [{colour}]{row.state:15}[/] {row.exercise.name}"]
            words += [f"[yellow]({row.changed} changed since)[/]"] if row.changed else []
            console.print(" ".join(words) + f": [red]{escape(row.says)}[/]" * bool(row.says))
    console.print(f"{counts(rows)}, in {safe(folder)}")
    console.print(predictions(folder))
    after = following(rows)
    if after is None:
        console.print("all done")
    elif after.file.exists():
        console.print(f"next: {safe(after.file)}, {after.exercise.id}")
    else:
        start = f"`mmvae-edu start {safe(folder)}`"
        console.print(f"next: {after.exercise.id}; {start} copies its file")
