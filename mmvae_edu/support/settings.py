"""Settings of a training: their checks, and what a checkpoint keeps of them."""

import json
from copy import copy
from dataclasses import dataclass, fields
from difflib import get_close_matches

import numpy as np

from . import files
from .checkpoints import digests
from .checks import finite_number, float_type, whole_number

ESTIMATORS = ("bound", "doubly_reparameterised")


@dataclass(frozen=True)
class Settings:
    """The settings of a training, checked.

    samples        K of the bound
    anneal         β rises linearly from 0 to 1 over this many steps                        [S6.1]
    decay          the learning rate falls linearly towards 0 over this many last steps
    weights        λ_m in place of the model's own: dict name → number, or → a list of (from step,
                   number) with steps that ascend from 0.  While β is small a heavy modality gets
                   dimensions of z for itself; a light one at first has to share them       [S6.1]
    estimator      "bound", or "doubly_reparameterised" where the model has it
    binarise       modalities whose grey values are drawn as 0 or 1 anew at every use
    interval       every so many steps: a record in the history, the validation bound,
                   a checkpoint
    patience       stop after so many records without a better validation bound
    graph          record a step on a GPU as one CUDA graph; False launches kernel by kernel
    """

    steps: int = 1000
    batch_size: int = 128
    learning_rate: float = 1e-3
    samples: int = 1
    anneal: int = 0
    decay: int = 0
    weights: dict | None = None
    estimator: str = "bound"
    binarise: tuple | str = ()
    interval: int = 100
    patience: int | None = None
    dtype: type = np.float32
    device: str = "cpu"
    graph: bool = True
    seed: int = 0

    def __post_init__(self):
        for name in "steps", "batch_size", "samples", "interval":
            whole_number(name, getattr(self, name), 1)
        for name in "anneal", "decay":
            whole_number(name, getattr(self, name), 0)
        if self.patience is not None:
            whole_number("patience", self.patience, 1)
        finite_number("learning_rate", self.learning_rate, 0)
        if self.seed is not None:
            several = isinstance(self.seed, tuple | list) and self.seed
            for seed in self.seed if several else [self.seed]:
                whole_number("seed", seed, 0)
        float_type(self.dtype)
        if not isinstance(self.graph, bool):
            raise ValueError(f"graph: expected True or False, found {self.graph!r}")
        if self.weights is not None:
            object.__setattr__(self, "weights", schedules(self.weights))
        names = (self.binarise,) if isinstance(self.binarise, str) else self.binarise
        if not (isinstance(names, tuple | list) and all(isinstance(n, str) for n in names)):
            raise ValueError(f"binarise: expected names of Bernoulli modalities, found {names!r}")
        object.__setattr__(self, "binarise", tuple(names))

    def objective(self, model, weights):
        """Return the method to train, of the model with these weights in place of its own.

        Raises ValueError if these settings do not fit the model.
        """
        if weights:
            known = getattr(model, "weights", {})
            if unknown := [name for name in weights if name not in known]:
                raise ValueError(f"weights: unknown modality {unknown[0]!r}, known {list(known)}")
            model = copy(model)  # which shares everything else
            model.weights = known | weights
        objective = getattr(model, self.estimator, None) if self.estimator in ESTIMATORS else None
        if objective is None:
            raise ValueError(f"estimator: {type(model).__name__} has no {self.estimator!r}")
        for name in self.binarise:
            if getattr(model.modalities.get(name), "n", None) != 1:
                raise ValueError(
                    f"binarise: expected names of Bernoulli modalities, found {name!r}"
                )
        return objective

    def weights_at(self, step):
        """Return the scheduled λ_m of this step, counted from 0: dict name → number."""
        rows = (self.weights or {}).items()
        return {name: [w for start, w in row if start <= step][-1] for name, row in rows}

    def beta(self, step):
        """Compute β in this step, counted from 0.                                      [S6.1]"""
        return min(1.0, (step + 1) / self.anneal) if self.anneal else 1.0

    def rate(self, step):
        """Compute the learning rate in this step, counted from 0."""
        left = (self.steps - step) / self.decay if self.decay else 1.0
        return self.learning_rate * min(1.0, left)

    def identity(self, model, data, held_out):
        """List what a checkpoint must share with a training that resumes it, as JSON holds it."""
        names = ("seed", "learning_rate", "anneal", "estimator")
        names += ("batch_size", "samples", "interval", "binarise")
        identity = {
            "system": type(model).__name__,
            "config": model.config(),
            "dtype": np.dtype(self.dtype).name,
            "examples": data.size,
            **{name: getattr(self, name) for name in names},
            "decay_from": self.steps - self.decay if self.decay else None,
            "decay_to": self.steps if self.decay else None,
            "weights": self.weights,
            **digests(data, held_out),
        }
        return json.loads(files.as_json(identity))


def schedules(weights):
    """Write weights as dict name → list of [from step, number]; a ValueError if they are none."""
    if not isinstance(weights, dict):
        raise ValueError(f"weights: expected a dict of modality → number, found {weights!r}")
    found = {}
    for name, rows in weights.items():
        named = f"weights[{name!r}]"
        rows = rows if isinstance(rows, tuple | list) else [(0, rows)]
        if not rows or not all(isinstance(row, tuple | list) and len(row) == 2 for row in rows):
            raise ValueError(
                f"{named}: expected a number or pairs (from step, number), found {rows}"
            )
        for start, number in rows:
            whole_number(f"{named}: a step", start, 0)
            finite_number(f"{named}: a weight", number, 0)
        starts = [int(start) for start, _ in rows]
        if starts[0] != 0 or starts != sorted({*starts}):
            raise ValueError(f"{named}: expected steps that ascend from 0, found {starts}")
        found[name] = [[int(start), float(number)] for start, number in rows]
    return found


def checked(settings):
    """Turn a dict of settings into `Settings`; a ValueError names the first that is wrong."""
    known = [field.name for field in fields(Settings)]
    for name in settings.keys() - known:
        near = get_close_matches(name, [*known, "mask", "validation", "checkpoint", "progress"], 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise ValueError(f"{name}: fit has no such setting; {hint}")
    return Settings(**settings)
