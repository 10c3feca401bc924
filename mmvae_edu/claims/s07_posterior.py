"""Claims about slide 7, equations (3) and (4): the joint posterior, a quotient or a product."""

import math
from itertools import product

import numpy as np

from ..mistakes.edits import differentiated
from ..oracles import integrate, log_normal
from ..posteriors import product_of_experts, product_of_subsets, quotient_of_experts
from ..slides.s05_evidence import posterior
from ..slides.s07_joint_posterior import log_constant_eq3, posterior_from_unimodal, posterior_joint
from .gaussian_instances import exact_posterior, linear_gaussian, present_experts
from .instances import all_masks, discrete_model, log_liks
from .registry import T0, T1, T4, claim, mutant


def discrete_models(rng):
    """Draw oracles of 2, 3 and 4 modalities: a wrong power of the prior may be right for one M."""
    return [discrete_model(rng, symbols=symbols) for symbols in ((2, 3), (2, 3, 2), (2, 2, 3, 2))]


def over_all_x(rng, lhs, rhs):
    """Compute lhs(model, x) and rhs(model, x) for every x of every oracle."""
    pairs = [(model, x) for model in discrete_models(rng) for x in model.all_x()]
    return np.array([lhs(*pair) for pair in pairs]), np.array([rhs(*pair) for pair in pairs])


# ---- S7.1 to S7.3: equation (3) ---------------------------------------------------------------


@claim("S7.1", of=posterior_joint, tol=T0, oracle="O1 enumeration")
def bayes_with_independent_modalities(f, rng):
    """p(z|x_1..N) is p(z) Π p(x_i|z) over its sum over z, for every x and N = 2, 3, 4."""
    return over_all_x(rng, _from_likelihoods(f), lambda model, x: model.posterior(x))


def _from_likelihoods(f):
    return lambda model, x: f(model.log_prior, log_liks(model, x))


@claim("S7.2", of=posterior_joint, tol=T0, oracle="O1 enumeration")
def likelihoods_may_be_replaced(f, rng):
    """p(z)/p(x_1..N) Π [p(z|x_i) p(x_i)/p(z)] is the joint posterior too."""

    def substituted(model, x):
        ratios = [
            model.posterior(x, [m]) * math.exp(model.log_evidence(x, [m])) / np.exp(model.log_prior)
            for m in range(len(x))
        ]
        return np.prod(ratios, axis=0) * np.exp(model.log_prior - model.log_evidence(x))

    return over_all_x(rng, _from_likelihoods(f), substituted)


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


def unimodal_log_posteriors(model, x):
    return np.log([model.posterior(x, [m]) for m in range(len(x))])


@claim("S7.3", of=posterior_from_unimodal, tol=T0, oracle="O1 enumeration")
def unimodal_posteriors_give_the_joint_one(f, rng):
    """Π p(z|x_i) / p(z)^(N−1), normalised, is p(z|x_1..N)."""

    def from_unimodal(model, x):
        return f(unimodal_log_posteriors(model, x), model.log_prior)

    return over_all_x(rng, from_unimodal, lambda model, x: model.posterior(x))


@claim("S7.3", of=log_constant_eq3, tol=T0, oracle="O1 enumeration")
def constant_makes_equation_3_exact(f, rng):
    """With the factor Π p(x_i) / p(x_1..N) the quotient is the posterior, not just ∝ to it."""

    def quotient(model, x):
        quotient = unimodal_log_posteriors(model, x).sum(axis=0) - (len(x) - 1) * model.log_prior
        return np.exp(quotient + f(model.log_prior, log_liks(model, x)))

    return over_all_x(rng, quotient, lambda model, x: model.posterior(x))


@claim("S7.3", of=quotient_of_experts, tol=T0, oracle="O3 linear-Gaussian")
def quotient_recovers_every_posterior(f, rng):
    """Exact unimodal posteriors give the exact posterior of each of the 2^M subsets."""
    model, x, _, _ = linear_gaussian(rng)
    unimodal = np.stack([exact_posterior(model, x, one) for one in np.eye(3, dtype=bool)])
    lhs, rhs = [], []
    for present in all_masks(3).T:
        mask = np.repeat(present[:, None], 3, axis=1)
        mu, log_var = np.where(mask[:, None, :, None], unimodal, np.nan).swapaxes(0, 1)
        mean, joint_log_var, valid = f(mu, log_var, mask=mask)[0]
        lhs.append([mean, joint_log_var, valid])
        rhs.append([*exact_posterior(model, x, present), np.ones((3, 2))])
    return np.array(lhs), np.array(rhs)


