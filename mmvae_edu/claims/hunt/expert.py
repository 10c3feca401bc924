"""Bug hunt, file 11: log p(x) from the samples of one expert."""

import numpy as np

from ...oracles import LinearGaussian
from ..gaussian_instances import exact_posterior
from ..instances import log_mean_weight
from ..registry import T0, claim
from .versions import close, hunted, load


def _instance(rng, M=2, K=5, N=3, D=2):
    """Draw experts mu, log_var (M, N, D), one exact; log p(x, z), log p(x), eps (K, N, D)."""
    model = LinearGaussian.random(rng, D, {m: 3 + m for m in range(M)})
    _, x = model.sample(rng, N)

    def log_joint(z):
        return model.log_joint(z, x)

    mu, log_var = rng.normal(size=(2, M, N, D))
    mu[1], log_var[1] = exact_posterior(model, x, [True] * M)
    return mu, log_var, log_joint, model.log_prob(x), rng.normal(size=(K, N, D))


def check_11(file):
    """Expert 1, the exact posterior, gives log p(x); expert 0 the log of its mean weight."""
    mu, log_var, log_joint, evidence, eps = _instance(np.random.default_rng(1), M=3)
    first, second = (file.log_evidence(mu, log_var, log_joint, expert=m, eps=eps) for m in (0, 1))
    exact = log_mean_weight(log_joint, mu[0], log_var[0], eps)
    return close(second, evidence) and close(first, exact)


def fix_11(mu, log_var, log_joint, *, expert, eps, file):
    """The denominator is the density that the samples come from: the expert's own."""
    z = mu[expert] + np.exp(0.5 * log_var[expert]) * eps
    log_w = log_joint(z) - file.log_normal(z, mu[expert], log_var[expert])
    return file.log_mean_exp(log_w, axis=0)


hunted("S9.5", check_11, fix_11)


@claim("S9.5", of=fix_11, tol=T0, oracle="O3 linear-Gaussian, pairwise additions")
def hunted_estimate_divides_by_its_proposal(f, rng):
    """Repaired or clean, the hunt's estimate from one expert divides by that expert's density."""
    mu, log_var, log_joint, _, eps = _instance(rng, M=3)
    found = [f(mu, log_var, log_joint, expert=m, eps=eps, file=load(11)) for m in range(3)]
    exact = [log_mean_weight(log_joint, *q, eps) for q in zip(mu, log_var, strict=True)]
    return np.array(found), np.array(exact)
