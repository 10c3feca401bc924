"""An epoch of training: its steps, with the batches of data and the noise that they need."""

from functools import partial

import numpy as np

from .steps import BATCH, mnist_model
from .tables import contender_table, times_ours
from .turns import time_all

EXAMPLES = 10_000
PEERS = ("torch eager, as released", "torch eager, its images in one tensor")


def bench_epoch(*, examples=EXAMPLES, rounds=1, peers=True, threads=2):
    """Time MVAE over so many images of MNIST's size and their labels, on the CPU.

    "as released" has the authors' data loader: one picture at a time, from 8 bits to floats.
    """
    names = ["ours", *(PEERS if peers else ())]
    case = {name: (name, examples, threads) for name in names}
    (turns,) = time_all(make_epoch, [case], rounds, threads=threads)
    return {"examples": examples, "turns": turns}


def make_epoch(name, examples, threads):
    """Make the contender's epoch.  Ours is `fit`, as a user calls it."""
    model, theta, _ = mnist_model("MVAE")
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (examples, 28, 28), np.uint8)
    labels = rng.integers(0, 10, examples)
    if name != "ours":
        from . import torch_steps

        one_by_one = name == PEERS[0]
        return torch_steps.make_epoch(model, theta, pictures, labels, BATCH, threads, one_by_one)
    image = pictures.reshape(examples, -1).astype(np.float32) / 255
    x = {"image": image, "label": np.eye(10, dtype=np.float32)[labels]}
    steps = -(-examples // BATCH)
    options = {"steps": steps, "batch_size": BATCH, "interval": steps, "progress": False}
    return partial(model.fit, x, **options)


def epoch_table(examples, turns):
    """Make a report.Table of the epochs."""
    title = f"Epoch of MVAE, {examples} images and labels, batch {BATCH}"
    return contender_table(title, turns, ["ms", "to ours"], ".0f", partial(times_ours, turns))
