"""The course's commands: what they say, what they keep, and what they do about mistakes."""

import argparse
import ast
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import nbformat
import pytest

from mmvae_edu import cli, data, kernels
from mmvae_edu.claims import CLAIMS
from mmvae_edu.claims.registry import LEGEND, ORACLES
from mmvae_edu.cli import doctor
from mmvae_edu.cli import exercises as commands
from mmvae_edu.course import lessons, notebook, overview, progress, source, status, watch
from mmvae_edu.course.exercises import exercises

ROOT = Path(__file__).parent.parent
VAE_GRAD = exercises()["L17.vae_grad"]
RIGHT = "def vae_grad(g):\n    return g.mean(0)\n"
WRONG = "def vae_grad(g):\n    return g.sum(0)\n"  # the mistake summed_gradient


def write(folder, text, exercise=VAE_GRAD):
    path = folder / exercise.stub.name
    path.write_text(text, encoding="utf-8")
    return path


def run(*arguments, encoding="utf-8", **options):
    """A command in a process of its own."""
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "mmvae_edu", *arguments]
    options = {"env": environment, "capture_output": True, "timeout": 600} | options
    return subprocess.run(command, **options)


# ---- every command ----------------------------------------------------------------------------


def subcommands():
    parser = cli.parser()
    group = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return group.choices


@pytest.mark.parametrize("name", subcommands())
def test_help_says_what_and_how(name):
    page = subcommands()[name].format_help()
    assert page.isascii()
    example = re.sub(r"\s+", " ", page).rpartition("example: mmvae-edu ")[2].strip()
    assert example.startswith(name)
    assert callable(cli.parser().parse_args(shlex.split(example)).run)


def test_every_command_of_the_readme_exists():
    text = (ROOT / "README.md").read_text("utf-8")
    named = set(re.findall(r"`mmvae-edu ([a-z-]+)", text))
    assert named <= set(subcommands())
    assert {"tour", "doctor", "start", "check", "watch", "report", "notebook"} <= named


@pytest.mark.parametrize("arguments", [["run"], ["status"], ["doctor"], ["hint", "kl_gauss"]])
def test_a_console_without_unicode(arguments, folder):
    done = run(*arguments, encoding="cp1252", cwd=folder)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout.decode("cp1252").splitlines()) >= 1


def test_signs_that_a_console_lacks_have_another_form():
    done = run("reproduce", "digits-label", "--show", "--format", "markdown", encoding="ascii")
    line, _ = (line for line in done.stdout.decode("ascii").splitlines() if "| JMVAE" in line)
    assert re.fullmatch(r"\| JMVAE( \| -\d+\.\d\d \+/- \d\.\d\d){5} \|", line)


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_a_closed_output_is_no_fault():
    command = f"'{sys.executable}' -m mmvae_edu kernels >&-"
    done = subprocess.run(command, shell=True, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")


# ---- doctor -----------------------------------------------------------------------------------


def test_doctor_finds_all_that_is_needed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["doctor"]) == 0
    assert "all that is needed is here" in capsys.readouterr().out
    assert cli.main(["doctor", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    for name in "Python", "numpy", "float64", "threads", "digits", "folder", "kernels.reference":
        assert rows[name]["ok"], name
        assert rows[name]["needed"]
    assert list(tmp_path.iterdir()) == []
    assert {name for name in rows if name.startswith("extra ")} == {
        f"extra {extra}" for extra in doctor.EXTRAS if f"extra {extra}" in rows
    }


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "1 1 1"),
        ({"OPENBLAS_NUM_THREADS": "2"}, "2 None None"),
        ({"OMP_NUM_THREADS": "4"}, "None None 4"),
    ],
)
def test_products_have_one_thread_unless_a_variable_says_otherwise(variables, expected):
    code = """if True:
        import os, sys
        import mmvae_edu.cli as cli
        assert "numpy" not in sys.modules  # which reads the variables as it is loaded
        cli.main(["data", "list"])
        print(*map(os.environ.get, cli.doctor.OF_PRODUCTS))
    """
    environment = {k: v for k, v in os.environ.items() if k not in doctor.OF_PRODUCTS}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment | variables, capture_output=True, text=True
    )
    assert run.stdout.splitlines()[-1] == expected, run.stderr


