"""Training: minibatches, Adam, KL annealing, early stopping, checkpoints that resume exactly."""

import json
import os
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .kernels.graph import Recorded
from .kernels.memory import kept_pages
from .support import files as storage
from .support.devices import generator, like, namespace, to_host

ESTIMATORS = ("bound", "doubly_reparameterised")
SCALARS = ("step", "position", "best_bound", "stale", "count", "history")


@dataclass
class State:
    """All that training changes: enough to go on from here as if nothing had happened."""

    theta: np.ndarray
    m: np.ndarray
    v: np.ndarray
    order: np.ndarray  # this epoch's order of the examples
    step: int = 0
    position: int = 0  # how many of them are used
    best_bound: float = -np.inf
    best_theta: np.ndarray | None = None
    stale: int = 0  # records without improvement
    total: np.ndarray | float = 0.0  # the sum of the bounds since the last record, on the device
    count: int = 0  # how many they are
    history: list = field(default_factory=list)


def fit(
    model,
    x,
    *,
    mask=None,
    binarise=(),
    steps=1000,
    batch_size=128,
    learning_rate=1e-3,
    samples=1,
    anneal=0,
    decay=0,
    estimator="bound",
    interval=100,
    validation=None,
    patience=None,
    dtype=np.float32,
    device="cpu",
    seed=0,
    checkpoint=None,
    progress=True,
):  # fmt: skip
    """Raise the model's bound on x by Adam; leaves the parameters in `model.theta`.

    x, mask        dict name → (n, P), and (M, n) bool, True = present; or x a `batch.Paired`
    binarise       modalities whose grey values are drawn as 0 or 1 anew at every use
    samples        K of the bound
    anneal         β rises linearly from 0 to 1 over this many steps                        [S6.1]
    decay          the learning rate falls linearly towards 0 over this many last steps
    estimator      "bound", or "doubly_reparameterised" where the model has it
    interval       so many steps apart: a record in the history, a look at the validation split,
                   a checkpoint
    validation     such data, never the test split; its bound (β = 1, fixed noise) decides which
                   parameters are kept
    patience       stop after so many records without a better validation bound
    checkpoint     a file, also written on Ctrl-C; if it exists, training goes on from it, and with
                   the same data ends at the same parameters, bit for bit, as if it had not stopped
    progress       draw a progress bar; a string is its label
    Returns the history: a dict each record with step, bound (nats an example) and validation.
    """
    counts = {"steps": steps, "batch_size": batch_size, "samples": samples, "interval": interval}
    counts |= {"anneal": anneal, "decay": decay}
    counts |= {} if patience is None else {"patience": patience}
    for name, count in counts.items():
        least = 0 if name in ("anneal", "decay") else 1
        if not isinstance(count, int | np.integer) or count < least:
            raise ValueError(f"{name}: expected a whole number, at least {least}, found {count!r}")
    if not learning_rate >= 0:
        raise ValueError(f"learning_rate: expected 0 or more, found {learning_rate}")
    xp = namespace(device)
    rng = np.random.default_rng(seed)
    theta = xp.asarray(model.init(rng, dtype=dtype))
    data = model.open(theta, x, mask)[0]
    if untrained := [name for name in model.modalities if name not in data.x]:
        raise ValueError(f"x: nothing of {untrained[0]!r}; leave it out of the model, or mask it")
    held_out = None if validation is None else model.open(theta, validation)[0]
    if patience is not None and held_out is None:
        raise ValueError("patience: expected a validation split to watch, found none")
    objective = getattr(model, estimator, None) if estimator in ESTIMATORS else None
    if objective is None:
        raise ValueError(f"estimator: {type(model).__name__} has no {estimator!r}")
    binarise = (binarise,) if isinstance(binarise, str) else tuple(binarise)
    for name in binarise:
        if getattr(model.modalities.get(name), "n", None) != 1:
            raise ValueError(f"binarise: expected names of Bernoulli modalities, found {name!r}")
    batch_size = min(batch_size, data.size)
    state = State(theta, np.zeros_like(theta), np.zeros_like(theta), rng.permutation(data.size))
    identity = {
        "system": type(model).__name__,
        "config": model.config(),
        "dtype": theta.dtype.name,
        "examples": data.size,
        **{"seed": seed, "learning_rate": learning_rate, "anneal": anneal, "estimator": estimator},
        **{"batch_size": batch_size, "samples": samples, "interval": interval},
        "binarise": binarise,
        "decay_from": steps - decay if decay else None,
    }
    identity = json.loads(storage.as_json(identity))
    if checkpoint is not None:
        storage.folder(Path(checkpoint).parent)  # now, and not after the first interval
        if os.path.exists(checkpoint):
            resume(checkpoint, state, rng, identity)
    model.theta = state.theta
    gradient = gradient_of(objective, theta, batch_size)

    bar_shown = _bar(progress, model, state, steps)
    with interruptible() as interrupted, bar_shown as bar, kept_pages():
        while state.step < steps and not (patience and state.stale >= patience):
            rows = state.order[state.position : state.position + batch_size]
            beta = min(1.0, (state.step + 1) / anneal) if anneal else 1.0
            rate = learning_rate * (min(1.0, (steps - state.step) / decay) if decay else 1.0)
            noise = model.draw_noise(rng, len(rows), samples, dtype, xp)
            batch = drawn(data.take(rows), binarise, rng, xp)
            ascend(model, gradient, state, batch, rate, beta=beta, **noise)
            state.position += len(rows)
            if state.position == data.size:
                state.order, state.position = rng.permutation(data.size), 0
            due = state.step % interval == 0
            if due:
                record(model, state, held_out, samples, seed)
            if checkpoint is not None and (due or state.step == steps or interrupted()):
                save(checkpoint, state, rng, identity)
            bar(state)
            if interrupted():
                raise KeyboardInterrupt
    if state.count:  # of an interval that is not full; a longer training records it later
        record(model, state, held_out, samples, seed)
    if state.best_theta is not None:
        model.theta = state.best_theta
    return state.history


