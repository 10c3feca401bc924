"""Results as JSON lines: each finished job is a line, appended whole; a kill loses none."""

import hashlib
import json
from math import isfinite
from pathlib import Path

from ...support import files


def job_id(job):
    """Hash all settings of the job to twelve hex digits."""
    return hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()[:12]


def without_sharing(job):
    """Return the job whose evaluation leaves out what is shared: its other numbers are the same."""
    evaluation = {key: value for key, value in job["evaluation"].items() if key != "sharing"}
    return job | {"evaluation": evaluation}


def checkpoint(work, job):
    """Name the file of a job's parameters in the folder `work`, the same for every evaluation."""
    trained = {key: value for key, value in job.items() if key != "evaluation"}
    return Path(work) / f"{job_id(trained)}.npz"


def read(path):
    """Read the rows of a file, in order; none if there is no file.

    A job that two runs did at once counts once, and one that was measured again with what is shared
    counts as that.  A last line that a kill has cut off is left out; any other line that is not a
    result raises ValueError.
    """
    path = Path(path)
    if not path.exists():
        return []
    rows = {}
    for number, line in enumerate(files.read_bytes(path).splitlines(keepends=True), start=1):
        if row := _row(line):
            rows.setdefault(row["id"], row)
        elif line.endswith(b"\n"):
            raise ValueError(
                f"{path}: line {number} is not a result; delete it, and its job runs again"
            )
    shared = [row["job"] for row in rows.values() if "sharing" in row["job"]["evaluation"]]
    replaced = {job_id(without_sharing(job)) for job in shared}
    return [row for id, row in rows.items() if id not in replaced]


def append(path, row):
    """Append one row to the file, after removing an incomplete last line."""
    files.prepare(path)
    with files.appending(path) as file:
        file.seek(0)
        before, end, last = file.read().rpartition(b"\n")
        whole = _row(last) is not None  # a result without its newline, as some editors leave it
        if last and not whole:
            file.truncate(len(before + end))
        file.write(b"\n" * whole + json.dumps(row).encode() + b"\n")


def claim(work, job):
    """Keep other processes from a job: the claim, for `files.release`; None if one has it."""
    return files.claim(Path(work) / f"{job_id(job)}.claim")


def _row(line):
    """Parse the result in a line; None if it has none."""
    try:
        row = json.loads(line)
        job, values = row["job"], list(row["numbers"].values())
        texts = [row["date"], job["experiment"], job["system"]]
        texts += [value.get(key, "") for value in values for key in ("unit", "part")]
        numbers = [job["seed"], job["training"]["epochs"]]
        numbers += [value["error"] for value in values]
        numbers += [value.get(key, 0) for value in values for key in ("n", "ess")]
        right = row["id"] == job_id(job) and all(isfinite(value["mean"]) for value in values)
        right = right and all(isinstance(text, str) for text in texts)
        right = right and all(isinstance(number, int | float) for number in numbers)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    return row if right and values else None


def missing(path, jobs):
    """List the jobs that have no result in the file, once each."""
    done = {row["id"] for row in read(path)}
    wanted = {job_id(job): job for job in jobs}
    return [job for id, job in wanted.items() if id not in done]