def without(monkeypatch, *names, version=None):
    """As if packages were not installed, or were of that version."""
    installed = doctor.installed
    monkeypatch.setattr(doctor, "installed", lambda n: version if n in names else installed(n))


@pytest.mark.parametrize("version", [None, "0.1"])
def test_doctor_names_the_pip_command(version, monkeypatch, capsys):
    without(monkeypatch, "numba", version=version)
    assert cli.main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert re.search(rf"^MISSING  numba +{version or 'not installed'}$", out, re.MULTILINE)
    assert 'python -m pip install "numba>=' in out
    assert out.endswith("1 to mend\n")


def test_doctor_forgives_a_missing_extra(monkeypatch, capsys):
    without(monkeypatch, "jupytext", "hypothesis")
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^absent   extra test .*2 of \d+ packages lacking", out, re.MULTILINE)
    assert re.search(r'python -m pip install "hypothesis>=[\d.]+" "jupytext>=[\d.]+"', out)


def test_doctor_looks_into_the_extra_of_a_package(monkeypatch, capsys):
    without(monkeypatch, "distributed")
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^absent   extra sweep ", out, re.MULTILINE)
    assert re.search(r'python -m pip install "dask\[distributed\]>=[\d.]+"$', out, re.MULTILINE)


def test_doctor_tries_what_it_calls_ok(monkeypatch, capsys):
    def broken(*_):
        raise OSError("libgomp.so:\ncannot open")

    monkeypatch.setattr(kernels.numba_cpu, "importance_weights", broken)
    monkeypatch.setitem(sys.modules, "mpmath", None)
    assert cli.main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert re.search(r"^absent   kernels.numba_cpu +OSError: libgomp.so: cannot open$", out, re.M)
    assert re.search(r"^MISSING  mpmath +[\d.]+: ModuleNotFoundError: import of mpmath", out, re.M)
    assert "python -m pip install --force-reinstall mpmath" in out


def test_every_remedy_names_an_extra_of_setup_py():
    call = ast.parse((ROOT / "setup.py").read_text("utf-8")).body[-1].value
    table = next(keyword.value for keyword in call.keywords if keyword.arg == "extras_require")
    extras = {key.value for key in table.keys}
    assert set(doctor.EXTRAS) == extras
    sources = [*ROOT.glob("mmvae_edu/**/*.py"), *ROOT.glob("kernels/**/*.py"), *ROOT.glob("*.md")]
    text = "\n".join(path.read_text("utf-8") for path in sources)
    remedies = re.findall(r"(?:mmvae_edu|-e \"\.|\(or )\[(\w+)\]", text)
    assert set(remedies) <= extras
    assert {"cuda12", "cuda13", "data", "sweep", "bench", "notebook", "test"} <= set(remedies)
    for command in re.findall(r"pip install ([^\"`-].*?)[`\")]", text):  # a package is one of ours
        assert command.startswith("'mmvae_edu["), command


def test_doctor_sees_damaged_data_and_a_folder_of_somebody_else(monkeypatch, capsys):
    def damaged():
        raise ValueError("uci_digits.npz is damaged or altered")

    def refused(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(data, "verify", damaged)
    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refused)
    assert cli.main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "MISSING  digits" in out
    assert "MISSING  folder" in out
    assert "2 to mend" in out


