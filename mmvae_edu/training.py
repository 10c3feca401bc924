"""Training: minibatches, Adam, KL annealing, early stopping, checkpoints that resume exactly."""

import signal
import threading
import warnings
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np

from .kernels.graph import NotRecorded, Recorded
from .kernels.memory import kept_pages
from .support import files
from .support.checkpoints import State, resume, save
from .support.devices import generator, namespace, to_host
from .support.settings import checked
from .support.trainable import require_finite, require_ordinary, require_trainable


def fit(model, x, *, mask=None, validation=None, checkpoint=None, progress=True, **settings):
    """Raise the model's bound on x by Adam; leaves the parameters in `model.theta`.

    x, mask        dict name → (n, P), and (M, n) bool, True = present; or x a `batches.Paired`
    validation     such data, never the test split; its bound (β = 1, the model's own weights, fixed
                   noise) decides which parameters are kept
    checkpoint     a file, also written on Ctrl-C; if it exists, training goes on from it, and with
                   the same data ends at the same parameters, bit for bit, as if it had not stopped
    progress       draw a progress bar; a string is its label
    settings       the fields of `Settings`: steps, batch_size, learning_rate, …
    Returns the history: a dict each record with step, bound (nats an example), validation, and the
    weights of its last step if they are scheduled.
    Raises ValueError for bad arguments, for data of a size from which no training can start, and
    once a number is not finite: `model.theta` and the checkpoint then stay as they were.
    """
    settings = checked(settings)
    if checkpoint is not None:  # now, and not after the first interval
        resumes = files.prepare(checkpoint, "checkpoint").exists()
    xp = namespace(settings.device)
    rng = np.random.default_rng(settings.seed)
    theta = xp.asarray(model.init(rng, dtype=settings.dtype))
    data, held_out = checked_data(model, theta, x, mask, validation)
    if settings.patience is not None and held_out is None:
        raise ValueError("patience: expected a validation split to watch, found none")
    settings.objective(model, settings.weights_at(0))  # a ValueError now
    settings = replace(settings, batch_size=min(settings.batch_size, data.size))
    state = State(theta, np.zeros_like(theta), np.zeros_like(theta), rng.permutation(data.size))
    if checkpoint is not None:
        identity = settings.identity(model, data, held_out)
        if resumes:
            resume(checkpoint, state, rng, identity)
        if state.step > settings.steps:
            raise ValueError(
                f"{checkpoint}: is at step {state.step} already, beyond steps={settings.steps}"
            )
    weights = None
    patience = np.inf if settings.patience is None else settings.patience
    bar_shown = _bar(progress, model, state, settings.steps)
    quiet = np.errstate(over="ignore", invalid="ignore")  # a sentence names what is not finite
    with interruptible() as interrupted, bar_shown as bar, kept_pages(), quiet:
        while state.step < settings.steps and state.stale < patience:
            if (now := settings.weights_at(state.step)) != weights:
                weights, objective = now, settings.objective(model, now)
                gradient = gradient_of(objective, theta, settings.batch_size, settings.graph)
            batch, arguments = next_batch(model, data, state, settings, rng, xp)
            if state.step == 0:
                require_trainable(model, objective, theta, batch, **arguments)
            ascend(model, gradient, state, batch, settings.rate(state.step), **arguments)
            due, stop = state.step % settings.interval == 0, interrupted()
            kept = due or stop or state.step == settings.steps
            if kept or xp is np:  # a GPU is not waited for at every step
                require_finite(model, state, batch, data, parameters=kept)
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
    require_ordinary(model, held_out, "validation")
    return data, held_out


def next_batch(model, data, state, settings, rng, xp):
    """Take the next examples of this epoch's order: their Batch, and the bound's other arguments.

    After the epoch's last batch the next epoch's order is drawn.
    """
    rows = state.order[state.position : state.position + settings.batch_size]
    noise = model.draw_noise(rng, len(rows), settings.samples, settings.dtype, xp)
    batch = drawn(data.take(rows), settings.binarise, rng, xp)
    state.position += len(rows)
    if state.position == data.size:
        state.order, state.position = rng.permutation(data.size), 0
    return batch, {"beta": settings.beta(state.step), **noise}


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


def gradient_of(objective, theta, batch_size, graph=True):
    """Choose the fastest form of `mean_gradient` for the device of theta."""
    plain = isinstance(theta, np.ndarray) or not graph
    return partial(mean_gradient, objective) if plain else OnGpu(objective, batch_size)


class OnGpu:
    """`mean_gradient` of an objective on a GPU: one CUDA graph, launched again with new numbers.

    The graph needs batches of `size` whose steps all run the same kernels.  A batch with missing
    values or random subsets therefore runs kernel by kernel; so does one of more than 8 modalities,
    since CuPy joins them by a list that it copies from the host.  If the step cannot be recorded,
    because the model waits for the GPU or has other kernels, a warning says why, and all batches
    run kernel by kernel.
    """

    def __init__(self, objective, size):
        self.gradient, self.size = partial(mean_gradient, objective), size
        self.theta = self.graph = None

    def __call__(self, theta, batch, *, beta, **noise):
        same = batch.size == self.size and batch.mask is None and len(batch.x) <= 8
        if not same or "sampled" in noise:
            return self.gradient(theta, batch, beta=beta, **noise)
        if self.graph is None or theta is not self.theta:
            try:
                self._record(theta, batch, noise)
            except NotRecorded as problem:
                self.size = None
                warnings.warn(
                    f"fit: a step on the GPU runs kernel by kernel, since no CUDA graph of it can "
                    f"be recorded ({problem}); graph=False does so without this warning",
                    RuntimeWarning,
                    stacklevel=4,
                )
                return self.gradient(theta, batch, beta=beta, **noise)
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


@np.errstate(over="ignore", invalid="ignore")
def record(model, state, held_out, settings):
    """Append the mean bound since the last record, and the validation bound if there is a split."""
    entry = {"step": state.step, "bound": float(to_host(state.total)) / state.count}
    if settings.weights:
        entry["weights"] = settings.weights_at(state.step - 1)
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
    xp, total = namespace("cpu" if isinstance(theta, np.ndarray) else "cuda"), 0.0
    for start in range(0, batch.size, chunk):
        part = batch.take(np.arange(start, min(start + chunk, batch.size)))
        noise = model.draw_noise(rng, part.size, samples, theta.real.dtype, xp)
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
    from rich import progress as rich  # here: every command would pay for it at the top

    columns = [rich.TextColumn("{task.description}"), rich.BarColumn(), rich.MofNCompleteColumn()]
    columns += [rich.TimeRemainingColumn(), rich.TextColumn("{task.fields[bound]}")]
    with rich.Progress(*columns, disable=not visible) as bar:
        label = visible if isinstance(visible, str) else type(model).__name__
        task = bar.add_task(label, total=steps, completed=state.step, bound="")

        def update(state):
            last = f"bound {state.history[-1]['bound']:.2f} nats" if state.history else ""
            bar.update(task, completed=state.step, bound=last)

        yield update
