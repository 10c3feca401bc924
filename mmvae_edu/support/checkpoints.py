"""Checkpoints: the state of a training, and the file from which it resumes bit for bit."""

from dataclasses import dataclass, field

import numpy as np

from . import files
from .devices import like, to_host

ARRAYS = ("theta", "m", "v", "order", "total", "best_theta")
NUMBERS = ("step", "position", "best_bound", "stale", "count", "history")


@dataclass
class State:
    """The full training state; saving it and resuming from it changes nothing."""

    theta: np.ndarray
    m: np.ndarray
    v: np.ndarray
    order: np.ndarray  # this epoch's order of the examples
    step: int = 0
    position: int = 0  # how many examples of `order` are used
    best_bound: float = -np.inf
    best_theta: np.ndarray | None = None
    stale: int = 0  # records without improvement
    total: np.ndarray | float = 0.0  # the sum of the bounds since the last record, on the device
    count: int = 0  # how many bounds that sum has
    history: list = field(default_factory=list)


def save(path, state, rng, identity):
    """Write a checkpoint, whole or not at all; identity: a dict that `resume` compares."""
    arrays = {name: getattr(state, name) for name in ARRAYS}
    arrays = {name: to_host(array) for name, array in arrays.items() if array is not None}
    header = {"kind": "checkpoint", "identity": identity, "rng": rng.bit_generator.state}
    header |= {name: getattr(state, name) for name in NUMBERS}
    files.write_arrays(path, header, arrays)


def resume(path, state, rng, identity):
    """Load a checkpoint into state and rng; a ValueError if it has another identity."""
    header, arrays = files.read_arrays(path, "checkpoint")
    for key, here in identity.items():
        found = header["identity"].get(key)
        if found != here:
            raise ValueError(f"{path}: a checkpoint of another training: {key} {found}, not {here}")
    for name in NUMBERS:
        setattr(state, name, header[name])
    state.order = arrays.pop("order")
    for name, array in arrays.items():
        setattr(state, name, like(array, state.theta))
    rng.bit_generator.state = header["rng"]
