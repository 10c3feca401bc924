"""Importance-weighted bounds at any K without drawing a sample.

A positive random W with a finite mean satisfies (Frullani's integral, then Fubini)

    E log W = integral over t > 0 of (e^-t - E e^(-t W)) / t dt,

and for W = sum_k w_k with independent w_k, E e^(-t W) is a product of one-weight transforms: K is
an exponent and costs nothing. With t = e^u the integrand is smooth, and the trapezoidal rule with
step h errs by about 4 |Gamma(2 pi i / h)| at most, whatever W is, since the Fourier transform of
exp(-W e^u) is W^(-iv) Gamma(iv): 1.4e-17 at h = 1/4.

Everything is analytic in q and log w, so a complex step gives exact gradients.
"""

import itertools
import math
from collections import Counter

import numpy as np

from ..kernels.arrays import check_calls
from .quadrature import complex_step, gaussian_grid, log_normal

STEP, START = 0.25, -41.0  # of u; below START the integrand, at most e^u, adds less than 2e-18


def expected_log_mean(q, log_w, K):
    """Compute E log of the mean of G K weights, K drawn independently from each row of q.

        E log sum w = integral of (e^-t - prod_g L_g(t)^K) / t dt,  L_g(t) = sum_s q_gs e^(-t w_gs)

    q (G, S), rows summing to 1; log_w (S,) or (G, S); either may be complex. A scalar in nats,
    -inf if all weights can be 0 at once. Raises ValueError if K < 1, if a row is not a
    distribution or if a weight is negative, infinite or NaN.
    """
    q = np.asarray(q)
    G = len(q)
    if K < 1 or not np.allclose(q.sum(axis=1), 1, rtol=0, atol=1e-9):
        raise ValueError(f"expected K >= 1 and rows of q summing to 1, found {K}, {q.sum(axis=1)}")
    log_w = np.where(q != 0, log_w, 0.0)  # the weight of an impossible state does not matter
    if (q.real < 0).any() or not (log_w.real < np.inf).all():
        raise ValueError("expected q >= 0 and finite weights w >= 0")
    if np.isneginf(log_w.real).any(axis=1).all():
        return -math.inf
    top = log_w.real.max()
    mean = (q * np.exp(log_w - top)).sum(axis=1).real.max()
    scaled = log_w - top - math.log(mean * G * K)  # now the sum of all weights has mean <= 1
    total = 0.0
    for n in itertools.count():
        u = START + n * STEP
        product = math.prod(_transform(q[g], u + scaled[g], K) for g in range(G))
        total = total + math.exp(-math.exp(min(u, 7.0))) - product
        if u > 4 and abs(product) < 1e-18:
            return STEP * total + top + math.log(mean)


def _transform(q, log_tw, K):
    """Compute (sum_s q_s e^(-t w_s))^K to rounding error, for any K and a sum near 1 as well."""
    tw = np.exp(np.where(log_tw.real < 6.8, log_tw, 6.8))  # e^-(e^6.8) is 0 already
    lost = -(q * np.expm1(-tw)).sum()
    if lost.real < 0.5:
        return np.exp(K * _log1p(-lost))
    kept = (q * np.exp(-tw)).sum()
    return np.exp(K * np.log(kept)) if kept.real > 0 else 0.0


def _log1p(a):
    """Compute log(1 + a), accurate for small complex a as well, where np.log1p cancels."""
    if not np.iscomplexobj(a):
        return np.log1p(a)
    slope = a.imag / (1 + a.real)
    return np.log1p(a.real) + 0.5 * np.log1p(slope**2) + 1j * np.arctan(slope)


def iwae_exact(q, w, K):
    """Compute L_K = E log (1/K) sum_k w(z_k), z_k ~ q, for a discrete q; any K >= 1.      [S9.2]

    q (S,), w (S,) >= 0, which is p(x, z) / q(z) for a bound on log p(x). A scalar in nats.
    """
    return stratified_iwae_exact(np.asarray(q)[None], w, K)


def mixture_iwae_exact(q, w, K):
    """Compute (1/M) sum_m E log (1/K) sum_k w(z_k), z_k ~ q_m, the slides' bound.        [S11.4]

    q (M, S) experts, w (S,), which is p(x, z) / ((1/M) sum_m q_m(z)). A scalar in nats.
    """
    return sum(iwae_exact(q_m, w, K) for q_m in np.asarray(q)) / len(q)


