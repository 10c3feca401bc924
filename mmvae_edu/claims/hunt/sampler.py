"""Bug hunt, file 01: samples of q(z|x)."""

import math

import numpy as np

from ..examples import EXAMPLES
from ..registry import T0, claim
from .versions import Hunted, close, gradient_agrees, hunted, load


def _q(rng, sizes=(4, 3, 2)):
    return rng.normal(size=(2, *sizes[1:])), rng.normal(size=sizes)


def check_01(file):
    """At eps = +1 and -1 a sample lies one standard deviation above or below its mean."""
    rng = np.random.default_rng(1)
    (mu, log_var), eps = _q(rng)
    sign = np.sign(eps)
    step = file.sample(mu, log_var, eps=sign)[0] - mu
    one_deviation = close(step**2, np.broadcast_to(np.exp(log_var), step.shape))
    own_noise = (np.sign(step) == sign).all()
    return bool(one_deviation and own_noise) and gradient_agrees(file.sample, mu, log_var, eps=eps)


def fix_01(mu, log_var, *, eps, file):
    """z = mu + std eps with std = exp(log_var / 2), whose derivative by log_var is std / 2."""
    std = np.exp(0.5 * log_var)

    def fix_01_pullback(dz):
        return dz.sum(axis=0), 0.5 * (dz * eps * std).sum(axis=0)

    return mu + std * eps, fix_01_pullback


hunted("S5.12", check_01, fix_01)
EXAMPLES[fix_01] = [Hunted(1, "ND", "ND", eps="KND")]


@claim("S5.12", of=fix_01, tol=T0, oracle="plain loops")
def hunted_sampler_moves_by_the_deviation(f, rng):
    """Repaired or clean, the hunt's sampler moves from μ by ε standard deviations."""
    (mu, log_var), eps = _q(rng)
    exact = np.empty_like(eps)
    for k, n, d in np.ndindex(eps.shape):
        exact[k, n, d] = mu[n, d] + math.sqrt(math.exp(log_var[n, d])) * eps[k, n, d]
    return f(mu, log_var, eps=eps, file=load(1))[0], exact
