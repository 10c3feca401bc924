"""`mmvae-edu run`: headings as they are passed, a wait at each cell, and lessons that raise."""

import re
import sys
import types
from dataclasses import replace

import pytest

from mmvae_edu import cli
from mmvae_edu.course import keep, overview, passing
from mmvae_edu.report import plots

LESSON = """# %% [markdown]
# # L99  Trees
#
# Text.

# %%
import sys
from dataclasses import dataclass

# %% [markdown]
# ## Leaves
#
# More text.
#
# ## Predict, then run

# %%
# # no heading


@dataclass
class Tree:
    height: "float"


print(Tree(2.0), __name__, sys.modules[Tree.__module__].__file__ == __file__)
print("one"); print("two")

# %% [markdown]
# ## Sources
"""
READ = (
    "# L99  Trees\n\n## Leaves\n\n## Predict, then run\nTree(height=2.0) __main__ True\none\ntwo\n"
)


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    """Return a function that writes lesson 99, for which `mmvae-edu run 99` then stands."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    row = overview.overview()[0]

    def write(text):
        path = tmp_path / "99_trees.py"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setattr(overview, "find", lambda name: replace(row, path=path))
        return path

    return write


def test_each_heading_stands_before_its_first_code(lesson, capsys):
    path, main = lesson(LESSON), sys.modules["__main__"]
    assert cli.main(["run", "99"]) == 0
    words = f"read along in {path}; `mmvae-edu notebook 99` makes a notebook of it"
    assert capsys.readouterr().out == f"{words}\n\n{READ}"
    assert sys.modules["__main__"] is main


@pytest.mark.parametrize("typed", [2, 1])
def test_step_waits_at_each_cell_until_ctrl_d(typed, lesson, monkeypatch, capsys):
    asked = []

    def input(prompt):
        asked.append(prompt)
        if len(asked) > typed:
            raise EOFError

    monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())
    monkeypatch.setattr("builtins.input", input)
    path = lesson(LESSON + '\n# %% measured times\nprint("end")\n')
    assert cli.main(["run", "99", "--step"]) == 0
    code, lines = path.read_text().splitlines(), []
    for prompt in asked:
        number = re.fullmatch(r"99_trees\.py:(\d+), Enter goes on ", prompt)[1]
        lines.append(code[int(number) - 1])
    assert lines == ["import sys", "class Tree:", 'print("end")'][: typed + 1]
    assert capsys.readouterr().out.endswith("two\n\n## Sources\n" + "\n" * (typed == 2) + "end\n")


def test_step_without_a_terminal_does_not_wait(lesson, monkeypatch, capsys):
    monkeypatch.setattr("builtins.input", lambda prompt: pytest.fail("it waits"))
    monkeypatch.setattr(sys, "stdin", None)
    lesson(LESSON)
    assert cli.main(["run", "99", "--step"]) == 0
    assert capsys.readouterr().out.endswith(READ)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("1 / 0", "{path}:{line}: the lesson raises ZeroDivisionError: division by zero"),
        ("int('x')", "{path}:{line}: the lesson raises ValueError: invalid literal for int"),
        ("def f():\n    import json; json.loads('x')\n\nf()", "{path}:{inner}: the lesson raises"),
        ("keep(None, 'x', alt=' ', numbers=[])", "{path}:{line}: the lesson raises ValueError: x:"),
        ("keep(None, 'x', numbers=[])", "{path}:{line}: the lesson raises TypeError: keep()"),
        ("x = = 1", "{path}: the lesson raises SyntaxError: invalid syntax (99_trees.py, line"),
    ],
)
def test_a_lesson_that_raises_is_one_sentence_with_file_and_line(code, says, lesson, capsys):
    start = "# %%\nfrom mmvae_edu.course import keep\n\n# %%\n"
    path = lesson(f"{start}{code}\n")
    assert cli.main(["run", "99"]) == 1
    line = start.count("\n") + 1
    said = capsys.readouterr().err
    assert said.endswith(f"; `python {path}` shows the traceback\n")
    assert said.startswith(f"mmvae-edu: {says.format(path=path, line=line, inner=line + 1)}")
    assert said.count("\n") == 1


def test_calls_of_passing_take_the_line_of_their_statement(lesson):
    path = lesson(LESSON)
    plain = compile(path.read_text(), str(path), "exec")
    passed = compile(passing._with_headings(path), str(path), "exec")
    lines = [{line for *_, line in code.co_lines() if line} for code in (plain, passed)]
    assert lines[0] == lines[1]


def test_a_notebook_displays_what_is_kept(tmp_path, monkeypatch):
    shown, ipython = [], types.ModuleType("IPython.display")
    ipython.display, ipython.version_info = shown.append, (9, 0)  # Matplotlib asks for it
    for name in "ipykernel", "IPython", "IPython.display":
        monkeypatch.setitem(sys.modules, name, ipython)
    monkeypatch.chdir(tmp_path)
    figure = plots.lines({"a": ([0, 1], [0, 1])}, "A line", "x", "y")
    keep(figure, "99-line", alt="a line", numbers=[])
    assert shown == [figure]


def test_a_figure_without_words_is_refused():
    with pytest.raises(ValueError, match="99-x: expected alt, the words for what it shows, found"):
        keep(None, "99-x", alt="", numbers=[])
