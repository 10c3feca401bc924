"""Claims about slide 5 with a Gaussian q: L1 in closed form, z ~ N(μ, σ²), and L2 by samples."""

import math

import mpmath
import numpy as np

from ..exact import LinearGaussian, NonlinearModel, expect_gaussian, log_normal
from ..exact import complex_step as gradient_of
from ..gaussian import gaussian_sample, kl_gauss, neg_kl_std_normal
from ..gradcheck import complex_step
from ..objectives import elbo as mean_over_samples
from ..objectives import log_prior_ratio
from .differentiate import differentiated
from .instances import violation
from .registry import T0, T1, T2C, T4, claim, mutant


def _kl_by_quadrature(*args):
    """KL(N(mu1, var1) ‖ N(mu2, var2)) of mu1, log_var1, mu2, log_var2 (N, D): (N,)."""

    def one_dimension(m1, l1, m2, l2):
        return expect_gaussian(lambda z: log_normal(z, m1, l1) - log_normal(z, m2, l2), m1, l1)

    return np.vectorize(one_dimension)(*args).sum(axis=-1)


def _neg_kl_by_quadrature(mu, log_var):
    return -_kl_by_quadrature(mu, log_var, 0.0, 0.0)


# ---- S5.10: −KL(q ‖ p(z)), sampled or in closed form ------------------------------------------


@claim("S5.10", of=log_prior_ratio, tol=T4, oracle="O2 quadrature")
def sampled_ratio_averages_to_minus_kl(f, rng):
    """Over samples of q, log p(z) − log q(z|x) averages to −KL(q ‖ p(z))."""
    mu, log_var = rng.normal(size=(2, 3, 2))
    z = mu + np.exp(log_var / 2) * rng.standard_normal((20_000, 3, 2))
    return f(z, mu, log_var)[0], _neg_kl_by_quadrature(mu, log_var)


@claim("S5.10", of=log_prior_ratio, tol=T1, oracle="O2 quadrature")
def closed_form_ratio_is_minus_kl(f, rng):
    """In closed form every sample's ratio is −KL(q ‖ p(z)), so both have the same mean."""
    mu, log_var = rng.normal(size=(2, 3, 2))
    ratio, _ = f(rng.normal(size=(4, 3, 2)), mu, log_var, closed_form=True)
    return ratio, np.broadcast_to(_neg_kl_by_quadrature(mu, log_var), (4, 3))


@claim("S5.10", of=log_prior_ratio, tol=T2C, oracle="O7 complex step")
def prior_ratio_gradient(f, rng):
    """The pullback of both forms is their derivative."""
    mu, log_var = rng.normal(size=(2, 3, 2))
    z = rng.normal(size=(4, 3, 2))
    errors = [complex_step(f, z, mu, log_var, closed_form=c, rng=rng) for c in (False, True)]
    return max(errors), 0.0


def _log_density(z, mu, log_var):
    return log_normal(z, mu[..., None, :, :], log_var[..., None, :, :]).sum(axis=-1)


@mutant(log_prior_ratio, says="log q − log p: that averages to +KL, and S5.10 subtracts it")
@differentiated
def prior_ratio_inverted(z, mu, log_var, *, closed_form=False):
    return _log_density(z, mu, log_var) - _log_density(z, 0 * mu, 0 * log_var)


@mutant(log_prior_ratio, says="log_var is read as log σ in the density of q")
@differentiated
def prior_ratio_log_std(z, mu, log_var, *, closed_form=False):
    return _log_density(z, 0 * mu, 0 * log_var) - _log_density(z, mu, 2 * log_var)


@mutant(log_prior_ratio, says="q is detached: its density has no gradient in mu and log_var")
def prior_ratio_detached(z, mu, log_var, *, closed_form=False):
    ratio, pullback = log_prior_ratio(z, mu, log_var, closed_form=closed_form)

    def detached_pullback(dratio):
        return pullback(dratio)[0], np.zeros_like(mu), np.zeros_like(log_var)

    return ratio, detached_pullback


