"""Claims about slide 5's densities, and a Gaussian q's KL from the prior and from another."""

import itertools
import math

import numpy as np

from ..gaussian import gaussian_log_prob, kl_gauss, neg_kl_std_normal
from ..likelihoods import binomial_log_prob, categorical_log_prob
from ..objectives import log_prior_ratio
from ..oracles import LinearGaussian, NonlinearModel, expect_gaussian, log_normal
from ..oracles.fifty_digits import LOG_2PI, exp, log, number
from .gaussian_instances import exact_posterior
from .instances import violation
from .registry import T0, T1, T4, claim

# ---- log N(z; μ, σ²) --------------------------------------------------------------------------


def _gaussians(rng, lowest=-2):
    """Draw z (K, N, D), mu, log_var (N, D): K = 4 samples of N = 3 Gaussians, D = 2."""
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
    """At n = 1, the default, log p(x|z) is log Π p^x (1 − p)^(1−x), p = 1 / (1 + e^−l)."""
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


def kl_by_quadrature(*args):
    """Integrate KL(N(mu1, var1) ‖ N(mu2, var2)) of mu1, log_var1, mu2, log_var2 (N, D): (N,)."""

    def one_dimension(m1, l1, m2, l2):
        return expect_gaussian(lambda z: log_normal(z, m1, l1) - log_normal(z, m2, l2), m1, l1)

    return np.vectorize(one_dimension)(*args).sum(axis=-1)


def neg_kl_by_quadrature(mu, log_var):
    return -kl_by_quadrature(mu, log_var, 0.0, 0.0)


# ---- S5.10: −KL(q ‖ p(z)), sampled or in closed form ------------------------------------------


@claim("S5.10", of=log_prior_ratio, tol=T4, oracle="O2 quadrature")
def sampled_ratio_averages_to_minus_kl(f, rng):
    """Over samples of q, log p(z) − log q(z|x) averages to −KL(q ‖ p(z))."""
    mu, log_var = rng.normal(size=(2, 3, 2))
    z = mu + np.exp(log_var / 2) * rng.standard_normal((20_000, 3, 2))
    return f(z, mu, log_var)[0], neg_kl_by_quadrature(mu, log_var)


@claim("S5.10", of=log_prior_ratio, tol=T1, oracle="O2 quadrature")
def closed_form_ratio_is_minus_kl(f, rng):
    """In closed form every sample's ratio is −KL(q ‖ p(z)), the mean of the sampled form."""
    mu, log_var = rng.normal(size=(2, 3, 2))
    ratio, _ = f(rng.normal(size=(4, 3, 2)), mu, log_var, closed_form=True)
    return ratio, np.broadcast_to(neg_kl_by_quadrature(mu, log_var), (4, 3))


# ---- S5.11: L1 and the KL between Gaussians ---------------------------------------------------


@claim("S5.11", of=neg_kl_std_normal, tol=T1, oracle="O2 quadrature")
def l1_is_minus_the_integral(f, rng):
    """L1 is −KL(q ‖ p(z)), an integral in each dimension."""
    mu, log_var = rng.normal(size=(2, 4, 3))
    return f(mu, log_var)[0], neg_kl_by_quadrature(mu, log_var)


@claim("S5.11", of=neg_kl_std_normal, tol=T0, oracle="O5 mpmath, 50 digits")
def l1_to_fifty_digits(f, rng):
    """L1 = ½ Σ (1 + log σ² − μ² − σ²), from variances of e^−30 to e^8."""
    mu, log_var = rng.normal(size=(5, 3)), rng.uniform(-30, 8, size=(5, 3))
    terms = 1 + number(log_var) - number(mu) ** 2 - exp(number(log_var))
    return f(mu, log_var)[0], (terms.sum(axis=-1) / 2).astype(float)


@claim("S5.11", of=neg_kl_std_normal, tol=T0, oracle="nonpositivity")
def l1_is_zero_only_at_the_prior(f, rng):
    """L1 < 0 except at μ = 0, σ = 1, where it is 0."""
    mu, log_var = rng.normal(size=(2, 50, 2))
    excess, zeros = violation(f(mu, log_var)[0], np.full(50, -1e-6))
    at_prior, _ = f(np.zeros((1, 2)), np.zeros((1, 2)))
    return np.append(excess, at_prior), np.append(zeros, 0.0)


@claim("S5.11", of=neg_kl_std_normal, tol=T0, oracle="hand calculation")
def l1_gradient_by_hand(f, rng):
    """∂L1/∂μ = −μ and ∂L1/∂log σ² = ½ (1 − σ²)."""
    mu, log_var = rng.normal(size=(2, 4, 3))
    dneg_kl = rng.normal(size=4)
    exact = np.stack([-mu, 0.5 * (1 - np.exp(log_var))])
    return np.stack(f(mu, log_var)[1](dneg_kl)), exact * dneg_kl[:, None]


@claim("S5.10", of=neg_kl_std_normal, tol=T1, oracle="O2 quadrature")
def l1_completes_the_elbo_of_a_nonlinear_decoder(f, rng):
    """L^v = L1 + E_q log p(x|z), with a tanh decoder and every expectation an integral."""
    model = NonlinearModel.random(rng, H=3, P=4, n=2)
    x = rng.integers(0, 3, size=4)
    mu, log_var = rng.normal(size=(2, 3, 1))
    pairs = list(zip(mu[:, 0], log_var[:, 0], strict=True))
    likelihood = [expect_gaussian(lambda z: model.log_lik(z, x), *pair) for pair in pairs]
    return f(mu, log_var)[0] + likelihood, np.array([model.elbo(*pair, x) for pair in pairs])


@claim("S5.11", of=kl_gauss, tol=T1, oracle="O2 quadrature")
def gaussian_kl_is_the_integral(f, rng):
    """The KL between two Gaussians is the integral of q log(q/p), summed over dimensions."""
    args = rng.normal(size=(4, 3, 2))
    return f(*args)[0], kl_by_quadrature(*args)


@claim("S5.6", of=kl_gauss, tol=T0, oracle="O3 linear-Gaussian")
def gaussian_gap_is_the_kl(f, rng):
    """log p(x) − L^v is KL(q ‖ p(z|x)) where both are Gaussian."""
    model = LinearGaussian.random(rng, 2, {"x": 4})
    _, x = model.sample(rng, 3)
    posterior, q = exact_posterior(model, x, [True]), rng.normal(size=(2, 3, 2))
    gap = model.log_prob(x) - model.elbo(*q, x)
    found = [f(*q, *posterior)[0], f(*posterior, *posterior)[0]]
    return np.stack(found), np.stack([gap, 0 * gap])
