"""Claims about slide 7, equation (3): the joint posterior from unimodal ones, with its quotient."""

import math
from itertools import product

import numpy as np

from ..exact import integrate, log_normal
from ..finite import log_constant_eq3, posterior, posterior_from_unimodal, posterior_joint
from ..gradcheck import complex_step
from ..posteriors import product_of_experts, quotient_of_experts
from . import s07_training  # noqa: F401  (the last part of the slide)
from .instances import discrete_model
from .registry import T0, T2C, T4, claim, mutant
from .s07_product import ALL_MASKS, exact_posterior, linear_gaussian, present_experts


def observed_log_liks(model, x):
    """log p(x_m|z) at the observed x: (M, S)."""
    return np.stack([table[:, symbol] for table, symbol in zip(model.log_lik, x, strict=True)])


def discrete_models(rng):
    """Oracles of 2, 3 and 4 modalities: a wrong power of the prior may be right for one M."""
    return [discrete_model(rng, symbols=symbols) for symbols in ((2, 3), (2, 3, 2), (2, 2, 3, 2))]


def over_all_x(rng, lhs, rhs):
    """lhs(model, x) and rhs(model, x) for every x of every oracle."""
    pairs = [(model, x) for model in discrete_models(rng) for x in model.all_x()]
    return np.array([lhs(*pair) for pair in pairs]), np.array([rhs(*pair) for pair in pairs])


# ---- S7.1 to S7.3: equation (3) ---------------------------------------------------------------


@claim("S7.1", of=posterior_joint, tol=T0, oracle="O1 enumeration")
def bayes_with_independent_modalities(f, rng):
    """p(z|x_1..N) is p(z) Π p(x_i|z) over its sum, for every x of models with N = 2, 3, 4."""

    def from_likelihoods(model, x):
        return f(model.log_prior, observed_log_liks(model, x))

    return over_all_x(rng, from_likelihoods, lambda model, x: model.posterior(x))


@claim("S7.2", of=posterior_joint, tol=T0, oracle="O1 enumeration")
def likelihoods_may_be_replaced(f, rng):
    """p(z)/p(x_1..N) Π p(z|x_i) p(x_i)/p(z) is the joint posterior too."""

    def from_likelihoods(model, x):
        return f(model.log_prior, observed_log_liks(model, x))

    def substituted(model, x):
        ratios = [
            model.posterior(x, [m]) * math.exp(model.log_evidence(x, [m])) / np.exp(model.log_prior)
            for m in range(len(x))
        ]
        return np.prod(ratios, axis=0) * np.exp(model.log_prior - model.log_evidence(x))

    return over_all_x(rng, from_likelihoods, substituted)


@claim("S7.2", of=posterior, tol=T0, oracle="O1 enumeration")
def likelihood_from_unimodal_posterior(f, rng):
    """p(x_i|z) = p(z|x_i) p(x_i) / p(z), for every modality, symbol and state."""
    model = discrete_model(rng)
    lhs, rhs = [], []
    for x, m in product(model.all_x(), range(3)):
        unimodal = np.log(f(model.log_joint(x, [m])))
        lhs.append(unimodal + model.log_evidence(x, [m]) - model.log_prior)
        rhs.append(model.log_lik[m][:, x[m]])
    return np.array(lhs), np.array(rhs)


@mutant(posterior_joint, says="the prior p(z) stands once per modality: S7.1 has it once")
def prior_in_every_factor(log_prior, log_liks):
    return posterior(len(log_liks) * log_prior + log_liks.sum(axis=0))


@mutant(posterior_joint, says="the prior p(z) of S7.1 is forgotten")
def prior_forgotten(log_prior, log_liks):
    return posterior(log_liks.sum(axis=0))


@mutant(posterior_joint, says="the mean of the log-likelihoods: S7.1 has their product")
def likelihoods_averaged(log_prior, log_liks):
    return posterior(log_prior + log_liks.mean(axis=0))


