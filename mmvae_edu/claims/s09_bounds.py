"""Claims about slide 9's bounds: by samples, exactly, written by hand, and what they assume."""

import math

import numpy as np

from ..gaussian import kl_gauss
from ..kernels.reference import importance_weights
from ..models.one_function.iwae import iwae_bound, log_weights
from ..objectives import elbo, iwae
from ..oracles import (
    complex_step,
    expect_gaussian,
    iwae_enumerated,
    iwae_exact,
    log_normal,
)
from ..oracles.fifty_digits import exp, log, number
from ..slides.s09_importance import dreg_grads
from .by_hand_instances import affine, network
from .gaussian_instances import encoders_of, exact_bound
from .instances import (
    discrete_model,
    discrete_weights,
    every_draw,
    expected_bound,
    log_normal_sum,
    noise_grid,
    occupied_states,
    random_symbols,
    repeated,
    violation,
)
from .registry import T0, T1, claim

# S9.1: the VAE bound E_q log w


@claim("S9.1", of=elbo, tol=T0, oracle="O1 enumeration")
def vae_bound_is_the_expected_log_weight(f, rng):
    """Over samples distributed exactly as q, the mean of log w is each example's ELBO."""
    model = discrete_model(rng)
    states, q = occupied_states(rng, 5, 13)
    symbols = [random_symbols(model, rng) for _ in range(3)]
    log_w = np.array([(model.log_joint(x) - np.log(q))[states] for x in symbols]).T
    return f(log_w)[0], np.array([model.elbo(q, x) for x in symbols])


@claim("S9.1", of=elbo, tol=T0, oracle="O1 enumeration")
def more_samples_do_not_move_the_vae_bound(f, rng):
    """In expectation the mean over K samples is the same ELBO for every K."""
    q, log_w, _ = discrete_weights(rng, 3)
    return np.array([expected_bound(f, q, log_w, K) for K in (1, 2, 4)]), np.full(3, q @ log_w)


# S9.2: the IWAE bound E log (1/K) Σ w_k


@claim("S9.2", of=iwae, tol=T1, oracle="O4 Frullani")
def iwae_bound_in_expectation(f, rng):
    """Averaged over all outcomes of K draws the bound is L_K, which Frullani's integral gives
    exactly.
    """
    q, log_w, _ = discrete_weights(rng, 4)
    rhs = [iwae_exact(q, np.exp(log_w), K) for K in (1, 2, 3, 5)]
    return np.array([expected_bound(f, q, log_w, K) for K in (1, 2, 3, 5)]), np.array(rhs)


@claim("S9.2", of=iwae, tol=T0, oracle="O1 enumeration")
def more_samples_tighten_the_iwae_bound(f, rng):
    """ELBO = L_1 ≤ L_2 ≤ … ≤ L_5 ≤ log p(x), by sums over all outcomes."""
    q, log_w, log_evidence = discrete_weights(rng, 3)
    bounds = [expected_bound(f, q, log_w, K) for K in (1, 2, 3, 4, 5)]
    return violation([q @ log_w, *bounds], [*bounds, log_evidence])


@claim("S9.2", of=iwae, tol=T0, oracle="O1 enumeration")
def iwae_with_one_sample_is_the_elbo(f, rng):
    """L_1 is the ELBO; L_2 averages over pairs, and is above it unless all weights are equal."""
    q, log_w, _ = discrete_weights(rng, 4)
    pairs = q[:, None] * q * np.logaddexp(log_w[:, None], log_w)
    bounds = [expected_bound(f, q, log_w, 1), expected_bound(f, q, log_w, 2)]
    return np.array(bounds), np.array([q @ log_w, math.fsum(pairs.ravel()) - math.log(2)])


@claim("S9.2", of=iwae, tol=T1, oracle="O5 mpmath, 50 digits")
def iwae_survives_the_scale_of_slide_8(f, rng):
    """Log-weights near −6237, whose exponentials are all 0 in float64, lose no digit."""
    log_w = np.array([-91.1, -6237.1, 700.0]) + rng.normal(0, 3, size=(5, 3))
    return f(log_w)[0], log(exp(number(log_w)).sum(axis=0) / 5).astype(float)


@claim("S9.2", of=iwae_exact, tol=T0, oracle="O1 enumeration")
def frullani_needs_no_samples(f, rng):
    """∫ (e^−t − L(t)^K) / t dt, with L(t) = E_q e^(−tw), is E log Σ_k w_k over all multisets."""
    q, log_w, _ = discrete_weights(rng, 4)
    w = np.exp(log_w)
    rhs = [iwae_enumerated(q, w, K) for K in (1, 2, 3, 6)]
    return np.array([f(q, w, K) for K in (1, 2, 3, 6)]), np.array(rhs)


@claim("S9.2", of=iwae_exact, tol=T1, oracle="Taylor expansion of E log")
def the_gap_closes_as_half_the_variance_over_K(f, rng):
    """K (log p(x) − L_K) tends to half the variance of w / p(x)."""
    q, log_w, log_evidence = discrete_weights(rng, 4)
    K, delta = 10**5, np.exp(log_w - log_evidence) - 1
    m2, m3 = q @ delta**2, q @ delta**3
    gap = m2 / (2 * K) - m3 / (3 * K**2) + 3 * m2**2 / (4 * K**2)
    return log_evidence - f(q, np.exp(log_w), K), np.float64(gap)


def _affine(rng, D, P=4, **options):
    """Draw the networks of one modality, its oracle and its x."""
    w, twin, x = affine(rng, {"x": P}, D, **options)
    return w["x"], twin, x["x"]


# ---- S9.5: log w ------------------------------------------------------------------------------


@claim("S9.5", of=log_weights, tol=T0, oracle="O3 linear-Gaussian")
def by_hand_a_weight_is_joint_over_posterior(f, rng):
    """log w_k = log p(x, z_k) − log q(z_k|x) at z_k = μ + σ ε_k."""
    w, twin, x = _affine(rng, 2)
    mu, log_var = np.split(network(w["encoder"], x), 2, axis=-1)
    eps = rng.standard_normal((5, 3, 2))
    z = mu + np.exp(log_var / 2) * eps
    return f(w, x=x, eps=eps)[0], twin.log_joint(z, {"x": x}) - log_normal_sum(z, mu, log_var)


# ---- S9.2, S9.4: the bound --------------------------------------------------------------------


@claim("S9.2", "S9.4", of=iwae_bound, tol=T1, oracle="O4 Frullani")
def by_hand_the_bound_is_exact_on_average(f, rng):
    """Value and encoder gradient, integrated over the noise of K = 2, are the exact L_2's."""
    w, twin, x = _affine(rng, 1, P=2, exact="posterior", scale=0.2, N=1)
    w["encoder"]["W0"] += rng.uniform(-0.04, 0.04, w["encoder"]["W0"].shape)
    w["encoder"]["b0"] += rng.uniform(-0.2, 0.2, 2)
    mu, log_var = np.split(network(w["encoder"], x)[0], 2)
    eps, chance = noise_grid(2, nodes=41)
    bound, pullback = f(w, **repeated({"x": x}, len(chance)), eps=eps[..., None])
    found = np.append(encoders_of({"x": pullback(chance)}), chance @ bound)
    return found, exact_bound(twin, {"x": x}, mu, log_var)


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
