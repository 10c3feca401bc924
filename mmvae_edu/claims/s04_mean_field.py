"""Claims about slide 4, mean field: the product Q that is nearest to P in KL(Q ‖ P)."""

import math
from itertools import product

import numpy as np

from ..slides.s04_mean_field import cavi_step, gaussian_mean_field, product_of_marginals
from ..slides.s05_evidence import elbo, kl
from .instances import outer, random_product, random_table
from .registry import T0, claim, mutant

TWO_MODES = np.array([[0.48, 0.02], [0.02, 0.48]])  # two strongly coupled bits


@claim("S4.2", of=cavi_step, tol=T0, oracle="enumeration")
def cavi_averages_log_p(f, rng):
    """The new factor is exp(E log P), normalised; the average is over the other factors."""
    P = random_table(rng)
    q, _ = random_product(rng, P.shape)
    lhs, rhs = [], []
    for i in range(3):
        lhs.append(f(np.log(P), q, i))
        score = [0.0] * P.shape[i]
        for x in np.ndindex(P.shape):
            score[x[i]] += math.prod(q[j][x[j]] for j in range(3) if j != i) * math.log(P[x])
        rhs.append(np.array([1 / sum(math.exp(b - a) for b in score) for a in score]))
    return np.concatenate(lhs), np.concatenate(rhs)


@claim("S4.2", of=cavi_step, tol=T0, oracle="monotonicity")
def cavi_never_decreases_the_bound(f, rng):
    """No coordinate step lowers −KL(Q ‖ P), and every new factor sums to 1."""
    logP = np.log(random_table(rng))
    q, Q = random_product(rng, logP.shape)
    bounds, mass = [elbo(Q, logP)], []
    for _, i in product(range(4), range(3)):
        q[i] = f(logP, list(q), i)
        bounds.append(elbo(outer(q), logP))
        mass.append(q[i].sum())
    falls = np.maximum(0, -np.diff(bounds))
    return np.concatenate([falls, mass]), np.concatenate([0 * falls, np.ones(12)])


@claim("S4.2", of=cavi_step, tol=T0, oracle="hand calculation")
def mean_field_picks_one_of_two_modes(f, rng):
    """Two coupled bits have two mean-field optima, mirror images, with a lower KL(Q ‖ P) than the
    product of marginals; each is a fixed point."""
    logP = np.log(TWO_MODES)
    fixed, reverse_kl = [], []
    for start in (0.9, 0.1):
        q = [np.array([start, 1 - start])] * 2
        for _, i in product(range(60), range(2)):
            q[i] = f(logP, list(q), i)
        a = q[0][0]  # stationary: logit a = (2a − 1) log 24
        fixed.append([math.log(a / (1 - a)) - (2 * a - 1) * math.log(24), abs(a - 0.5) > 0.4])
        reverse_kl.append(kl(outer(q), TWO_MODES))
    better = reverse_kl[0] < kl(product_of_marginals(TWO_MODES), TWO_MODES)
    lhs = [*np.ravel(fixed), reverse_kl[0] - reverse_kl[1], better]
    return np.array(lhs, dtype=float), np.array([0.0, 1, 0, 1, 0, 1])


@mutant(cavi_step, says="q_i is not normalised", hint=3)
def cavi_not_normalised(logP, q_list, i):
    q = cavi_step(logP, q_list, i)
    return q * np.exp(logP).max()


@mutant(
    cavi_step, says="the marginal of P minimises KL(P ‖ Q): mean field minimises KL(Q ‖ P)", hint=1
)
def cavi_marginal(logP, q_list, i):
    return np.exp(logP).sum(axis=tuple(j for j in range(logP.ndim) if j != i))


@mutant(cavi_step, says="stale factors: averages over the uniform start, not the current q_j")
def cavi_stale(logP, q_list, i):
    return cavi_step(logP, [np.full(len(q), 1 / len(q)) for q in q_list], i)


@mutant(cavi_step, says="the log of the average of P, where S4.2 averages log P")
def cavi_log_of_average(logP, q_list, i):
    others = [np.ones(len(q)) if j == i else q for j, q in enumerate(q_list)]
    q = (outer(others) * np.exp(logP)).sum(axis=tuple(j for j in range(logP.ndim) if j != i))
    return q / q.sum()


@mutant(cavi_step, says="q_i's old value multiplies the new one", hint=3)
def cavi_keeps_old_factor(logP, q_list, i):
    q = cavi_step(logP, q_list, i) * q_list[i]
    return q / q.sum()


def random_covariance(rng, D=3):
    A = rng.normal(size=(D, D))
    return A @ A.T + np.eye(D)


@claim("S4.2", of=gaussian_mean_field, tol=T0, oracle="Schur complement")
def mean_field_variance_is_conditional(f, rng):
    """A Gaussian's mean field keeps the mean; each variance is that of x_i given all the others."""
    mu, Sigma = rng.normal(size=3), random_covariance(rng)
    conditional = []
    for i in range(3):
        rest = [j for j in range(3) if j != i]
        explained = Sigma[i, rest] @ np.linalg.solve(Sigma[np.ix_(rest, rest)], Sigma[rest, i])
        conditional.append(Sigma[i, i] - explained)
    return np.stack(f(mu, Sigma)), np.stack([mu, conditional])


@claim("S4.2", of=gaussian_mean_field, tol=T0, oracle="hand calculation")
def correlation_shrinks_mean_field(f, rng):
    """At correlation ρ and unit variances, mean field has variances 1 − ρ² and a KL of
    −½ log(1 − ρ²)."""
    rho = rng.uniform(0.5, 0.95)
    mean, var = f(np.array([0.3, -1.2]), np.array([[1, rho], [rho, 1]]))
    trace = var.sum() / (1 - rho**2)  # of Sigma⁻¹ diag(var)
    reverse_kl = 0.5 * (trace - 2 + math.log(1 - rho**2) - np.log(var).sum())
    lhs = np.array([*mean, *var, reverse_kl])
    return lhs, np.array([0.3, -1.2, 1 - rho**2, 1 - rho**2, -0.5 * math.log(1 - rho**2)])


@mutant(
    gaussian_mean_field,
    says="Var = Sigma_ii is the marginal variance, not 1 / Precision_ii",
    hint=1,
)
def marginal_variance(mu, Sigma):
    return mu, np.diag(Sigma)


@mutant(gaussian_mean_field, says="Precision_ii is returned: the variance is its inverse")
def precision_for_variance(mu, Sigma):
    return mu, np.diag(np.linalg.inv(Sigma))


@mutant(gaussian_mean_field, says="inverts the diagonal of Sigma, not Sigma", hint=3)
def inverse_of_diagonal(mu, Sigma):
    return mu, 1 / np.diag(Sigma)