def test_without_numpy_every_command_says_what_is_missing(tmp_path):
    code = "import sys; sys.modules['numpy'] = None\nfrom mmvae_edu.cli import main\n"
    done = subprocess.run(
        [sys.executable, "-c", code + "sys.exit(main(['status']))"],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("mmvae-edu: import of numpy halted")
    assert "MISSING  float64" in done.stdout
    assert "Traceback" not in done.stderr


# ---- watch ------------------------------------------------------------------------------------


def looks(monkeypatch, *ticks):
    """The files that watch checks while `ticks` happen between its looks: [(name, why)]."""
    ticks, checked = iter([*ticks, None, None]), []

    def sleep(seconds):
        assert seconds <= 0.25  # two looks and a bit are less than a second
        tick = next(ticks, KeyboardInterrupt)
        if tick is KeyboardInterrupt:
            raise KeyboardInterrupt
        if tick:
            tick()

    def check(chosen, folder, say):
        checked.append(chosen[0].stub.name)

    monkeypatch.setattr(watch, "sleep", sleep)
    monkeypatch.setattr(commands, "check_and_keep", check)
    assert cli.main(["watch"]) == 0
    return checked


def test_watch_waits_for_a_half_saved_file(folder, monkeypatch):
    def half():
        write(folder, RIGHT[:20])

    def whole():
        write(folder, RIGHT)

    assert looks(monkeypatch, half, whole) == ["17_weighted_gradients.py"]


def test_watch_survives_an_editor_that_replaces_the_file(folder, monkeypatch):
    path = folder / VAE_GRAD.stub.name

    def away():
        path.rename(path.with_suffix(".old"))

    def back():
        path.with_suffix(".new").write_text(RIGHT)
        os.replace(path.with_suffix(".new"), path)

    def same():
        path.write_text(RIGHT)

    assert looks(monkeypatch, away, back, None, same) == [path.name]


def test_watch_begins_with_what_is_not_checked(folder, monkeypatch):
    path = folder / "00_first_figure.py"
    path.write_text(path.read_text("utf-8").replace("return todo", "return 0 and todo"))
    assert looks(monkeypatch) == [path.name]
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    cli.main(["check", "L00"])
    assert looks(monkeypatch) == []


def test_watch_in_a_pipe_until_it_is_interrupted(folder):
    command = [sys.executable, "-m", "mmvae_edu", "watch", "vae_grad"]
    options = {"cwd": folder, "stdout": subprocess.PIPE, "text": True}
    options["preexec_fn"] = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # ignored in "&"
    with subprocess.Popen(command, **options) as process:
        lines = iter(process.stdout.readline, "")
        assert next(lines).startswith("watching 17_weighted_gradients.py in ")
        assert next(lines) == "0 of 1 right; a file is checked when it is saved\n"
        for text, word in (WRONG, "WRONG"), (RIGHT, "RIGHT"):
            write(folder, text)
            assert any(line.endswith("17_weighted_gradients.py was saved\n") for line in lines)
            assert next(lines).startswith(f"{word}  L17.vae_grad")
        time.sleep(1)  # Python may lose an interrupt while the threads of a check end
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == 0
    assert "\x1b" not in rest
    assert rest.endswith("watch ended\n")
    row = progress.load(folder)["L17.vae_grad"]
    assert (row.code, row.hash) == (0, progress.file_hash(folder, VAE_GRAD))


# ---- notebook ---------------------------------------------------------------------------------


def cells(path):
    found = nbformat.read(path, as_version=4)
    nbformat.validate(found)
    return [cell.source for cell in found.cells if cell.cell_type == "code"]


def executed(path, folder, end=""):
    """What the code cells print, one after the other in one process; magics are left out."""
    code = "\n\n".join(re.sub(r"^%.*$", "", source, flags=re.MULTILINE) for source in cells(path))
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code + end],
        cwd=folder, capture_output=True, text=True, timeout=600,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"}, encoding="utf-8",
    )  # fmt: skip


def test_a_notebook_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["notebook", "05", "-o", "new/x.ipynb"]) == 0
    done = executed(tmp_path / "new" / "x.ipynb", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "holds  L1 is" in done.stdout
    assert (tmp_path / "mmvae_edu_out" / "lessons" / "05-l1.png").exists()


def test_a_fast_notebook_is_fast(tmp_path):
    path = tmp_path / "x.ipynb"
    for fast in False, True:
        notebook.write_notebook(overview.find("06").path, path, fast=fast, force=True)
        first = cells(path)[0]
        assert first.startswith("%matplotlib inline")
        code = f"{first.partition('inline')[2]}\nfrom mmvae_edu.course import FAST\nprint(FAST)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.stdout == f"{fast}\n"


def test_the_same_lesson_gives_the_same_notebook(tmp_path):
    for name in "ab":
        notebook.write_notebook(lessons()[0], tmp_path / f"{name}.ipynb")
    assert (tmp_path / "a.ipynb").read_bytes() == (tmp_path / "b.ipynb").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.ipynb", "b.ipynb"]


def test_a_notebook_is_not_overwritten_by_accident(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "05_neg_kl.ipynb"
    own.write_text("mine")
    assert cli.main(["notebook", "05"]) == 64
    assert "--force" in capsys.readouterr().err
    assert own.read_text() == "mine"
    assert cli.main(["notebook", "05", "--force"]) == 0
    assert len(cells(own)) > 3


def test_without_jupytext_the_pip_command_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "jupytext", None)
    assert cli.main(["notebook", "05"]) == 64
    assert "pip install 'mmvae_edu[notebook]'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


# ---- run --------------------------------------------------------------------------------------


def test_run_lists_the_lessons(capsys):
    assert cli.main(["run"]) == 0
    out = capsys.readouterr().out
    for path in lessons():
        assert f"\n{path.name[:2]}  " in f"\n{out}"


@pytest.mark.parametrize("name", ["5", "05", "L05", "L5", "05_neg_kl", "lessons/05_neg_kl.py"])
def test_names_of_lessons(name):
    assert overview.find(name).path.name == "05_neg_kl.py"


def test_a_lesson_of_another_clone_is_refused(tmp_path, capsys):
    path = tmp_path / "05_neg_kl.py"
    path.write_text("")
    assert cli.main(["run", str(path)]) == 64
    assert "is no lesson of this library" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "notebook"])
