"""Experiments: their configurations build, results survive kills, executors run each job once."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from mmvae_edu import cli
from mmvae_edu.reproduce import executors, store
from mmvae_edu.reproduce.executors import JobFails, in_processes, on_a_cluster
from mmvae_edu.reproduce.experiments import experiments, jobs
from mmvae_edu.reproduce.jobs import build, load, run
from mmvae_edu.reproduce.store import append, job_id, missing, read


def small(system="MVAE", seed=0, epochs=1):
    """A job of seconds on the embedded digits."""
    (job,) = jobs("digits-label", seeds=[seed], systems=[system], epochs=epochs)
    job["networks"] = {"latent": 2, "hidden": [8]}
    job["evaluation"] = job["evaluation"] | {"K": 5, "prior_samples": 5}
    return json.loads(json.dumps(job))


# ---- the configurations -------------------------------------------------------------------------


@pytest.mark.parametrize("name", experiments())
def test_every_job_of_an_experiment_is_another_and_survives_json(name):
    found = jobs(name)
    assert len({job_id(job) for job in found}) == len(found) > 0
    assert [job_id(json.loads(json.dumps(job))) for job in found] == [job_id(job) for job in found]


@pytest.mark.parametrize("job", jobs("digits-label", seeds=[3]), ids=lambda job: job["system"])
def test_every_system_trains_and_is_measured(job, tmp_path):
    job = small(job["system"], seed=3)
    result = run(job, tmp_path)
    assert result["job"] == job
    assert all(value["mean"] < 0 < value["error"] for value in result["numbers"].values())
    assert (tmp_path / f"{result['id']}.npz").exists()
    again = run(job, tmp_path)  # from the checkpoint: nothing is left to train
    assert again["numbers"] == result["numbers"]


def test_the_joint_minus_the_conditional_is_the_labels_likelihood(tmp_path):
    numbers = run(small(), tmp_path)["numbers"]
    mean = {name: value["mean"] for name, value in numbers.items()}
    difference = mean["log p(x1,x2)"] - mean["log p(x1|x2), slides"]
    assert difference == pytest.approx(mean["log p(x2)"], abs=1e-5)


def test_unknown_names():
    with pytest.raises(ValueError, match="no experiment 'table9'"):
        jobs("table9")
    with pytest.raises(ValueError, match="has no system 'GAN'; it has VAE"):
        jobs("mnist", systems=["GAN"])


def test_the_networks_are_those_of_the_paper():
    """The parameter count of the released MNIST MVAE, decoders included."""
    (job,) = jobs("mnist", seeds=[0], systems=["MVAE"])
    data = load(small())
    for split in data.train, data.test:
        split.x["image"] = split.x["image"].repeat(13, axis=1)[:, :784]
    assert build(job, data).tree.size == 2_588_186


# ---- results ------------------------------------------------------------------------------------


def row(job):
    return {"id": job_id(job), "job": job, "numbers": {}}


def test_a_torn_last_line_is_left_out_and_then_cut_off(tmp_path):
    path, all_jobs = tmp_path / "new" / "a.jsonl", [{"n": n} for n in range(3)]
    append(path, row(all_jobs[0]))
    with path.open("ab") as file:
        file.write(b'{"id": "torn')
    assert read(path) == [row(all_jobs[0])]
    assert missing(path, [*all_jobs, all_jobs[1]]) == all_jobs[1:]
    append(path, row(all_jobs[1]))
    assert read(path) == [row(job) for job in all_jobs[:2]]


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 1}\n')
    with pytest.raises(ValueError, match="line 1 is not a result"):
        read(path)


# ---- executors ----------------------------------------------------------------------------------


def test_processes_return_what_run_returns_and_a_sentence_where_it_fails(tmp_path):
    wrong = small() | {"class": "VAE"}
    outcomes = {
        job["class"]: outcome for job, outcome in in_processes(2)([small(), wrong], tmp_path)
    }
    assert outcomes["MVAE"]["numbers"] == run(small(), tmp_path / "here")["numbers"]
    assert isinstance(outcomes["VAE"], JobFails)
    assert "expected 1 modality" in str(outcomes["VAE"])


def test_a_killed_worker_costs_its_job_alone(tmp_path, monkeypatch):
    """The second call runs what is missing, and goes on from the checkpoint."""
    started = threading.Event()
    real = subprocess.Popen

    class Watched(real):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            if "mmvae_edu.reproduce.worker" in args[0]:
                started.set()
                threads.append(threading.Thread(target=self.kill_late))
                threads[-1].start()

        def kill_late(self):
            deadline = time.monotonic() + 60
            while not list(tmp_path.rglob("*.npz")) and time.monotonic() < deadline:
                time.sleep(0.02)
            os.kill(self.pid, signal.SIGKILL)

    threads = []
    monkeypatch.setattr(subprocess, "Popen", Watched)
    job = small(epochs=400)
    ((_, outcome),) = in_processes(1)([job], tmp_path)
    threads[0].join()
    assert isinstance(outcome, JobFails)
    assert "code -9" in str(outcome)
    assert [path.stem for path in tmp_path.glob("*.npz")] == [job_id(job)]


def test_a_scheduler_that_is_not_there():
    pytest.importorskip("distributed")
    with pytest.raises(ValueError, match="no Dask scheduler answers at tcp://127.0.0.1:9"):
        on_a_cluster("tcp://127.0.0.1:9", timeout=1)


def test_a_cluster_that_loses_a_worker_runs_everything_once(tmp_path):
    pytest.importorskip("distributed")
    all_jobs = [small("VAE", seed=seed, epochs=3) for seed in range(4)]
    with cluster(tmp_path) as (address, workers):
        results = []
        for job, outcome in on_a_cluster(address)(all_jobs, tmp_path):
            results.append(job_id(job))
            assert outcome["job"] == job
            if len(results) == 1:
                workers[0].kill()
    assert sorted(results) == sorted(map(job_id, all_jobs))


class cluster:
    """A scheduler and two workers, each in a process of its own."""

    def __init__(self, folder):
        self.folder, self.processes = folder, []

    def __enter__(self):
        file = self.folder / "scheduler.json"
        self._start("distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard")
        deadline = time.monotonic() + 60
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        worker = ("--nthreads", "1", "--no-dashboard", "--no-nanny")
        workers = [self._start("distributed.cli.dask_worker", *worker) for _ in range(2)]
        return address, workers

    def _start(self, module, *options):
        file = str(self.folder / "scheduler.json")
        command = [sys.executable, "-m", module, "--scheduler-file", file, *options]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=self.folder)
        self.processes.append(process)
        return process

    def __exit__(self, *problem):
        for process in self.processes:
            process.kill()
            process.wait()


# ---- the command --------------------------------------------------------------------------------


def test_the_command_runs_what_is_missing_and_no_more(tmp_path, monkeypatch, capsys):
    wanted = [small("VAE"), small("MVAE")]
    monkeypatch.setattr("mmvae_edu.reproduce.commands.jobs", lambda name, **_: wanted)
    append(tmp_path / "digits-label.jsonl", row(wanted[1]))
    command = ["reproduce", "digits-label", "--out", str(tmp_path)]
    assert cli.main(command) == 0
    assert "1 of 2 done already" in capsys.readouterr().out
    rows = store.read(tmp_path / "digits-label.jsonl")
    assert [found["job"] for found in rows] == [wanted[1], wanted[0]]
    monkeypatch.setattr(executors, "in_a_process", None)  # nothing may run
    assert cli.main(command) == 0
    assert "2 of 2 done already" in capsys.readouterr().out
