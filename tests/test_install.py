"""A wheel holds everything: the tour runs from it, outside the clone."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from conftest import copy_clone


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel and the sdist, built from a copy of the clone so that it stays clean."""
    folder = tmp_path_factory.mktemp("dist")
    source = copy_clone(folder / "source")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source]
    subprocess.run(build, check=True, capture_output=True)
    return next(folder.glob("*.whl")), next(folder.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def site(built, tmp_path_factory):
    """A folder into which the wheel was installed."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--target", folder]
    subprocess.run([*pip, built[0]], check=True)
    return folder


@pytest.fixture
def python(site, tmp_path):
    """Runs Python with the installed wheel, outside the clone."""

    def python(*arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(site), "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            encoding="utf-8",
            timeout=600,
        )

    return python


@pytest.mark.slow
def test_the_tour_runs_from_the_wheel(site, python, tmp_path):
    where = python("-c", "import mmvae_edu.kernels as k; print(k.__file__)").stdout
    assert Path(where.strip()).is_relative_to(site)
    tour = python("-m", "mmvae_edu", "tour", "--fast", "--only", "systems", "--out", "out")
    assert tour.returncode == 0, tour.stdout + tour.stderr
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for text in "Table 1", "Table 2", "data:image/png;base64":
        assert text in page


@pytest.mark.slow
def test_the_course_runs_from_the_wheel(site, python, tmp_path):
    def command(*arguments, code=0):
        done = python("-m", "mmvae_edu", *arguments)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    assert "exercises" in command("run")
    assert "all that is needed is here" in command("doctor")
    command("start", "mine")
    path = tmp_path / "mine" / "17_weighted_gradients.py"
    path.write_text("def vae_grad(g):\n    return g.mean(0)\n", encoding="utf-8")
    assert command("check", "vae_grad").startswith("RIGHT  L17.vae_grad")
    assert command("check", "kl_gauss", code=2).startswith("TODO   L05.kl_gauss")
    assert command("hint", "vae_grad").count("/3  ") == 3
    assert str(site) in command("solution", "vae_grad")
    assert "1 of " in command("status")
    assert "report: report.html" in command("report")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for text in "Your progress", "S5.11", "<math", "data:image/png;base64":
        assert text in page
    assert "http" not in page.replace("http://www.w3.org/1998/Math/MathML", "")


def test_the_sdist_can_be_installed_from(built):
    _, sdist = built
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    for name in "setup.py", "kernels/reference.py", "lessons/equations.toml", "LICENSE":
        assert name in names
    assert "mmvae_edu/data/uci_digits.npz" in names
