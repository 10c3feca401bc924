"""Bug hunt, file 08: a bound that is trained and logged."""

import numpy as np

from ..examples import EXAMPLES
from ..instances import log_mean
from ..registry import T0, claim
from .versions import Hunted, close, gradient_agrees, hunted, load


def _log_w(rng):
    return 2 * rng.normal(size=(4, 3)) - 5


def check_08(file):
    """The logged number is the log of the mean weight, and the pullback its derivative."""
    log_w = _log_w(np.random.default_rng(1))
    return close(file.bound(log_w)[0], log_mean(log_w)) and gradient_agrees(file.bound, log_w)


def fix_08(log_w, *, file):
    """The log of the mean weight; its gradient is the normalised weights, as before."""
    weights = file.normalised_weights(log_w)
    top = log_w.max(axis=0)

    def fix_08_pullback(d):
        return d * weights

    return top + np.log(np.exp(log_w - top).mean(axis=0)), fix_08_pullback


hunted("S9.2", check_08, fix_08)
EXAMPLES[fix_08] = [Hunted(8, "KN log_weight")]


@claim("S9.2", of=fix_08, tol=T0, oracle="pairwise additions")
def hunted_log_shows_the_bound(f, rng):
    """Repaired or clean, the hunt's logged bound is the log of the mean weight."""
    log_w = _log_w(rng)
    return f(log_w, file=load(8))[0], log_mean(log_w)