@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("", None), ("77", None), ("xyz", None), ("1000", None), ("4a", "04"), ("5a", "05"),
        ("05_kl", "05"), ("neg_kl", "05_neg_kl"), ("lessons/05.5", "05"),
    ],
)  # fmt: skip
def test_names_of_no_lesson(command, name, near, capsys):
    assert cli.main([command, name]) == 64
    error = capsys.readouterr().err
    assert f"no lesson {name or repr(name)}; there are 00, 01" in error
    assert error.endswith(f"; did you mean {near}?\n" if near else "25\n")
    assert error.count("\n") == 1


def test_run_runs_as_the_script_does(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    assert cli.main(["run", "05", "--fast"]) == 0
    assert "figure mmvae_edu_out" in capsys.readouterr().out
    assert sys.argv[1:] == ["--fast"]


def test_a_lesson_whose_claim_fails(tmp_path, monkeypatch, capsys):
    def planted(f, rng):
        """One equals two."""
        return 1.0, 2.0

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    name = "l1_is_zero_only_at_the_prior"
    monkeypatch.setitem(CLAIMS, name, replace(CLAIMS[name], check=planted))
    assert cli.main(["run", "05"]) == 1
    said = capsys.readouterr()
    assert "FAILS  One equals two." in said.out
    assert said.err.startswith(f"mmvae-edu: this claim fails: {name}")


def test_the_overview_knows_every_lesson_and_what_comes_before():
    rows = overview.overview()
    assert [row.path for row in rows] == lessons()
    numbers = [row.number for row in rows]
    for row in rows:
        assert all(before < row.number for before in row.after)
        assert set(row.after) <= set(numbers)
        assert 3 <= row.minutes <= 30
        assert row.title in row.path.read_text("utf-8")
    assert sum(row.exercises for row in rows) == len(exercises())


def test_a_row_without_its_lesson_is_named(monkeypatch):
    rows = overview.read_toml(ROOT / "lessons" / "lessons.toml") | {"98": {}, "99": {}}
    monkeypatch.setattr(overview, "read_toml", lambda path: rows)
    with pytest.raises(ValueError, match=r'lessons.toml has a row \["98"\]'):
        overview.overview()


def test_run_measures(capsys):
    assert cli.main(["run", "05", "--table", "--fast"]) == 0
    header, _, row = capsys.readouterr().out.splitlines()
    assert header.split(" | ")[5] == "s to run"
    assert int(row.split(" | ")[5]) < 60


# ---- progress ---------------------------------------------------------------------------------


def test_progress_of_the_first_version_is_kept(folder, capsys):
    write(folder, RIGHT)
    old = {"L17.vae_grad": {"hash": progress.file_hash(folder, VAE_GRAD), "code": 0}}
    (folder / progress.FILE).write_text(json.dumps(old))
    row = progress.load(folder)["L17.vae_grad"]
    assert (row.code, row.mistakes, row.hints) == (0, [], [])
    assert cli.main(["status"]) == 0
    assert "right           vae_grad (checker changed since)" in capsys.readouterr().out
    assert cli.main(["hint", "vae_grad"]) == 0
    text = json.loads((folder / progress.FILE).read_text("utf-8"))
    assert text["version"] == 2
    assert text["exercises"]["L17.vae_grad"]["code"] == 0


@pytest.mark.parametrize(
    "content",
    [
        {"version": 3, "exercises": {}},
        {"version": 2},
        {"version": 2, "exercises": {"L17.vae_grad": {"code": 7}}},
        {"version": 2, "exercises": {"L17.vae_grad": {"stars": 5}}},
        {"version": 2, "exercises": {"L17.vae_grad": {"hints": [4]}}},
    ],
)
def test_progress_of_another_version_is_set_aside(content, folder, capsys):
    (folder / progress.FILE).write_text(json.dumps(content))
    assert progress.load(folder) == {}
    assert "kept as" in capsys.readouterr().err
    aside = folder / f"{progress.FILE}.bak1"
    assert json.loads(aside.read_text("utf-8")) == content


def test_another_checker_makes_a_result_old(folder, monkeypatch):
    write(folder, RIGHT)
    cli.main(["check", "vae_grad"])
    assert progress.load(folder)["L17.vae_grad"].checker == progress.checker_version(VAE_GRAD)
    row = next(r for r in status.statuses(folder) if r.exercise is VAE_GRAD)
    assert (row.state, row.changed) == ("right", "")
    monkeypatch.setattr(progress, "checker_version", lambda exercise: "another")
    row = next(r for r in status.statuses(folder) if r.exercise is VAE_GRAD)
    assert (row.state, row.changed) == ("right", "checker")


def test_the_checkers_version_follows_its_files(monkeypatch):
    before = progress.checker_version(VAE_GRAD)
    digest = progress._digest
    claims = sys.modules[VAE_GRAD.claims[0].check.__module__].__file__
    monkeypatch.setattr(progress, "_digest", lambda p: "new" if p == claims else digest(p))
    assert progress.checker_version(VAE_GRAD) != before


def test_status_as_json(folder, capsys):
    write(folder, WRONG)
    capsys.readouterr()
    cli.main(["check", "vae_grad"])
    write(folder, WRONG + "# later\n")
    capsys.readouterr()
    assert cli.main(["status", "--json"]) == 0
    rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == list(exercises())
    assert rows["L17.vae_grad"] == {
        "id": "L17.vae_grad",
        "file": "17_weighted_gradients.py",
        "state": "wrong",
        "changed": "file",
        "mistakes": ["summed_gradient"],
        "hints": [],
    }
    assert rows["L17.iwae_grad"]["state"] == "not attempted"  # it is gone from the file
    assert rows["L05.kl_gauss"]["state"] == "not attempted"
    write(folder, "def vae_grad(")
    cli.main(["status", "--json"])
    rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["L17.iwae_grad"]["state"] == "not checked"  # nobody can tell


@pytest.mark.parametrize(
    "command",
    [
        "check vae_gard --json",
        "check --json --seed x",
        "status --json x",
        "stat --json",
        "check --js",
    ],
)
def test_what_is_asked_for_as_json_is_json_also_where_it_fails(
    command, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    try:
        code = cli.main(command.split())
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    error = json.loads(out)
    assert (code, list(error)) == (64, ["error"])
    assert err.endswith(f": {error['error']}\n")


def test_status_says_how_to_get_a_file_that_is_not_there(folder, capsys):
    folder = folder.rename(folder.with_name("my [bold] exercises"))
    (folder / "00_first_figure.py").unlink()
    capsys.readouterr()
    assert cli.main(["status"]) == 0
    assert f"next: L00.two_plus_two; `mmvae-edu start {folder}`" in capsys.readouterr().out
    assert cli.main(["start", str(folder)]) == 0
    assert "1 new files" in capsys.readouterr().out


def test_status_tells_a_mistake_in_words(folder, capsys):
    write(folder, WRONG)
    cli.main(["check", "vae_grad"])
    capsys.readouterr()
    assert cli.main(["status"]) == 0
    out = capsys.readouterr().out
    says = next(m.says for m in VAE_GRAD.mutants if m.name == "summed_gradient")
    assert f"  wrong           vae_grad: {says}\n" in out
    assert f"0 of {len(exercises())} right, 1 wrong, in " in out
    assert "summed_gradient" not in out


def test_status_is_coloured_in_a_terminal_only(folder, capsys, monkeypatch):
    assert cli.main(["status"]) == 0
    plain = capsys.readouterr().out
    assert "\x1b" not in plain
    assert re.search(r"^L17  0 of \d right  17_weighted_gradients.py$", plain, re.MULTILINE)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert cli.main(["status"]) == 0
    coloured = capsys.readouterr().out
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain != coloured


# ---- check, hint, reset, start ----------------------------------------------------------------


def test_check_of_everything_counts_what_is_not_attempted(folder, capsys):
    path = folder / VAE_GRAD.stub.name
    stub = source.function_source(path, "vae_grad")
    path.write_text(path.read_text("utf-8").replace(stub, RIGHT), encoding="utf-8")
    assert cli.main(["check"]) == 2
    out = capsys.readouterr().out
    assert out.count("TODO") == 1
    assert f"TODO   {len(exercises()) - 1} not attempted" in out


def test_a_fault_of_the_file_is_told_once(folder, capsys):
    (folder / "05_neg_kl.py").write_text("def neg_kl_std_normal(")
    (folder / "11_product_of_experts.py").unlink()
    capsys.readouterr()
    assert cli.main(["check", "L01", "05_neg_kl.py", "11_product_of_experts.py"]) == 1
    untouched, unparsed, place, missing, *_, end = capsys.readouterr().out.splitlines()
    names = ", ".join(e.name for e in exercises().values() if e.id.startswith("L01."))
    assert untouched == f"TODO   L01.{names}: not attempted yet (01_log_space.py)"
    assert unparsed == "WRONG  L05.neg_kl_std_normal, kl_gauss: syntax error: '(' was never closed"
    assert place == "  look at:  05_neg_kl.py:1"
    assert missing.startswith("WRONG  L11.product_of_experts, quotient_of_experts: ")
    assert end.endswith("exit 1")


def test_a_legend_stands_where_numbers_do(folder, capsys):
    """In README, in --help and --explain; test_cli looks into the report."""
    codes = [claim.oracle[:2] for claim in CLAIMS.values()]
    assert {code for code in codes if re.match(r"O\d", code)} == {*ORACLES}
    readme = re.sub(r"\s+", " ", (ROOT / "README.md").read_text("utf-8"))
    page = re.sub(r"\s+", " ", subcommands()["check"].format_help()).replace("- ", "-")
    capsys.readouterr()
    cli.main(["check", "vae_grad", "--explain"])
    for text in page, readme, capsys.readouterr().out:
        assert LEGEND in text


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("vae_gard", "vae_grad"),
        ("L17.vae-grad", "L17.vae_grad"),
        ("L05.vae_grad", "L17.vae_grad"),
        ("L99.kl_gauss", "L05.kl_gauss"),
        ("17_weighted.py", "17_weighted_gradients.py"),
        ("nothing", None),
        ("99", None),
    ],
)
def test_a_mistyped_exercise(name, near, folder, capsys):
    assert cli.main(["check", name]) == 64
    error = capsys.readouterr().err
    assert (f"did you mean {near}?" in error) == (near is not None)
    assert error.count("\n") == 1


