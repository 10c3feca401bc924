"""Bug hunt, file 03: a joint ELBO and those of single modalities."""

import numpy as np

from ...oracles import LinearGaussian
from ..registry import T0, claim
from .versions import close, hunted, load


def _instance(rng, N=3, M=2, D=2):
    """Draw a linear-Gaussian model, an observation, and q of all and of each: (1 + M, N, D)."""
    model = LinearGaussian.random(rng, D, {m: D + 1 + m for m in range(M)})
    mu, log_var = rng.normal(size=(2, 1 + M, N, D))
    return model, model.sample(rng, N)[1], mu, log_var


def _value(triple_elbo, model, x, mu, log_var):
    def log_lik(m, mu, log_var):
        return model.expected_log_lik(mu, log_var, x[m], m)

    joint, *unimodal = zip(mu, log_var, strict=True)
    return triple_elbo(joint, unimodal, log_lik)


def _exact(model, x, mu, log_var):
    single = [model.elbo(mu[1 + m], log_var[1 + m], x, [m]) for m in x]
    return model.elbo(mu[0], log_var[0], x) + sum(single)


def check_03(file):
    """Each term is the exact ELBO of a linear-Gaussian model, with all variances different."""
    model, x, mu, log_var = _instance(np.random.default_rng(1))
    value = _value(file.triple_elbo, model, x, mu, log_var)
    return close(value, _exact(model, x, mu, log_var))


def fix_03(joint, unimodal, log_lik, *, file):
    """ELBO(x_1..x_M) + sum_m ELBO(x_m), the KL of each with the variance of its own posterior."""
    total = sum(log_lik(m, *joint) for m in range(len(unimodal))) - file.kl_to_prior(*joint)
    for m, posterior in enumerate(unimodal):
        total = total + log_lik(m, *posterior) - file.kl_to_prior(*posterior)
    return total


hunted("S6.3", check_03, fix_03)


@claim("S6.3", of=fix_03, tol=T0, oracle="O3 linear-Gaussian")
def hunted_triple_is_the_sum_of_its_elbos(f, rng):
    """Repaired or clean, the hunt's triple ELBO is the sum of the ELBOs that it names."""
    model, x, mu, log_var = _instance(rng, M=3)

    def triple_elbo(joint, unimodal, log_lik):
        return f(joint, unimodal, log_lik, file=load(3))

    return _value(triple_elbo, model, x, mu, log_var), _exact(model, x, mu, log_var)
