"""Training: minibatches, Adam, KL annealing, early stopping, checkpoints that resume exactly."""

import json
import os
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .kernels.graph import Recorded
from .kernels.memory import kept_pages
from .support import files
from .support.checkpoints import State, digests, resume, save
from .support.checks import finite_number, whole_number
from .support.devices import generator, like, namespace, to_host

ESTIMATORS = ("bound", "doubly_reparameterised")
WORST = 1e5  # nats a feature before training: from there not even 1,500 steps lead back
FAR = 10  # times the scale that a likelihood starts with: few standardised values are as large


@dataclass(frozen=True)
class Settings:
    """The settings of a training, checked.

    samples        K of the bound
    anneal         β rises linearly from 0 to 1 over this many steps                        [S6.1]
    decay          the learning rate falls linearly towards 0 over this many last steps
    estimator      "bound", or "doubly_reparameterised" where the model has it
    binarise       modalities whose grey values are drawn as 0 or 1 anew at every use
    interval       every so many steps: a record in the history, the validation bound,
                   a checkpoint
    patience       stop after so many records without a better validation bound
    """

    steps: int = 1000
    batch_size: int = 128
    learning_rate: float = 1e-3
    samples: int = 1
    anneal: int = 0
    decay: int = 0
    estimator: str = "bound"
    binarise: tuple | str = ()
    interval: int = 100
    patience: int | None = None
    dtype: type = np.float32
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self):
        for name in "steps", "batch_size", "samples", "interval":
            whole_number(name, getattr(self, name), 1)
        for name in "anneal", "decay":
            whole_number(name, getattr(self, name), 0)
        if self.patience is not None:
            whole_number("patience", self.patience, 1)
        finite_number("learning_rate", self.learning_rate, 0)
        several = isinstance(self.seed, tuple | list) and len(self.seed)
        for seed in self.seed if several else () if self.seed is None else (self.seed,):
            whole_number("seed", seed, 0)
        if not _is_trained_in(self.dtype):
            raise ValueError(f"dtype: expected float32 or float64, found {self.dtype!r}")
        names = (self.binarise,) if isinstance(self.binarise, str) else self.binarise
        if not (isinstance(names, tuple | list) and all(isinstance(n, str) for n in names)):
            raise ValueError(f"binarise: expected names of Bernoulli modalities, found {names!r}")
        object.__setattr__(self, "binarise", tuple(names))

    def objective(self, model):
        """Return the model's method to train; a ValueError if these settings do not fit it."""
        objective = getattr(model, self.estimator, None) if self.estimator in ESTIMATORS else None
        if objective is None:
            raise ValueError(f"estimator: {type(model).__name__} has no {self.estimator!r}")
        for name in self.binarise:
            if getattr(model.modalities.get(name), "n", None) != 1:
                raise ValueError(
                    f"binarise: expected names of Bernoulli modalities, found {name!r}"
                )
        return objective

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
            **digests(data, held_out),
        }
        return json.loads(files.as_json(identity))


def _is_trained_in(dtype):
    try:
        return dtype is not None and np.dtype(dtype) in (np.float32, np.float64)
    except TypeError:
        return False


