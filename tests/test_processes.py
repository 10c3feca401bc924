"""A learner's file as something to be careful with: processes, limits, signs, odd files."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from mmvae_edu import cli
from mmvae_edu.cli import gradcheck as command
from mmvae_edu.course import checker, progress
from mmvae_edu.course.examine import RIGHT, WRONG
from mmvae_edu.course.exercises import exercises
from mmvae_edu.course.process import Limits, judge
from mmvae_edu.support.files import SOURCE
from mmvae_edu.support.terminal import say, visible

VAE_GRAD = exercises()["L17.vae_grad"]
NAME = VAE_GRAD.stub.name
MEAN = "def vae_grad(g): return g.mean(0)\n"
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")


def check(tmp_path, source, **limits):
    (tmp_path / NAME).write_text(source)
    return checker.check_file(VAE_GRAD, tmp_path, limits=Limits(**limits))


def mmvae_edu(*arguments, **options):
    """Start a command in a process that Ctrl-C interrupts, as in a terminal."""
    started = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    options = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "preexec_fn": started,
    } | options
    return subprocess.Popen([sys.executable, "-m", "mmvae_edu", *arguments], **options)


# ---- limits -----------------------------------------------------------------------------------


LIMITS = {  # source, limits, what the verdict says
    "an endless loop": ("def vae_grad(g):\n    while True: pass", {"cpu": 1}, "1 s of CPU time"),
    "C code without end": ("def vae_grad(g): sum(range(10**14))", {"cpu": 1}, "1 s of CPU time"),
    "another thread": (
        "import threading, time\ndef burn():\n    while True: pass\n"
        "threading.Thread(target=burn).start()\ndef vae_grad(g): time.sleep(99)",
        {"cpu": 1},
        "1 s of CPU time",
    ),
    "a wait": ("import time\ndef vae_grad(g): time.sleep(99)", {"wall": 3}, "no result after 3 s"),
    "a wait as it is loaded": ("import time\ntime.sleep(99)", {"wall": 3}, "no result after 3 s"),
    "much memory": (
        "import numpy as np\ndef vae_grad(g): return np.zeros(10**13).mean()", {}, "MemoryError"
    ),
    "a list that grows": (
        "def vae_grad(g):\n    a = []\n    while True: a.append(bytearray(10**7))",
        {"memory": 10**9},
        "raises MemoryError",
    ),
}  # fmt: skip


@posix
@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_ends_a_check_and_is_named(name, tmp_path):
    source, limits, says = LIMITS[name]
    if "MemoryError" in says and not sys.platform.startswith("linux"):
        pytest.skip("others ignore the limit")
    verdict = check(tmp_path, source, **limits)
    assert (verdict.code, says in verdict.says) == (WRONG, True), verdict


@posix
def test_what_is_slow_for_others_sake_is_right(tmp_path):
    """As on a busy machine: more seconds on the clock than there may be of CPU time."""
    verdict = check(tmp_path, f"import time\ntime.sleep(3)\n{MEAN}", cpu=2)
    assert (verdict.code, verdict.seconds > 3) == (RIGHT, True)


# ---- what a check leaves behind ----------------------------------------------------------------

CHILD = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"])
fork = os.fork() or time.sleep(99)  # has this process's pipes
with open("pids", "w") as file:
    file.write(f"{child.pid} {fork} ")
"""
ENDINGS = {  # source after CHILD, limits, code
    "at the verdict": (MEAN, {}, RIGHT),
    "when the file ends the process": ("def vae_grad(g): os._exit(0)", {}, WRONG),
    "at the limit of CPU time": ("def vae_grad(g):\n    while True: pass", {"cpu": 1}, WRONG),
    "at the limit of the clock": ("def vae_grad(g): time.sleep(99)", {"wall": 3}, WRONG),
}


def running(folder):
    """Those of the processes that the file has started which are not dead."""
    pids = (folder / "pids").read_text().split()
    found = subprocess.run(["ps", "-o", "stat=", "-p", ",".join(pids)], capture_output=True)
    return [state for state in found.stdout.decode().split() if not state.startswith("Z")]


