"""Results as JSON lines: one finished job a line, appended whole, so that a kill loses nothing."""

import hashlib
import json
import os
from pathlib import Path

from ...support.files import folder


def job_id(job):
    """Twelve hex digits of what the job says: another setting is another job."""
    return hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()[:12]


def checkpoint(work, job):
    """The file in the folder `work` of a job's parameters, however they are evaluated."""
    trained = {key: value for key, value in job.items() if key != "evaluation"}
    return Path(work) / f"{job_id(trained)}.npz"


def read(path):
    """The rows of a file, in order; none where there is no file.

    A job that two runs did at once counts once.  A last line that a kill has cut off is left out;
    any other line that is not a result raises ValueError.
    """
    path = Path(path)
    if not path.exists():
        return []
    rows = {}
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        if row := _row(line):
            rows.setdefault(row["id"], row)
        elif line.endswith(b"\n"):
            raise ValueError(
                f"{path}: line {number} is not a result; delete it, and its job runs again"
            )
    return list(rows.values())


def append(path, row):
    """Add one row to the file; a torn last line, if there is one, is cut off first."""
    path = Path(path)
    folder(path.parent)
    with path.open("ab+") as file:
        file.seek(0)
        before, end, last = file.read().rpartition(b"\n")
        whole = _row(last) is not None  # only its end is missing, as some editors leave it
        if last and not whole:
            file.truncate(len(before + end))
        file.write(b"\n" * whole + json.dumps(row).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _row(line):
    """The result in a line, None if it holds none."""
    try:
        row = json.loads(line)
        row["id"], row["job"]["system"], row["job"]["seed"], row["numbers"].values()
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return row


def missing(path, jobs):
    """The jobs that have no result in the file, once each."""
    done = {row["id"] for row in read(path)}
    wanted = {job_id(job): job for job in jobs}
    return [job for id, job in wanted.items() if id not in done]
