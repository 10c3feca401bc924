"""Claims about slide 6's KL, dimension by dimension: its size, and which dimensions β keeps."""

import numpy as np

from ..criteria import active_units, kl_per_dimension
from ..oracles import LinearGaussian, expect_gaussian, log_normal
from ..slides.s06_weighted_elbo import reverse_water_filling
from .instances import violation
from .registry import T0, T1, T2, claim


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
    """A dimension is active where the variance of its posterior mean exceeds the threshold."""
    spread = np.array([0.0, 0.06, 0.097, 0.12, 0.5, 2.0])
    mu = spread * rng.permuted(np.repeat([[-1.0], [1.0]], 6, axis=1).repeat(4, axis=0), axis=0)
    mu, expected = mu + np.append(0.5, rng.normal(size=5)), []  # the first variance is 0 exactly
    for threshold in 0.01, 0.2, 0.0:
        for column in mu.T:
            mean = sum(column) / len(column)
            expected.append(sum((m - mean) ** 2 for m in column) / len(column) > threshold)
    found = [f(mu), f(mu, threshold=0.2), f(mu, threshold=0.0)]
    return 1.0 * np.concatenate(found), 1.0 * np.array(expected)


# ---- the linear VAE at its best ------------------------------------------------------------------


def _data(rng, P=4):
    """Draw x (2P, P) whose mean is 0 and whose covariance has known eigenvalues λ and vectors U."""
    eigenvalues, (U, _) = rng.uniform(0.2, 3, P), np.linalg.qr(rng.normal(size=(P, P)))
    axes = np.sqrt(P * eigenvalues) * U
    return eigenvalues, U, {"x": np.concatenate([axes.T, -axes.T])}


def _linear(W, level):
    """Make the model whose exact posterior is the best q at β noise² = level."""
    return LinearGaussian({"x": W}, {"x": np.zeros(len(W))}, {"x": np.sqrt(level)})


@claim("S6.1", of=reverse_water_filling, tol=T0, oracle="O3 linear-Gaussian")
def the_best_linear_vae_fills_from_below(f, rng):
    """With W = U (Λ − β σ²)^½ each dimension's KL is ½ log(λ/(β σ²)) and the squared error of its
    direction β σ²; where λ ≤ β σ², W is 0, the KL 0 and the error λ."""
    (eigenvalues, U, x), (noise, beta) = _data(rng), rng.uniform(0.6, 1.2, 2)
    W = U * np.sqrt(np.maximum(eigenvalues - beta * noise**2, 0))
    mean, cov = _linear(W, beta * noise**2).posterior(x)
    var = np.diag(cov)
    kl = 0.5 * (mean**2 + var - 1 - np.log(var)).mean(axis=0)
    error = (((x["x"] - mean @ W.T) @ U) ** 2).mean(axis=0) + (W**2).sum(axis=0) * var
    return np.stack(f(eigenvalues, noise=noise, beta=beta)), np.stack([kl, error])


@claim("S6.1", of=reverse_water_filling, tol=T0, oracle="O3 linear-Gaussian")
def no_linear_decoder_has_a_higher_weighted_elbo(f, rng):
    """Of all W with their best diagonal q, none has a higher E log p(x|z) − β KL than this one."""
    (eigenvalues, U, x), (noise, beta) = _data(rng), rng.uniform(0.6, 1.2, 2)
    level = beta * noise**2
    best, values = U * np.sqrt(np.maximum(eigenvalues - level, 0)), []
    others = [
        best + s * rng.normal(size=best.shape) for s in (1e-4, 1e-2, 0.3, 1) for _ in range(5)
    ]
    for W in best, *others:
        q = _linear(W, level).best_diagonal(x)
        scored = LinearGaussian({"x": W}, {"x": np.zeros(len(W))}, {"x": noise})
        rate = kl_per_dimension(*q).sum()
        values.append(scored.expected_log_lik(*q, x["x"], "x").mean() - beta * rate)
    kl, error = f(eigenvalues, noise=noise, beta=beta)
    distortion = error.sum() / (2 * noise**2) + len(U) * np.log(noise * np.sqrt(2 * np.pi))
    found = -distortion - beta * kl.sum()
    above, none = violation(values[1:], found)
    return np.append(above, found), np.append(none, values[0])


@claim("S6.1", of=reverse_water_filling, tol=T2, oracle="central differences")
def beta_is_the_slope_of_distortion_against_rate(f, rng):
    """Along the best linear VAEs of all β, the distortion falls by β for each nat of rate."""
    noise, h = rng.uniform(0.6, 1.2), 1e-6
    betas = rng.uniform(0.5, 1.5, 3)
    slopes = []
    for beta in betas:
        levels = beta * noise**2 * np.array([0.3, 0.7, 1.5, 4.0])
        low, high = (f(levels, noise=noise, beta=beta + sign * h) for sign in (-1, 1))
        rate, error = (high[i].sum() - low[i].sum() for i in (0, 1))
        slopes.append(-error / (2 * noise**2) / rate)
    return np.array(slopes), betas


@claim("S6.1", of=reverse_water_filling, tol=T0, oracle="the comparison itself")
def a_dimension_collapses_at_its_eigenvalue(f, rng):
    """The KL of a dimension is 0 if and only if λ ≤ β σ², at β σ² itself as well."""
    noise, beta = 0.5, rng.choice([0.5, 1.0, 4.0])
    eigenvalues = beta * noise**2 * np.array([0.1, 0.5, 1.0, 1.001, 2.0, 7.0])
    kl, _ = f(eigenvalues, noise=noise, beta=beta)
    return [kl.min(), *(1.0 * (kl > 0))], [0, *(1.0 * (eigenvalues > beta * noise**2))]
