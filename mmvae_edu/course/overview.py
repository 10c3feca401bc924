"""The lessons at a glance: what each asks, what comes before it, how long it takes."""

import re
import subprocess
import tempfile
import time
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ..support.clones import python
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

    @property
    def number(self):
        return self.path.name[:2]


def overview():
    """Every lesson in order, a list of Lesson."""
    text = resources.files("mmvae_edu.lessons").joinpath("lessons.toml").read_text("utf-8")
    rows = tomllib.loads(text)
    found = []
    for path in lessons():
        number, text = path.name[:2], path.read_text("utf-8")
        title = re.search(r"^# # L\d\d  (.+)$", text, re.MULTILINE)[1]
        minutes = max(1, round(len(text.split()) / WORDS_A_MINUTE))
        mine = sum(id.startswith(f"L{number}.") for id in exercises())
        found.append(Lesson(path, title, **rows[number], minutes=minutes, exercises=mine))
    return found


def find(name):
    """The Lesson that "5", "05", "L05", "05_neg_kl" or a path means; ValueError for another."""
    number = re.match(r"L?(\d+)", Path(name).name)
    found = {lesson.number: lesson for lesson in overview()}
    if not number or number[1].zfill(2) not in found:
        raise ValueError(f"no lesson {name}; there are {', '.join(found)}")
    return found[number[1].zfill(2)]


def markdown(lesson, seconds):
    """A lesson's row of the table in lessons/README.md; seconds None leaves its cell empty."""
    cells = [f"[{lesson.number}]({lesson.path.name})", lesson.slides, lesson.question]
    cells += [", ".join(lesson.after) or "–", str(lesson.minutes)]
    cells += ["" if seconds is None else f"{seconds:.0f}", str(lesson.exercises or "–")]
    return f"| {' | '.join(cells)} |"


def measure(lesson, *, fast):
    """Seconds that a lesson takes in a process of its own, its start included."""
    script = "import runpy; runpy.run_path(sys.argv[1], run_name='__main__')"
    command = python(script, str(lesson.path), *(["--fast"] if fast else []))
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, cwd=folder, capture_output=True)
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise ValueError(f"{lesson.path.name} ends with code {done.returncode}: {''.join(last)}")
    return time.perf_counter() - start