def waited(condition, seconds=10):
    """Wait until a condition holds; whether it does in the end."""
    end = time.monotonic() + seconds
    while not (holds := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return holds


@posix
@pytest.mark.parametrize("name", ENDINGS)
def test_its_processes_end_with_the_check(name, tmp_path, monkeypatch):
    source, limits, code = ENDINGS[name]
    monkeypatch.chdir(tmp_path)
    verdict = check(tmp_path, CHILD + source, **limits)
    assert verdict.code == code, verdict
    assert verdict.seconds < 10
    assert waited(lambda: not running(tmp_path))


@posix
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_its_processes_end_with_the_command(sent, folder):
    (folder / NAME).write_text(CHILD + "def vae_grad(g): time.sleep(99)")
    with mmvae_edu("check", "vae_grad", cwd=folder) as process:
        assert waited((folder / "pids").exists)
        assert waited(lambda: len(running(folder)) == 2)
        start = time.monotonic()
        process.send_signal(sent)
        output, errors = process.communicate(timeout=30)
    assert time.monotonic() - start < 3
    assert waited(lambda: not running(folder))
    if sent == signal.SIGINT:
        assert (process.returncode, output, errors) == (130, b"", b"mmvae-edu: interrupted\n")


def test_an_interrupt_of_the_files_own_is_told(tmp_path):
    for source in "raise KeyboardInterrupt", "def vae_grad(g): raise KeyboardInterrupt":
        verdict = check(tmp_path, source)
        assert (verdict.code, verdict.says, verdict.line) == (
            WRONG,
            "it raises KeyboardInterrupt",
            1,
        )


# ---- gradcheck FILE ----------------------------------------------------------------------------

CUBE = """
import numpy as np
def cube(x):
    return x**3, lambda dy: 3 * x**2 * dy
def example(rng):
    return (rng.normal(size=3),), {}
"""
GRADCHECKS = {  # source, exit code, what is printed
    "sys.exit": ("import sys\nsys.exit(0)", 1, r"mine.py:2: the file raises SystemExit: 0"),
    "os._exit": ("import os\nos._exit(0)", 1, r"ended the process .*\n.* with code 0"),
    "os._exit in the function": (
        CUBE + "import os\ndef cube(x): os._exit(0)", 1, r"ended the process .*\n.* with code 0",
    ),
    "sys.exit in the pullback": (
        CUBE + "import sys\ndef cube(x):\n    return x, lambda dy: sys.exit(0)",
        1,
        r"cube raises SystemExit: 0\n  look at:  mine.py:9\n",
    ),
    "an example that raises": (
        CUBE + "def example(rng):\n    return {}['x']",
        1,
        r"example\(rng\) raises KeyError: 'x'\n  look at:  mine.py:8\n",
    ),
    "a pullback that raises": (
        CUBE + "def cube(x):\n    def back(dy):\n        return 1 / 0\n    return x, back",
        1,
        r"cube raises ZeroDivisionError: division by zero\n  look at:  mine.py:9\n",
    ),
    "an endless loop": (CUBE + "while True: pass", 1, "no result after 1 s of CPU time"),
    "a callable without a signature": (CUBE + "cube = max", 64, "cannot be called with"),
    "a stub": ("from mmvae_edu.course import todo\n" + CUBE + "def cube(x): todo('x')", 2, "TODO"),
    "prints": (CUBE + "print('my \\033[31mred')", 0, r"RIGHT(.|\n)*printed:\nmy \\x1b\[31mred\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", GRADCHECKS)
def test_gradcheck_of_a_file_that_does_more(name, tmp_path, monkeypatch, capsys):
    source, code, words = GRADCHECKS[name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "judge", partial(judge, limits=Limits(cpu=1)))
    Path("mine.py").write_text(source)
    assert cli.main(["gradcheck", "mine.py:cube"]) == code
    output = capsys.readouterr()
    assert re.search(words, output.out + output.err), output
    assert "Traceback" not in output.out + output.err


@pytest.mark.parametrize(
    "start", [["-m", "mmvae_edu"], ["-c", "from mmvae_edu.cli import *; main()"]]
)
@pytest.mark.parametrize("inside", [True, False])
def test_a_module_beside_the_file_is_found(start, inside, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "beside.py").write_text("slope = 3\n")
    (tmp_path / "mine" / "mine.py").write_text("from beside import slope\n" + CUBE)
    target, cwd = ("mine.py:cube", "mine") if inside else ("mine/mine.py:cube", ".")
    arguments = [sys.executable, *start, "gradcheck", target]
    done = subprocess.run(arguments, cwd=tmp_path / cwd, capture_output=True, text=True)
    assert done.stdout.startswith("RIGHT  the pullback of cube"), done


def test_terms_of_what_has_no_pullback(tmp_path, capsys):
    (tmp_path / "mine.py").write_text("def neg_kl_std_normal(mu, log_var): return mu\n")
    assert cli.main(["gradcheck", f"{tmp_path / 'mine.py'}:neg_kl_std_normal", "--terms"]) == 1
    assert "must return a pair (value, pullback)" in capsys.readouterr().out


# ---- odd files ---------------------------------------------------------------------------------

ODD = {  # how to make one, what is said of it
    "a pipe": (os.mkfifo if os.name == "posix" else None, "it is no regular file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "it is no regular file"),
    "a folder": (Path.mkdir, "it is a folder"),
    "a long file": (lambda path: path.write_text("x = 1\n" * (SOURCE // 6 + 1)), "at most"),
    "another encoding": (lambda path: path.write_bytes("é".encode("latin-1")), "save it as UTF-8"),
    "no encoding": (lambda path: path.write_text("# coding: hex\n"), "save it as UTF-8"),
    "null bytes": (lambda path: path.write_bytes(b"x = 1\0\n"), "it holds null bytes"),
}


def closed(path):
    path.write_text(MEAN)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")


ODD["a closed file"] = (closed, "Permission denied")


@posix
@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_is_named_in_one_sentence(name, folder, monkeypatch, capsys):
    make, says = ODD[name]
    (folder / NAME).unlink()
    make(folder / NAME)
    before = time.perf_counter()
    assert cli.main(["check", "vae_grad"]) == WRONG
    first = capsys.readouterr().out.splitlines()[0]
    assert says in first
    assert str(folder / NAME) in first
    assert cli.main(["gradcheck", f"{folder / NAME}:vae_grad"]) == 64
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    for arguments in ["start", "mine"], ["status"], ["hint", "vae_grad"]:
        assert cli.main(arguments) == 0
    assert cli.main(["solution", "vae_grad"]) == 1
    assert progress.own_file(folder, VAE_GRAD.stub) == folder / NAME
    capsys.readouterr()
    assert cli.main(["reset", "vae_grad"]) == 64
    assert says in capsys.readouterr().err
    assert time.perf_counter() - before < 10


def test_a_notebook_is_no_file_of_python(tmp_path, capsys):
    (tmp_path / "x.ipynb").write_text('{"cells": null}')
    assert cli.main(["gradcheck", f"{tmp_path / 'x.ipynb'}:cube"]) == 64
    assert "x.ipynb: expected a file of Python, found a notebook" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["x = " + "(" * 9_000, "x = " + "-" * 90_000 + "1", "x=" + "1+" * 90_000 + "1"]
)
def test_a_text_too_deep_for_the_parser(text, folder):
    (folder / NAME).write_text(text)
    assert checker.check_file(VAE_GRAD, folder).code == WRONG


# ---- control characters ------------------------------------------------------------------------

SIGNS = "\x1b]0;title\x07 \x1b[31m \r \x08 \x9b31m \u202e \x1b]52;c;YQ==\x07"
SHOWN = r"\x1b]0;title\x07 \x1b[31m \r \x08 \x9b31m \u202e \x1b]52;c;YQ==\x07"


def test_control_characters_become_escapes():
    assert visible(SIGNS) == SHOWN
    assert visible("λ, β\n\tδ\r\n") == "λ, β\n\tδ\n"


@posix
def test_no_control_character_of_a_learner_reaches_the_terminal(tmp_path, monkeypatch, capsys):
    inside = tmp_path / f"a{SIGNS[:9]}b"
    inside.mkdir()
    monkeypatch.chdir(inside)
    signs = ascii(SIGNS)
    text = f'''
print({signs})
def vae_grad(g):
    """A {SIGNS.replace(chr(13), "")} docstring."""
    raise ValueError({signs})
'''
    codes = [cli.main(["start", f"mine{SIGNS[:9]}"])]
    folder = progress.find_folder()
    (folder / NAME).write_text(text)
    (folder / "00_first_figure.py").unlink()
    for arguments in [
        ["check", "vae_grad", "-v"], ["check", "vae_grad", "--json"], ["check", "L00"], ["status"],
        ["gradcheck", f"{folder / NAME}:vae_grad"], ["solution", "vae_grad", "--give-up"],
        ["reset", "--all"], ["gradcheck", f"{SIGNS}.py:f"], ["hint", SIGNS],
    ]:  # fmt: skip
        codes.append(cli.main(arguments))
    assert codes == [0, WRONG, WRONG, WRONG, 0, 64, 0, 0, 64, 64]
    output = capsys.readouterr()
    assert SHOWN in output.out
    assert not re.findall(r"[^\n\t\x20-\x7e\xa0-\u2027\u2030-\u2065\u2070-\uffff]", output.out)
    assert not re.findall(r"[^\n\t\x20-\x7e\xa0-\u2027\u2030-\u2065\u2070-\uffff]", output.err)


def test_progress_holds_no_text_of_others(folder, capsys):
    rows = {"L17.vae_grad": {"code": 1, "mistakes": ["[/x] \x1b[31m"]}}
    (folder / progress.FILE).write_text(json.dumps({"version": 2, "exercises": rows}))
    assert cli.main(["status"]) == 0
    output = capsys.readouterr()
    assert "is kept as mmvae_edu_progress.json.bak1" in output.err
    assert "\x1b" not in output.out + output.err


class Screen(io.StringIO):
    """A terminal of 30 columns."""

    def __init__(self, monkeypatch):
        super().__init__()
        monkeypatch.setenv("COLUMNS", "30")

    def isatty(self):
        return True


def test_lines_are_broken_between_words_on_a_terminal_only(monkeypatch):
    text = "  evidence: against O2 quadrature: error 2e-05 of 1e-10\n\n    x = 1\n/" + "path-" * 9
    screen, file = Screen(monkeypatch), io.StringIO()
    say(text, file=screen)
    say(text, file=file)
    assert file.getvalue() == f"{text}\n"
    lines = screen.getvalue().split("\n")
    assert lines[:5] == [
        "  evidence: against O2",
        "      quadrature: error 2e-05",
        "      of 1e-10",
        "",
        "    x = 1",
    ]
    assert lines[5:] == ["/" + "path-" * 9, ""]
