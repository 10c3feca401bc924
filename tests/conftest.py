"""Deterministic tests on one thread; tests that need a GPU are skipped with the reason."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
os.environ["PYTHONPATH"] = os.pathsep.join(path)  # processes of the tests use this clone, too
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before NumPy is imported

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

settings.register_profile("course", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("course")


def pytest_collection_modifyitems(items):
    whys = {"gpu": why_no_gpu, "symbolic": why_no_sympy, "browser": why_no_browser}
    for marker, why_not in whys.items():
        needing = [item for item in items if item.get_closest_marker(marker)]
        reason = why_not() if needing else None
        for item in needing:
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of exercises, in the current one."""
    from mmvae_edu import cli

    monkeypatch.chdir(tmp_path)
    assert cli.main(["start", "mine"]) == 0
    return tmp_path / "mine"


def copy_clone(folder):
    """Copy the files of the project into a new folder; returns the folder."""
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if tracked.returncode:
        pytest.skip("not a git checkout: cannot tell which files belong to the project")
    for name in tracked.stdout.splitlines():
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def why_no_gpu():
    """The sentence that a user would get, or None where there is a GPU."""
    from mmvae_edu.support.devices import namespace

    try:
        namespace("cuda")
    except ValueError as problem:
        return str(problem)


def why_no_sympy():
    """The command that installs SymPy, or None where it is installed."""
    from mmvae_edu.oracles import symbolic

    return None if symbolic.available() else symbolic.INSTALL


def why_no_browser():
    """The reason to skip, or None where there is a browser."""
    from browser import CHROMIUM

    return None if CHROMIUM else "there is no chromium: `apt-get install chromium`"
