"""Part (b) of the benchmark: whole training steps, ours beside PyTorch's."""

import time
from dataclasses import asdict, dataclass

import numpy as np

from ..kernels import best
from ..likelihoods import Bernoulli, Categorical
from ..models import MMVAE, MVAE
from ..tree import leaves

BATCH = 100
HIDDEN = ((512, 512), (512, 512, 512))


@dataclass(frozen=True)
class StepRow:
    """One system and K: milliseconds a step of each contender, and the products' share of ours."""

    system: str
    K: int
    milliseconds: dict  # contender → median
    products: float  # milliseconds that this step's matrix products alone take

    def ratio(self, contender):
        return self.milliseconds[contender] / self.milliseconds["ours"]

    @property
    def share(self):
        return self.products / self.milliseconds["ours"]


def systems():
    """The MNIST networks of the MVAE release, image and label, for both systems."""
    modalities = {"image": Bernoulli(784), "label": Categorical(10)}
    options = {"latent": 64, "hidden": dict.fromkeys(modalities, HIDDEN)}
    mvae = MVAE(modalities, weights={"label": 50}, **options)
    return [(mvae, 1), *((MMVAE(modalities, **options), K) for K in (1, 10, 30))]


def bench_steps(*, repeats=15, peers=True, only=None):
    """StepRow for each system and K, contenders interleaved; `only`: names of systems."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 10, BATCH)
    x = {"image": rng.random((BATCH, 784), np.float32), "label": np.eye(10, dtype=np.float32)[label]}
    rows = []
    for model, K in systems():
        name = type(model).__name__
        if only and name not in only:
            continue
        eps = model.draw_noise(rng, BATCH, K)["eps"]
        theta = model.init(rng)
        contenders = {"ours": our_step(model, theta.copy(), x)}
        if peers:
            contenders |= torch_steps(name, model, theta, x, eps)
        contenders["products"] = products_of(model, x, K)
        medians = interleaved(contenders, eps, repeats if K < 10 else max(3, repeats // 3))
        products = medians.pop("products")
        rows.append(StepRow(name, K, medians, products))
    return rows


def our_step(model, theta, x):
    """A training step: bound, gradient, Adam."""
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    batch, _ = model.open(theta, x)
    count = 0

    def step(eps):
        nonlocal count
        count += 1
        bound, pullback = model.bound(theta, batch, eps=eps)
        dtheta = pullback(np.full_like(bound, -1 / BATCH))
        best(theta).adam_step(theta, dtheta, m, v, step=count, learning_rate=1e-3)

    return step


def torch_steps(name, model, theta, x, eps):
    """PyTorch's steps by contender, after a check that they compute our bound."""
    from . import torch_steps as peers

    ours, _ = model.bound(theta, x, eps=eps)
    steps = {}
    for form, kinds in ("as released", (False, True)), ("same graph", (False, True)):
        function = peers.FORMS[name, form]
        for compiled in kinds:
            bound, step = peers.make_step(
                function, model, theta, x, model.weights, compiled=compiled
            )
            np.testing.assert_allclose(bound(eps), ours, rtol=2e-4)
            steps[f"torch {'compile' if compiled else 'eager'}, {form}"] = step
    return steps


def products_of(model, x, K):
    """The matrix products of our step and nothing else, on arrays of the same shapes."""
    rng = np.random.default_rng(0)
    theta = model.init(rng)
    jobs = []
    for name, networks in model.tree.views(theta).items():
        terms = len(model.noise_shape(1, 1)) and model.noise_shape(1, 1)[0]
        decoded = 2 if type(model).__name__ == "MVAE" else terms
        for part, rows in ("encoder", BATCH), ("decoder", BATCH * K * decoded):
            weights = [W for key, W in networks[part].items() if key.startswith("W")]
            for layer, W in enumerate(weights):
                a = rng.standard_normal((rows, W.shape[0]), dtype=np.float32)
                dy = rng.standard_normal((rows, W.shape[1]), dtype=np.float32)
                y, dx = np.empty_like(dy), np.empty_like(a)
                jobs.append((a, W, dy, y, np.empty_like(W), dx if part == "decoder" or layer else None))

    def products(eps):
        for a, W, dy, y, dW, dx in jobs:
            np.matmul(a, W, out=y)
            np.matmul(a.T, dy, out=dW)
            if dx is not None:
                np.matmul(dy, W.T, out=dx)

    return products


def interleaved(contenders, eps, repeats):
    """Median milliseconds of each, run by turns after warming up."""
    for run in contenders.values():
        run(eps)
        run(eps)
    times = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, run in contenders.items():
            start = time.perf_counter()
            run(eps)
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: float(np.median(samples)) for name, samples in times.items()}