@mutant(posterior_joint, says="p(x_1..N, z), not divided by p(x_1..N)")
def joint_not_normalised(log_prior, log_liks):
    return np.exp(log_prior + log_liks.sum(axis=0))


def unimodal_log_posteriors(model, x):
    return np.log([model.posterior(x, [m]) for m in range(len(x))])


@claim("S7.3", of=posterior_from_unimodal, tol=T0, oracle="O1 enumeration")
def unimodal_posteriors_give_the_joint_one(f, rng):
    """Π p(z|x_i) / p(z)^(N−1), normalised, is p(z|x_1..N)."""

    def from_unimodal(model, x):
        return f(unimodal_log_posteriors(model, x), model.log_prior)

    return over_all_x(rng, from_unimodal, lambda model, x: model.posterior(x))


def _prior_to_the(power, log_posts, log_prior):
    return posterior(log_posts.sum(axis=0) - power * log_prior)


@mutant(posterior_from_unimodal, says="the prior divided away N times: S7.3 has N − 1")
def prior_power_n(log_posts, log_prior):
    return _prior_to_the(len(log_posts), log_posts, log_prior)


@mutant(posterior_from_unimodal, says="the prior divided away once whatever N: S7.3 has N − 1")
def prior_power_one(log_posts, log_prior):
    return _prior_to_the(1, log_posts, log_prior)


@mutant(posterior_from_unimodal, says="the naive product: the prior of S7.3 is counted N times")
def prior_power_zero(log_posts, log_prior):
    return _prior_to_the(0, log_posts, log_prior)


@mutant(posterior_from_unimodal, says="∝ of S7.3 is taken for =: the quotient is not normalised")
def quotient_not_normalised(log_posts, log_prior):
    return np.exp(log_posts.sum(axis=0) - (len(log_posts) - 1) * log_prior)


@claim("S7.3", of=log_constant_eq3, tol=T0, oracle="O1 enumeration")
def constant_makes_equation_3_exact(f, rng):
    """With the factor Π p(x_i) / p(x_1..N) the quotient is the posterior, not just ∝ to it."""

    def quotient(model, x):
        quotient = unimodal_log_posteriors(model, x).sum(axis=0) - (len(x) - 1) * model.log_prior
        return np.exp(quotient + f(model.log_prior, observed_log_liks(model, x)))

    return over_all_x(rng, quotient, lambda model, x: model.posterior(x))


@mutant(log_constant_eq3, says="the constant of S7.3 is inverted")
def constant_inverted(log_prior, log_liks):
    return -log_constant_eq3(log_prior, log_liks)


@mutant(log_constant_eq3, says="no constant: ∝ of S7.3 is taken for =")
def constant_omitted(log_prior, log_liks):
    return 0.0


@mutant(log_constant_eq3, says="p(x_i|z) is summed over z without the prior")
def constant_under_flat_prior(log_prior, log_liks):
    return log_constant_eq3(np.full_like(log_prior, -math.log(len(log_prior))), log_liks)


@claim("S7.3", of=quotient_of_experts, tol=T0, oracle="O3 linear-Gaussian")
def quotient_recovers_every_posterior(f, rng):
    """Exact unimodal posteriors give the exact posterior of all 2^M subsets."""
    model, x, _, _ = linear_gaussian(rng)
    unimodal = np.stack([exact_posterior(model, x, one) for one in np.eye(3, dtype=bool)])
    lhs, rhs = [], []
    for present in ALL_MASKS:
        mask = np.repeat(present[:, None], 3, axis=1)
        mu, log_var = np.where(mask[:, None, :, None], unimodal, np.nan).swapaxes(0, 1)
        mean, joint_log_var, valid = f(mu, log_var, mask=mask)[0]
        lhs.append([mean, joint_log_var, valid])
        rhs.append([*exact_posterior(model, x, present), np.ones((3, 2))])
    return np.array(lhs), np.array(rhs)


