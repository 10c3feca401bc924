"""Claims about slide 12: what the mean over experts costs as K grows."""

import math

import numpy as np

from ..oracles import mixture_iwae_exact, stratified_iwae_exact
from ..slides.s11_mixture import looseness_gap
from .instances import discrete_mixture
from .registry import T1, claim


@claim("S11.4", of=looseness_gap, tol=T1, oracle="O4 Frullani")
def the_stratified_bound_wins_by_the_gap(f, rng):
    """As K grows, the stratified bound minus L^MoE_K tends to KL(uniform ‖ a): the price of one
    logarithm for each expert."""
    model, x, q, log_w, _ = discrete_mixture(rng, 4, 2)
    a = np.array([math.fsum(model.posterior(x) * q_m / q.sum(axis=0)) for q_m in q])
    bounds = [g(q, np.exp(log_w), 10**12) for g in (stratified_iwae_exact, mixture_iwae_exact)]
    return f(a), np.float64(bounds[0] - bounds[1])
