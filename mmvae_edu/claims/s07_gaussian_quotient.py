"""Claims about slide 7, equation (3) with Gaussians: their quotient, where there is one."""

import math

import numpy as np

from ..oracles import integrate, log_normal
from ..posteriors import quotient_of_experts
from .gaussian_instances import exact_posterior, linear_gaussian
from .instances import all_masks
from .registry import T0, T4, claim


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