@claim("S7.3", of=quotient_of_experts, tol=T0, oracle="plain loops")
def quotient_may_not_be_a_density(f, rng):
    """Where the precisions sum to ≤ M − 1 there is no density: `valid` is False, the values NaN."""
    mu, log_var = rng.normal(size=(2, 3, 40, 2))
    mean, joint_log_var, valid = f(mu, log_var)[0]
    exact = np.empty((40, 2))
    for n, d in np.ndindex(exact.shape):
        exact[n, d] = sum(math.exp(-log_var[m, n, d]) for m in range(3)) > 2
    return np.stack([valid, ~np.isnan(mean), ~np.isnan(joint_log_var)]) + 0.0, np.stack([exact] * 3)


@claim("S7.3", of=quotient_of_experts, tol=T0, oracle="hand calculation")
def no_gradient_where_there_is_no_density(f, rng):
    """An invalid quotient passes no gradient on, 0 and not NaN; a valid one beside it does."""
    mu, first = rng.normal(size=(2, 2, 1)), rng.uniform(0.2, 0.6, size=(2, 1))
    precision = np.stack([first, [[1.8], [0.7]] - first])  # only the first row's exceed 1
    share = precision * [[1 / 0.8], [0.0]]
    mean = (share * mu).sum(axis=0)
    dmean, djoint_log_var = rng.normal(size=(2, 2, 1))
    _, pullback = f(mu, -np.log(precision))
    dlog_var = share * (djoint_log_var - (mu - mean) * dmean)
    return np.array(pullback(dmean, djoint_log_var)), np.array([share * dmean, dlog_var])


@claim("S7.3", of=quotient_of_experts, tol=T4, oracle="O2 quadrature")
def one_quotient_in_nine_is_invalid(f, rng):
    """With two experts and log σ² ~ N(0, 1), 11.3% of the quotients are no density."""
    mu, log_var = rng.normal(size=(2, 2, 20_000, 1))
    _, _, valid = f(mu, log_var)[0]

    def density_and_partner(a):  # the other's 1/var must be at most 1 − e^−a
        partner = [0.5 * math.erfc(-math.log(-math.expm1(-t)) / math.sqrt(2)) for t in a]
        return np.exp(log_normal(a, 0, 0)) * partner

    return ~valid, np.array([integrate(density_and_partner, 1e-9, 9)])


# ---- S7.4, S7.5: equation (4) -----------------------------------------------------------------


@claim("S7.4", of=product_of_experts, tol=T0, oracle="O3 linear-Gaussian")
def one_expert_times_the_prior(f, rng):
    """q(z|x_i) = q̃(z|x_i) p(z), normalised, is p(z|x_i) where q̃ is p(x_i|z) normalised over z."""
    model, x, mu, log_var = linear_gaussian(rng)
    lhs = [f(mu[m : m + 1], log_var[m : m + 1])[0] for m in range(3)]
    return np.array(lhs), np.stack([exact_posterior(model, x, one) for one in np.eye(3)])


@claim("S7.5", of=product_of_experts, tol=T0, oracle="O3 linear-Gaussian")
def product_recovers_every_posterior(f, rng):
    """Exact experts give the exact posterior of each of the 2^M subsets (of none, the prior),
    whatever stands under the mask."""
    model, x, mu, log_var = linear_gaussian(rng)
    lhs, rhs = [], []
    for present in all_masks(3).T:
        mask = np.repeat(present[:, None], 3, axis=1)
        seen = np.where(mask[None, ..., None], [mu, log_var], np.nan)
        lhs.append(f(*seen, mask=mask)[0])
        rhs.append(exact_posterior(model, x, present))
    return np.array(lhs), np.array(rhs)