# ---- S5.11: L1 and the KL between Gaussians ---------------------------------------------------


@claim("S5.11", of=neg_kl_std_normal, tol=T1, oracle="O2 quadrature")
def l1_is_minus_the_integral(f, rng):
    """L1 is minus the KL divergence from q to the prior, an integral in each dimension."""
    mu, log_var = rng.normal(size=(2, 4, 3))
    return f(mu, log_var)[0], _neg_kl_by_quadrature(mu, log_var)


@claim("S5.11", of=neg_kl_std_normal, tol=T0, oracle="O5 mpmath, 50 digits")
def l1_to_fifty_digits(f, rng):
    """L1 = ½ Σ (1 + log σ² − μ² − σ²), from variances of e^−30 to e^8."""
    mu, log_var = rng.normal(size=(5, 3)), rng.uniform(-30, 8, size=(5, 3))
    exact = []
    for row in np.stack([mu, log_var], axis=-1):
        with mpmath.workdps(50):
            terms = [1 + v - mpmath.mpf(m) ** 2 - mpmath.exp(v) for m, v in row]
            exact.append(float(mpmath.fsum(terms) / 2))
    return f(mu, log_var)[0], np.array(exact)


@claim("S5.11", of=neg_kl_std_normal, tol=T0, oracle="nonpositivity")
def l1_is_zero_only_at_the_prior(f, rng):
    """L1 < 0 except at μ = 0, σ = 1, where it is 0."""
    mu, log_var = rng.normal(size=(2, 50, 2))
    excess, zeros = violation(f(mu, log_var)[0], np.full(50, -1e-6))
    at_prior, _ = f(np.zeros((1, 2)), np.zeros((1, 2)))
    return np.append(excess, at_prior), np.append(zeros, 0.0)


@claim("S5.11", of=neg_kl_std_normal, tol=T2C, oracle="O7 complex step")
def l1_gradient_by_complex_step(f, rng):
    """The pullback of L1 is its derivative."""
    mu, log_var = rng.normal(size=(2, 4, 3))
    return complex_step(f, mu, log_var, rng=rng), 0.0


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


def _l1(mu, log_var, *, half=0.5, one=1.0, variance=None):
    variance = np.exp(log_var) if variance is None else variance
    return half * (one + log_var - mu**2 - variance).sum(axis=-1)


@mutant(neg_kl_std_normal, says="KL terms are doubled: the 1/2 of S5.11 is missing")
@differentiated
def missing_half(mu, log_var):
    return _l1(mu, log_var, half=1.0)


@mutant(neg_kl_std_normal, says="this is +KL; L1 is −KL (S5.10)")
@differentiated
def l1_sign(mu, log_var):
    return _l1(mu, log_var, half=-0.5)


@mutant(neg_kl_std_normal, says="σ where S5.11 has σ²: at log_var = 1, 1.6487 for 2.7183")
@differentiated
def sigma_not_squared(mu, log_var):
    return _l1(mu, log_var, variance=np.exp(log_var / 2))


@mutant(neg_kl_std_normal, says="log_var is read as log σ: both its terms of S5.11 change")
@differentiated
def log_var_as_log_std(mu, log_var):
    return _l1(mu, 2 * log_var)


@mutant(neg_kl_std_normal, says="off by exactly D/2: the 1 of S5.11 is missing")
@differentiated
def missing_one(mu, log_var):
    return _l1(mu, log_var, one=0.0)


@mutant(neg_kl_std_normal, says="the mean over the D dimensions, where S5.11 sums: KL × 1/D")
@differentiated
def mean_over_dimensions(mu, log_var):
    return _l1(mu, log_var, half=0.5 / mu.shape[-1])


@mutant(neg_kl_std_normal, says="summed over the batch: one number an example is asked for")
@differentiated
def summed_over_batch(mu, log_var):
    return _l1(mu, log_var).sum()


