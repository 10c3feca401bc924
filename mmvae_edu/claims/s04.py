"""Claims about slide 4: the chain rule, the mean field, and the independence that a VAE assumes."""

import math
from collections import Counter
from itertools import permutations, product

import numpy as np

from ..models import VAE
from ..slides.s04_mean_field import (
    cavi_step,
    chain_rule_logp,
    gaussian_mean_field,
    product_of_marginals,
    total_correlation,
)
from ..slides.s05_evidence import elbo, kl, log_joint
from .gaussian_instances import affine_model, set_exact_encoders, sigma_points
from .instances import (
    discrete_model,
    outer,
    random_covariance,
    random_product,
    random_table,
)
from .registry import T0, claim


def add_up(P, fixed, x):
    """Compute P(x_fixed) by a loop over all cells."""
    return math.fsum(P[y] for y in np.ndindex(P.shape) if all(y[i] == x[i] for i in fixed))


# ---- S4.1: P(x_1, ..., x_n) = P(x_1) P(x_2|x_1) ... -------------------------------------------


@claim("S4.1", of=chain_rule_logp, tol=T0, oracle="enumeration")
def chain_rule_is_exact_in_any_order(f, rng):
    """The conditionals multiply to the joint, in every one of the 3! orders."""
    P = random_table(rng)
    P[0, 1, :] = 0  # an impossible past
    logP = np.log(np.where(P > 0, P / P.sum(), 1)) + np.where(P > 0, 0, -np.inf)
    recovered = [np.exp(f(logP, order).sum(axis=0)) for order in permutations(range(3))]
    return np.stack(recovered), np.stack([P / P.sum()] * 6)


@claim("S4.1", of=chain_rule_logp, tol=T0, oracle="enumeration")
def each_factor_is_a_conditional(f, rng):
    """Factor i is the probability of x_i given the variables before it in the order."""
    P = random_table(rng)
    lhs, rhs = [], []
    for order in permutations(range(3)):
        lhs.append(f(np.log(P), order))
        for i in range(3):
            for x in np.ndindex(P.shape):
                past, present = add_up(P, order[:i], x), add_up(P, order[: i + 1], x)
                rhs.append(math.log(present / past))
    return np.stack(lhs), np.reshape(rhs, (6, 3, *P.shape))


@claim("S4.1", of=chain_rule_logp, tol=T0, oracle="hand calculation")
def nothing_follows_an_impossible_past(f, rng):
    """Every factor after a past of probability 0 is −∞, that is a probability of 0."""
    a, b, c = rng.uniform(0.2, 0.8, size=3)
    first = np.broadcast_to([[[a]], [[1 - a]]], (2, 2, 2))
    second = np.broadcast_to([[[0], [1]], [[b], [1 - b]]], (2, 2, 2))
    third = np.array([[[0, 0], [c, 1 - c]], [[0, 1], [1, 0]]])
    with np.errstate(divide="ignore"):
        logP = np.log(first * second * third)
    return np.exp(f(logP, (0, 1, 2))), np.stack([first, second, third])


# ---- S4.2: Q = Q(x_1) Q(x_2) ... --------------------------------------------------------------


@claim("S4.2", of=product_of_marginals, tol=T0, oracle="enumeration")
def marginals_are_multiplied(f, rng):
    """Q(x) is the product of the marginals P(x_i)."""
    P = random_table(rng)
    rhs = [math.prod(add_up(P, [i], x) for i in range(3)) for x in np.ndindex(P.shape)]
    return f(P), np.reshape(rhs, P.shape)


@claim("S4.2", of=product_of_marginals, tol=T0, oracle="any other product")
def marginals_minimise_forward_kl(f, rng):
    """For any product Q, KL(P ‖ Q) exceeds KL(P ‖ Π P_i) by KL(Π P_i ‖ Q), so Π P_i is the best."""
    P = random_table(rng)
    _, Q = random_product(rng, P.shape)
    best = f(P)
    return kl(P, best) + kl(best, Q), kl(P, Q)


@claim("S4.2", of=total_correlation, tol=T0, oracle="entropies")
def total_correlation_is_lost_entropy(f, rng):
    """The total correlation KL(P ‖ Π P_i) is Σ H(x_i) − H(x)."""
    P = random_table(rng)

    def entropy(fixed):
        cells = {tuple(x[i] for i in fixed): add_up(P, fixed, x) for x in np.ndindex(P.shape)}
        return -math.fsum(p * math.log(p) for p in cells.values())

    return f(P), sum(entropy([i]) for i in range(3)) - entropy([0, 1, 2])


@claim("S4.2", of=total_correlation, tol=T0, oracle="hand calculation")
def independence_has_no_total_correlation(f, rng):
    """The total correlation of a product is 0; of two bits that are always equal it is log 2."""
    _, Q = random_product(rng, (2, 3, 4))
    return np.array([f(Q), f(np.eye(2) / 2)]), np.array([0.0, math.log(2)])


@claim("S4.2", of=total_correlation, tol=T0, oracle="O1 enumeration")
def data_depend_until_z_is_given(f, rng):
    """A VAE lets pixels be independent given z, total correlation 0, and not in the data, where it
    is E log p(x) / Π p(x_i)."""
    model = discrete_model(rng)
    given_z = [outer([np.exp(table[s]) for table in model.log_lik]) for s in range(5)]
    P = np.tensordot(np.exp(model.log_prior), given_z, axes=1)
    lost = math.fsum(
        math.exp(L) * (L - sum(model.log_evidence(x, [m]) for m in range(3)))
        for x in model.all_x()
        for L in [model.log_evidence(x)]
    )
    return np.array([f(p) for p in [*given_z, P]]), np.array([0.0] * 5 + [lost])


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


@claim("S4.3", of=VAE.bound, tol=T0, oracle="O3 linear-Gaussian")
def one_net_serves_every_x(f, rng):
    """One network q_φ(z|x) gives every x a distribution of its own: with a linear decoder an affine
    one is the exact posterior of each x, and every bound is log p(x)."""
    model, theta, twin, x = affine_model(VAE, rng, {"x": 5}, 2, N=9)
    set_exact_encoders(model.tree.views(theta), twin, prior=True)
    return f(model, theta, x, eps=sigma_points(1, 9, 2))[0], twin.log_prob(x)


@claim("S4.4", of=log_joint, tol=T0, oracle="counting equally likely draws")
def drawing_z_then_x_has_the_marginals_law(f, rng):
    """Draw z from P(z), then x' from P(x'|z): x' appears with probability Σ_z P(z) P(x'|z)."""
    prior = rng.permutation([1, 2, 3])
    lik = rng.permuted(np.tile([1, 2, 4], (3, 1)), axis=1)  # of 7 draws given a state
    draws = Counter()
    for z, times in enumerate(prior):
        draws.update(np.repeat(range(3), times * lik[z]).tolist())
    found = [math.fsum(np.exp(f(np.log(prior / 6), np.log(lik / 7), x))) for x in range(3)]
    return np.array(found), np.array([draws[x] / 42 for x in range(3)])