@claim("S7.5", "S7.4", of=product_of_experts, tol=T1, oracle="O2 quadrature")
def product_is_the_product_of_densities(f, rng):
    """The product has the mean and variance of p(z) Π q̃(z|x_i), normalised on a grid."""
    mu, log_var = rng.normal(size=(2, 3, 4, 1))
    exact = []
    for n in range(4):
        log_var_n = log_var[:, n, 0, None]

        def weight(z, n=n, log_var_n=log_var_n):
            return np.exp(log_normal(z, 0, 0) + log_normal(z, mu[:, n], log_var_n).sum(axis=0))

        mass, first, second = (
            integrate(lambda z, p=p: z**p * weight(z), -12, 12) for p in range(3)
        )
        exact.append([first / mass, math.log(second / mass - (first / mass) ** 2)])
    return np.concatenate(f(mu, log_var)[0], axis=1), np.array(exact)


@claim("S7.5", of=product_of_experts, tol=T0, oracle="permutation")
def product_is_free_of_order(f, rng):
    """The order of the experts does not matter, and every example has its own mask."""
    mu, log_var = rng.normal(size=(2, 4, 5, 3))
    mask = rng.random((4, 5)) < 0.6
    mask[0] |= ~mask.any(axis=0)
    order = rng.permutation(4)
    one_by_one = [f(mu[mask[:, n], n : n + 1], log_var[mask[:, n], n : n + 1])[0] for n in range(5)]
    joined = np.concatenate(one_by_one, axis=1)
    return np.array(f(mu[order], log_var[order], mask=mask[order])[0]), joined


@claim("S7.5", of=product_of_experts, tol=T0, oracle="exact posterior moments")
def sharp_and_vague_experts(f, rng):
    """An expert of variance e^−300 decides alone; one of variance e^300 says nothing."""
    mu, rest = rng.normal(size=(2, 1, 2)), np.zeros((1, 2))
    sharp, _ = f(mu, np.stack([rest - 300, rest]))
    vague, _ = f(mu, np.stack([rest + 300, rest]))
    lhs = [*sharp, *vague]
    return np.array(lhs), np.array([mu[0], rest - 300, mu[1] / 2, rest - math.log(2)])


def _product(mu, precision, prior=1.0):
    total = prior + precision.sum(axis=0)
    return (precision * mu).sum(axis=0) / total, -np.log(total)


@mutant(
    product_of_experts,
    says="every precision is 1 too low: the prior of S7.5 is missing",
    because="it is another formula than the kernel's",
)
@differentiated
def prior_expert_missing(mu, log_var, *, mask=None):
    return _product(*present_experts(mu, log_var, mask), prior=0.0)


@mutant(
    product_of_experts,
    says="the prior of S7.5 is missing beside experts: it stands in every product",
    because="it is another formula than the kernel's",
)
@differentiated
def prior_only_without_experts(mu, log_var, *, mask=None):
    mu, precision = present_experts(mu, log_var, mask)
    return _product(mu, precision, prior=1.0 * (precision.sum(axis=0) == 0))


@mutant(
    product_of_experts,
    says="you multiplied by the mask: 0 · NaN leaks what is under it",
    because="it is another formula than the kernel's",
)
@differentiated
def masked_by_multiplication(mu, log_var, *, mask=None):
    present = 1 if mask is None else mask[..., None]
    return _product(mu * present, np.exp(-log_var) * present)


@mutant(
    product_of_experts,
    says="you added two eps, as public code does: a bias of 2e-8/σ², 2% at σ² = 1e-6",
    because="it is another formula than the kernel's",
)
@differentiated
def two_eps(mu, log_var, *, mask=None):
    mu, precision = present_experts(mu, log_var, mask)
    biased = np.where(precision == 0, 0, 1 / (np.exp(log_var) + 1e-8 + 1e-8))
    return _product(mu, biased, prior=1 / (1 + 1e-8 + 1e-8))


@claim("S7.5", "S7.6", of=product_of_subsets, tol=T0, oracle="O3 linear-Gaussian")
def subsets_at_once_are_the_posteriors(f, rng):
    """Term t of the objective has the exact posterior of subset t, in the order of the subsets."""
    model, x, mu, log_var = linear_gaussian(rng)
    subsets = np.repeat(all_masks(3).T[:, :, None], 3, axis=2)
    rhs = [exact_posterior(model, x, present) for present in all_masks(3).T]
    return np.array(f(mu, log_var, subsets=subsets)[0]), np.stack(rhs, axis=1)
