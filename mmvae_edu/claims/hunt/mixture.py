"""Bug hunt, file 10: the bound of a mixture of experts."""

import numpy as np

from ...oracles import LinearGaussian
from ..instances import log_mean, log_normal_sum
from ..registry import T0, claim
from .versions import close, hunted, load


def _instance(rng, M=2, K=3, N=2, D=2):
    """Draw log p(z, x) of a linear-Gaussian model, mu, log_var (M, N, D), eps (M, K, N, D)."""
    model = LinearGaussian.random(rng, D, {m: 3 + m for m in range(M)})
    _, x = model.sample(rng, N)

    def log_joint(z):
        return model.log_joint(z, x)

    mu, log_var = rng.normal(size=(2, M, N, D))
    return mu, log_var, log_joint, rng.normal(size=(M, K, N, D))


def _value(mixture_bound, mu, log_var, log_joint, eps):
    return mixture_bound(mu, log_var, log_joint, eps=eps)


def _exact(mu, log_var, log_joint, eps):
    """Compute the bound one expert at a time, by pairwise additions."""
    bounds = []
    for m in range(len(mu)):
        z = mu[m] + np.sqrt(np.exp(log_var[m])) * eps[m]
        log_q = log_mean(log_normal_sum(z, mu[:, None], log_var[:, None]))
        bounds.append(log_mean(log_joint(z) - log_q))
    return np.mean(bounds, axis=0)


def check_10(file):
    """The formula of S11.4, one expert after the other; three unequal experts, several samples."""
    case = _instance(np.random.default_rng(1), M=3)
    return close(_value(file.mixture_bound, *case), _exact(*case))


def fix_10(mu, log_var, log_joint, *, eps, file):
    """The file is clean."""
    return file.mixture_bound(mu, log_var, log_joint, eps=eps)


hunted("S11.4", check_10, fix_10)


@claim("S11.4", of=fix_10, tol=T0, oracle="one expert at a time")
def hunted_mixture_bound_is_the_slides(f, rng):
    """Repaired or clean, the hunt's mixture bound is the mean of the experts' log mean weights."""

    def mixture_bound(*args, **constants):
        return f(*args, **constants, file=load(10))

    case = _instance(rng, M=3, K=4)
    return _value(mixture_bound, *case), _exact(*case)
