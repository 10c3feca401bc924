"""Bug hunt, file 02: the likelihood of counts."""

import itertools
import math

import numpy as np

from ..examples import EXAMPLES, NOT_ANALYTIC
from ..registry import T0, claim
from .versions import Hunted, close, gradient_agrees, hunted, load


def check_02(file):
    """The probabilities of all images add up to 1, their mean count is n p; and the gradient."""
    rng, n = np.random.default_rng(1), 3
    logits = rng.normal(size=(2, 1, 2))
    images = np.array(list(itertools.product(range(n + 1), repeat=2)), dtype=float)
    value, _ = file.log_likelihood(np.repeat(logits, len(images), axis=1), x=images, n=n)
    mean = np.exp(value) @ images
    x = rng.integers(0, n + 1, size=(4, 2)).astype(float)
    return (
        close(np.exp(value).sum(axis=1), 1.0)
        and close(mean, n / (1 + np.exp(-logits[:, 0])))
        and gradient_agrees(file.log_likelihood, rng.normal(size=(3, 4, 2)), x=x, n=n)
    )


def fix_02(logits, *, x, n, file):
    """The file is clean."""
    return file.log_likelihood(logits, x=x, n=n)


hunted("S5.13", check_02, fix_02)
EXAMPLES[fix_02] = [Hunted(2, "KNP", x="NP counts", n=5)]
NOT_ANALYTIC.add(fix_02)


def _instance(rng, n=5):
    return rng.normal(size=(2, 4, 3)), rng.integers(0, n + 1, size=(4, 3)).astype(float), n


@claim("S5.13", of=fix_02, tol=T0, oracle="plain loops")
def hunted_counts_are_binomial(f, rng):
    """Repaired or clean, the hunt's likelihood of counts is a product of Binomial probabilities."""
    logits, x, n = _instance(rng)
    exact = np.zeros(logits.shape[:2])
    for k, i, j in np.ndindex(logits.shape):
        p, count = 1 / (1 + math.exp(-logits[k, i, j])), int(x[i, j])
        exact[k, i] += math.log(math.comb(n, count) * p**count * (1 - p) ** (n - count))
    return f(logits, x=x, n=n, file=load(2))[0], exact