def checked(settings):
    """Turn a dict of settings into `Settings`; a ValueError names the first that is wrong."""
    known = [field.name for field in fields(Settings)]
    for name in settings.keys() - known:
        near = get_close_matches(name, [*known, "mask", "validation", "checkpoint", "progress"], 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise ValueError(f"{name}: fit has no such setting; {hint}")
    return Settings(**settings)


def fit(model, x, *, mask=None, validation=None, checkpoint=None, progress=True, **settings):
    """Raise the model's bound on x by Adam; leaves the parameters in `model.theta`.

    x, mask        dict name → (n, P), and (M, n) bool, True = present; or x a `batches.Paired`
    validation     such data, never the test split; its bound (β = 1, fixed noise) decides which
                   parameters are kept
    checkpoint     a file, also written on Ctrl-C; if it exists, training goes on from it, and with
                   the same data ends at the same parameters, bit for bit, as if it had not stopped
    progress       draw a progress bar; a string is its label
    settings       the fields of `Settings`: steps, batch_size, learning_rate, …
    Returns the history: a dict each record with step, bound (nats an example) and validation.
    Raises ValueError for bad arguments, for data of a size from which no training can start, and
    once a number is not finite: `model.theta` and the checkpoint then stay as they were.
    """
    settings = checked(settings)
    if not isinstance(checkpoint, str | os.PathLike | None):
        raise ValueError(f"checkpoint: expected a path, found {checkpoint!r}")
    xp = namespace(settings.device)
    rng = np.random.default_rng(settings.seed)
    theta = xp.asarray(model.init(rng, dtype=settings.dtype))
    data, held_out = checked_data(model, theta, x, mask, validation)
    if settings.patience is not None and held_out is None:
        raise ValueError("patience: expected a validation split to watch, found none")
    objective = settings.objective(model)
    settings = replace(settings, batch_size=min(settings.batch_size, data.size))
    state = State(theta, np.zeros_like(theta), np.zeros_like(theta), rng.permutation(data.size))
    if checkpoint is not None:
        files.folder(Path(checkpoint).parent)  # now, and not after the first interval
        identity = settings.identity(model, data, held_out)
        if os.path.exists(checkpoint):
            resume(checkpoint, state, rng, identity)
        if state.step > settings.steps:
            raise ValueError(
                f"{checkpoint}: is at step {state.step} already, beyond steps={settings.steps}"
            )
    gradient = gradient_of(objective, theta, settings.batch_size)

    patience = np.inf if settings.patience is None else settings.patience
    bar_shown = _bar(progress, model, state, settings.steps)
    quiet = np.errstate(over="ignore", invalid="ignore")  # a sentence names what is not finite
    with interruptible() as interrupted, bar_shown as bar, kept_pages(), quiet:
        while state.step < settings.steps and state.stale < patience:
            rows = state.order[state.position : state.position + settings.batch_size]
            beta, rate = settings.beta(state.step), settings.rate(state.step)
            noise = model.draw_noise(rng, len(rows), settings.samples, settings.dtype, xp)
            batch = drawn(data.take(rows), settings.binarise, rng, xp)
            if state.step == 0:
                require_trainable(model, objective, theta, batch, beta=beta, **noise)
            ascend(model, gradient, state, batch, rate, beta=beta, **noise)
            state.position += len(rows)
            if state.position == data.size:
                state.order, state.position = rng.permutation(data.size), 0
            due, stop = state.step % settings.interval == 0, interrupted()
            kept = due or stop or state.step == settings.steps
            if kept or xp is np:  # a GPU is not waited for at every step
                require_finite(model, state, batch, parameters=kept)
            if due:
                record(model, state, held_out, settings)
            if checkpoint is not None and kept:
                save(checkpoint, state, rng, identity)
            bar(state)
            if stop:
                model.theta = state.theta
                raise KeyboardInterrupt
    if state.count:  # the last interval was not full; a longer training records it later
        record(model, state, held_out, settings)
    model.theta = state.theta if state.best_theta is None else state.best_theta
    return state.history


def checked_data(model, theta, x, mask, validation):
    """Check x, and validation data if there are any, as Batches; a ValueError says which."""
    data = model.checked_batch(theta, x, mask)[0]
    if untrained := [name for name in model.modalities if name not in data.x]:
        raise ValueError(f"x: nothing of {untrained[0]!r}; leave it out of the model, or mask it")
    if validation is None:
        return data, None
    try:
        held_out = model.checked_batch(theta, validation)[0]
    except ValueError as problem:
        sentence = str(problem).removesuffix("; mark missing values in mask")  # it has no mask
        raise ValueError(f"validation: {sentence}") from None
    if absent := [name for name in model.modalities if name not in held_out.x]:
        raise ValueError(f"validation: nothing of {absent[0]!r}; expected what x has")
    return data, held_out


def require_trainable(model, objective, theta, batch, **arguments):
    """Raise a ValueError unless the first batch has a finite gradient and an ordinary bound.

    A value x costs (x/scale)²/2 nats, and networks turn values of size s into log-variances of
    about s, hence samples of size exp(s/2).  Standardised data cost up to 100 nats a feature, at
    ten times their size far more than WORST.  A tenth of the batch may cost more: outliers.
    """
    bound, pullback = objective(theta, batch, **arguments)
    dtheta = pullback(np.full_like(bound, -1 / batch.size))
    features = sum(model.modalities[name].features for name in batch.x)
    tenth = np.quantile(to_host(bound), 0.1, method="higher")
    finite = np.isfinite(bound).all() and np.isfinite(dtheta).all()
    if tenth < -WORST * features or not finite:
        found = f"is {tenth:.3g} nats" if finite else "or its gradient is not finite"
        raise ValueError(
            unscaled(model, batch)
            or f"before the first step the bound {found}: are weights and scales of ordinary size?"
        )


def require_finite(model, state, batch, *, parameters):
    """Raise a ValueError unless the bound is finite, and if `parameters` all that Adam changes."""
    changed = {"the bound": state.total}
    if parameters:
        changed |= {"a parameter": state.theta, "the gradient": state.v}
    for name, array in changed.items():
        if not np.isfinite(array).all():
            since = state.history[-1]["step"] if state.history else 0
            far = unscaled(model, batch)
            advice = f"{far}; or try" if far else "try"
            raise ValueError(
                f"{name} became infinite or NaN by step {state.step}, after step {since}; "
                f"{advice} a smaller learning_rate"
            )


def unscaled(model, batch):
    """Say which modality's values are far beyond the scale that its likelihood starts with, if any.

    A scale above 1 counts as 1, because the encoders see the values themselves.
    """
    sizes, ratios = {}, {}
    for name, x in batch.x.items():
        if scale := getattr(model.modalities[name], "initial_scale", None):
            sizes[name] = np.sqrt(np.mean(np.square(to_host(x), dtype=np.float64)))
            ratios[name] = sizes[name] / min(scale, 1)
    worst = max(ratios, key=ratios.get, default=None)
    if worst is None or ratios[worst] < FAR:
        return ""
    likelihood = model.modalities[worst]
    return (
        f"x[{worst!r}]: expected values of about 1, for a {type(likelihood).__name__} that starts "
        f"with scale {likelihood.initial_scale:.3g}, found {sizes[worst]:.3g} (root mean square); "
        "standardise each feature: (x − mean) / std over the training data"
    )


def drawn(batch, names, rng, xp=np):
    """Draw these modalities' grey values as 0 or 1: dynamic binarisation of a batch."""
    if not names:
        return batch
    x, rng = dict(batch.x), generator(rng, xp)
    for name in names:
        uniform = rng.random(x[name].shape, dtype=np.float32)
        x[name] = (uniform < x[name]).astype(x[name].dtype)
    return replace(batch, x=x)


def ascend(model, gradient, state, batch, learning_rate, **arguments):
    """Take one step of Adam up the mean bound of a batch; gradient: that of `gradient_of`."""
    total, dtheta = gradient(state.theta, batch, **arguments)
    state.step += 1
    model.backend(state.theta).adam_step(
        state.theta, dtheta, state.m, state.v, step=state.step, learning_rate=learning_rate
    )
    state.total = state.total + total
    state.count += batch.size


def mean_gradient(objective, theta, batch, **arguments):
    """Compute the sum of the bounds of a batch, and the gradient of their negated mean."""
    bound, pullback = objective(theta, batch, **arguments)
    return bound.sum(dtype=np.float64), pullback(np.full_like(bound, -1 / batch.size))


def gradient_of(objective, theta, batch_size):
    """Choose the fastest form of `mean_gradient` for the device of theta."""
    on_host = isinstance(theta, np.ndarray)
    return partial(mean_gradient, objective) if on_host else OnGpu(objective, batch_size)


class OnGpu:
    """`mean_gradient` of an objective on a GPU: one CUDA graph, launched again with new numbers.

    The graph needs batches of `size` whose steps all run the same kernels.  A batch with missing
    values or random subsets therefore runs kernel by kernel; so does one of more than 8 modalities,
    since CuPy joins them by a list that it copies from the host.
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
        for kept, new in (self.x, batch.x), (self.noise, noise):
            for name, array in new.items():
                kept[name][...] = array
        self.beta[...] = beta
        return self.graph()

    def _record(self, theta, batch, noise):
        self.theta, self.beta = theta, np.zeros_like(theta[0])
        self.x, self.noise = (
            {name: array.copy() for name, array in arrays.items()} for arrays in (batch.x, noise)
        )
        batch = replace(batch, x=self.x, copies={})
        self.graph = Recorded(partial(self.gradient, theta, batch, beta=self.beta, **self.noise))


def record(model, state, held_out, settings):
    """Append the mean bound since the last record, and the validation bound if there is a split."""
    entry = {"step": state.step, "bound": float(to_host(state.total)) / state.count}
    state.total, state.count = 0.0, 0
    if held_out is not None:
        entry["validation"] = mean_bound(
            model, state.theta, held_out, settings.samples, settings.seed
        )
        if not np.isfinite(entry["validation"]):
            raise ValueError(
                f"validation: its bound became {entry['validation']} by step {state.step}, where "
                f"that of x is {entry['bound']:.4g}; scale both alike"
            )
        state.stale += 1
        if entry["validation"] > state.best_bound:
            state.best_bound, state.stale = entry["validation"], 0
            state.best_theta = state.theta.copy()
    state.history.append(entry)


def mean_bound(model, theta, batch, samples=1, seed=0, chunk=1000):
    """Compute the mean bound at β = 1 with noise fixed by the seed, in nats an example."""
    rng = np.random.default_rng(seed or 0)  # fixed for None too
    total = 0.0
    for start in range(0, batch.size, chunk):
        part = batch.take(np.arange(start, min(start + chunk, batch.size)))
        noise = model.draw_noise(rng, part.size, samples, theta.real.dtype)
        if "eps" in noise:
            noise["eps"] = like(noise["eps"], theta)
        total += float(to_host(model.bound(theta, part, **noise)[0].sum()))
    return total / batch.size


@contextmanager
def interruptible():
    """Delay Ctrl-C to the end of the step, in this context; yields whether it was pressed."""
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
    """Show a progress bar; yields the function that updates it, which never waits for a GPU."""
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
    columns += [TimeRemainingColumn(), TextColumn("{task.fields[bound]}")]
    with Progress(*columns, disable=not visible) as bar:
        label = visible if isinstance(visible, str) else type(model).__name__
        task = bar.add_task(label, total=steps, completed=state.step, bound="")

        def update(state):
            last = f"bound {state.history[-1]['bound']:.2f} nats" if state.history else ""
            bar.update(task, completed=state.step, bound=last)

        yield update
