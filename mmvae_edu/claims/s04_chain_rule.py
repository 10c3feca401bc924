"""Claims about slide 4: the chain rule, and the product of marginals."""

import math
from itertools import permutations

import numpy as np

from ..slides.s04_mean_field import chain_rule_logp, product_of_marginals, total_correlation
from ..slides.s05_evidence import kl
from .instances import discrete_model, outer, random_product, random_table
from .registry import T0, claim


def add_up(P, fixed, x):
    """P(x_fixed) by a loop over all cells."""
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
