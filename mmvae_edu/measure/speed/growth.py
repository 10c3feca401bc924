"""How the cost of a training step grows: log-log slopes in N, K, M and D."""

from dataclasses import dataclass

import numpy as np

from ... import training
from ...kernels.memory import keep_pages
from ...likelihoods import Binomial
from ...models import MMVAE
from ...report.page import Table
from ...support.devices import namespace
from .on_gpu import step_milliseconds
from .turns import milliseconds, take_turns, written

BASE = {"N": 128, "K": 4, "M": 2, "D": 32}
FACTORS = (1, 2, 4, 8)


@dataclass(frozen=True)
class GrowthRow:
    """MMVAE's step as one size grows from its base, in milliseconds."""

    size: str
    turns: dict  # its value → Turns

    @property
    def slope(self):
        """1: twice the size takes twice the time."""
        (a, s), (b, t) = list(self.turns.items())[-2:]
        return float(np.log(t.milliseconds / s.milliseconds) / np.log(b / a))


def bench_growth(*, rounds=4, threads=2, device="cpu"):
    """A GrowthRow each for N, K, M, D."""
    rows = []
    for name, base in BASE.items():
        values = [base * factor for factor in FACTORS]
        contenders = [(BASE | {name: value}, device) for value in values]
        turns = take_turns(make_step, contenders, rounds, threads=threads, device=device)
        rows.append(GrowthRow(name, dict(zip(values, turns, strict=True))))
    return rows


def make_step(size, device):
    """One training step of MMVAE on M modalities of 64 counts each."""
    keep_pages()  # as `fit` does
    xp, rng = namespace(device), np.random.default_rng(0)
    names = [f"x{m}" for m in range(size["M"])]
    model = MMVAE({name: Binomial(64, n=16) for name in names}, latent=size["D"])
    x = {name: rng.integers(0, 17, (size["N"], 64)).astype(np.float32) for name in names}
    theta = xp.asarray(model.init(rng))
    eps = xp.asarray(model.draw_noise(rng, size["N"], size["K"])["eps"])
    state = training.State(theta, xp.zeros_like(theta), xp.zeros_like(theta), None)
    batch, _ = model.open(theta, x)
    gradient = training.gradient_of(model.bound, theta, batch.size)

    def step():
        training.ascend(model, gradient, state, batch, 1e-3, beta=1.0, eps=eps)

    return step, step_milliseconds if device == "cuda" else milliseconds


def growth_table(rows):
    """A report.Table of the rows."""
    base = ", ".join(f"{name} {value}" for name, value in BASE.items())
    cells = [
        [row.size]
        + [f"{value}: {written(turn.milliseconds, '.1f')}" for value, turn in row.turns.items()]
        + [written(row.slope, ".2f")]
        for row in rows
    ]
    header = ["size", *(f"×{factor}, ms" for factor in FACTORS), "last slope"]
    once = [next(iter(row.turns.values())).milliseconds for row in rows]  # the same step each time
    took = f"which took {min(once):.1f} to {max(once):.1f} ms"
    return Table(f"MMVAE's step as one size grows from {base}, {took}", header, cells)
