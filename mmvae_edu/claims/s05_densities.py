"""Claims about slide 5's densities: log N(z; μ, σ²), and log p(x|z) from a decoder's logits."""

import itertools
import math

import numpy as np

from ..gaussian import gaussian_log_prob
from ..likelihoods import binomial_log_prob, categorical_log_prob, log_binomial_coefficient
from ..oracles import log_normal
from ..oracles.fifty_digits import LOG_2PI, exp, log, number
from .differentiate import differentiated, gradients
from .instances import log_normal_sum
from .registry import T0, T1, T2C, claim, mutant

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


@claim("S5.12", of=gaussian_log_prob, tol=T2C, oracle="O7 complex step")
def gaussian_density_has_this_gradient(f, rng):
    """The pullback of log N is its derivative by z, μ and log σ²; the last two add K samples."""
    return gradients(f, log_normal_sum, *_gaussians(rng), rng=rng)


def _log_normal(z, mu, log_var, *, half=0.5, normaliser=1.0, constant=1.0, factor=1.0):
    squared = (z - mu) ** 2 * np.exp(-factor * log_var)
    constants = constant * math.log(2 * math.pi) + normaliser * log_var
    return -half * (constants + squared).sum(axis=-1)


@mutant(gaussian_log_prob, says="−½ log 2π is missing: a constant, but N integrates to 1 with it")
@differentiated
def gaussian_without_2_pi(z, mu, log_var):
    return _log_normal(z, mu, log_var, constant=0.0)


@mutant(
    gaussian_log_prob, says="−½ log σ² is missing: the density of a wide Gaussian is lower", hint=1
)
@differentiated
def gaussian_without_log_var(z, mu, log_var):
    return _log_normal(z, mu, log_var, normaliser=0.0)


@mutant(gaussian_log_prob, says="log_var is read as log σ: σ² is exp(log_var), not its square")
@differentiated
def gaussian_of_log_std(z, mu, log_var):
    return _log_normal(z, mu, log_var, normaliser=2.0, factor=2.0)


@mutant(gaussian_log_prob, says="the distance is divided by σ: log N has (z − μ)² / σ²")
@differentiated
def gaussian_over_std(z, mu, log_var):
    return _log_normal(z, mu, log_var, factor=0.5)


@mutant(gaussian_log_prob, says="the ½ before the sum is missing")
@differentiated
def gaussian_without_half(z, mu, log_var):
    return _log_normal(z, mu, log_var, half=1.0)


@mutant(gaussian_log_prob, says="the mean over the D dimensions: log N sums over them")
@differentiated
def gaussian_mean_over_dimensions(z, mu, log_var):
    return _log_normal(z, mu, log_var, half=0.5 / z.shape[-1])


@mutant(gaussian_log_prob, says="log of a density that underflows: beyond 38 σ it is log 0", hint=1)
def gaussian_by_its_density(z, mu, log_var):
    with np.errstate(divide="ignore"):
        density = np.exp(log_normal(z, mu, log_var)).prod(axis=-1)
        return np.log(density), gaussian_log_prob(z, mu, log_var)[1]


@mutant(gaussian_log_prob, says="dμ has the sign of dz: N depends on their difference", hint=3)
def gaussian_gradient_sign(z, mu, log_var):
    log_prob, pullback = gaussian_log_prob(z, mu, log_var)

    def wrong_sign_pullback(dlog_prob):
        dz, dmu, dlog_var = pullback(dlog_prob)
        return dz, -dmu, dlog_var

    return log_prob, wrong_sign_pullback


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


@mutant(
    binomial_log_prob,
    says="log C(n, x) is missing: a constant offset, gradients unaffected",
    hint=3,
)
def without_the_coefficient(logits, *, x, n=1):
    log_prob, pullback = binomial_log_prob(logits, x=x, n=n)
    return log_prob - log_binomial_coefficient(x, n), pullback


