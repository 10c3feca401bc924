"""Bug hunt, file 06: the objective of a mini-batch."""

import numpy as np

from ..examples import EXAMPLES
from ..instances import log_mean
from ..registry import T0, claim
from .versions import Hunted, close, gradient_agrees, hunted, load


def _terms(rng, K=4, N=3):
    """Draw log p(x|z), log p(z) and log q(z|x), (K, N) each."""
    return rng.normal(size=(3, K, N)) - 3


def check_06(file):
    """A batch is worth the sum of its images, an image the log of its mean weight; the gradient."""
    terms = _terms(np.random.default_rng(1))
    log_px_z, log_pz, log_qz = terms
    exact = log_mean(log_px_z + log_pz - log_qz).sum()
    return close(file.objective(*terms)[0], exact) and gradient_agrees(file.objective, *terms)


def fix_06(log_px_z, log_pz, log_qz, *, file):
    """The weights of each image are averaged by themselves; the sum over images comes last."""
    log_w = file.log_weights(log_px_z, log_pz, log_qz)
    top = log_w.max(axis=0)
    w = np.exp(log_w - top)
    normalised = w / w.sum(axis=0)

    def fix_06_pullback(d):
        return d * normalised, d * normalised, -d * normalised

    return (top + np.log(w.mean(axis=0))).sum(), fix_06_pullback


hunted("S9.2", check_06, fix_06)
EXAMPLES[fix_06] = [Hunted(6, *["KN log_weight"] * 3)]


@claim("S9.2", of=fix_06, tol=T0, oracle="pairwise additions")
def hunted_objective_is_a_sum_over_images(f, rng):
    """Repaired or clean, the hunt's mini-batch objective is the sum of its images' bounds."""
    terms = _terms(rng)
    log_px_z, log_pz, log_qz = terms
    return f(*terms, file=load(6))[0], log_mean(log_px_z + log_pz - log_qz).sum()
