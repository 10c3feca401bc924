"""The committed results are those of the configurations as they stand, and the page shows them."""

import pytest

from mmvae_edu import cli
from mmvae_edu.cli.tables import COMMITTED
from mmvae_edu.measure.tables import tables
from mmvae_edu.measure.tables.experiments import experiments, jobs
from mmvae_edu.measure.tables.store import job_id, read
from mmvae_edu.measure.tables.store import without_sharing as without

MEASURED = [name for name in experiments() if (COMMITTED / f"{name}.jsonl").exists()]
CHOOSES = {"mnist-schedule": "What image", "strokes-schedule": ("Table 2: d", "Table 3: joint")}
PAGE = (COMMITTED / "README.md").read_text("utf-8")


def test_there_are_results():
    assert {"digits-label", "digits-strokes", "mnist"} <= set(MEASURED)
    assert {path.stem for path in COMMITTED.glob("*.jsonl")} == set(MEASURED)


@pytest.mark.parametrize("name", MEASURED)
def test_every_row_is_of_a_job_as_it_is_configured(name):
    """So that nobody changes a configuration and keeps its old numbers."""
    rows = read(COMMITTED / f"{name}.jsonl")
    wanted = [job for with_sharing in jobs(name) for job in (with_sharing, without(with_sharing))]
    known = {job_id(job): job for job in wanted}
    assert {row["id"] for row in rows} <= known.keys()
    assert all(row["job"] == known[row["id"]] for row in rows)
    assert len({row["id"] for row in rows}) == len(rows)


@pytest.mark.parametrize("name", MEASURED)
def test_the_command_cuts_no_cell_off(name, tmp_path, capsys):
    assert cli.main(["reproduce", name, "--show", "--out", str(tmp_path)]) == 0
    assert "…" not in capsys.readouterr().out


@pytest.mark.parametrize("name", MEASURED)
def test_the_page_has_the_tables_that_the_command_prints(name):
    """All of them; of what only chooses a schedule, those that chose it."""
    rows = read(COMMITTED / f"{name}.jsonl")
    parts = tables.parts(rows)
    if name in CHOOSES:
        parts = [part for part in parts if part.startswith(CHOOSES[name])]
        assert parts
    for part in parts:
        assert tables.markdown(tables.table(name, rows, part)) in PAGE


def test_the_page_shows_the_figure_of_the_mnist_systems():
    assert "](mnist.png)" in PAGE
    assert (COMMITTED / "mnist.png").read_bytes().startswith(b"\x89PNG")
