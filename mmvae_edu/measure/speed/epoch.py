"""An epoch of training: its steps, and what they need, batches of the data and noise."""

from dataclasses import dataclass

import numpy as np

from ...report.page import Table
from .steps import BATCH, problem
from .turns import milliseconds, ratio, take_turns, written

EXAMPLES = 10_000
PEERS = ("torch eager, as released", "torch eager, its images in one tensor")


@dataclass(frozen=True)
class EpochRow:
    """MVAE over so many images of MNIST's size and their labels: Turns of each contender.

    "as released" has the authors' data loader: one picture at a time, from 8 bits to floats.
    """

    examples: int
    turns: dict


def bench_epoch(*, examples=EXAMPLES, rounds=1, peers=True, threads=2):
    """The EpochRow of the MNIST networks of the MVAE release, on the CPU."""
    names = ["ours", *(PEERS if peers else ())]
    contenders = [(name, examples, threads) for name in names]
    turns = take_turns(make_epoch, contenders, rounds, threads=threads)
    return EpochRow(examples, dict(zip(names, turns, strict=True)))


def make_epoch(name, examples, threads):
    """The contender's epoch, and its timer.  Ours is `fit`, as a user calls it."""
    model, theta, _ = problem("MVAE")
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (examples, 28, 28), np.uint8)
    labels = rng.integers(0, 10, examples)
    if name != "ours":
        from . import torch_steps

        one_by_one = name == PEERS[0]
        epoch = torch_steps.make_epoch(model, theta, pictures, labels, BATCH, threads, one_by_one)
        return epoch, milliseconds
    image = pictures.reshape(examples, -1).astype(np.float32) / 255
    x = {"image": image, "label": np.eye(10, dtype=np.float32)[labels]}
    steps = -(-examples // BATCH)
    options = {"steps": steps, "batch_size": BATCH, "interval": steps, "progress": False}
    return lambda: model.fit(x, **options), milliseconds


def epoch_table(row):
    """A report.Table of the row."""
    cells = [
        [
            name,
            written(turns.milliseconds, ".0f"),
            written(ratio(row.turns, name), ".2f", "×"),
            written(turns.peak, ".0f", none="-"),
        ]
        for name, turns in row.turns.items()
    ]
    title = f"Epoch of MVAE, {row.examples} images and labels, batch {BATCH}"
    return Table(title, ["", "ms", "to ours", "peak MB"], cells)
