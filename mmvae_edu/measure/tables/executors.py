"""Executors of jobs: processes of this machine, or the workers of a Dask cluster.

An executor is a function (jobs, work) → iterator of (job, outcome), as the jobs finish; the
outcome is the job's result, or a JobFails.  `jobs` is any iterable: the processes of this machine
take the next job when they are free for it.  `work` is a folder for checkpoints.
"""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import FIRST_COMPLETED, CancelledError, ThreadPoolExecutor, wait
from functools import partial
from itertools import islice
from subprocess import PIPE

from ...support import files
from ...support.clones import python
from ...support.threads import VARIABLES
from . import store


class JobFails(Exception):
    """One job did not finish; the text says why in a sentence."""


class Killed(JobFails):
    """Its process was killed: another try may succeed."""


def shared(jobs, executor, out, work):
    """Run these jobs, none that another process runs; yield (job, outcome) as they end.

    A result is appended to its file in `out` before its claim ends.  At last this waits for the
    jobs of other processes, and runs those that end without a result.
    """
    claims, left, waiting = {}, jobs, False

    def unclaimed():
        for job in left:
            if claim := store.claim(work, job):
                claims[store.job_id(job)] = claim
                if is_missing(job):
                    yield job

    def is_missing(job):
        return store.missing(out / f"{job['experiment']}.jsonl", [job])

    try:
        while left:
            ended = []
            for job, outcome in executor(unclaimed(), work):
                if not isinstance(outcome, JobFails):
                    store.append(out / f"{job['experiment']}.jsonl", outcome)
                files.release(claims.pop(store.job_id(job)))
                ended.append(job)
                yield job, outcome
            left = [job for job in left if job not in ended and is_missing(job)]
            if left and not waiting:
                waiting = True
                words = f"waiting for another process, which runs {len(left)} of the jobs"
                print(words, file=sys.stderr, flush=True)
            if left and not ended:
                time.sleep(1)
    finally:
        for claim in claims.values():
            files.release(claim)


def in_processes(workers, threads=1, device="cpu"):
    """Make an executor of `workers` processes at a time, one a job, each with so many threads."""

    def executor(jobs, work):
        pool, jobs, running = ThreadPoolExecutor(workers), iter(jobs), {}
        try:
            while True:
                for job in islice(jobs, workers - len(running)):
                    running[pool.submit(in_a_process, job, work, threads, device)] = job
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), _outcome(future)
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

    def connected():
        try:
            return Client(address, timeout=timeout)
        except (OSError, ValueError) as problem:
            raise ValueError(f"no Dask scheduler answers at {address} ({problem})") from None

    connected().close()  # fails now, before anything is printed

    def executor(jobs, work):
        jobs = list(jobs)
        with connected() as client:
            if jobs and not client.scheduler_info()["workers"]:
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
