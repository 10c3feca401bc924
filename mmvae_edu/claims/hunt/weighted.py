"""Bug hunt, file 07: training with rescaled likelihoods, evaluation without."""

import numpy as np

from ...oracles import LinearGaussian
from ..gaussian_instances import exact_posterior
from ..instances import log_mean_weight
from ..registry import T0, claim
from .versions import close, hunted, load


def _instance(rng, N=3, D=2, *, sizes=(2, 6), exact_q=False):
    """Draw a linear-Gaussian model, x a list of (N, P_m), and q: mu, log_var (N, D)."""
    model = LinearGaussian.random(rng, D, dict(enumerate(sizes)))
    _, x = model.sample(rng, N)
    mu, log_var = exact_posterior(model, x, [True] * len(x))
    if not exact_q:
        mu, log_var = mu + rng.normal(size=mu.shape), log_var + 0.3 * rng.normal(size=mu.shape)
    return model, list(x.values()), mu, log_var, rng.normal(size=(5, N, D))


def _estimates(log_evidence, model, x, mu, log_var, eps):
    def log_lik(m, z):
        return model.log_lik(z, x[m], m)

    return log_evidence(x, mu, log_var, log_lik, eps=eps)


def _exact(model, x, mu, log_var, eps):
    return log_mean_weight(lambda z: model.log_joint(z, dict(enumerate(x))), mu, log_var, eps)


def check_07(file):
    """Modalities of unequal size: the exact posterior gives log p(x), another q the mean weight."""
    rng = np.random.default_rng(1)
    model, *best = _instance(rng, exact_q=True)
    x, mu, log_var, eps = best
    evidence = _estimates(file.log_evidence, model, *best)
    case = model, x, mu + 0.5, log_var + 0.4, eps
    estimate = _estimates(file.log_evidence, *case)
    return close(evidence, model.log_prob(dict(enumerate(x)))) and close(estimate, _exact(*case))


def fix_07(x, mu, log_var, log_lik, *, eps, file):
    """log p(x) has every likelihood once: the rescaling belongs to training alone."""
    ones = np.ones(len(x))
    log_w = file.log_weights(x, mu, log_var, log_lik, eps=eps, weights=ones)
    top = log_w.max(axis=0)
    return top + np.log(np.exp(log_w - top).mean(axis=0))


hunted("S6.1", check_07, fix_07)


@claim("S6.1", of=fix_07, tol=T0, oracle="O3 linear-Gaussian, pairwise additions")
def hunted_report_has_no_weights(f, rng):
    """Repaired or clean, the hunt's reported log p(x) has every likelihood with the weight 1."""

    def log_evidence(*args, **constants):
        return f(*args, **constants, file=load(7))

    case = _instance(rng, sizes=(3, 2, 5))
    return _estimates(log_evidence, *case), _exact(*case)
