"""Checkpoints: the state of a training, and the file from which it resumes bit for bit."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from . import archives
from .checks import whole_number
from .devices import like, to_host

ARRAYS = ("theta", "m", "v", "order", "total", "best_theta")
DIGESTS = ("mask", "data", "validation")
LATER = (*DIGESTS, "decay_to")  # in files of older versions they are absent
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


def digests(data, held_out):
    """Compute the DIGESTS of checked data; None where nothing is missing, or not held out.

    What stands under a mask is 0, so another mask makes other data: it is compared before them.
    """
    return {
        "mask": None if data.mask is None else _sha256([data.mask]),
        "data": _sha256(data.arrays()),
        "validation": None if held_out is None else _sha256(held_out.arrays()),
    }


def _sha256(arrays):
    """Hash the shapes and the bytes of arrays: 1.8 GB/s where the processor has instructions."""
    total = hashlib.sha256()
    for array in map(to_host, arrays):
        total.update(str(array.shape).encode())
        total.update(np.ascontiguousarray(array))
    return total.hexdigest()


def save(path, state, rng, identity):
    """Write a checkpoint, whole or not at all; identity: a dict that `resume` compares."""
    arrays = {name: getattr(state, name) for name in ARRAYS}
    arrays = {name: to_host(array) for name, array in arrays.items() if array is not None}
    header = {"kind": "checkpoint", "identity": identity, "rng": rng.bit_generator.state}
    header |= {name: getattr(state, name) for name in NUMBERS}
    archives.write_arrays(path, header, arrays)


def resume(path, state, rng, identity):
    """Load a checkpoint into state and rng; a ValueError if it has another identity."""
    header, arrays = archives.read_arrays(path, "checkpoint")
    kept = header.get("identity")
    if not isinstance(kept, dict):
        raise archives.damaged(path, ValueError(f"identity: expected a dict, found {kept!r}"))
    for key, here in identity.items():
        found = kept.get(key, here if key in LATER else None)
        if found != here:
            other = f"other {key}" if key in DIGESTS else f"{key} {found}, not {here}"
            raise ValueError(f"{path}: a checkpoint of another training: {other}")
    try:
        _check(header, arrays, state)
        rng.bit_generator.state = header["rng"]
        if rng.bit_generator.state != header["rng"]:
            raise ValueError("rng: expected a state of NumPy's generator")
    except Exception as problem:  # whatever a wrong type in the header raises
        raise archives.damaged(path, problem) from None
    for name in NUMBERS:
        setattr(state, name, header[name])
    state.order = arrays.pop("order")
    for name, array in arrays.items():
        setattr(state, name, like(array, state.theta))


def _check(header, arrays, state):
    """Raise an exception unless header and arrays are a training's with arrays as in `state`."""
    expected = dict.fromkeys(ARRAYS, state.theta) | {"order": state.order, "total": np.float64(0)}
    if header["best_bound"] == -np.inf:
        del expected["best_theta"]
    if expected.keys() != arrays.keys():
        raise ValueError(f"expected the arrays {list(expected)}, found {list(arrays)}")
    for name, array in arrays.items():
        wanted, found = ((a.shape, a.dtype.name) for a in (expected[name], array))
        if wanted != found:
            raise ValueError(f"{name}: expected {wanted}, found {found}")
    if (np.sort(arrays["order"]) != np.arange(len(state.order))).any():
        raise ValueError(f"order: expected a permutation of {len(state.order)} examples")
    for name in "step", "position", "stale", "count":
        whole_number(name, header[name], 0)
    if header["position"] >= len(state.order):
        raise ValueError(f"position: expected below {len(state.order)}, found {header['position']}")
    numbers, before = [header["best_bound"]] if "best_theta" in expected else [], 0
    if not isinstance(header["history"], list):
        raise ValueError(f"history: expected a list, found {header['history']!r}")
    for entry in header["history"]:
        whole_number("step of a record", entry["step"], before + 1)
        numbers += entry.get("weights", {}).values()
        numbers += [entry[key] for key in entry.keys() - {"step", "weights"} | {"bound"}]
        before = entry["step"]
    if before > header["step"]:
        raise ValueError(f"step: expected {before} as in the last record, found {header['step']}")
    if not all(isinstance(number, float) and np.isfinite(number) for number in numbers):
        raise ValueError(f"expected finite bounds, found {numbers}")
