"""The likelihood estimator, beside the matrix products that it needs."""

import numpy as np

from ...estimators import marginals
from ...kernels.memory import keep_pages
from ...support.devices import namespace
from .steps import forward_product, inputs_and_outputs, layers, mnist_model
from .tables import contender_table, ratio, written
from .turns import time_all

EXAMPLES, K = 20, 1000
CHUNK = {"cpu": 5_000, "cuda": 100_000}  # rows at a time, as in `estimators`


def bench_evaluation(*, examples=EXAMPLES, K=K, rounds=3, threads=2, device="cpu"):
    """Time log p(image, label) of so many examples by K samples from q(z|image).

    "products" are those of both decoders on the same K · examples rows.
    """
    case = {name: (name, examples, K, device) for name in ("ours", "products")}
    (turns,) = time_all(make_evaluation, [case], rounds, threads=threads, device=device)
    return {"examples": examples, "K": K, "turns": turns}


def make_evaluation(name, examples, K, device):
    """Make the contender's evaluation."""
    model, theta, x = mnist_model("MVAE")
    theta = namespace(device).asarray(theta)
    if name == "products":
        return decoder_products(model, theta, examples * K, CHUNK[device])
    image, label = ({name: x[name][:examples]} for name in ("image", "label"))

    def evaluate():
        rng = np.random.default_rng(1)
        marginals(model, theta, [image, label], given=image, K=K, rng=rng, chunk=CHUNK[device])

    return evaluate


def decoder_products(model, theta, rows, chunk=CHUNK["cpu"]):
    """Make the forward products of all decoders on so many rows, at most `chunk` at a time."""
    keep_pages()  # as the estimator does
    chunks = [min(chunk, rows - done) for done in range(0, rows, chunk)]
    products = []
    for networks in model.tree.views(theta).values():
        for W, inner, outer in layers(networks["decoder"]):
            arrays = {n: inputs_and_outputs(W, inner, outer, n) for n in set(chunks)}
            products += [forward_product(W, *arrays[n], outer) for n in chunks]

    matmul = model.backend(theta).matmul

    def run():
        for left, right, out in products:
            matmul(left, right, out=out)

    return run


def evaluation_table(examples, K, turns):
    """Make a report.Table of the evaluations."""

    def compared(name):
        return written(1 / ratio(turns, name), ".2f", "×")

    title = f"log p(image, label) of MVAE, {examples} examples, K = {K}"
    return contender_table(title, turns, ["ms", "ours takes"], ".0f", compared)
