"""Claims about slide 4, mean field: the product Q that is nearest to P in KL(Q ‖ P)."""

import math
from itertools import product

import numpy as np

from ..slides.s04_mean_field import cavi_step, gaussian_mean_field, product_of_marginals
from ..slides.s05_evidence import elbo, kl
from .instances import outer, random_product, random_table
from .registry import T0, claim

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


@claim("S4.2", of=cavi_step, tol=T0, oracle="hand calculation")
def mean_field_may_keep_the_marginals(f, rng):
    """Two weakly coupled bits: the coordinate steps end at the exact marginals, whose entropy log 4
    is above P's: mean field need not be narrower than P."""
    P, start = np.array([[0.3, 0.2], [0.2, 0.3]]), rng.uniform(0.6, 0.9)
    q = [np.array([start, 1 - start])] * 2
    for _, i in product(range(60), range(2)):
        q[i] = f(np.log(P), list(q), i)
    entropies = [-(Q * np.log(Q)).sum() for Q in (outer(q), P)]
    lhs = [*np.ravel(q), entropies[0], entropies[0] > entropies[1]]
    return np.array(lhs), np.array([0.5] * 4 + [math.log(4), 1])


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