@mutant(neg_kl_std_normal, says="the backward pass differentiates σ² by σ, not by log σ²")
def gradient_by_sigma(mu, log_var):
    neg_kl, pullback = neg_kl_std_normal(mu, log_var)

    def gradient_by_sigma_pullback(dneg_kl):
        dmu, dlog_var = pullback(dneg_kl)
        return dmu, dlog_var * 2 * np.exp(-log_var / 2)

    return neg_kl, gradient_by_sigma_pullback


@claim("S5.11", of=kl_gauss, tol=T1, oracle="O2 quadrature")
def gaussian_kl_is_the_integral(f, rng):
    """KL between two Gaussians is the integral of q log q/p, in each dimension."""
    args = rng.normal(size=(4, 3, 2))
    return f(*args)[0], _kl_by_quadrature(*args)


@claim("S5.6", of=kl_gauss, tol=T0, oracle="O3 linear-Gaussian")
def gaussian_gap_is_the_kl(f, rng):
    """log p(x) − L^v is KL(q ‖ p(z|x)) where both are Gaussian."""
    model = LinearGaussian.random(rng, 2, {"x": 4})
    _, x = model.sample(rng, 3)
    mean, cov = model.posterior(x)
    mu, log_var = rng.normal(size=(2, 3, 2))
    post_log_var = np.broadcast_to(np.log(np.diag(cov)), mean.shape)
    gap = model.log_prob(x) - model.elbo(mu, log_var, x)
    return np.stack([f(mu, log_var, mean, post_log_var)[0], 0 * gap]), np.stack(
        [gap, f(mean, post_log_var, mean, post_log_var)[0]]
    )


@claim("S5.11", of=kl_gauss, tol=T2C, oracle="O7 complex step")
def gaussian_kl_gradient(f, rng):
    """The pullback of the Gaussian KL is its derivative, in all four arguments."""
    return complex_step(f, *rng.normal(size=(4, 3, 2)), rng=rng), 0.0


def _kl(mu1, log_var1, mu2, log_var2, *, half=0.5, one=1.0, denominator=2, factor=1.0):
    log_ratio = factor * (log_var1 - log_var2)
    distance = (mu1 - mu2) ** 2 * np.exp(-factor * (log_var2 if denominator == 2 else log_var1))
    return half * (np.exp(log_ratio) - one - log_ratio + distance).sum(axis=-1)


@mutant(kl_gauss, says="the 1/2 is missing: KL doubled")
@differentiated
def gaussian_kl_missing_half(mu1, log_var1, mu2, log_var2):
    return _kl(mu1, log_var1, mu2, log_var2, half=1.0)


@mutant(kl_gauss, says="KL(p ‖ q): the arguments are swapped")
def gaussian_kl_swapped(mu1, log_var1, mu2, log_var2):
    kl, pullback = kl_gauss(mu2, log_var2, mu1, log_var1)

    def swapped_pullback(dkl):
        dmu2, dlog_var2, dmu1, dlog_var1 = pullback(dkl)
        return dmu1, dlog_var1, dmu2, dlog_var2

    return kl, swapped_pullback


@mutant(kl_gauss, says="the distance of the means is divided by var1, not by var2")
@differentiated
def gaussian_kl_wrong_scale(mu1, log_var1, mu2, log_var2):
    return _kl(mu1, log_var1, mu2, log_var2, denominator=1)


@mutant(kl_gauss, says="off by exactly D/2: the −1 is missing")
@differentiated
def gaussian_kl_missing_one(mu1, log_var1, mu2, log_var2):
    return _kl(mu1, log_var1, mu2, log_var2, one=0.0)


@mutant(kl_gauss, says="σ where σ² belongs")
@differentiated
def gaussian_kl_std_for_var(mu1, log_var1, mu2, log_var2):
    return _kl(mu1, log_var1, mu2, log_var2, factor=0.5)


@mutant(kl_gauss, says="p is taken as constant: no gradient reaches mu2 and log_var2")
def gaussian_kl_detached(mu1, log_var1, mu2, log_var2):
    kl, pullback = kl_gauss(mu1, log_var1, mu2, log_var2)

    def detached_pullback(dkl):
        return (*pullback(dkl)[:2], np.zeros_like(mu2), np.zeros_like(log_var2))

    return kl, detached_pullback


