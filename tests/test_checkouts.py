"""Two clones on one machine never mix: A is installed, the commands run in B."""

import os
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
from conftest import copy_clone

from mmvae_edu.cli import doctor

pytestmark = pytest.mark.slow
WHERE = """\
import mmvae_edu, mmvae_edu.lessons
from mmvae_edu.kernels import reference
print(mmvae_edu.__file__, reference.__file__, mmvae_edu.lessons.__file__)
"""
WHOSE_TEST = f'''\
"""Which clone do tests import, and the processes that they start?"""

import subprocess
import sys
from pathlib import Path

import mmvae_edu
from mmvae_edu.kernels import reference


def test_whose(tmp_path):
    root = Path(__file__).parent.parent
    command = [sys.executable, "-c", """{WHERE}"""]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    for file in mmvae_edu.__file__, reference.__file__, *done.stdout.split():
        assert Path(file).is_relative_to(root), file
'''
BROKEN = """

def importance_weights(log_w):
    raise RuntimeError("broken here")
"""
CALL = "import numpy as np; from mmvae_edu.kernels import reference as r; "
CALL += "r.importance_weights(np.zeros((1, 1)))"


class Environment:
    """A virtual environment of its own that finds this one's packages, but not mmvae_edu."""

    def __init__(self, folder):
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        self.scripts = folder / ("Scripts" if os.name == "nt" else "bin")
        (site,) = self.run("-c", "import site; print(*site.getsitepackages()[-1:])").stdout.split()
        others = folder / "others"
        others.mkdir()
        for package in Path(numpy.__file__).parent.parent.iterdir():
            if "mmvae_edu" not in package.name:
                (others / package.name).symlink_to(package)
        (Path(site) / "others.pth").write_text(str(others))

    def install(self, *arguments):
        options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-warn-script-location")
        done = self.run("-m", "pip", "install", *options, *arguments)
        assert done.returncode == 0, done.stderr

    def run(self, *arguments, cwd=None, path=None, script=None):
        """Run Python, or a script that was installed; PYTHONPATH is `path` alone."""
        environment = os.environ | {"PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(path or "")}
        return subprocess.run(
            [self.scripts / (script or "python"), *arguments],
            cwd=cwd, env=environment, capture_output=True, encoding="utf-8", timeout=600,
        )  # fmt: skip


@pytest.fixture(scope="module")
def clones(tmp_path_factory):
    """(the environment, A, B): A is installed in it, editable; B is a clone beside it."""
    folder = tmp_path_factory.mktemp("two")
    environment = Environment(folder / "venv")
    a, b = (copy_clone(folder / name) for name in "AB")
    (b / "tests" / "test_whose.py").write_text(WHOSE_TEST)
    environment.install("-e", str(a))
    return environment, a, b


def used(done):
    """The folders of the package, the kernels and the lessons that WHERE has printed."""
    assert done.returncode == 0, done.stderr
    return [Path(file).parent for file in done.stdout.split()]


def parts(home):
    return [home / "mmvae_edu", home / "kernels", home / "lessons"]


def test_python_uses_the_clone_in_which_it_runs(clones, tmp_path):
    environment, a, b = clones
    (tmp_path / "mmvae_edu").mkdir()  # a script may stand beside a clone of that name
    for folder, owner in (a, a), (b, b), (tmp_path, a), (b / "tests", a):
        assert used(environment.run("-c", WHERE, cwd=folder)) == parts(owner)
    listed = environment.run("-m", "mmvae_edu", "run", cwd=b)
    assert (listed.stdout.split()[-1], listed.stderr) == (str(b / "lessons"), "")
    rows = environment.run("-m", "mmvae_edu", "doctor", cwd=b).stdout.splitlines()
    assert any(row.endswith(", ".join(map(str, parts(b)))) for row in rows)


@pytest.mark.parametrize("options", [[], ["-P"]], ids=["python -m pytest", "pytest"])
def test_pytest_tests_the_clone_in_which_it_runs(options, clones):
    environment, _, b = clones
    done = environment.run(*options, "-m", "pytest", "tests/test_whose.py", cwd=b)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_broken_kernel_breaks_its_own_clone(clones):
    environment, a, b = clones
    with (b / "kernels" / "reference.py").open("a+") as file:
        end = file.tell()
        file.write(BROKEN)
        file.flush()
        assert "broken here" in environment.run("-c", CALL, cwd=b).stderr
        assert environment.run("-c", CALL, cwd=a).returncode == 0
        file.truncate(end)


def test_processes_of_a_clone_use_that_clone(clones, tmp_path):
    """Those that check an exercise, run a job, or measure a lesson."""
    environment, _, b = clones
    start = "import os, subprocess; from mmvae_edu.support.clones import python; "
    start += f"subprocess.run(python({WHERE.replace(chr(10), '; ')!r}), cwd={str(tmp_path)!r})"
    assert used(environment.run("-c", start, cwd=b)) == parts(b)


def test_the_script_says_whose_it_is(clones, tmp_path):
    environment, a, b = clones
    says = f"mmvae-edu: this is {a / 'mmvae_edu'}; to run the library of {b}, "
    says += "type `python -m mmvae_edu` there\n"
    for folder, expected in (a, ""), (tmp_path, ""), (b, says), (b / "tests", says):
        done = environment.run("--version", cwd=folder, script="mmvae-edu")
        assert (done.returncode, done.stderr) == (0, expected)


def test_a_lesson_says_whose_library_it_uses(clones, tmp_path):
    environment, a, b = clones
    (tmp_path / "lessons").mkdir()
    for folder in a / "lessons", b / "lessons", tmp_path / "lessons":
        lesson = folder / "05_short.py"
        lesson.write_text("from mmvae_edu.course import keep\n")
        said = environment.run(lesson, cwd=tmp_path)
        assert said.returncode == 0, said.stderr
        assert said.stderr == (
            f"05_short.py runs with {a / 'mmvae_edu'}; to run it with the library of {b}, "
            "type `python -m mmvae_edu run 05` there\n"
        ) * (folder == b / "lessons")
        lesson.unlink()


def test_a_clone_on_the_path_alone(clones, tmp_path):
    *_, b = clones
    environment = Environment(tmp_path / "venv")
    assert used(environment.run("-c", WHERE, path=b, cwd=tmp_path)) == parts(b)
    done = environment.run("-m", "mmvae_edu", "doctor", path=b, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert "mmvae_edu is not installed" in done.stdout
    assert done.stdout.endswith("1 to mend\n")


def test_an_installation_and_the_clone_from_which_it_came(clones, tmp_path):
    *_, b = clones
    environment = Environment(tmp_path / "venv")
    environment.install(str(b))
    home, kernels, lessons = used(environment.run("-c", WHERE, cwd=tmp_path))
    assert home.is_relative_to(tmp_path)
    assert [kernels, lessons] == [home / "kernels", home / "lessons"]
    assert used(environment.run("-c", WHERE, cwd=b)) == parts(b)
    assert environment.run("doctor", cwd=tmp_path, script="mmvae-edu").returncode == 0


def test_doctor_complains_of_folders_that_do_not_belong_together(monkeypatch):
    assert doctor.folders().ok
    monkeypatch.setattr(doctor, "PACKAGE", Path("elsewhere"))
    assert not doctor.folders().ok
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    assert "no kernels, no lessons" in doctor.folders().found
