"""Every lesson runs headless, says what it must, and opens as a notebook."""

import os
import re
import subprocess
import sys
import tomllib

import jupytext
import pytest

from mmvae_edu import cli
from mmvae_edu.claims import CLAIMS
from mmvae_edu.course import lessons, overview
from mmvae_edu.slides.equations import load_equations, load_items

LESSONS = pytest.mark.parametrize("path", lessons(), ids=lambda path: path.stem)
IDS = {row.id for row in load_equations() + load_items()}


@pytest.mark.slow
@LESSONS
def test_lesson_runs(path, tmp_path):
    command = [sys.executable, "-W", "error", str(path), "--fast"]
    environment = os.environ | {"PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "holds" in done.stdout
    figures = re.findall(r"^figure (\S+): .+$", done.stdout, re.MULTILINE)
    assert figures
    for figure in figures:
        assert (tmp_path / figure).stat().st_size > 5000
        assert (tmp_path / figure).with_suffix(".csv").exists()


def test_every_lesson_has_its_row():
    rows = tomllib.loads((lessons()[0].parent / "lessons.toml").read_text("utf-8"))
    without = [path.name for path in lessons() if path.name[:2] not in rows]
    assert not without, f"{', '.join(without)}: no row in lessons/lessons.toml"
    spare = rows.keys() - {path.name[:2] for path in lessons()}
    assert not spare, f"lessons/lessons.toml has rows without a lesson: {', '.join(sorted(spare))}"


def test_a_lesson_without_its_row_is_one_sentence(tmp_path, monkeypatch, capsys):
    (tmp_path / "99_new.py").write_text("# # L99  New\n")
    monkeypatch.setattr(overview, "lessons", lambda: [tmp_path / "99_new.py"])
    for command in ["run"], ["run", "99"], ["notebook", "99"]:
        assert cli.main(command) == 64
        error = capsys.readouterr().err
        assert error == 'mmvae-edu: 99_new.py has no row in lessons.toml: add ["99"] to it\n'


@LESSONS
def test_lesson_reads_as_a_lesson(path):
    text = path.read_text(encoding="utf-8")
    number = path.stem[:2]
    assert text.startswith(f"# %% [markdown]\n# # L{number}  ")
    lesson, _, sources = text.partition("\n# %% [markdown]\n# ## Sources\n")
    assert len(lesson.splitlines()) <= 250
    assert re.search(r"\(\d{4}\), \*", sources), "a lesson ends with its sources"
    assert "# %%" not in sources
    assert text.count("redict") >= text.count("keep(") > 0
    for equation in re.findall(r"\((S\d+\.[\w-]+)\)", text):
        assert equation in IDS, equation
    named = set(re.findall(r'^    "(\w+)",$', text, re.MULTILINE)) & set(CLAIMS)
    assert named, "a lesson ends with its claims"


@LESSONS
def test_lesson_opens_as_a_notebook(path):
    notebook = jupytext.read(path)
    kinds = [cell.cell_type for cell in notebook.cells]
    assert kinds[0] == "markdown"
    assert kinds.count("code") >= 3


@LESSONS
def test_every_prediction_has_its_outcome(path):
    code = path.read_text(encoding="utf-8")
    asked = re.findall(r'\bpredict\(\s*"(.+?)"', code)
    assert len(set(asked)) == len(asked)
    for name in asked:
        assert name.startswith(f"{path.name[:2]}-")
        uses = code.count(f'"{name}"') - code.count(f'keep(figure, "{name}"')
        assert uses == 2, f"{name}: its outcome is missing"
