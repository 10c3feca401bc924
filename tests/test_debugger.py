"""Lesson 00's paragraph on pdb, typed into a terminal: each of its commands does what it says."""

import os
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest

from mmvae_edu.course import lessons
from mmvae_edu.slides import s05_evidence

pty = pytest.importorskip("pty", reason="a pseudo-terminal is needed, which Windows has not")
LESSONS = {path.stem[:2]: path for path in lessons()}
PROMPT = "(Pdb) "
ROOT = Path(__file__).parent.parent


class Terminal:
    """pdb in a pseudo-terminal; `type` sends a line and returns the output up to the prompt."""

    def __init__(self, *command, cwd):
        self.master, slave = pty.openpty()
        plain = {"TERM": "dumb", "NO_COLOR": "1", "PYTHON_COLORS": "0", "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [sys.executable, *map(str, command)], cwd=cwd, env=os.environ | plain,
            stdin=slave, stdout=slave, stderr=slave, close_fds=True,
        )  # fmt: skip
        os.close(slave)

    def __enter__(self):
        self.start = self.read()
        return self

    def __exit__(self, *problem):
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def type(self, line):
        os.write(self.master, f"{line}\n".encode())
        return self.read()

    def read(self):
        text = ""
        while not text.endswith(PROMPT):
            ready, _, _ = select.select([self.master], [], [], 60)
            assert ready, f"no prompt after {text!r}"
            text += os.read(self.master, 4096).decode(errors="replace")
        return text


def stopped(number, line, tmp_path, *, below=0):
    """A copy of a lesson with breakpoint() above the line that starts so, or `below` it."""
    text = LESSONS[number].read_text("utf-8").split("\n")
    (at,) = (i for i, code in enumerate(text) if code.startswith(line))
    text.insert(at + below, "breakpoint()")
    copy = tmp_path / "lesson.py"
    copy.write_text("\n".join(text), encoding="utf-8")
    return copy


def paragraph():
    """The commands that lesson 00 gives for pdb, in its order."""
    text = LESSONS["00"].read_text("utf-8")
    text = text[text.index("# - A terminal:") : text.index("# Try it:")].replace("\n#", "")
    return re.findall(r"`([bcnspw](?: [^`]+)?)`", text)


def test_the_paragraph_has_these_commands():
    told = ["b elbo", "c", "n", "s", "p q", "w", "b /path/file.py:40", "b pullback"]
    assert paragraph() == told


def test_a_name_a_line_and_the_steps(tmp_path):
    with Terminal(stopped("00", "values = ", tmp_path), "--fast", cwd=tmp_path) as pdb:
        assert "lesson.py" in pdb.start
        assert "Breakpoint 1 at" in pdb.type("b elbo")
        file, line = Path(s05_evidence.__file__), s05_evidence.kl.__code__.co_firstlineno + 2
        assert "Breakpoint 2 at" in pdb.type(f"b {file.resolve()}:{line}")
        assert "Breakpoint" not in pdb.type(f"b {file.name}:{line}")
        assert any("checked_function()" in pdb.type("s") for _ in range(3))  # the call on that line
        assert "log_evidence()" in [pdb.type(key) for key in "nns"][-1]  # arrays first
        assert "elbo()" in pdb.type("c")
        assert "array([0.4, 0.3, 0.3])" in pdb.type("p q")
        before = pdb.type("w")
        assert "lesson.py" in before
        after = pdb.type("n")
        at = [int(re.search(r"s05_evidence\.py\((\d+)\)elbo", text)[1]) for text in (before, after)]
        assert at[1] == at[0] + 1


def test_a_name_works_once_its_import_has_run(tmp_path):
    with Terminal("-m", "pdb", LESSONS["00"], cwd=tmp_path) as pdb:
        assert "Breakpoint" not in pdb.type("b elbo")


def test_a_pullback_has_a_name_once_it_is_made(tmp_path):
    with Terminal(stopped("05", "l1, pullback = ", tmp_path), cwd=tmp_path) as pdb:
        assert "Breakpoint" not in pdb.type("b pullback")
    with Terminal(stopped("05", "l1, pullback = ", tmp_path, below=1), cwd=tmp_path) as pdb:
        assert "Breakpoint" not in pdb.type("b neg_kl_std_normal_pullback")
        assert "gaussian.py" in pdb.type("b pullback")
        assert "neg_kl_std_normal_pullback()" in pdb.type("c")