@claim("S7.3", of=quotient_of_experts, tol=T0, oracle="plain loops")
def quotient_may_not_be_a_density(f, rng):
    """Where Σ precisions ≤ M − 1 there is no quotient: `valid` is False and the values NaN."""
    mu, log_var = rng.normal(size=(2, 3, 40, 2))
    mean, joint_log_var, valid = f(mu, log_var)[0]
    exact = np.empty((40, 2))
    for n, d in np.ndindex(exact.shape):
        exact[n, d] = sum(math.exp(-log_var[m, n, d]) for m in range(3)) > 2
    return np.stack([valid, ~np.isnan(mean), ~np.isnan(joint_log_var)]) + 0.0, np.stack([exact] * 3)


@claim("S7.3", of=quotient_of_experts, tol=T4, oracle="O2 quadrature")
def one_quotient_in_nine_is_invalid(f, rng):
    """With two experts and log σ² ~ N(0, 1), 11.3% of the dimensions have no quotient."""
    mu, log_var = rng.normal(size=(2, 2, 20_000, 1))
    _, _, valid = f(mu, log_var)[0]

    def density_and_partner(a):  # the other's 1/var must be at most 1 − e^−a
        partner = [0.5 * math.erfc(-math.log(-math.expm1(-t)) / math.sqrt(2)) for t in a]
        return np.exp(log_normal(a, 0, 0)) * partner

    return ~valid, np.array([integrate(density_and_partner, 1e-9, 9)])


@claim("S7.3", of=quotient_of_experts, tol=T2C, oracle="O7 complex step")
def quotient_gradient(f, rng):
    """The pullback of the quotient is its derivative."""
    mu, log_var = rng.normal(size=(3, 4, 2)), rng.uniform(-2.0, -0.1, size=(3, 4, 2))

    def moments(mu, log_var):
        (mean, joint_log_var, _), pullback = f(mu, log_var)
        return (mean, joint_log_var), pullback

    return complex_step(moments, mu, log_var, rng=rng), 0.0


def _quotient(mu, log_var, mask, excess, positive=np.asarray):
    """The quotient with another number of priors divided away; the pullback is the right one."""
    _, pullback = quotient_of_experts(mu, log_var, mask=mask)
    present = np.ones(mu.shape[:2], dtype=bool) if mask is None else mask
    mu, precision = present_experts(mu, log_var, present)
    total = positive(precision.sum(axis=0) - excess(present.sum(axis=0)[:, None]))
    valid = total > 0
    total = np.where(valid, total, np.nan)
    return ((precision * mu).sum(axis=0) / total, -np.log(total), valid), pullback


def _one_less(count):
    return count - 1


@mutant(quotient_of_experts, says="no prior divided away: precision too high by exactly M' − 1")
def naive_product(mu, log_var, *, mask=None):
    return _quotient(mu, log_var, mask, np.zeros_like)


@mutant(quotient_of_experts, says="M' priors divided away where S7.3 has M' − 1")
def one_prior_too_many(mu, log_var, *, mask=None):
    return _quotient(mu, log_var, mask, np.asarray)


@mutant(quotient_of_experts, says="absent modalities count: M − 1 priors divided away, not M' − 1")
def absent_experts_counted(mu, log_var, *, mask=None):
    return _quotient(mu, log_var, mask, lambda count: len(mu) - 1)


@mutant(quotient_of_experts, says="abs hides a negative precision: valid=False expected")
def invalid_hidden_by_abs(mu, log_var, *, mask=None):
    return _quotient(mu, log_var, mask, _one_less, positive=np.abs)


@mutant(quotient_of_experts, says="clip hides a negative precision: valid=False expected")
def invalid_hidden_by_clip(mu, log_var, *, mask=None):
    return _quotient(mu, log_var, mask, _one_less, positive=lambda t: np.maximum(t, 1e-8))


@mutant(quotient_of_experts, says="the gradient of the product S7.5, where the value is S7.3")
def gradient_of_the_product(mu, log_var, *, mask=None):
    value, _ = quotient_of_experts(mu, log_var, mask=mask)
    return value, product_of_experts(mu, log_var, mask=mask)[1]