# ---- S5.12: z ~ N(mu, var) --------------------------------------------------------------------


@claim("S5.12", of=gaussian_sample, tol=T0, oracle="plain loops")
def sample_is_mean_plus_std_times_noise(f, rng):
    """z = μ + σ ε, for each sample, example and dimension with its own ε."""
    mu, log_var = rng.normal(size=(2, 3, 2))
    eps = rng.normal(size=(4, 3, 2))
    exact = np.empty_like(eps)
    for k, n, d in np.ndindex(eps.shape):
        exact[k, n, d] = mu[n, d] + math.sqrt(math.exp(log_var[n, d])) * eps[k, n, d]
    return f(mu, log_var, eps=eps)[0], exact


@claim("S5.12", of=gaussian_sample, tol=T4, oracle="moments")
def sample_has_the_right_moments(f, rng):
    """z has mean μ and variance σ², and is independent between examples and dimensions."""
    mu, log_var = rng.normal(size=(2, 2)), np.array([[1.0, -0.6], [0.7, -1.2]])
    z, _ = f(mu, log_var, eps=rng.standard_normal((5000, 2, 2)))
    z, mu, var = z.reshape(-1, 4), mu.ravel(), np.exp(log_var).ravel()
    products = (z - mu)[:, :, None] * (z - mu)[:, None]
    return np.concatenate([z[:, :, None], products], axis=2), np.column_stack([mu, np.diag(var)])


@claim("S5.12", of=gaussian_sample, tol=T4, oracle="error function")
def sample_has_the_right_distribution(f, rng):
    """The share of samples below any point is the Gaussian distribution function there."""
    mu, log_var = np.array([[0.4]]), np.array([[1.0]])
    z, _ = f(mu, log_var, eps=rng.standard_normal((8000, 1, 1)))
    points = mu + np.exp(0.5) * np.array([[-1.5, -0.7, 0.2, 1.0, 1.8]])
    exact = [0.5 * math.erfc(-(t - 0.4) / math.sqrt(2 * math.e)) for t in points[0]]
    return z[:, 0] <= points, np.array(exact)


@claim("S5.12", of=gaussian_sample, tol=T2C, oracle="O7 complex step")
def sample_gradient_by_complex_step(f, rng):
    """With ε frozen, the pullback is the derivative of z: 1 for μ, ½ σ ε for log σ²."""
    mu, log_var = rng.normal(size=(2, 3, 2))
    return complex_step(f, mu, log_var, eps=rng.normal(size=(4, 3, 2)), rng=rng), 0.0


@claim("S5.12", "S5.13", of=gaussian_sample, tol=T4, oracle="O2 quadrature")
def pathwise_gradient_is_unbiased(f, rng):
    """Through z = μ + σ ε, the gradient of log p(x|z) averages to the gradient of L2."""
    draws, exact = [], []
    for _ in range(4):
        model, x, q = _one_observation(rng)
        mu, log_var = np.repeat(q[:, None, None], 8000, axis=1)
        z, pullback = f(mu, log_var, eps=rng.standard_normal((1, 8000, 1)))
        slope = np.imag(model.log_lik(z + 1e-30j, x)) / 1e-30
        draws += pullback(slope)
        exact.append(gradient_of(lambda q, model=model, x=x: _exact_l2(model, x, *q), q))
    return np.concatenate(draws, axis=1), np.concatenate(exact)


@mutant(gaussian_sample, says="std = exp(log_var): variance 7.39 where S5.12 says 2.72")
def std_is_exp_log_var(mu, log_var, *, eps):
    z, pullback = gaussian_sample(mu, 2 * log_var, eps=eps)

    def std_is_exp_log_var_pullback(dz):  # the right gradient of a wrong sample
        dmu, dlog_var = pullback(dz)
        return dmu, 2 * dlog_var

    return z, std_is_exp_log_var_pullback


