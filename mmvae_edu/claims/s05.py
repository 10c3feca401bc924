"""Claims about slide 5: log p(x) = L^v + KL(q ‖ p(z|x)), and what a VAE makes of L^v."""

import math

import mpmath
import numpy as np

from ..exact import (
    LinearGaussian,
    NonlinearModel,
    expect_gaussian,
    log_normal,
)
from ..exact import complex_step as gradient_of
from ..finite import decompose, elbo, kl, log_evidence, log_joint, posterior
from ..gaussian import gaussian_sample, kl_gauss, neg_kl_std_normal
from ..gradcheck import complex_step
from ..objectives import elbo as mean_over_samples
from ..objectives import log_prior_ratio
from .differentiate import differentiated
from .instances import discrete_model, random_symbols, violation
from .registry import T0, T1, T2C, T4, claim, mutant


def observed(rng):
    """A discrete oracle and one observation of it; log p(x, z) is model.log_joint(x)."""
    model = discrete_model(rng)
    return model, random_symbols(model, rng)


def some_q(rng, p):
    """Distributions over the states of p: at random, p itself, at random with zeros."""
    q = rng.dirichlet(np.ones(len(p)), size=2)
    q[1, :2] = 0
    return [q[0], p, q[1] / q[1].sum()]


def fsum_kl(q, p):
    return math.fsum(a * math.log(a / b) for a, b in zip(q, p, strict=True) if a > 0)


# ---- S5.1 to S5.6: the evidence and its decomposition -----------------------------------------


@claim("S5.1", of=log_evidence, tol=T0, oracle="O1 enumeration")
def evidence_sums_the_joint(f, rng):
    """L = log p(x) is the log of the joint summed over z."""
    model, x = observed(rng)
    return f(model.log_joint(x)), model.log_evidence(x)


@claim("S5.1", of=log_evidence, tol=T0, oracle="shift by a constant")
def evidence_survives_tiny_probabilities(f, rng):
    """Scaling the joint by e^−6237, a likelihood of slide 8, shifts log p(x) by −6237."""
    model, x = observed(rng)
    return f(model.log_joint(x) - 6237.0), model.log_evidence(x) - 6237.0


@claim("S5.2", of=log_evidence, tol=T0, oracle="O1 enumeration")
def evidence_is_its_own_average(f, rng):
    """log p(x) does not depend on z, so its average under any q is log p(x)."""
    model, x = observed(rng)
    L = f(model.log_joint(x))
    averages = [math.fsum(a * L for a in q) for q in some_q(rng, model.posterior(x))]
    return np.array(averages), np.full(3, model.log_evidence(x))


@mutant(log_evidence, says="the mean over z, where S5.1 sums: the prior is in the joint already")
def evidence_by_mean(log_joint):
    return log_evidence(log_joint) - math.log(len(log_joint))


@mutant(log_evidence, says="the largest term of the sum only")
def evidence_by_maximum(log_joint):
    return float(log_joint.max())


@mutant(log_evidence, says="no shift by the maximum: below −745 the sum underflows to log 0")
def evidence_without_shift(log_joint):
    return math.log(np.exp(log_joint).sum())


@mutant(log_evidence, says="the sum of logs, where S5.1 has the log of the sum")
def evidence_by_sum_of_logs(log_joint):
    return float(log_joint.sum())


@claim("S5.3", of=posterior, tol=T0, oracle="O1 enumeration")
def joint_over_posterior_is_evidence(f, rng):
    """p(z, x) / p(z|x) = p(x) for every z."""
    model, x = observed(rng)
    joint = model.log_joint(x)
    return joint - np.log(f(joint)), np.full(len(joint), model.log_evidence(x))


@claim("S5.4", of=posterior, tol=T0, oracle="O1 enumeration")
def inserting_q_changes_nothing(f, rng):
    """The average of log [p(z, x)/q(z) · q(z)/p(z|x)] under any q is log p(x)."""
    model, x = observed(rng)
    joint = model.log_joint(x)
    p = f(joint)
    averages = [
        math.fsum(
            a * (math.log(math.exp(l) / a) + math.log(a / b))
            for a, b, l in zip(q, p, joint, strict=True)
            if a > 0
        )
        for q in some_q(rng, model.posterior(x))
    ]
    return np.array(averages), np.full(3, model.log_evidence(x))


@mutant(posterior, says="the joint p(x, z), not divided by p(x)")
def posterior_unnormalised(log_joint):
    return np.exp(log_joint)


@mutant(posterior, says="log p(z|x), where p(z|x) is asked for")
def posterior_in_logs(log_joint):
    return log_joint - log_evidence(log_joint)


