"""A wheel holds everything: the tour runs from it, outside the clone."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel and the sdist, built from a copy of the clone so that it stays clean."""
    folder = tmp_path_factory.mktemp("dist")
    source = folder / "source"
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if tracked.returncode:
        pytest.skip("not a git checkout: cannot tell which files belong to the project")
    for name in tracked.stdout.splitlines():
        if (ROOT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source]
    subprocess.run(build, check=True, capture_output=True)
    return next(folder.glob("*.whl")), next(folder.glob("*.tar.gz"))


@pytest.mark.slow
def test_the_tour_runs_from_the_wheel(built, tmp_path):
    wheel, _ = built
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--target", site, wheel]
    subprocess.run(pip, check=True)
    environment = os.environ | {"PYTHONPATH": str(site)}

    def python(*arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    where = python("-c", "import mmvae_edu.kernels as k; print(k.__file__)").stdout
    assert Path(where.strip()).is_relative_to(site)
    tour = python("-m", "mmvae_edu", "tour", "--fast", "--out", "out")
    assert tour.returncode == 0, tour.stdout + tour.stderr
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "http" not in page.replace("http://www.w3.org/1998/Math/MathML", "")
    for text in "Table 1", "Table 2", "S5.11", "<math", "data:image/png;base64":
        assert text in page


def test_the_sdist_can_be_installed_from(built):
    _, sdist = built
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    for name in "setup.py", "kernels/reference.py", "lessons/equations.toml", "LICENSE":
        assert name in names
    assert "mmvae_edu/data/uci_digits.npz" in names