def drawn(batch, names, rng, xp=np):
    """The batch with these modalities' grey values drawn as 0 or 1: dynamic binarisation."""
    if not names:
        return batch
    x, rng = dict(batch.x), generator(rng, xp)
    for name in names:
        uniform = rng.random(x[name].shape, dtype=np.float32)
        x[name] = (uniform < x[name]).astype(x[name].dtype)
    return replace(batch, x=x)


def ascend(model, gradient, state, batch, learning_rate, **arguments):
    """One step of Adam up the mean bound of a batch; gradient: `mean_gradient` of an objective."""
    total, dtheta = gradient(state.theta, batch, **arguments)
    state.step += 1
    model.backend(state.theta).adam_step(
        state.theta, dtheta, state.m, state.v, step=state.step, learning_rate=learning_rate
    )
    state.total = state.total + total
    state.count += batch.size


def mean_gradient(objective, theta, batch, **arguments):
    """The sum of the bounds of a batch, and the gradient of its loss, their negated mean."""
    bound, pullback = objective(theta, batch, **arguments)
    return bound.sum(dtype=np.float64), pullback(np.full_like(bound, -1 / batch.size))


def gradient_of(objective, theta, batch_size):
    """`mean_gradient` of this objective, in the way that is fastest where theta lies."""
    on_host = isinstance(theta, np.ndarray)
    return partial(mean_gradient, objective) if on_host else OnGpu(objective, batch_size)


