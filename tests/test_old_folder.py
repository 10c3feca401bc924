"""A learner's folder from before the lessons were renumbered goes on as if nothing had happened.

data/old_folder was made by the commands of that time: L1 is right, kl_gauss is wrong, of the
kernels one is right and the others are untouched.
"""

import json
import shutil
import sys
from pathlib import Path

import pytest

from mmvae_edu import cli, oracles
from mmvae_edu.cli import exercises as commands
from mmvae_edu.course import progress, watch
from mmvae_edu.course.exercises import NotAttempted, current, exercises, todo
from mmvae_edu.course.runner import load
from mmvae_edu.models.one_function import iwae

OLD = Path(__file__).parent / "data" / "old_folder"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(OLD, tmp_path / "mine"))


@pytest.fixture
def command(folder, capsys):
    def command(*arguments, code=0):
        capsys.readouterr()
        assert cli.main([*arguments]) == code
        return capsys.readouterr().out

    return command


def test_status_knows_what_was_done(command):
    rows = {row["id"]: row for row in json.loads(command("status", "--json"))}
    found = {id: (row["file"], row["state"], row["changed"]) for id, row in rows.items()}
    assert found["L05.neg_kl_std_normal"] == ("04_neg_kl.py", "right", "checker")
    assert found["L05.kl_gauss"] == ("04_neg_kl.py", "wrong", "checker")
    assert found["L24.precision_kernel"] == ("18_kernels.py", "right", "checker")
    assert found["L24.block_max_kernel"] == ("18_kernels.py", "not attempted", "")
    assert rows["L05.kl_gauss"]["mistakes"] == ["gaussian_kl_missing_half"]
    assert rows["L05.kl_gauss"]["hints"] == [3]
    assert "L05  1 of 3 right  04_neg_kl.py\n" in command("status")


def test_check_takes_the_old_file_and_the_old_id(command, folder):
    said = command("check", "04_neg_kl.py", code=1)
    assert said.startswith("RIGHT  L05.neg_kl_std_normal")
    assert "WRONG  L05.kl_gauss" in said
    assert "look at:  04_neg_kl.py:21 " in said
    assert command("check", "L04.neg_kl_std_normal").startswith("RIGHT  L05.")
    assert command("check", "L18.precision_kernel").startswith("RIGHT  L24.")
    assert "TODO   L24.shares_kernel (S9.5): not attempted yet" in command(
        "check", "shares_kernel", code=2
    )
    assert set(progress.load(folder)) == {
        "L05.neg_kl_std_normal", "L05.kl_gauss", "L24.precision_kernel", "L24.shares_kernel",
    }  # fmt: skip
    assert "last check: the KL is doubled" in command("hint", "kl_gauss")


def test_start_puts_no_stub_beside_an_old_file(command, folder):
    stubs = {exercise.stub.name for exercise in exercises().values()}
    assert f"{len(stubs) - 2} new files" in command("start", "mine")
    files = {path.name for path in folder.glob("[0-9]*")}
    assert files == (stubs - {"05_neg_kl.py", "24_kernels.py"}) | {"04_neg_kl.py", "18_kernels.py"}


def test_a_stub_beside_an_old_file_hides_nothing(command, folder):
    stub = exercises()["L05.kl_gauss"].stub
    shutil.copyfile(stub, folder / stub.name)
    assert progress.own_file(folder, stub).name == "04_neg_kl.py"
    (folder / stub.name).write_text("# begun")
    assert progress.own_file(folder, stub).name == stub.name


def test_solution_and_reset_find_the_old_file(command, folder):
    path = folder / "04_neg_kl.py"
    before = path.read_text("utf-8")
    assert f"# yours: {path}\ndef neg_kl_std_normal" in command("solution", "L04.neg_kl_std_normal")
    assert f"kept as {path}.bak1" in command("reset", "kl_gauss")
    assert path.with_name("04_neg_kl.py.bak1").read_text("utf-8") == before
    assert command("check", "04_neg_kl.py", code=2).startswith("RIGHT")
    command("reset", "--all")
    stub = exercises()["L05.kl_gauss"].stub
    assert path.read_text("utf-8") == stub.read_text("utf-8")
    assert not (folder / stub.name).exists()


def test_watch_sees_the_old_file(folder, monkeypatch):
    checked, chosen = [], commands.choose(["04_neg_kl.py"])

    def sleep(seconds):
        if len(checked) == 2:
            raise KeyboardInterrupt
        (folder / "04_neg_kl.py").write_text("# saved\n")

    monkeypatch.setattr(watch, "sleep", sleep)
    with pytest.raises(KeyboardInterrupt):
        watch.watch(chosen, folder, checked.append)
    assert checked == [
        chosen,
        chosen,
    ]  # at the start, since the checker has changed, and once saved


def test_an_old_stub_that_is_needed_has_its_new_name():
    with pytest.raises(NotAttempted, match=r"^L05\.kl_gauss$"):
        todo("L04.kl_gauss")
    unknown = ["L04", "nothing", "L03.kl_gauss", "L24.kl_gauss", "04.kl_gauss"]
    assert [current(name) for name in unknown] == unknown


def test_old_modules_are_todays_where_a_learners_file_runs(tmp_path, monkeypatch):
    for name in list(sys.modules):
        if name.startswith(("mmvae_edu.exact", "mmvae_edu.by_hand", "mmvae_edu.access")):
            monkeypatch.delitem(sys.modules, name)
    path = tmp_path / "mine.py"
    path.write_text(
        "import mmvae_edu.access.arrays\nfrom mmvae_edu import exact\n"
        "from mmvae_edu.by_hand.iwae import log_weights\n"
        "from mmvae_edu.exact.linear_gaussian import LinearGaussian\n"
    )
    module = load(path)
    assert module.exact is oracles
    assert module.log_weights is iwae.log_weights
    assert module.LinearGaussian is oracles.LinearGaussian
    assert oracles.__spec__.name == oracles.__name__ == "mmvae_edu.oracles"
    path.write_text("import mmvae_edu.exact.nothing\n")
    with pytest.raises(ModuleNotFoundError, match=r"mmvae_edu\.oracles\.nothing"):
        load(path)
