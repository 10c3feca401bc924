"""Claims about slide 5's densities: log N(z; μ, σ²), and log p(x|z) from a decoder's logits."""

import itertools
import math

import numpy as np

from ..gaussian import gaussian_log_prob
from ..likelihoods import binomial_log_prob, categorical_log_prob
from ..oracles.fifty_digits import LOG_2PI, exp, log, number
from .registry import T0, T1, claim

# ---- log N(z; μ, σ²) --------------------------------------------------------------------------


def _gaussians(rng, lowest=-2):
    """z (K, N, D), mu, log_var (N, D): K = 4 samples of N = 3 Gaussians in D = 2 dimensions."""
    mu, log_var = rng.normal(size=(3, 2)), rng.uniform(lowest, 2, size=(3, 2))
    return mu + 2 * np.exp(log_var / 2) * rng.standard_normal((4, 3, 2)), mu, log_var


@claim("S5.12", of=gaussian_log_prob, tol=T1, oracle="O5 mpmath, 50 digits")
def gaussian_density_to_fifty_digits(f, rng):
    """log N = −½ Σ [log 2π + log σ² + (z − μ)²/σ²], also 60 σ away, where N itself is 0."""
    z, mu, log_var = _gaussians(rng, lowest=-12)
    z[0] = mu + 60 * np.exp(log_var / 2)
    squared = (number(z) - number(mu)) ** 2 / exp(number(log_var))
    exact = -(LOG_2PI + number(log_var) + squared).sum(axis=-1) / 2
    return f(z, mu, log_var)[0], exact.astype(float)


@claim("S5.12", of=gaussian_log_prob, tol=T1, oracle="O2 quadrature")
def gaussian_density_integrates_to_one(f, rng):
    """exp of log N(z; μ, σ²) integrates to 1."""
    z, step = np.linspace(-40, 40, 4001, retstep=True)
    log_prob, _ = f(z[:, None, None], rng.normal(size=(1, 1)), rng.uniform(-1, 2, (1, 1)))
    return np.exp(log_prob).sum(axis=0) * step, np.ones(1)


# ---- log p(x|z) of counts, from logits --------------------------------------------------------


@claim("S5.13", of=binomial_log_prob, tol=T1, oracle="O5 mpmath, 50 digits")
def binomial_score_to_fifty_digits(f, rng):
    """log p(x|z) = Σ log C(n, x) + x·l − n log(1 + e^l), and its derivative x − n σ(l)."""
    logits = np.array([1.0, 40.0, 1500.0, -1500.0]) * rng.uniform(0.5, 1, size=(3, 2, 4))
    logits[0] *= 0.4  # below where e^l overflows; the other samples are above
    x = rng.integers(0, 17, size=(2, 4)).astype(float)
    log_prob, pullback = f(logits, x=x, n=16)
    l, dlog_prob = number(logits), rng.standard_normal((3, 2))
    choices = np.vectorize(math.comb)(16, x.astype(int))
    exact = (log(number(choices)) + x * l - 16 * log(1 + exp(l))).sum(axis=-1)
    slope = (x - 16 / (1 + exp(-l))).astype(float)
    gradient = pullback(dlog_prob)
    return np.append(log_prob, gradient), np.append(
        exact.astype(float), dlog_prob[..., None] * slope
    )


@claim("S5.13", of=binomial_log_prob, tol=T0, oracle="counting")
def binomial_score_sums_to_one(f, rng):
    """exp of log p(x|z) sums to 1 over all counts of all features: with log C(n, x) it does."""
    outcomes = np.array(list(itertools.product(range(4), repeat=2)), dtype=float)
    logits = np.repeat(rng.normal(0, 2, size=(3, 1, 2)), len(outcomes), axis=1)
    log_prob, _ = f(logits, x=outcomes, n=3)
    return np.exp(log_prob).sum(axis=-1), np.ones(3)


@claim("S5.13", of=binomial_log_prob, tol=T0, oracle="plain products")
def bernoulli_is_one_count(f, rng):
    """At n = 1, the default, it is log Π p^x (1 − p)^(1−x), p = 1 / (1 + e^−l)."""
    logits, x = rng.normal(0, 2, size=(3, 2, 4)), rng.integers(0, 2, size=(2, 4)).astype(float)
    p = 1 / (1 + np.exp(-logits))
    return f(logits, x=x)[0], np.log(np.where(x == 1, p, 1 - p).prod(axis=-1))


# ---- log p(x|z) of one class, from logits -----------------------------------------------------


@claim("S5.13", of=categorical_log_prob, tol=T1, oracle="O5 mpmath, 50 digits")
def categorical_score_to_fifty_digits(f, rng):
    """log p(x|z) = l of the observed class − log Σ e^l, at logits of up to ±800."""
    logits = np.array([1.0, 30.0, 800.0])[:, None, None] * rng.uniform(-1, 1, size=(3, 2, 4))
    logits[-1, :, 0] = 800
    seen = rng.integers(0, 4, size=2)
    l, (row,) = number(logits), np.indices((2,))
    exact = l[:, row, seen] - log(exp(l).sum(axis=-1))
    return f(logits, x=np.eye(4)[seen])[0], exact.astype(float)


@claim("S5.13", of=categorical_log_prob, tol=T0, oracle="counting")
def categorical_score_sums_to_one(f, rng):
    """exp of log p(x|z) sums to 1 over the classes."""
    logits = np.repeat(rng.normal(0, 2, size=(3, 1, 5)), 5, axis=1)
    return np.exp(f(logits, x=np.eye(5))[0]).sum(axis=-1), np.ones(3)
