"""Claims about slide 9: the VAE's bound and the IWAE's, by samples and exactly."""

import math

import mpmath
import numpy as np

from ..objectives import elbo, iwae
from ..oracles import iwae_enumerated, iwae_exact
from .instances import (
    discrete_model,
    discrete_weights,
    expected_bound,
    occupied_states,
    random_symbols,
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
    """Averaged over all outcomes of K draws it is L_K, which Frullani's integral gives exactly."""
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
    with mpmath.workdps(50):
        sums = [mpmath.fsum(mpmath.exp(a) for a in column) / 5 for column in log_w.T]
        return f(log_w)[0], np.array([float(mpmath.log(total)) for total in sums])


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
