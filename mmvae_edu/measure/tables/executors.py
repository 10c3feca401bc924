"""Executors of jobs: processes of this machine, or the workers of a Dask cluster.

An executor is a function (jobs, work) → iterator of (job, outcome), as the jobs finish; the
outcome is the job's result, or a JobFails.  `work` is a folder for checkpoints.
"""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from functools import partial
from subprocess import PIPE

from ...support.clones import python
from ...support.threads import VARIABLES


class JobFails(Exception):
    """One job did not finish; the text says why in a sentence."""


class Killed(JobFails):
    """Its process was killed: another try may succeed."""


def in_processes(workers, threads=1, device="cpu"):
    """Make an executor of `workers` processes at a time, one a job, each with so many threads."""

    def executor(jobs, work):
        pool = ThreadPoolExecutor(workers)
        futures = {pool.submit(in_a_process, job, work, threads, device): job for job in jobs}
        try:
            for future in as_completed(futures):
                yield futures[future], _outcome(future)
        finally:  # Ctrl-C reaches the processes, too, and they leave checkpoints
            pool.shutdown(cancel_futures=True)

    return executor


def on_a_cluster(address, threads=1, device="cpu", timeout=10):
    """Make an executor on the Dask scheduler at this address; its workers must see `work`.

    A job whose worker dies resumes on another worker from its checkpoint.  The executor raises
    ConnectionError if the scheduler itself dies.
    """
    try:
        from distributed import Client
        from distributed import as_completed as completed
        from distributed.comm import CommClosedError
    except ImportError:
        raise ValueError("a cluster needs Dask: `pip install 'mmvae_edu[sweep]'`") from None
    if not address:
        raise ValueError("--scheduler: expected an address such as tcp://host:8786, found nothing")
    try:
        client = Client(address, timeout=timeout)
    except (OSError, ValueError) as problem:
        raise ValueError(f"no Dask scheduler answers at {address} ({problem})") from None

    def executor(jobs, work):
        with client:
            if not client.scheduler_info()["workers"]:
                print(f"no worker yet: `dask worker {address}` starts one", file=sys.stderr)
            run = partial(_on_a_worker, work=str(work), threads=threads, device=device)
            futures = dict(zip(client.map(run, jobs, pure=False, retries=3), jobs, strict=True))
            lost = CommClosedError, CancelledError  # Dask cancels all jobs that are left
            for future in completed(futures):
                try:
                    outcome = _outcome(future, lost)
                except lost:
                    _close_quietly(client)
                    raise ConnectionError(
                        f"the Dask scheduler at {address} was lost; the results so far are kept, "
                        "and with a new one the same command goes on from the checkpoints"
                    ) from None
                yield futures[future], outcome

    return executor


def _close_quietly(client):
    """Close a client that lost its scheduler, without a log of its attempts to reconnect."""
    log = logging.getLogger("distributed.client")
    log.disabled = True
    client.close()
    log.disabled = False


def in_a_process(job, work, threads=1, device="cpu"):
    """Run one job in a process of its own and return its result; JobFails if it cannot.

    The process ends when this one does: it watches its standard input, which stays open.
    """
    run = "from mmvae_edu.measure.tables.worker import main; main()"
    environment = os.environ | dict.fromkeys(VARIABLES, str(threads))
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            python(run, str(work), device), stdin=PIPE, stdout=PIPE, stderr=errors, env=environment
        ) as worker,
    ):
        try:
            worker.stdin.write(json.dumps(job).encode() + b"\n")
            worker.stdin.flush()
        except BrokenPipeError:  # the process died at once, and closing would flush again
            with contextlib.suppress(BrokenPipeError):
                worker.stdin.close()
        result = worker.stdout.read()
        if worker.wait() == 0:
            return json.loads(result)
        errors.seek(0)
        words = errors.read().decode("utf-8", "replace").strip().splitlines()
    if worker.returncode < 0:
        name = signal.Signals(-worker.returncode).name
        raise Killed(f"its process was killed ({name}); run again, it goes on from its checkpoint")
    raise JobFails(words[-1] if words else f"its process ended with code {worker.returncode}")


def _on_a_worker(job, **options):
    """Run `in_a_process`, but raise only what another try may mend: Dask tries again."""
    try:
        return in_a_process(job, **options)
    except Killed:
        raise
    except JobFails as problem:
        return problem


def _outcome(future, lost=()):
    """Return the job's result, or a JobFails; raise exceptions that mean a `lost` executor."""
    try:
        return future.result()
    except JobFails as problem:
        return problem
    except lost:
        raise
    except Exception as problem:  # Dask's own, such as a worker that died too often
        return JobFails(f"{type(problem).__name__}: {problem}")