@mutant(
    binomial_log_prob,
    says="log p and log(1 − p) of a computed p: −∞ once p rounds to 0 or 1",
    hint=1,
)
def log_of_sigmoid(logits, *, x, n=1):
    _, pullback = binomial_log_prob(logits, x=x, n=n)
    with np.errstate(all="ignore"):
        p = 1 / (1 + np.exp(-logits))
        scores = x * np.log(p) + (n - x) * np.log(1 - p)
    return scores.sum(axis=-1) + log_binomial_coefficient(x, n), pullback


@mutant(binomial_log_prob, says="log(1 + e^l) as written overflows above 709.78")
def overflowing_softplus(logits, *, x, n=1):
    _, pullback = binomial_log_prob(logits, x=x, n=n)
    with np.errstate(over="ignore"):
        scores = x * logits - n * np.log(1 + np.exp(logits))
    return scores.sum(axis=-1) + log_binomial_coefficient(x, n), pullback


@mutant(binomial_log_prob, says="one softplus where there are n: right at n = 1 only", hint=3)
def one_softplus(logits, *, x, n=1):
    log_prob, pullback = binomial_log_prob(logits, x=x)
    return log_prob + log_binomial_coefficient(x, n), pullback


@mutant(binomial_log_prob, says="the gradient is x − σ(l): the mean of n counts is n σ(l)", hint=3)
def gradient_without_n(logits, *, x, n=1):
    return binomial_log_prob(logits, x=x, n=n)[0], binomial_log_prob(logits, x=x)[1]


@mutant(binomial_log_prob, says="the mean over the P features: log p(x|z) sums over them", hint=3)
def mean_over_features(logits, *, x, n=1):
    log_prob, pullback = binomial_log_prob(logits, x=x, n=n)
    P = logits.shape[-1]

    def mean_pullback(dlog_prob):
        return pullback(dlog_prob) / P

    return log_prob / P, mean_pullback


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


@claim("S5.13", of=categorical_log_prob, tol=T2C, oracle="O7 complex step")
def categorical_score_has_this_gradient(f, rng):
    """The pullback is the derivative, x − p: every class has a part, seen or not."""
    logits, x = rng.normal(0, 2, size=(3, 2, 4)), np.eye(4)[rng.integers(0, 4, size=2)]
    return gradients(f, _log_softmax, logits, rng=rng, x=x)


def _log_softmax(logits, *, x, axis=-1):
    return ((logits - np.log(np.exp(logits).sum(axis=axis, keepdims=True))) * x).sum(axis=-1)


@mutant(categorical_log_prob, says="e^l as it is: the softmax is ∞/∞ above 709.78")
def softmax_overflows(logits, *, x):
    with np.errstate(all="ignore"):
        p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        value = np.log((p * x).sum(axis=-1))
    return value, categorical_log_prob(logits, x=x)[1]


@mutant(
    categorical_log_prob, says="log Σ e^l is missing: logits are not yet log-probabilities", hint=1
)
@differentiated
def logit_of_the_class(logits, *, x):
    return (x * logits).sum(axis=-1)


@mutant(categorical_log_prob, says="the softmax is over the batch: its classes are the last axis")
@differentiated
def softmax_over_examples(logits, *, x):
    return _log_softmax(logits, x=x, axis=-2)


@mutant(
    categorical_log_prob, says="the gradient is x (1 − p): unseen classes get −p as well", hint=3
)
def diagonal_of_the_softmax(logits, *, x):
    log_prob, pullback = categorical_log_prob(logits, x=x)

    def diagonal_pullback(dlog_prob):
        return x * pullback(dlog_prob)

    return log_prob, diagonal_pullback


@mutant(categorical_log_prob, says="p − x is the gradient of a loss: log p(x|z) has x − p", hint=3)
def gradient_of_the_loss(logits, *, x):
    log_prob, pullback = categorical_log_prob(logits, x=x)

    def loss_pullback(dlog_prob):
        return -pullback(dlog_prob)

    return log_prob, loss_pullback