@mutant(posterior, says="divided by the largest p(x, z) and not by their sum")
def posterior_over_maximum(log_joint):
    return np.exp(log_joint - log_joint.max())


@claim("S5.5", of=decompose, tol=T0, oracle="O1 enumeration")
def the_logarithm_splits(f, rng):
    """L^v and the gap add up to log p(x) for any q, zeros included."""
    model, x = observed(rng)
    joint = model.log_joint(x)
    total = [sum(f(q, joint)) for q in some_q(rng, model.posterior(x))]
    return np.array(total), np.full(3, model.log_evidence(x))


@claim("S5.5", "S5.6", of=decompose, tol=T0, oracle="O1 enumeration")
def the_parts_are_elbo_and_kl(f, rng):
    """The first part is L^v, the second KL(q ‖ p(z|x)): at least 0, and 0 at the posterior."""
    model, x = observed(rng)
    joint, p = model.log_joint(x), model.posterior(x)
    qs = some_q(rng, p)
    return np.array([f(q, joint) for q in qs]), np.array(
        [(model.elbo(q, x), fsum_kl(q, p)) for q in qs]
    )


@mutant(decompose, says="KL(p ‖ q) for KL(q ‖ p): misses log p(x) by their difference")
def reverse_gap(q, log_joint):
    return elbo(q, log_joint), kl(posterior(log_joint), q)


@mutant(decompose, says="the expectation is under p(z|x), where S5.5 has q")
def decompose_under_posterior(q, log_joint):
    p, support = posterior(log_joint), q > 0
    log_ratio = log_joint[support] - np.log(q[support])
    return float((p[support] * log_ratio).sum()), kl(q, p)


@mutant(decompose, says="the log of the average is log p(x) itself: the gap is identically 0")
def no_gap(q, log_joint):
    return log_evidence(log_joint), 0.0


@mutant(decompose, says="the gap is subtracted: S5.6 adds it")
def gap_subtracted(q, log_joint):
    return elbo(q, log_joint), -kl(q, posterior(log_joint))


@claim("S5.6", of=kl, tol=T0, oracle="O1 enumeration")
def kl_is_the_gap(f, rng):
    """KL(q ‖ p(z|x)) is log p(x) − L^v; states with q = 0 add nothing."""
    model, x = observed(rng)
    p = model.posterior(x)
    qs = some_q(rng, p)
    gaps = [model.log_evidence(x) - model.elbo(q, x) for q in qs]
    return np.array([f(q, p) for q in qs]), np.array(gaps)


@claim("S5.6", of=kl, tol=T0, oracle="nonnegativity")
def kl_is_never_negative(f, rng):
    """KL(q ‖ p) ≥ 0, which makes L^v a lower bound."""
    q, p = rng.dirichlet(np.ones(6), size=(2, 40))
    return violation(np.zeros(40), [f(a, b) for a, b in zip(q, p, strict=True)])


@mutant(kl, says="the arguments are swapped: KL(p ‖ q)")
def kl_swapped(q, p):
    return kl(p, q)


@mutant(kl, says="0 · log 0 = NaN: a state with q = 0 adds 0 to S5.6")
def kl_nan_at_zero(q, p):
    with np.errstate(divide="ignore", invalid="ignore"):
        return float((q * np.log(q / p)).sum())


@mutant(kl, says="log p/q for log q/p: the sign")
def kl_negated(q, p):
    return -kl(q, p)


@mutant(kl, says="the sum over z is not weighted by q(z)")
def kl_unweighted(q, p):
    return float((np.log(q[q > 0]) - np.log(p[q > 0])).sum())


# ---- S5.7 to S5.10: the forms of L^v ----------------------------------------------------------


@claim("S5.7", of=elbo, tol=T0, oracle="O1 enumeration")
def elbo_averages_the_log_ratio(f, rng):
    """L^v is the average of log p(z, x)/q(z) under q; at the posterior it is log p(x)."""
    model, x = observed(rng)
    p = model.posterior(x)
    qs = some_q(rng, p)
    lhs = [f(q, model.log_joint(x)) for q in [*qs, p]]
    return np.array(lhs), np.array([*(model.elbo(q, x) for q in qs), model.log_evidence(x)])


@claim("S5.7", of=elbo, tol=T0, oracle="O1 enumeration")
def elbo_is_a_lower_bound(f, rng):
    """L^v never exceeds log p(x), however near q is to the posterior."""
    model, x = observed(rng)
    p, other = model.posterior(x), rng.dirichlet(np.ones(5))
    near = [(1 - t) * p + t * other for t in np.linspace(0, 1, 21) ** 3]
    bounds = [f(q, model.log_joint(x)) for q in near]
    return violation(bounds, np.full(21, model.log_evidence(x)))


