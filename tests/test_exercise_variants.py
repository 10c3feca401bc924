"""Right answers as good students write them: each must be RIGHT, however it is put.

`students/` holds three students' folders.  One writes loops, one takes SciPy where it can, one
rearranges formulae; between them einsum, arrays of their own changed in place, scalars of any
kind, lists for tuples, and helper functions and classes beside the answer.
"""

import re
from pathlib import Path

import pytest

from mmvae_edu.course.examine import RIGHT
from mmvae_edu.course.exercises import exercises
from mmvae_edu.course.runner import check
from mmvae_edu.course.source import function_source

STUDENTS = Path(__file__).parent / "students"
ANSWERS = [
    (path, exercise)
    for path in sorted(STUDENTS.glob("*/*.py"))
    for exercise in exercises().values()
    if exercise.stub.name == path.name and function_source(path, exercise.name)
]
NAMES = [f"{path.parent.name}, {exercise.id}" for path, exercise in ANSWERS]
LESSONS_OF_THEIR_OWN = {"L25", "L24", "L23"}  # kernels and the bug hunt, which have other tests


@pytest.mark.parametrize(("path", "exercise"), ANSWERS, ids=NAMES)
def test_a_right_answer_is_right(path, exercise):
    verdict = check(exercise, path, range(3), locked=exercise.locked)
    assert verdict.code == RIGHT, verdict
    assert verdict.claims
    assert verdict.draws > 0


def test_students_answer_every_exercise():
    lessons = {
        id for id, exercise in exercises().items()
        if exercise.of and id[:3] not in LESSONS_OF_THEIR_OWN
    }  # fmt: skip
    missing = lessons - {exercise.id for _, exercise in ANSWERS}
    assert not missing, f"tests/students: no answer to {', '.join(sorted(missing))}"


def test_every_stub_has_its_row():
    for path in {exercise.stub for exercise in exercises().values()}:
        stubs = set(re.findall(r'todo\("(.+)"\)', path.read_text("utf-8")))
        lost = sorted(stubs - set(exercises()))
        assert not lost, f"exercises/{path.name}: no row in checks/{path.stem}.toml for {lost}"


def test_every_file_is_an_exercises():
    stubs = {exercise.stub.name for exercise in exercises().values()}
    assert {path.name for path in STUDENTS.glob("*/*.py")} <= stubs
