"""The overview of the lessons: what each asks, what comes before it, how long it takes."""

import difflib
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ..support.clones import python
from ..support.files import read_toml
from . import lessons
from .exercises import exercises

WORDS_A_MINUTE = 100  # mathematics and code are read slowly
COLUMNS = ("lesson", "slide", "question", "read before", "min. to read", "s to run", "exercises")


@dataclass(frozen=True)
class Lesson:
    path: Path
    title: str
    slides: str
    question: str
    after: list
    minutes: int  # to read
    exercises: int
    ideas: list = ()  # words for the book's index

    @property
    def number(self):
        return self.path.name[:2]


def overview():
    """Return every lesson in order, a list of Lesson; ValueError for one without its row."""
    rows = read_toml(resources.files("mmvae_edu.lessons").joinpath("lessons.toml"))
    found = []
    for path in lessons():
        number, text = path.name[:2], path.read_text("utf-8")
        if number not in rows:
            raise ValueError(f'{path.name} has no row in lessons.toml: add ["{number}"] to it')
        title = re.search(r"^# # L\d\d  (.+)$", text, re.MULTILINE)
        if not title:
            raise ValueError(f"{path.name} has no title: add the line `# # L{number}  …` to it")
        lesson, _, _sources = text.partition("# ## Sources")
        minutes = max(1, round(len(lesson.split()) / WORDS_A_MINUTE))
        mine = sum(id.startswith(f"L{number}.") for id in exercises())
        found.append(Lesson(path, title[1], **rows.pop(number), minutes=minutes, exercises=mine))
    if rows:
        raise ValueError(f'lessons.toml has a row ["{min(rows)}"], and there is no such lesson')
    return found


def find(name):
    """Return the Lesson that "5", "05", "L05", "05_neg_kl" or a path means, else ValueError."""
    path = Path(name)
    if path.is_file() and path.resolve().parent != lessons()[0].resolve().parent:
        raise ValueError(f"{path} is no lesson of this library; run it by `python {path}`")
    stem = path.name.removesuffix(".py")
    number = re.fullmatch(r"L?(\d+)", stem)
    found = overview()
    for lesson in found:
        if lesson.path.stem == stem or (number and lesson.number == number[1].zfill(2)):
            return lesson
    numbers, digits = [row.number for row in found], re.search(r"\d+", stem)
    near = difflib.get_close_matches(stem, [row.path.stem for row in found], 1)
    if digits and not number:  # of two equally near the later one: 04 is 05 today
        near = sorted(numbers, key=lambda n: (abs(int(n) - int(digits[0])), -int(n)))
    meant = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(f"no lesson {name or repr(name)}; there are {', '.join(numbers)}{meant}")


def markdown(lesson, seconds):
    """Return a lesson's row of the table, without seconds if they are None."""
    cells = [f"[{lesson.number}]({lesson.path.name})", lesson.slides, lesson.question]
    cells += [", ".join(lesson.after) or "–", str(lesson.minutes)]
    cells += ["" if seconds is None else f"{seconds:.0f}", str(lesson.exercises or "–")]
    return f"| {' | '.join(cells)} |"


def measure(lesson, *, fast):
    """Return the seconds that a lesson takes in a process of its own, its start included."""
    script = "import runpy; runpy.run_path(sys.argv[1], run_name='__main__')"
    command = python(script, str(lesson.path), *(["--fast"] if fast else []))
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, cwd=folder, capture_output=True)
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise ValueError(f"{lesson.path.name} ends with code {done.returncode}: {''.join(last)}")
    return time.perf_counter() - start