@pytest.mark.parametrize("place", ["", "./", "mine/", "mine/../mine/"])
def test_a_file_names_its_exercises(place, folder):
    chosen = commands.choose([f"{place}17_weighted_gradients.py"])
    assert chosen == [e for e in exercises().values() if e.stub == VAE_GRAD.stub]
    (folder / VAE_GRAD.stub.name).unlink()
    assert commands.choose([f"{place}17_weighted_gradients.py"]) == chosen  # check says it is gone


def test_a_file_outside_the_folder_is_refused(folder, capsys):
    own, copy = folder / VAE_GRAD.stub.name, folder.parent / VAE_GRAD.stub.name
    copy.write_text(RIGHT)
    assert cli.main(["check", str(copy)]) == 64
    error = capsys.readouterr().err
    assert f"{copy} is not in {folder}" in error
    assert error.count("\n") == 1
    assert cli.main(["check", str(own)]) == 2


def test_a_hint_fits_the_mistake_and_is_remembered(folder, capsys, monkeypatch):
    hints = dict(enumerate(VAE_GRAD.hints, 1))

    def hint(*arguments):
        capsys.readouterr()
        assert cli.main(["hint", "vae_grad", *arguments]) == 0
        return capsys.readouterr().out

    assert hint() == f"1/3  {hints[1]}\n"
    write(folder, WRONG)
    cli.main(["check", "vae_grad"])
    mutant = next(m for m in VAE_GRAD.mutants if m.name == "summed_gradient")
    for fitting, number in (3, 3), (None, 2):
        mutants = [replace(mutant, hint=fitting)]
        monkeypatch.setattr("mmvae_edu.course.exercises.mutants_of", lambda of, m=mutants: m)
        assert hint() == f"last check: {mutant.says}\n{number}/3  {hints[number]}\n"
    assert progress.load(folder)["L17.vae_grad"].hints == [1, 2, 3]
    write(folder, RIGHT)
    cli.main(["check", "vae_grad"])
    assert hint().splitlines() == [f"{n}/3  {text}" for n, text in hints.items()]
    assert hint("2") == f"2/3  {hints[2]}\n"


