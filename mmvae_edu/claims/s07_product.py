"""Claims about slide 7, equation (4): the product of experts with the prior."""

import math

import numpy as np

from ..oracles import integrate, log_normal
from ..posteriors import product_of_experts, product_of_subsets
from .differentiate import differentiated
from .gaussian_instances import exact_posterior, linear_gaussian, present_experts
from .instances import all_masks
from .registry import T0, T1, claim, mutant

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
    says="masked by multiplication: 0 · NaN leaks what is under the mask",
    because="it is another formula than the kernel's",
)
@differentiated
def masked_by_multiplication(mu, log_var, *, mask=None):
    present = 1 if mask is None else mask[..., None]
    return _product(mu * present, np.exp(-log_var) * present)


@mutant(
    product_of_experts,
    says="two eps, as in public code: a bias of 2e-8/σ², 2% at σ² = 1e-6",
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
