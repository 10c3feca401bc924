"""Claims about slide 9: shares of weight, how many samples they amount to, and DReG's gradient."""

import math

import mpmath
import numpy as np

from ..objectives import effective_sample_size
from ..oracles import bound_gradient, gaussian_grid, iwae_continuous, iwae_exact, log_normal
from ..slides.s09_importance import dreg_grads, normalised_weights
from .instances import noise_grid, violation
from .registry import T0, T1, claim

# ---- S9.5: w̃, and the effective sample size -----------------------------------------------------


def _shares(log_w):
    """w̃ with 50 digits, (K, N)."""
    columns = []
    for column in log_w.T:
        w = [mpmath.exp(a) for a in column]
        columns.append([a / mpmath.fsum(w) for a in w])
    return [list(row) for row in zip(*columns, strict=True)]


def _log_weights(rng):
    """Log-weights at the scales of a label, of slide 8's CelebA, and of a sharp density."""
    return np.array([0.0, -6237.1, 700.0]) + rng.normal(0, 3, size=(5, 3))


@claim("S9.5", of=normalised_weights, tol=T1, oracle="O5 mpmath, 50 digits")
def a_share_is_a_weight_over_the_sum(f, rng):
    """w̃_k = w_k / Σ_j w_j over the samples of each example, whatever the scale of log w."""
    log_w = _log_weights(rng)
    with mpmath.workdps(50):
        return f(log_w), np.array(_shares(log_w), dtype=float)


@claim("S9.5", of=normalised_weights, tol=T0, oracle="counting")
def impossible_samples_share_nothing(f, rng):
    """A sample with w = 0 has the share 0; where all have, every share is 0 and none is NaN."""
    a = rng.normal()
    log_w = np.array([[a, -np.inf, a], [-np.inf, -np.inf, a], [a, -np.inf, a + math.log(2)]])
    return f(log_w), np.array([[0.5, 0, 0.25], [0, 0, 0.25], [0.5, 0, 0.5]])


@claim("S9.5", of=effective_sample_size, tol=T1, oracle="O5 mpmath, 50 digits")
def the_effective_sample_size_is_one_over_the_square(f, rng):
    """(Σ w)² / Σ w², which is 1 / Σ w̃², for each example and at any scale of log w."""
    log_w = _log_weights(rng)
    with mpmath.workdps(50):
        columns = zip(*_shares(log_w), strict=True)
        return f(log_w), np.array([float(1 / mpmath.fsum(a**2 for a in c)) for c in columns])


@claim("S9.5", of=effective_sample_size, tol=T0, oracle="counting")
def equal_weights_count_each(f, rng):
    """J equal weights among K, the others 0, are an effective sample size of J."""
    K, level = 6, rng.normal(-90, 20)
    log_w = np.where(np.arange(K)[:, None] < np.arange(1, K + 1), level, -np.inf)
    return f(log_w), np.arange(1.0, K + 1)


# ---- S9.2: where the variance of w is infinite ---------------------------------------------------


@claim("S9.2", of=iwae_exact, tol=T0, oracle="inequalities")
def a_narrow_q_breaks_the_rate(f, rng):
    """For the posterior N(0, 1) and q = N(0, 0.3) the variance of w is infinite: K (log p(x) − L_K)
    more than doubles with every tenfold K."""
    z, q = gaussian_grid(0.0, math.log(0.3), nodes=401)
    w = np.exp(log_normal(z, 0.0, 0.0) - log_normal(z, 0.0, math.log(0.3)))
    scaled = np.array([-K * f(q / q.sum(), w, K) for K in (10, 100, 1000)])
    return violation(2 * scaled[:-1], scaled[1:])


# ---- S9.4: doubly reparameterised ----------------------------------------------------------------


@claim(of=dreg_grads, tol=T1, oracle="O4 Frullani")
def dreg_keeps_the_mean(f, rng):
    """Integrated over the noise of K = 2, Σ w̃² ∂log w/∂z ∂z/∂φ is the gradient of L_2."""
    mu, log_var = rng.normal(0, 0.5), rng.uniform(-0.9, -0.4)
    x = 2 * mu + rng.uniform(0.2, 0.8)  # the posterior of z ~ N(0, 1), x|z ~ N(z, 1) is not far
    eps, chance = noise_grid(2, nodes=71)
    z = mu + np.exp(log_var / 2) * eps

    def log_joint(z):
        return log_normal(z, 0.0, 0.0) + log_normal(x, z, 0.0)

    def bound(*arguments):
        return iwae_continuous(*arguments, nodes=401)

    log_w = log_joint(z) - log_normal(z, mu, log_var)
    dlog_w_dz = x - 2 * z + (z - mu) * np.exp(-log_var)
    spread = np.full((chance.size, 1), log_var)
    grads = f(log_w, dlog_w_dz[..., None], spread, eps[..., None])
    exact = bound_gradient(bound, log_joint, mu, log_var, 2)
    return np.array([chance @ d[:, 0] for d in grads]), np.array(exact)


@claim(of=dreg_grads, tol=T0, oracle="plain sums")
def dreg_follows_the_samples_only(f, rng):
    """Every sample moves mu by w̃_k² ∂log w_k/∂z and log_var by ½ σ ε_k times that."""
    log_w, log_var = rng.normal(-90, 2, (4, 3)), rng.uniform(-2, 1, (3, 2))
    slopes, eps = rng.standard_normal((2, 4, 3, 2))
    w = np.exp(log_w - log_w.max(axis=0))
    expected = np.zeros((2, 3, 2))
    for k, n, d in np.ndindex(4, 3, 2):
        step = (w[k, n] / math.fsum(w[:, n])) ** 2 * slopes[k, n, d]
        expected[:, n, d] += step, step * eps[k, n, d] * math.exp(log_var[n, d] / 2) / 2
    return np.stack(f(log_w, slopes, log_var, eps)), expected
