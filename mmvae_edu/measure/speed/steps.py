"""Whole training steps, ours beside PyTorch's."""

import numpy as np

from ... import training
from ...kernels.graph import Recorded
from ...kernels.memory import keep_pages
from ...likelihoods import Bernoulli, Categorical
from ...models import MMVAE, MVAE
from ...support.devices import namespace
from .tables import contender_table, ratio, times_ours, written
from .turns import time_all

BATCH = 100
HIDDEN = ((512, 512), (512, 512, 512))
MODALITIES = {"image": Bernoulli(784), "label": Categorical(10)}
CASES = (("MVAE", 1), ("MMVAE", 1), ("MMVAE", 10), ("MMVAE", 30))
PEERS = tuple(
    f"torch {how}, {form}" for form in ("as released", "same graph") for how in ("eager", "compile")
)


def mnist_model(system):
    """Make the MNIST networks of the MVAE release and a random batch: (model, theta, x)."""
    rng = np.random.default_rng(0)
    options = {"latent": 64, "hidden": dict.fromkeys(MODALITIES, HIDDEN)}
    if system == "MVAE":
        model = MVAE(MODALITIES, weights={"label": 50}, **options)
    else:
        model = MMVAE(MODALITIES, **options)
    label = np.eye(10, dtype=np.float32)[rng.integers(0, 10, BATCH)]
    return model, model.init(rng), {"image": rng.random((BATCH, 784), np.float32), "label": label}


def bench_step(system, K, *, rounds=8, peers=True, threads=2, device="cpu"):
    """Time a training step of a system at K: its row for `step_table`.

    "products" are the matrix products of our step alone: no code in NumPy can do without them.
    """
    names = ["ours", "products", *(PEERS if peers else ())]
    if device == "cuda" and system != "MVAE":  # to compile them would take longer than all else
        names = [name for name in names if "compile" not in name]
    case = {name: (name, system, K, threads, device) for name in names}
    rounds = rounds if K < 10 and device == "cpu" else 3
    (turns,) = time_all(make_step, [case], rounds, threads=threads, device=device)
    return {"system": system, "K": K, "turns": turns}


def make_step(name, system, K, threads, device):
    """Make the contender's training step."""
    model, theta, x = mnist_model(system)
    eps = model.draw_noise(np.random.default_rng(1), BATCH, K)["eps"]
    if name.startswith("torch"):
        from . import torch_steps

        how, form = name.removeprefix("torch ").split(", ")
        bound, step = torch_steps.make_step(
            form, model, theta, x, eps, compiled=how == "compile", threads=threads, device=device
        )
        np.testing.assert_allclose(bound(), model.bound(theta, x, eps=eps)[0], rtol=2e-4)
        return step
    xp = namespace(device)
    theta, eps = xp.asarray(theta), xp.asarray(eps)
    if name == "products":
        products = products_of(model, theta, eps.shape[1])
        return Recorded(products) if device == "cuda" else products
    return our_step(model, theta, x, eps)


def our_step(model, theta, x, eps):
    """Make the trainer's own step: bound, gradient, Adam; freed memory is kept, as in `fit`."""
    keep_pages()
    state = training.State(theta, np.zeros_like(theta), np.zeros_like(theta), order=None)
    batch, _ = model.checked_batch(theta, x)
    gradient = training.gradient_of(model.bound, theta, batch.size)

    def step():
        training.ascend(model, gradient, state, batch, 1e-3, beta=1.0, eps=eps)

    return step


def products_of(model, theta, K):
    """Make the matrix products of our step alone, on arrays of the same shapes and layouts.

    Results of `networks._product` are stored by columns, and are therefore multiplied transposed.
    """
    decoded = 2  # MVAE: two of the three terms score a modality; MMVAE: both experts' samples
    forward, backward = [], []
    for name, networks in model.tree.views(theta).items():
        V, by_class = model.modalities[name].features, model.modalities[name].one_hot
        encoded = V if by_class else BATCH  # `networks.mlp_by_class`
        if by_class:
            x, y = (np.full_like(theta, 0.5, shape=(BATCH, n)) for n in (V, 2 * model.latent))
            outputs, doutputs = (np.full_like(theta, 0.5, shape=(V, y.shape[1])) for _ in range(2))
            forward.append((x, outputs, y))
            backward.append((x.T, y, doutputs))
        for part, rows in ("encoder", encoded), ("decoder", BATCH * K * decoded):
            for W, inner, outer in layers(networks[part]):
                a, y = inputs_and_outputs(W, inner, outer, rows)
                dy, dW, da = np.full_like(y, 0.5), np.empty_like(W), np.empty_like(a)
                forward.append(forward_product(W, a, y, outer))
                backward.append((a.T, dy, dW))
                if part == "decoder" or inner:
                    backward.append((W, dy.T, da.T) if inner else (dy, W.T, da))

    matmul = model.backend(theta).matmul

    def products():
        for left, right, out in forward + backward[::-1]:
            matmul(left, right, out=out)

    return products


def layers(weights):
    """List each layer's matrix, whether a layer is before it, and whether one is behind it."""
    matrices = [W for key, W in weights.items() if key.startswith("W")]
    return [(W, layer > 0, W is not matrices[-1]) for layer, W in enumerate(matrices)]


def inputs_and_outputs(W, inner, outer, rows):
    """Make arrays for y = a W, in the layout that `networks._product` gives them."""
    a = np.full_like(W, 0.5, shape=(rows, W.shape[0]), order="CF"[inner])
    return a, np.empty_like(W, shape=(rows, W.shape[1]), order="CF"[outer])


def forward_product(W, a, y, outer):
    """Order y = a W as (left, right, result)."""
    return (W.T, a.T, y.T) if outer else (a, W, y)


def step_table(system, K, turns):
    """Make a report.Table of a case."""

    def compared(name):
        if name == "products":
            return written(100 * ratio(turns, name), ".0f", "%")
        return times_ours(turns, name)

    title = f"Training step of {system}, K = {K}, batch {BATCH}"
    return contender_table(title, turns, ["ms a step", "to ours"], ".1f", compared)
