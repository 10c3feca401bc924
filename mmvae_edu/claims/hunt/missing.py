"""Bug hunt, file 09: the density of a mixture with missing experts."""

import numpy as np

from ..examples import EXAMPLES
from ..instances import log_mean, log_normal_sum
from ..registry import T0, claim
from .versions import Hunted, close, gradient_agrees, hunted, load

PRESENT = np.array([[1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 1.0]])


def _instance(rng, present=PRESENT, K=2, D=2):
    """Draw z (K, N, D), mu, log_var (M, N, D), zeros where missing, and present (M, N)."""
    mu, log_var = rng.normal(size=(2, *present.shape, D)) * present[..., None]
    return rng.normal(size=(K, present.shape[1], D)), mu, log_var, present


def _exact(z, mu, log_var, present):
    """Compute the mixture of the present experts, one example at a time."""
    columns = []
    for n, here in enumerate(present.T == 1):
        log_q = log_normal_sum(z[:, n], mu[here, None, n], log_var[here, None, n])
        columns.append(log_mean(log_q))
    return np.stack(columns, axis=1)


def _value(file, z, mu, log_var, present):
    return file.log_mixture(z, mu, log_var, present=present)[0]


def check_09(file):
    """With missing experts the density is that of a mixture without them; and the gradient."""
    case = _instance(np.random.default_rng(1))
    *args, present = case
    return close(_value(file, *case), _exact(*case)) and gradient_agrees(
        file.log_mixture, *args, present=present
    )


def fix_09(z, mu, log_var, *, present, file):
    """A missing expert has the density 0, the log density minus infinity."""
    here = present[:, None]
    mu, log_var = mu[:, None], log_var[:, None]
    log_q = np.where(here == 1, file.log_normal(z, mu, log_var), -np.inf)
    top = log_q.max(axis=0)
    density = np.exp(log_q - top)
    share = density / density.sum(axis=0)

    def fix_09_pullback(d):
        r = (d * share)[..., None]
        step = (z - mu) / np.exp(log_var)
        dlog_var = 0.5 * r * (step * (z - mu) - 1)
        return -(r * step).sum(axis=0), (r * step).sum(axis=1), dlog_var.sum(axis=1)

    return top + np.log(density.sum(axis=0) / present.sum(axis=0)), fix_09_pullback


hunted("S11.3", check_09, fix_09)
EXAMPLES[fix_09] = [Hunted(9, "KND", "MND", "MND", present="MN indicator")]


@claim("S11.3", of=fix_09, tol=T0, oracle="the mixture of present experts alone")
def hunted_mixture_ignores_missing_experts(f, rng):
    """Repaired or clean, the hunt's mixture leaves missing experts out."""
    case = _instance(rng)
    *args, present = case
    return f(*args, present=present, file=load(9))[0], _exact(*case)