@claim("S5.9", "S5.10", of=elbo, tol=T0, oracle="O1 enumeration")
def elbo_splits_into_kl_and_likelihood(f, rng):
    """Both forms of L^v agree: it is −KL(q ‖ p(z)) plus the average of log p(x|z)."""
    model, x = observed(rng)
    prior = np.exp(model.log_prior)
    log_lik = model.log_joint(x) - model.log_prior
    qs = some_q(rng, model.posterior(x))
    rhs = [-fsum_kl(q, prior) + math.fsum(q * log_lik) for q in qs]
    return np.array([f(q, model.log_joint(x)) for q in qs]), np.array(rhs)


@mutant(elbo, says="the expectation is under the posterior, where S5.7 has q")
def elbo_under_posterior(q, log_joint):
    return decompose_under_posterior(q, log_joint)[0]


@mutant(elbo, says="log of the average p(z, x)/q(z): that is log p(x), not L^v")
def log_of_average(q, log_joint):
    return log_evidence(log_joint[q > 0])


@mutant(elbo, says="the entropy −Σ q log q is missing from S5.7")
def elbo_without_entropy(q, log_joint):
    return float((q * log_joint).sum())


@mutant(elbo, says="q multiplies p(z, x), where S5.7 divides by it")
def elbo_times_q(q, log_joint):
    return 2 * elbo_without_entropy(q, log_joint) - elbo(q, log_joint)


@claim("S5.8", of=log_joint, tol=T0, oracle="O1 enumeration")
def joint_is_likelihood_times_prior(f, rng):
    """p(z, x) = p(x|z) p(z), for every state and symbol."""
    model = discrete_model(rng)
    lhs = [f(model.log_prior, model.log_lik[2], x) for x in range(4)]
    rhs = [model.log_joint([0, 0, x], [2]) for x in range(4)]
    return np.array(lhs), np.array(rhs)


@claim("S5.8", of=log_joint, tol=T0, oracle="total probability")
def joint_sums_to_one(f, rng):
    """The joint sums to 1 over all x and z."""
    model = discrete_model(rng)
    cells = [np.exp(f(model.log_prior, model.log_lik[2], x)).sum() for x in range(4)]
    return math.fsum(cells), 1.0


@mutant(log_joint, says="the prior p(z) of S5.8 is forgotten")
def joint_without_prior(log_prior, log_lik, x):
    return log_lik[:, x]


@mutant(log_joint, says="the logs are multiplied, where probabilities are")
def joint_multiplies_logs(log_prior, log_lik, x):
    return log_prior * log_lik[:, x]


@mutant(log_joint, says="p(x|z) is normalised over z: that is the posterior under a flat prior")
def joint_of_flat_posterior(log_prior, log_lik, x):
    return log_prior + np.log(posterior(log_lik[:, x]))


@claim("S5.10", of=kl, tol=T0, oracle="O1 enumeration")
def kl_to_the_prior_completes_the_elbo(f, rng):
    """−KL(q ‖ p(z)) + E_q log p(x|z) is L^v: the KL of this form is to the prior."""
    model, x = observed(rng)
    prior, log_lik = np.exp(model.log_prior), model.log_joint(x) - model.log_prior
    qs = some_q(rng, model.posterior(x))
    lhs = [-f(q, prior) + math.fsum(q * log_lik) for q in qs]
    return np.array(lhs), np.array([model.elbo(q, x) for q in qs])


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


def _kl_by_quadrature(*args):
    """KL(N(mu1, var1) ‖ N(mu2, var2)) of mu1, log_var1, mu2, log_var2 (N, D): (N,)."""

    def one_dimension(m1, l1, m2, l2):
        return expect_gaussian(lambda z: log_normal(z, m1, l1) - log_normal(z, m2, l2), m1, l1)

    return np.vectorize(one_dimension)(*args).sum(axis=-1)


def _neg_kl_by_quadrature(mu, log_var):
    return -_kl_by_quadrature(mu, log_var, 0.0, 0.0)


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
    model, x, (mu, log_var) = _one_observation(rng)
    n = 10_000
    args = np.full((n, 1), mu), np.full((n, 1), log_var)
    z, pullback = f(*args, eps=rng.standard_normal((1, n, 1)))
    slope = np.imag(model.log_lik(z + 1e-30j, x)) / 1e-30
    draws = np.concatenate(pullback(slope), axis=1)
    return draws, gradient_of(lambda q: _exact_l2(model, x, *q), [mu, log_var])


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
