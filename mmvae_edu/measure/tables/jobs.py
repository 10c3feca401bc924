"""The run of one job: its data, model, training and evaluation."""

import math
import time
from dataclasses import replace

import numpy as np

from ... import likelihoods, models
from ...data import load_digits, sets
from ...support.batches import Paired
from ...version import __version__
from .evaluate import EVALUATIONS
from .store import checkpoint, job_id


def run(job, work, *, device="cpu", progress=False):
    """Train and evaluate one job on a device; its result as JSON can hold it.

    A stopped job resumes from its checkpoint in the folder `work`.  The file stays when the job is
    done: another evaluation of the same training uses its parameters.
    """
    start = time.perf_counter()
    data = load(job)
    model = build(job, data)
    train(model, job, data, checkpoint=checkpoint(work, job), device=device, progress=progress)
    if job["evaluation"].get("on") == "validation":  # what chooses a setting never sees the test
        none = replace(data.validation, label=data.validation.label[:0])
        data = replace(data, test=data.validation, validation=none)
    numbers = EVALUATIONS[job["evaluation"]["kind"]](model, job, data)
    for name, number in numbers.items():
        if not math.isfinite(number["mean"]):
            raise ValueError(
                f"{name} is {number['mean']}, with the parameters of {checkpoint(work, job)}; "
                "delete that file, and the job starts anew"
            )
    return {
        "id": job_id(job),
        "job": job,
        "numbers": numbers,
        "parameters": model.tree.size,
        "seconds": round(time.perf_counter() - start, 1),  # of the process that finished it
        "device": device,
        "versions": {"mmvae_edu": __version__, "numpy": np.__version__},
        "date": time.strftime("%Y-%m-%d"),
    }


def load(job):
    """Load the job's three splits: the embedded digits, or a larger set from the cache."""
    arguments = dict(job["data"])
    name = arguments.pop("name")
    if name == "digits":
        return load_digits(seed=job["seed"], **arguments)
    return sets.load(name, seed=job["seed"], **arguments)


def build(job, data):
    """Build the job's model, without parameters."""
    modalities = {}
    for name in job["modalities"] or data.train.x:
        arguments = dict(_of(name, job["likelihoods"]))
        kind = getattr(likelihoods, arguments.pop("kind"))
        modalities[name] = kind(data.train.x[name].shape[1], **arguments)
    networks = dict(job["networks"])
    if isinstance(networks["hidden"], dict):
        hidden = networks["hidden"]
        networks["hidden"] = {name: tuple(map(tuple, _of(name, hidden))) for name in modalities}
    return getattr(models, job["class"])(modalities, **networks, **job["options"])


def _of(name, settings):
    """Look up a modality's settings, or those of "others"."""
    return settings[name if name in settings else "others"]


def train(model, job, data, **options):
    """Fit the model, from the checkpoint if there is one; `training.fit` has the options."""
    training = dict(job["training"])
    x = {name: data.train.x[name] for name in model.modalities}
    n = len(data.train.label)
    if data.train.rows is not None:
        x = Paired(x, {name: data.train.rows[name] for name in x})
    epoch = math.ceil(n / training["batch_size"])
    for key, option in ("epochs", "steps"), ("anneal_epochs", "anneal"), ("decay_epochs", "decay"):
        training[option] = training.pop(key, 0) * epoch
    if schedule := training.get("weights", {}).items():  # from an epoch, which may be a fraction
        training["weights"] = {m: [(round(e * epoch), w) for e, w in row] for m, row in schedule}
    binarise = ("image",) if job["data"]["name"] == "binary-mnist" else ()
    model.fit(x, interval=epoch, seed=job["seed"], binarise=binarise, **training, **options)