def test_hints_walk_on_and_explain_shows_those_seen(folder, capsys):
    def said(*arguments):
        capsys.readouterr()
        cli.main([*arguments])
        return capsys.readouterr().out

    for seen in 0, 1, 2, 3:
        out = said("check", "vae_grad", "--explain")
        assert [f"hint {n}/3:" in out for n in (1, 2, 3)] == [n <= seen for n in (1, 2, 3)]
        number = seen % 3 + 1  # once all are seen, from the start
        assert said("hint", "vae_grad") == f"{number}/3  {VAE_GRAD.hints[number - 1]}\n"


def test_reset_all_keeps_everything(folder, capsys):
    write(folder, RIGHT)
    (folder / "05_neg_kl.py").unlink()
    cli.main(["check", "vae_grad"])
    kept = (folder / progress.FILE).read_bytes()
    assert cli.main(["reset", "--all"]) == 0
    for exercise in exercises().values():
        assert (folder / exercise.stub.name).read_bytes() == exercise.stub.read_bytes()
    assert (folder / f"{VAE_GRAD.stub.name}.bak1").read_text() == RIGHT
    assert (folder / f"{progress.FILE}.bak1").read_bytes() == kept
    assert progress.load(folder) == {}


def test_reset_brings_back_a_function_that_is_gone(folder):
    path = write(folder, "def mine():\n    return 1")
    assert cli.main(["reset", "vae_grad"]) == 0
    text = path.read_text("utf-8")
    assert text.startswith("def mine():\n    return 1\n")
    assert source.function_source(path, "vae_grad") == progress.function_source(
        VAE_GRAD.stub, "vae_grad"
    )


