"""The likelihood estimator, beside the matrix products that it cannot do without."""

from dataclasses import dataclass

import numpy as np

from ...estimators import marginals
from ...kernels.memory import keep_pages
from ...report.page import Table
from ...support.devices import namespace
from .on_gpu import step_milliseconds
from .steps import forward_product, inputs_and_outputs, layers, problem
from .turns import milliseconds, ratio, take_turns, written

EXAMPLES, K = 20, 1000
CHUNK = {"cpu": 5_000, "cuda": 100_000}  # rows at a time, as in `estimators`


@dataclass(frozen=True)
class EvaluationRow:
    """log p(image, label) of so many examples by K samples from q(z|image): Turns of each.

    "products" are those of both decoders on the same K · examples rows.
    """

    examples: int
    K: int
    turns: dict


def bench_evaluation(*, examples=EXAMPLES, K=K, rounds=3, threads=2, device="cpu"):
    """The EvaluationRow of the MNIST networks of the MVAE release."""
    names = ["ours", "products"]
    contenders = [(name, examples, K, device) for name in names]
    turns = take_turns(make_evaluation, contenders, rounds, threads=threads, device=device)
    return EvaluationRow(examples, K, dict(zip(names, turns, strict=True)))


def make_evaluation(name, examples, K, device):
    """The contender's evaluation, and its timer."""
    model, theta, x = problem("MVAE")
    xp = namespace(device)
    theta = xp.asarray(theta)
    timer = step_milliseconds if device == "cuda" else milliseconds
    if name == "products":
        return decoder_products(model, theta, examples * K, CHUNK[device]), timer
    image, label = ({name: x[name][:examples]} for name in ("image", "label"))

    def evaluate():
        rng = np.random.default_rng(1)
        marginals(model, theta, [image, label], given=image, K=K, rng=rng, chunk=CHUNK[device])

    return evaluate, timer


def decoder_products(model, theta, rows, chunk=CHUNK["cpu"]):
    """The forward products of all decoders on so many rows, at most `chunk` of them at a time."""
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


def evaluation_table(row):
    """A report.Table of the row."""
    cells = [
        [
            name,
            written(turns.milliseconds, ".0f"),
            written(1 / ratio(row.turns, name), ".2f", "×"),
            written(turns.peak, ".0f", none="-"),
        ]
        for name, turns in row.turns.items()
    ]
    title = f"log p(image, label) of MVAE, {row.examples} examples, K = {row.K}"
    return Table(title, ["", "ms", "ours takes", "peak MB"], cells)
