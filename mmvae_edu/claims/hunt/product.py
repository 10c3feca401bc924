"""Bug hunt, file 04: a product of experts."""

import numpy as np

from ...oracles import LinearGaussian
from ..examples import EXAMPLES
from ..gaussian_instances import exact_posterior
from ..registry import T0, claim
from .versions import Hunted, close, gradient_agrees, hunted, load


def _instance(rng, M=2, N=3, D=2):
    """Draw a linear-Gaussian model's exact experts (M, N, D), and its posterior, (N, D) each."""
    model = LinearGaussian.random(rng, D, {m: D + 1 + m for m in range(M)})
    _, x = model.sample(rng, N)
    mu, log_var = zip(*(model.expert_without_prior(x[m], m) for m in x), strict=True)
    return np.stack(mu), np.stack(log_var), exact_posterior(model, x, [True] * M)


def check_04(file):
    """The exact experts of a linear-Gaussian model give its exact posterior; and the gradient."""
    mu, log_var, exact = _instance(np.random.default_rng(1), M=3)
    found, _ = file.product_of_experts(mu, log_var)
    return close(found, exact) and gradient_agrees(file.product_of_experts, mu, log_var)


def fix_04(mu, log_var, *, file):
    """1/var = 1 + sum_m 1/var_m: the prior is one expert, however many modalities there are."""
    precision = np.exp(-log_var)
    total = 1 + precision.sum(axis=0)
    share = precision / total
    mean = (share * mu).sum(axis=0)

    def fix_04_pullback(dmean, dlog_var):
        return share * dmean, share * (dlog_var - (mu - mean) * dmean)

    return (mean, -np.log(total)), fix_04_pullback


hunted("S7.5", check_04, fix_04)
EXAMPLES[fix_04] = [Hunted(4, "MND", "MND")]


@claim("S7.5", of=fix_04, tol=T0, oracle="O3 linear-Gaussian")
def hunted_product_is_the_posterior(f, rng):
    """Repaired or clean, the hunt's product of exact experts is the exact posterior."""
    found, exact = [], []
    for M in 1, 3:
        mu, log_var, posterior = _instance(rng, M=M)
        found.append(f(mu, log_var, file=load(4))[0])
        exact.append(posterior)
    return np.array(found), np.array(exact)
