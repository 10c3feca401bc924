"""Pullbacks proved by SymPy (oracle O8): every op of EXAMPLES, run on symbols at small sizes."""

import numpy as np

from ..models.one_function import iwae, mmvae, mvae, vae
from ..networks import mlp
from ..oracles.symbolic_pullbacks import gradient_entries
from ..slides.s06_weighted_elbo import subset_elbo
from .examples import AXES, EXAMPLES

NOT_PROVED = {
    subset_elbo: "np.asarray of its weights keeps no symbols",
    mvae.subsampled_bound: "SymPy takes minutes over its expressions",
}
SYSTEMS = (mlp, vae.mlp, vae.vae_bound, iwae.log_weights, iwae.iwae_bound, mmvae.mmvae_bound)
TWO = dict.fromkeys(AXES, 2)
ONE = dict.fromkeys(AXES, 1) | {"M": 2}  # of the systems


def label(op):
    """Write an op's name: "iwae", "Normal(features=1, scale=0.7).log_prob"."""
    return f"{op.__self__}.{op.__name__}" if hasattr(op, "__self__") else op.__name__


def single_ops():
    """List the ops, densities, likelihoods, posteriors and objectives of EXAMPLES."""
    others = (*SYSTEMS, *NOT_PROVED)
    return [op for op in EXAMPLES if op not in others and ".hunt." not in op.__module__]


def entries(op, f=None):
    """Compare the pullback of op, or of f in its place, with SymPy's derivative: rows of Entry."""
    rng, sizes = np.random.default_rng(0), ONE if op in SYSTEMS else TWO
    return [
        entry
        for draw in EXAMPLES[op]
        for entry in gradient_entries(f or op, *draw(rng, sizes), rng)
    ]