def test_the_last_definition_counts(folder):
    path = write(folder, VAE_GRAD.stub.read_text("utf-8") + "\n\n" + RIGHT)
    assert source.function_source(path, "vae_grad") == RIGHT
    assert cli.main(["check", "vae_grad"]) == 0


@pytest.mark.parametrize(
    "text",
    [
        "vae_grad = lambda g: g.mean(0)\n",
        "if True:\n    def vae_grad(g):\n        return g.mean(0)\n",
        "class Mean:\n    def __call__(self, g):\n        return g.mean(0)\n\nvae_grad = Mean()\n",
    ],
)
def test_a_solution_need_not_be_a_plain_function(text, folder):
    assert progress.untouched(folder, VAE_GRAD)
    path = write(folder, VAE_GRAD.stub.read_text("utf-8") + "\n\n" + text)
    assert not progress.untouched(folder, VAE_GRAD)
    code = cli.main(["check", "vae_grad"])
    now = status.status_of(progress.load(folder)[VAE_GRAD.id], folder, VAE_GRAD)
    assert (code, now.state, now.changed) == (0, "right", "")
    assert cli.main(["reset", "vae_grad"]) == 0
    assert progress.untouched(folder, VAE_GRAD)
    assert path.read_text("utf-8").startswith(VAE_GRAD.stub.read_text("utf-8"))


def test_a_file_with_a_byte_order_mark(folder):
    path = folder / VAE_GRAD.stub.name
    path.write_bytes(b"\xef\xbb\xbf" + RIGHT.encode())
    assert source.function_source(path, "vae_grad") == RIGHT
    assert cli.main(["check", "vae_grad"]) == 0


def test_start_refuses_the_stubs_own_folder(capsys):
    stubs = VAE_GRAD.stub.parent
    before = sorted(path.name for path in stubs.iterdir())
    assert cli.main(["start", str(stubs)]) == 64
    assert "choose another folder" in capsys.readouterr().err
    assert sorted(path.name for path in stubs.iterdir()) == before
