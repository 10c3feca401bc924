"""The command line: help, exit codes, and one sentence for each mistake."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from html import escape

import numpy as np
import pytest
from conftest import why_no_gpu

from mmvae_edu import cli, kernels, models
from mmvae_edu.claims import CLAIMS
from mmvae_edu.claims.registry import LEGEND
from mmvae_edu.measure import speed
from mmvae_edu.models import MMVAE
from mmvae_edu.report import saved_sections
from mmvae_edu.report.page import Paragraph, Section
from mmvae_edu.tour import claims as tour_claims


def test_help_and_version(capsys):
    pages = (["--help"], "tour"), (["--version"], "mmvae_edu"), (["tour", "-h"], "--fast")
    for arguments, text in pages:
        with pytest.raises(SystemExit) as stop:
            cli.main(arguments)
        assert stop.value.code == 0
        assert text in capsys.readouterr().out


@pytest.fixture
def two_claims(monkeypatch):
    """{name: Claim} of the two that are checked; the report of all has a test below."""
    two = [claim for claim in CLAIMS.values() if claim.equations][:2]
    monkeypatch.setattr(tour_claims, "CLAIMS", {claim.name: claim for claim in two})
    return tour_claims.CLAIMS


def test_claims_alone_write_a_report(tmp_path, capsys, two_claims):
    assert cli.main(["tour", "--only", "claims", "--out", str(tmp_path)]) == 0
    assert "claims about" in capsys.readouterr().out
    assert (tmp_path / "report.html").exists()


def test_a_failing_claim_exits_1(tmp_path, capsys, two_claims):
    name, claim = next(iter(two_claims.items()))
    two_claims[name] = replace(claim, check=planted_failure)
    assert cli.main(["report", "-o", str(tmp_path / "r.html")]) == 1
    assert "FAILS" in capsys.readouterr().out


def planted_failure(f, rng):
    """One equals two."""
    return 1.0, 2.0


@pytest.mark.slow
def test_a_report_alone_has_equations_record_and_progress(tmp_path, monkeypatch):
    """In two processes that iterate over sets in different orders: the same bytes."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(["start", "mine"]) == 0
    saved_sections.save(tmp_path / "systems.json", [Section("Slide 13", [Paragraph("measured")])])
    pages = []
    for seed in "12":
        command = [sys.executable, "-m", "mmvae_edu", "report", "--tour", ".", "-o", f"{seed}.html"]
        environment = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        pages.append((tmp_path / f"{seed}.html").read_text("utf-8"))
    undated = [re.sub(r"\d{4}-\d\d-\d\d", "", page, count=1) for page in pages]
    assert undated[0] == undated[1]
    assert undated[0] != pages[0]
    legend = escape(LEGEND)
    for text in "measured", "Your progress", "0 of ", "S13.T1", "<math", 'alt="', legend:
        assert text in pages[0], text
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "1.html", "2.html", "mine", "systems.json",
    ]  # fmt: skip


def test_importing_the_command_line_is_light():
    heavy = "{'torch', 'cupy', 'matplotlib', 'numba'}"
    code = f"import sys, mmvae_edu.cli; print({heavy} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_train_saves_a_model_that_generates(tmp_path, capsys):
    path = tmp_path / "new" / "model.npz"
    assert cli.main(["train", "MMVAE", "--steps", "3", "--out", str(path)]) == 0
    assert "bound" in capsys.readouterr().out
    image = {"image": np.full((2, 64), 8.0, np.float32)}
    strokes = MMVAE.load(path).generate(image, "strokes", rng=np.random.default_rng(0))
    assert strokes["strokes"].shape == (2, 16)


@pytest.mark.parametrize("name", models.SYSTEMS)
def test_every_system_can_be_trained(name, tmp_path):
    path = tmp_path / "model.npz"
    assert cli.main(["train", name, "--steps", "2", "--samples", "2", "--out", str(path)]) == 0
    assert np.isfinite(getattr(models, name).load(path).theta).all()


def test_a_gpu_asked_for_where_there_is_none(tmp_path, capsys):
    if why_no_gpu() is None:
        pytest.skip("there is a GPU here")
    arguments = [
        "train",
        "VAE",
        "--steps",
        "3",
        "--device",
        "cuda",
        "--out",
        str(tmp_path / "m.npz"),
    ]
    assert cli.main(arguments) == 64
    assert capsys.readouterr().err == f"mmvae-edu: {why_no_gpu()}\n"
    assert not (tmp_path / "m.npz").exists()


def test_kernels_says_what_works_and_what_does_not(capsys):
    assert cli.main(["kernels"]) == 0
    out = " ".join(capsys.readouterr().out.split())  # however the lines are broken
    for name, backend in kernels.available().items():
        assert f"{name} {backend if isinstance(backend, str) else 'works here'}" in out


def test_bench_prints_what_is_in_brackets(capsys, monkeypatch):
    monkeypatch.setattr(speed, "bench", lambda console, **_: console.print("mmvae_edu[bench]"))
    assert cli.main(["bench"]) == 0
    assert capsys.readouterr().out == "mmvae_edu[bench]\n"
