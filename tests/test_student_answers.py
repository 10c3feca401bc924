"""How the checker does on answers that were written without a look at its mistakes.

`python -m pytest -m students -s` prints the counts; `-v` also what the checker says of each wrong
answer, beside what is wrong: whether the two agree is for a human to judge.
"""

from collections import Counter
from pathlib import Path

import pytest

from mmvae_edu.course.examine import RIGHT, WRONG
from mmvae_edu.course.exercises import exercises
from mmvae_edu.course.runner import check

pytestmark = [pytest.mark.slow, pytest.mark.students]
FOLDER = Path(__file__).parent / "students" / "answers"
MARK = "# === "


def answers(side):
    """Read wrong or right answers: (exercise, kind, what is wrong, source) of each."""
    for path in sorted((FOLDER / side).glob("*.py")):
        before, *texts = path.read_text("utf-8").split(MARK)
        assert not before, f"{path.name} does not begin with {MARK}"
        for text in texts:
            id, said, kind, what, *_ = text.splitlines()[0].split(" | ")
            exercise = exercises()[id]
            assert (said, path.name) == (side, exercise.stub.name), text.splitlines()[0]
            yield pytest.param(exercise, kind, what, MARK + text, id=f"{id}, {kind}")


@pytest.fixture(scope="module")
def tally(request):
    """Count results by side, and print the table once the last answer is checked."""
    counts, told = {"wrong": Counter(), "right": Counter()}, []
    yield counts, told
    if request.config.get_verbosity() >= 0:  # -v, since the configuration has -q
        print("", *told, sep="\n")
    for side, count in counts.items():
        row = ", ".join(f"{n} {result}" for result, n in sorted(count.items()))
        print(f"\n{count.total()} {side} answers: {row}")


def result(verdict):
    """Say in a word or two how far the checker got."""
    if verdict.code != WRONG:
        return "accepted" if verdict.code == RIGHT else "not judged"
    if verdict.mistakes:
        return "named"
    return "does not hold" if verdict.says.startswith("this does not hold") else "located"


def judged(exercise, source, folder):
    path = folder / exercise.stub.name
    path.write_text(source, "utf-8")
    return check(exercise, path, range(3), locked=exercise.locked)


@pytest.mark.parametrize(("exercise", "kind", "what", "source"), [*answers("wrong")])
def test_a_wrong_answer_is_not_accepted(exercise, kind, what, source, tally, tmp_path):
    verdict = judged(exercise, source, tmp_path)
    counts, told = tally
    counts["wrong"][result(verdict)] += 1
    line = f", line {verdict.line}" if verdict.line else ""
    told.append(f"{exercise.id}, {kind}: {what}\n    {result(verdict)}{line}: {verdict.says}")
    told[-1] += f" {verdict.mistakes or ''}"
    assert verdict.code == WRONG, verdict


@pytest.mark.parametrize(("exercise", "kind", "what", "source"), [*answers("right")])
def test_another_right_answer_is_right(exercise, kind, what, source, tally, tmp_path):
    verdict = judged(exercise, source, tmp_path)
    tally[0]["right"]["right" if verdict.code == RIGHT else "false alarm"] += 1
    assert verdict.code == RIGHT, verdict
