"""Every lesson runs headless, says what it must, and opens as a notebook."""

import os
import re
import subprocess
import sys

import jupytext
import pytest

from mmvae_edu.claims import CLAIMS
from mmvae_edu.course import lessons
from mmvae_edu.slides.equations import load_equations

LESSONS = pytest.mark.parametrize("path", lessons(), ids=lambda path: path.stem)
IDS = {equation.id for equation in load_equations()}


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


@LESSONS
def test_lesson_reads_as_a_lesson(path):
    text = path.read_text(encoding="utf-8")
    number = path.stem[:2]
    assert text.startswith(f"# %% [markdown]\n# # L{number}  ")
    assert len(text.splitlines()) <= 250
    assert text.count("redict") >= text.count("keep(") > 0
    for equation in re.findall(r"\((S\d+\.\w+)\)", text):
        assert equation in IDS, equation
    named = set(re.findall(r'^    "(\w+)",$', text, re.MULTILINE)) & set(CLAIMS)
    assert named, "a lesson ends with its claims"


@LESSONS
def test_lesson_opens_as_a_notebook(path):
    notebook = jupytext.read(path)
    kinds = [cell.cell_type for cell in notebook.cells]
    assert kinds[0] == "markdown"
    assert kinds.count("code") >= 3
