"""Claims about slide 4: the chain rule, and what mean field keeps of it."""

import math
from itertools import permutations, product

import numpy as np

from ..finite import (
    cavi_step,
    chain_rule_logp,
    elbo,
    gaussian_mean_field,
    kl,
    product_of_marginals,
    total_correlation,
)
from .registry import T0, claim, mutant

TWO_MODES = np.array([[0.48, 0.02], [0.02, 0.48]])  # two strongly coupled bits


def random_table(rng, shape=(2, 3, 4)):
    return rng.dirichlet(np.full(math.prod(shape), 0.7)).reshape(shape)


def random_product(rng, shape):
    """Independent factors, and their table."""
    factors = [rng.dirichlet(np.ones(V)) for V in shape]
    return factors, outer(factors)


def outer(factors):
    table = np.array(1.0)
    for q in factors:
        table = np.multiply.outer(table, q)
    return table


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


@mutant(chain_rule_logp, says="marginals P(x_i) for the conditionals of S4.1: right only if TC = 0")
def marginal_for_conditional(logP, order):
    P, n = np.exp(logP), logP.ndim
    axes = [tuple(j for j in range(n) if j != i) for i in order]
    return np.stack([np.log(P.sum(axis=a, keepdims=True)) + 0 * P for a in axes])


@mutant(chain_rule_logp, says="conditions on the order of the axes, not on the order asked for")
def order_ignored(logP, order):
    return chain_rule_logp(logP, range(logP.ndim))


@mutant(chain_rule_logp, says="conditions on the last variable only: a Markov chain, not S4.1")
def markov_chain(logP, order):
    pairs = [chain_rule_logp(logP, order[:1])]
    pairs += [chain_rule_logp(logP, order[i : i + 2])[1:] for i in range(len(order) - 1)]
    return np.concatenate(pairs)


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


@mutant(product_of_marginals, says="averages over the other variables where it should sum")
def mean_for_sum_in_marginal(P):
    axes = [tuple(j for j in range(P.ndim) if j != i) for i in range(P.ndim)]
    return math.prod(P.mean(axis=a, keepdims=True) for a in axes)


@mutant(product_of_marginals, says="averages log P: the geometric mean minimises KL(U ‖ ·), not KL")
def geometric_marginals(P):
    log_q = [np.log(P).mean(axis=tuple(j for j in range(P.ndim) if j != i)) for i in range(P.ndim)]
    return outer([np.exp(l) / np.exp(l).sum() for l in log_q])


@claim("S4.2", of=total_correlation, tol=T0, oracle="entropies")
def total_correlation_is_lost_entropy(f, rng):
    """What the product of marginals loses is Σ H(x_i) − H(x)."""
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


@mutant(total_correlation, says="KL(Π P_i ‖ P): the arguments of KL are swapped")
def total_correlation_swapped(P):
    return kl(product_of_marginals(P), P)


@mutant(total_correlation, says="bits, where the slides' log is natural")
def total_correlation_in_bits(P):
    return kl(P, product_of_marginals(P)) / math.log(2)


@mutant(total_correlation, says="the sum over pairs counts a dependence that three variables share")
def pairwise_information(P):
    pairs = [P.sum(axis=k) for k in range(P.ndim)] if P.ndim == 3 else [P]
    return sum(kl(pair, product_of_marginals(pair)) for pair in pairs)


@claim("S4.2", of=cavi_step, tol=T0, oracle="enumeration")
def cavi_averages_log_p(f, rng):
    """The new factor is exp E log P under the other factors, normalised."""
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
    """Every coordinate step leaves −KL(Q ‖ P) as it was or raises it, and Q stays normalised."""
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


@mutant(cavi_step, says="q_i is not normalised")
def cavi_not_normalised(logP, q_list, i):
    q = cavi_step(logP, q_list, i)
    return q * np.exp(logP).max()


@mutant(cavi_step, says="the marginal of P: that minimises KL(P ‖ Q), mean field KL(Q ‖ P)")
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


@mutant(cavi_step, says="q_i's old value multiplies the new one")
def cavi_keeps_old_factor(logP, q_list, i):
    q = cavi_step(logP, q_list, i) * q_list[i]
    return q / q.sum()


def random_covariance(rng, D=3):
    A = rng.normal(size=(D, D))
    return A @ A.T + np.eye(D)


@claim("S4.2", of=gaussian_mean_field, tol=T0, oracle="Schur complement")
def mean_field_variance_is_conditional(f, rng):
    """Mean field keeps the mean, and each variance is that of x_i given all the others."""
    mu, Sigma = rng.normal(size=3), random_covariance(rng)
    conditional = []
    for i in range(3):
        rest = [j for j in range(3) if j != i]
        explained = Sigma[i, rest] @ np.linalg.solve(Sigma[np.ix_(rest, rest)], Sigma[rest, i])
        conditional.append(Sigma[i, i] - explained)
    return np.stack(f(mu, Sigma)), np.stack([mu, conditional])


@claim("S4.2", of=gaussian_mean_field, tol=T0, oracle="hand calculation")
def correlation_shrinks_mean_field(f, rng):
    """Two unit Gaussians with correlation ρ have variances 1 − ρ² and KL −½ log(1 − ρ²)."""
    rho = rng.uniform(0.5, 0.95)
    mean, var = f(np.array([0.3, -1.2]), np.array([[1, rho], [rho, 1]]))
    trace = var.sum() / (1 - rho**2)  # of Sigma⁻¹ diag(var)
    reverse_kl = 0.5 * (trace - 2 + math.log(1 - rho**2) - np.log(var).sum())
    lhs = np.array([*mean, *var, reverse_kl])
    return lhs, np.array([0.3, -1.2, 1 - rho**2, 1 - rho**2, -0.5 * math.log(1 - rho**2)])


@mutant(gaussian_mean_field, says="Var = Sigma_ii is the marginal variance, not 1 / Precision_ii")
def marginal_variance(mu, Sigma):
    return mu, np.diag(Sigma)


@mutant(gaussian_mean_field, says="Precision_ii is returned, and not its inverse")
def precision_for_variance(mu, Sigma):
    return mu, np.diag(np.linalg.inv(Sigma))


@mutant(gaussian_mean_field, says="inverts the diagonal of Sigma, not Sigma")
def inverse_of_diagonal(mu, Sigma):
    return mu, 1 / np.diag(Sigma)
