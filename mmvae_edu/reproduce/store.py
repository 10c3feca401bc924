"""Results as JSON lines: one finished job a line, appended whole, so that a kill loses nothing."""

import hashlib
import json
import os
from pathlib import Path

from ..storage import folder


def job_id(job):
    """Twelve hex digits of what the job says: another setting is another job."""
    return hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()[:12]


def checkpoint(work, job):
    """The file in the folder `work` of a job's parameters, however they are evaluated."""
    trained = {key: value for key, value in job.items() if key != "evaluation"}
    return Path(work) / f"{job_id(trained)}.npz"


def read(path):
    """The rows of a file, in order; none where there is no file.

    A last line without its end was cut off by a kill and is left out.  Any other line that is not
    a result raises ValueError.
    """
    path = Path(path)
    if not path.exists():
        return []
    rows = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(keepends=True), start=1):
        if not line.endswith("\n"):
            break
        try:
            row = json.loads(line)
            row["id"], row["job"], row["numbers"]
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{path}: line {number} is not a result") from None
        rows.append(row)
    return rows


def append(path, row):
    """Add one row to the file; a torn last line, if there is one, is cut off first."""
    path = Path(path)
    folder(path.parent)
    with path.open("ab+") as file:
        file.seek(0)
        kept = file.read().rfind(b"\n") + 1
        file.truncate(kept)
        file.write(json.dumps(row).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def missing(path, jobs):
    """The jobs that have no result in the file, once each."""
    done = {row["id"] for row in read(path)}
    wanted = {job_id(job): job for job in jobs}
    return [job for id, job in wanted.items() if id not in done]