@mutant(gaussian_sample, says="ε is shared across the batch: examples are correlated")
def noise_shared_across_batch(mu, log_var, *, eps):
    return gaussian_sample(mu, log_var, eps=np.broadcast_to(eps[..., :1, :], eps.shape))


@mutant(gaussian_sample, says="ε is shared across dimensions: z lies on a line")
def noise_shared_across_dimensions(mu, log_var, *, eps):
    return gaussian_sample(mu, log_var, eps=np.broadcast_to(eps[..., :1], eps.shape))


@mutant(gaussian_sample, says="fresh ε in every call: freeze ε, or differences grow as 1/h")
def fresh_noise(mu, log_var, *, eps):
    return gaussian_sample(mu, log_var, eps=np.random.default_rng().permuted(eps))


@mutant(gaussian_sample, says="no gradient through σ: the path of log_var is lost")
def sigma_path_missing(mu, log_var, *, eps):
    z, pullback = gaussian_sample(mu, log_var, eps=eps)

    def sigma_path_missing_pullback(dz):
        return pullback(dz)[0], np.zeros_like(log_var)

    return z, sigma_path_missing_pullback


@mutant(gaussian_sample, says="the ½ of dσ/dlog_var = σ/2 is lost in the backward pass")
def half_of_sigma_path_lost(mu, log_var, *, eps):
    z, pullback = gaussian_sample(mu, log_var, eps=eps)

    def half_lost_pullback(dz):
        dmu, dlog_var = pullback(dz)
        return dmu, 2 * dlog_var

    return z, half_lost_pullback


# ---- S5.13: L2 by samples ---------------------------------------------------------------------


def _one_observation(rng):
    """A nonlinear model, an observation x (P,), and a q (mu, log_var)."""
    model = NonlinearModel.random(rng, H=3, P=12)
    return model, rng.integers(0, 2, size=12), rng.uniform(0.7, 1.2, size=2)


def _exact_l2(model, x, mu, log_var):
    return expect_gaussian(lambda z: model.log_lik(z, x), mu, log_var)


def _log_lik_draws(rng, L, repeats):
    """log p(x|z) at samples of q, (L, repeats), its exact mean L2 and its exact variance."""
    model, x, (mu, log_var) = _one_observation(rng)
    z = mu + np.exp(log_var / 2) * rng.standard_normal((L, repeats))
    L2 = _exact_l2(model, x, mu, log_var)

    def squared_deviation(z):
        return (model.log_lik(z, x) - L2) ** 2

    return model.log_lik(z, x), L2, expect_gaussian(squared_deviation, mu, log_var)


@claim("S5.13", of=mean_over_samples, tol=T4, oracle="O2 quadrature")
def l2_estimate_is_unbiased(f, rng):
    """(1/L) Σ log p(x|z) averages to L2 = E_q log p(x|z) already at L = 5."""
    log_lik, L2, _ = _log_lik_draws(rng, 5, 8000)
    return f(log_lik)[0], L2


@claim("S5.13", of=mean_over_samples, tol=T4, oracle="O2 quadrature")
def l2_variance_falls_as_one_over_l(f, rng):
    """With L samples the variance of the estimate is that of one sample divided by L."""
    log_lik, L2, variance = _log_lik_draws(rng, 20, 4000)
    return 20 * (f(log_lik)[0] - L2) ** 2, variance


@mutant(mean_over_samples, says="the sum over samples: the 1/L of S5.13 is missing")
def l2_sum_for_mean(log_lik):
    bound, pullback = mean_over_samples(log_lik)

    def sum_pullback(dbound):
        return len(log_lik) * pullback(dbound)

    return len(log_lik) * bound, sum_pullback


@mutant(mean_over_samples, says="log (1/L) Σ p(x|z): biased for L2, since the log is outside")
@differentiated
def l2_log_mean_exp(log_lik):
    return np.log(np.exp(log_lik).mean(axis=0))


@mutant(mean_over_samples, says="only the first of the L samples counts: unbiased, but no better")
@differentiated
def l2_first_sample_only(log_lik):
    return log_lik[0]