def stratified_iwae_exact(q, w, K):
    """Compute E log of the mean of w over M K samples, K from each expert. q (M, S), w (S,); nats.

    Between the IWAE bound with M K samples of the mixture and log p(x).
    """
    w = np.asarray(w)
    zero = w == 0
    if (w.real < 0).any():
        raise ValueError("expected weights w >= 0")
    return expected_log_mean(q, np.where(zero, -np.inf, np.log(np.where(zero, 1.0, w))), K)


def iwae_enumerated(q, w, K):
    """Compute `iwae_exact` as a sum over all multisets of K states, for small K and S."""
    return stratified_iwae_enumerated([q], w, K)


def stratified_iwae_enumerated(q, w, K):
    """Compute `stratified_iwae_exact` as a sum over all outcomes, multinomial for each expert."""
    terms = []
    for draw in itertools.product(*(_outcomes(q_m, w, K) for q_m in q)):
        chance = math.prod(p for p, _ in draw)
        if chance > 0:
            total = math.fsum(value for _, value in draw)
            terms.append(chance * (math.log(total / (len(q) * K)) if total > 0 else -math.inf))
    return math.fsum(terms)


def _outcomes(q, w, K):
    """Yield (probability, sum of weights) of every multiset of K draws from q."""
    for states in itertools.combinations_with_replacement(range(len(q)), K):
        orders = math.factorial(K)
        for count in Counter(states).values():
            orders //= math.factorial(count)
        yield orders * math.prod(q[s] for s in states), math.fsum(w[s] for s in states)


def iwae_continuous(log_joint, mu, log_var, K, nodes=2001):
    """Compute L_K of q = N(mu, var), one dimension; log_joint(z) = log p(x, z), (nodes,).  [S9.2]

    mu, log_var numbers. A scalar in nats, to rounding error while the posterior spans several of
    the nodes, which lie var^(1/2) / 100 apart.
    """
    return mixture_iwae_continuous(log_joint, [mu], [log_var], K, nodes)


def mixture_iwae_continuous(log_joint, mu, log_var, K, nodes=2001):
    """Compute (1/M) sum_m E log (1/K) sum_k w(z_k), z_k ~ N(mu_m, var_m), w = p / q_mix. [S11.4]

    log_joint(z) = log p(x, z) of (nodes,); mu, log_var (M,). A scalar in nats.
    """
    q, log_w = _expert_grids(log_joint, mu, log_var, nodes)
    return sum(expected_log_mean(q[m : m + 1], log_w[m], K) for m in range(len(q))) / len(q)


def stratified_iwae_continuous(log_joint, mu, log_var, K, nodes=2001):
    """Compute `stratified_iwae_exact` for Gaussian experts, as `mixture_iwae_continuous`."""
    return expected_log_mean(*_expert_grids(log_joint, mu, log_var, nodes), K)


def _expert_grids(log_joint, mu, log_var, nodes):
    """Compute each expert's weights q (M, nodes) at its nodes, and the log-weights there."""
    grids = [gaussian_grid(*expert, nodes) for expert in zip(mu, log_var, strict=True)]
    z = np.array([nodes_m for nodes_m, _ in grids])
    log_q = np.array([log_normal(z, *expert) for expert in zip(mu, log_var, strict=True)])
    top = log_q.real.max(axis=0)
    log_mixture = top + np.log(np.exp(log_q - top).mean(axis=0))
    return np.array([weight for _, weight in grids]), np.array(
        [log_joint(z_m) for z_m in z]
    ) - log_mixture


def bound_gradient(bound, log_joint, mu, log_var, K):
    """Compute (d/dmu, d/dlog_var) of a continuous bound, of mu's shape, without sampling error.

    It is the full derivative: q moves the samples and stands in every weight. A derivative with
    respect to parameters of log_joint is `complex_step` over a function that builds log_joint.
    """
    grad = complex_step(
        lambda theta: bound(log_joint, theta[0], theta[1], K), np.stack([mu, log_var])
    )
    return grad[0], grad[1]


check_calls(globals())
