"""Whole training steps, ours beside PyTorch's."""

from dataclasses import dataclass

import numpy as np

from .. import training
from ..arrays import namespace
from ..likelihoods import Bernoulli, Categorical
from ..models import MMVAE, MVAE
from ..report import Table
from .turns import nothing, take_turns

BATCH = 100
HIDDEN = ((512, 512), (512, 512, 512))
MODALITIES = {"image": Bernoulli(784), "label": Categorical(10)}
CASES = (("MVAE", 1), ("MMVAE", 1), ("MMVAE", 10), ("MMVAE", 30))
PEERS = tuple(
    f"torch {how}, {form}" for form in ("as released", "same graph") for how in ("eager", "compile")
)


@dataclass(frozen=True)
class StepRow:
    """One system and K: median milliseconds a step and peak memory in MB of each contender.

    "products" are the matrix products of our step alone: what no code in NumPy can do without.
    """

    system: str
    K: int
    milliseconds: dict
    peak: dict

    def ratio(self, contender):
        """How many times faster ours is."""
        return self.milliseconds[contender] / self.milliseconds["ours"]


def problem(system):
    """The MNIST networks of the MVAE release on a random batch: (model, theta, x)."""
    rng = np.random.default_rng(0)
    options = {"latent": 64, "hidden": dict.fromkeys(MODALITIES, HIDDEN)}
    if system == "MVAE":
        model = MVAE(MODALITIES, weights={"label": 50}, **options)
    else:
        model = MMVAE(MODALITIES, **options)
    label = np.eye(10, dtype=np.float32)[rng.integers(0, 10, BATCH)]
    return model, model.init(rng), {"image": rng.random((BATCH, 784), np.float32), "label": label}


def bench_steps(*, cases=CASES, rounds=8, peers=True, threads=2, device="cpu"):
    """A StepRow for each case (system, K); contenders take turns of a few steps."""
    rows = []
    for system, K in cases:
        names = ["ours", "products", *(PEERS if peers else ())]
        measured = take_turns(
            make_step, [(n, system, K, threads, device) for n in names], rounds if K < 10 else 2
        )
        milliseconds, peaks = zip(*measured, strict=True)
        by_name = (dict(zip(names, values, strict=True)) for values in (milliseconds, peaks))
        rows.append(StepRow(system, K, *by_name))
    return rows


def make_step(name, system, K, threads, device):
    """The contender's training step, and the function that waits for its end (on a GPU)."""
    model, theta, x = problem(system)
    eps = model.draw_noise(np.random.default_rng(1), BATCH, K)["eps"]
    if name.startswith("torch"):
        from . import torch_steps

        how, form = name.removeprefix("torch ").split(", ")
        bound, step, wait = torch_steps.make_step(
            form, model, theta, x, eps, compiled=how == "compile", threads=threads, device=device
        )
        np.testing.assert_allclose(bound(), model.bound(theta, x, eps=eps)[0], rtol=2e-4)
        return step, wait
    xp = namespace(device)
    theta, eps = xp.asarray(theta), xp.asarray(eps)
    wait = xp.cuda.Device().synchronize if device == "cuda" else nothing
    if name == "products":
        return products_of(model, theta, eps.shape[1]), wait
    return our_step(model, theta, x, eps), wait


def our_step(model, theta, x, eps):
    """The trainer's own step: bound, gradient, Adam."""
    state = training.State(theta, np.zeros_like(theta), np.zeros_like(theta), np.arange(BATCH))
    batch, _ = model.open(theta, x)

    def step():
        training.ascend(model, model.bound, state, batch, 1e-3, eps=eps)

    return step


def products_of(model, theta, K):
    """The matrix products of our step and nothing else, on arrays of the same shapes."""
    decoded = 2  # MVAE: two of the three terms score a modality; MMVAE: both experts' samples
    jobs = []
    for networks in model.tree.views(theta).values():
        for part, rows in ("encoder", BATCH), ("decoder", BATCH * K * decoded):
            matrices = [W for key, W in networks[part].items() if key.startswith("W")]
            for layer, W in enumerate(matrices):
                a = np.full_like(W, 0.5, shape=(rows, W.shape[0]))
                dy = np.full_like(W, 0.5, shape=(rows, W.shape[1]))
                da = np.empty_like(a) if part == "decoder" or layer else None
                jobs.append((a, W, np.empty_like(dy), dy, np.empty_like(W), da))

    def products():
        for a, W, y, _, _, _ in jobs:
            np.matmul(a, W, out=y)
        for a, W, _, dy, dW, da in reversed(jobs):
            np.matmul(a.T, dy, out=dW)
            if da is not None:
                np.matmul(dy, W.T, out=da)

    return products


def step_table(rows):
    """A report.Table of the rows: milliseconds, ratios, and the products' share of our step."""
    peers = [name for name in rows[0].milliseconds if name.startswith("torch")]
    header = ["system", "K", "ours, ms", "examples/s", "of it products", *peers]
    cells = []
    for row in rows:
        ours = row.milliseconds["ours"]
        share = row.milliseconds["products"] / ours
        ratios = [f"{row.milliseconds[p]:.1f} ms = {row.ratio(p):.2f}×" for p in peers]
        numbers = [f"{ours:.1f}", f"{1000 * BATCH / ours:.0f}", f"{100 * share:.0f}%"]
        cells.append([row.system, str(row.K), *numbers, *ratios])
    return Table(
        f"Training step, batch {BATCH}; × says how many times faster ours is", header, cells
    )
