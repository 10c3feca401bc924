"""Claims about slide 9: what the bounds and their gradients assume of q and of the weights."""

import numpy as np

from ..gaussian import kl_gauss
from ..kernels.reference import importance_weights
from ..objectives import iwae
from ..oracles import complex_step, expect_gaussian, iwae_exact, log_normal
from ..slides.s09_importance import dreg_grads
from .instances import (
    discrete_model,
    every_draw,
    expected_bound,
    noise_grid,
    random_symbols,
    violation,
)
from .registry import T0, T1, claim


@claim("S9.2", of=iwae, tol=T0, oracle="O1 enumeration")
def states_that_q_leaves_out_are_lost(f, rng):
    """Where q is 0 for a state with p(x, z) > 0, the mean weight is the sum of p(x, z) over the
    other states only: L_K stays below its logarithm, which is below log p(x)."""
    model = discrete_model(rng, 4)
    x, q = random_symbols(model, rng), rng.dirichlet(np.full(3, 4.0))
    log_joint = model.log_joint(x)[1:]  # q is 0 at state 0
    log_w, covered = log_joint - np.log(q), np.logaddexp.reduce(log_joint)
    bounds = [expected_bound(f, q, log_w, K) for K in (1, 2, 3, 4)]
    return violation([*bounds, covered], [*np.full(4, covered), model.log_evidence(x)])


@claim("S9.2", of=importance_weights, tol=T0, oracle="O1 enumeration")
def a_finite_variance_is_not_enough(f, rng):
    """Weights 0 and 2 p(x), equally likely, have the mean p(x) and the variance p(x)². But all K of
    them are 0 with the chance 2^−K, and the bound is then −∞: so is L_K, for every K."""
    log_p, chances = rng.normal(-900, 5), []
    for K in 1, 2, 5:
        (states,), chance = every_draw(np.full(2, 0.5), K=K)
        bounds, _ = f(np.array([-np.inf, log_p + np.log(2)])[states])
        chances.append(chance @ np.isneginf(bounds))
    return np.array(chances), np.array([1 / 2, 1 / 4, 1 / 32])


@claim("S9.1", "S5.6", of=kl_gauss, tol=T1, oracle="O2 quadrature")
def of_equally_wrong_variances_the_smaller_has_the_smaller_kl(f, rng):
    """For the posterior N(0, 1) the ELBO's gap is smaller with q = N(0, 1/c) than with N(0, c): at
    c = 2 it is 0.097 and 0.153. But N(0, 0.3) has a larger gap, 0.252, than N(0, 2)."""
    c = rng.uniform(1.2, 5.0)

    def gap(v):
        zero = np.zeros((1, 1))
        return f(zero, zero + np.log(v), zero, zero)[0].item()

    def exact(v):
        def difference(z):
            return log_normal(z, 0, np.log(v)) - log_normal(z, 0, 0)

        return expect_gaussian(difference, 0.0, np.log(v))

    rounded = [round(gap(v), 3) for v in (0.5, 2.0, 0.3)]
    lhs = [gap(1 / c), gap(c), gap(1 / c) < gap(c), *rounded]
    return np.array(lhs), np.array([exact(1 / c), exact(c), 1, 0.097, 0.153, 0.252])


@claim("S9.4", of=iwae, tol=T1, oracle="O4 Frullani")
def the_score_is_summed_over_all_samples(f, rng):
    """By q's own parameters, with the samples held, the gradient of L_K is E[L̂_K Σ_k ∇log q(z_k)]
    less E[Σ_k w̃_k ∇log q(z_k)]: each of the K samples has a score term, not one alone."""
    model = discrete_model(rng, 3)
    x, logits = random_symbols(model, rng), rng.normal(size=3)
    log_joint, lhs, rhs = model.log_joint(x), [], []
    q = np.exp(logits) / np.exp(logits).sum()
    score = np.eye(3) - q  # ∂log q(z) / ∂logits, a row for each state

    def exact(logits, K):
        q = np.exp(logits) / np.exp(logits).sum()
        return iwae_exact(q, np.exp(log_joint) / q, K)

    for K in 1, 2, 3:
        (states,), chance = every_draw(q, K=K)
        bound, pullback = f((log_joint - np.log(q))[states])
        scores = score[states]  # (K, outcomes, 3)
        direct = (pullback(np.ones_like(bound))[..., None] * -scores).sum(axis=0)
        lhs.append(chance @ (bound[:, None] * scores.sum(axis=0) + direct))
        rhs.append(complex_step(lambda logits, K=K: exact(logits, K), logits))
    return np.array(lhs), np.array(rhs)


@claim(of=dreg_grads, tol=T1, oracle="O2 quadrature")
def the_direct_term_takes_all_but_the_squares(f, rng):
    """Over the noise, the direct term −Σ w̃ ∂log q/∂μ averages to −Σ (w̃ − w̃²) ∂log w/∂z ∂z/∂μ: with
    the path term Σ w̃ ∂log w/∂z ∂z/∂μ the squares are left. At K = 1 it averages to 0."""
    mu, log_var = rng.normal(0, 0.5), rng.uniform(-0.9, -0.4)
    x, std = 2 * mu + rng.uniform(0.2, 0.8), np.exp(log_var / 2)
    lhs, rhs = [], []
    for K in 1, 2:
        eps, chance = noise_grid(K, nodes=101)
        z = mu + std * eps
        log_w = log_normal(z, 0.0, 0.0) + log_normal(x, z, 0.0) - log_normal(z, mu, log_var)
        slope = x - 2 * z + (z - mu) * np.exp(-log_var)
        w = np.exp(log_w) / np.exp(log_w).sum(axis=0)
        direct, path = -chance @ (w * eps / std).sum(axis=0), chance @ (w * slope).sum(axis=0)
        spread = np.full((chance.size, 1), log_var)
        squares = chance @ f(log_w, slope[..., None], spread, eps[..., None])[0][:, 0]
        lhs += [squares - path, squares]
        rhs += [direct, path + direct]
    return np.array(lhs), np.array(rhs)