class OnGpu:
    """`mean_gradient` of an objective on a GPU: one CUDA graph, launched again with new numbers.

    That needs batches of `size` whose steps all run the same kernels.  So a batch with something
    missing, or with random subsets, runs kernel by kernel; and one of more than 8 modalities, which
    CuPy joins by a list that it copies from the host.
    """

    def __init__(self, objective, size):
        self.gradient, self.size = partial(mean_gradient, objective), size
        self.theta = self.graph = None

    def __call__(self, theta, batch, *, beta, **noise):
        same = batch.size == self.size and batch.mask is None and len(batch.x) <= 8
        if not same or "sampled" in noise:
            return self.gradient(theta, batch, beta=beta, **noise)
        if self.graph is None or theta is not self.theta:
            self._record(theta, batch, noise)
        for name, array in (batch.x | noise).items():
            self.kept[name][...] = array
        self.beta[...] = beta
        return self.graph()

    def _record(self, theta, batch, noise):
        self.theta, self.beta = theta, np.zeros_like(theta[0])
        self.kept = {name: array.copy() for name, array in (batch.x | noise).items()}
        x, noise = ({name: self.kept[name] for name in names} for names in (batch.x, noise))
        batch = replace(batch, x=x, copies={})
        self.graph = Recorded(partial(self.gradient, theta, batch, beta=self.beta, **noise))


def record(model, state, held_out, samples, seed):
    """The mean bound since the last record, and the validation bound if there is a split."""
    entry = {"step": state.step, "bound": float(to_host(state.total)) / state.count}
    state.total, state.count = 0.0, 0
    if not np.isfinite(entry["bound"]):
        raise ValueError(
            f"the bound became {entry['bound']} by step {state.step}; try a smaller learning_rate"
        )
    if held_out is not None:
        entry["validation"] = mean_bound(model, state.theta, held_out, samples, seed)
        state.stale += 1
        if entry["validation"] > state.best_bound:
            state.best_bound, state.stale = entry["validation"], 0
            state.best_theta = state.theta.copy()
    state.history.append(entry)


def mean_bound(model, theta, batch, samples=1, seed=0, chunk=1000):
    """The mean bound at β = 1 with noise fixed by the seed, in nats an example."""
    rng = np.random.default_rng(seed or 0)  # fixed for None too
    total = 0.0
    for start in range(0, batch.size, chunk):
        part = batch.take(np.arange(start, min(start + chunk, batch.size)))
        noise = model.draw_noise(rng, part.size, samples, theta.real.dtype)
        if "eps" in noise:
            noise["eps"] = like(noise["eps"], theta)
        total += float(to_host(model.bound(theta, part, **noise)[0].sum()))
    return total / batch.size


def save(path, state, rng, identity):
    """Write a checkpoint, whole or not at all."""
    arrays = {name: getattr(state, name) for name in ("theta", "m", "v", "order", "total")}
    if state.best_theta is not None:
        arrays["best_theta"] = state.best_theta
    header = {"kind": "checkpoint", "identity": identity, "rng": rng.bit_generator.state}
    for name in SCALARS:
        header[name] = getattr(state, name)
    storage.write_arrays(path, header, {name: to_host(array) for name, array in arrays.items()})


def resume(path, state, rng, identity):
    """Load a checkpoint into state and rng; a ValueError if it is of another training."""
    header, arrays = storage.read_arrays(path, "checkpoint")
    for key, here in identity.items():
        found = header["identity"].get(key)
        if found != here:
            raise ValueError(f"{path}: a checkpoint of another training: {key} {found}, not {here}")
    for name in SCALARS:
        setattr(state, name, header[name])
    state.order = arrays.pop("order")
    for name, array in arrays.items():
        setattr(state, name, like(array, state.theta))
    rng.bit_generator.state = header["rng"]


@contextmanager
def interruptible():
    """Let Ctrl-C wait for the end of the step, so that it never leaves one half done."""
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed.is_set
        return
    previous = signal.signal(signal.SIGINT, lambda *_: pressed.set())
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, previous)


@contextmanager
def _bar(visible, model, state, steps):
    """A progress bar; yields the function that updates it.  It never waits for the GPU."""
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
    columns += [TimeRemainingColumn(), TextColumn("{task.fields[bound]}")]
    with Progress(*columns, disable=not visible) as bar:
        label = visible if isinstance(visible, str) else type(model).__name__
        task = bar.add_task(label, total=steps, completed=state.step, bound="")

        def update(state):
            last = f"bound {state.history[-1]['bound']:.2f} nats" if state.history else ""
            bar.update(task, completed=state.step, bound=last)

        yield update
