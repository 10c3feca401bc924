"""The growth of a training step's cost: log-log slopes in N, K, M and D."""

import numpy as np

from ...likelihoods import Binomial
from ...models import MMVAE
from ...report.page import Table
from ...support.devices import namespace
from .steps import our_step
from .tables import written
from .turns import time_all

BASE = {"N": 128, "K": 4, "M": 2, "D": 32}
FACTORS = (1, 2, 4, 8)


def bench_growth(*, rounds=4, threads=2, device="cpu"):
    """Time MMVAE's step as N, K, M or D grows: rows of size and turns, value → Turns."""
    rows = []
    for name, base in BASE.items():
        values = [base * factor for factor in FACTORS]
        case = {value: (BASE | {name: value}, device) for value in values}
        (turns,) = time_all(make_step, [case], rounds, threads=threads, device=device)
        rows.append({"size": name, "turns": turns})
    return rows


def make_step(size, device):
    """Make a training step of MMVAE on M modalities of 64 counts each."""
    xp, rng = namespace(device), np.random.default_rng(0)
    names = [f"x{m}" for m in range(size["M"])]
    model = MMVAE({name: Binomial(64, n=16) for name in names}, latent=size["D"])
    x = {name: rng.integers(0, 17, (size["N"], 64)).astype(np.float32) for name in names}
    theta = xp.asarray(model.init(rng))
    eps = xp.asarray(model.draw_noise(rng, size["N"], size["K"])["eps"])
    return our_step(model, theta, x, eps)


def slope(turns):
    """Compute the last log-log slope; at 1 twice the size takes twice the time."""
    (a, s), (b, t) = list(turns.items())[-2:]
    return float(np.log(t.milliseconds / s.milliseconds) / np.log(b / a))


def growth_table(rows):
    """Make a report.Table of the rows."""
    cells = []
    for row in rows:
        times = [f"{n}: {written(t.milliseconds, '.1f')}" for n, t in row["turns"].items()]
        cells.append([row["size"], *times, written(slope(row["turns"]), ".2f")])
    base = ", ".join(f"{name} {value}" for name, value in BASE.items())
    header = ["size", *(f"×{factor}, ms" for factor in FACTORS), "last slope"]
    base_step = [next(iter(row["turns"].values())).milliseconds for row in rows]
    took = f"which took {min(base_step):.1f} to {max(base_step):.1f} ms"
    return Table(f"MMVAE's step as one size grows from {base}, {took}", header, cells)
