"""Claims about slide 6's KL, dimension by dimension: its size, and which dimensions it keeps."""

import numpy as np

from ..criteria import active_units, kl_per_dimension
from ..oracles import LinearGaussian, expect_gaussian, log_normal
from .registry import T0, T1, claim


@claim("S6.1", of=kl_per_dimension, tol=T1, oracle="O2 quadrature")
def the_kl_splits_into_dimensions(f, rng):
    """The KL of each dimension is an integral over that z_d alone, averaged over the examples."""
    mu, log_var = rng.normal(size=(2, 5, 3))

    def integral(m, v):
        return expect_gaussian(lambda z: log_normal(z, m, v) - log_normal(z, 0.0, 0.0), m, v)

    return f(mu, log_var), np.vectorize(integral)(mu, log_var).mean(axis=0)


@claim("S6.1", of=kl_per_dimension, tol=T0, oracle="O3 linear-Gaussian")
def the_kls_complete_the_elbo(f, rng):
    """E_q log p(x|z) minus the sum of the KLs is the ELBO, averaged over the examples."""
    model = LinearGaussian.random(rng, 3, {"x": 4}, orthogonal=False)
    _, x = model.sample(rng, 5)
    mu, log_var = rng.normal(size=(2, 5, 3))
    rate = f(mu, log_var).sum()
    likelihood = model.expected_log_lik(mu, log_var, x["x"], "x").mean()
    return likelihood - rate, model.elbo(mu, log_var, x).mean()


@claim("S6.1", of=active_units, tol=T0, oracle="plain loops")
def an_active_unit_has_a_mean_that_varies(f, rng):
    """A dimension is active where the variance of its posterior mean over the data exceeds 0.01."""
    spread = np.array([0.0, 0.06, 0.09, 0.12, 0.5, 2.0])
    mu = spread * rng.permuted(np.repeat([[-1.0], [1.0]], 6, axis=1).repeat(4, axis=0), axis=0)
    mu, expected = mu + rng.normal(size=6), []
    for threshold in 0.01, 0.2:
        for column in mu.T:
            mean = sum(column) / len(column)
            expected.append(sum((m - mean) ** 2 for m in column) / len(column) > threshold)
    return np.append(f(mu), f(mu, threshold=0.2)), np.array(expected)
