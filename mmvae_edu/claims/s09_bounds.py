"""Claims about slide 9: the VAE's bound and the IWAE's, by samples and exactly."""

import math

import mpmath
import numpy as np

from ..gradcheck import complex_step
from ..objectives import elbo, iwae
from ..oracles import iwae_enumerated, iwae_exact
from .differentiate import gradients
from .instances import (
    discrete_model,
    discrete_weights,
    expected_bound,
    occupied_states,
    random_symbols,
    violation,
)
from .registry import T0, T1, T2C, claim, mutant

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


@claim("S9.3", "S9.1", of=elbo, tol=T2C, oracle="O7 complex step")
def vae_bound_has_this_gradient(f, rng):
    """The VAE bound's derivative with respect to every log w_k is 1/K."""
    return complex_step(f, rng.standard_normal((4, 3)), rng=rng), 0.0


@mutant(elbo, says="the logarithm of the mean: that is S9.2, S9.1 is the mean of logarithms")
def log_of_the_mean(log_w):
    return iwae(log_w)


@mutant(elbo, says="the sum over samples: S9.1 is an expectation, which their mean estimates")
def sum_over_samples(log_w):
    return log_w.sum(axis=0), elbo(log_w * len(log_w))[1]


@mutant(elbo, says="the mean over the batch too: S9.1 is one number per example")
def mean_over_the_batch(log_w):
    bound, pullback = elbo(log_w)
    return np.full_like(bound, bound.mean()), pullback


@mutant(elbo, says="the gradient of the sum: S9.3 has 1/K")
def sum_in_the_gradient(log_w):
    bound, pullback = elbo(log_w)

    def sum_pullback(dbound):
        return len(log_w) * pullback(dbound)

    return bound, sum_pullback


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


@claim("S9.4", of=iwae, tol=T2C, oracle="O7 complex step")
def iwae_bound_has_this_gradient(f, rng):
    """The IWAE bound's derivative with respect to log w_k is the normalised weight w̃_k."""
    return gradients(f, iwae, 2 * rng.standard_normal((4, 3)), rng=rng)


@mutant(iwae, says="the mean of log w: that is the ELBO of S9.1 for every K", hint=1)
def mean_of_logs(log_w):
    return elbo(log_w)


@mutant(iwae, says="−log K is missing: without the 1/K of S9.2 the bound is log K too high", hint=3)
def missing_log_K(log_w):
    bound, pullback = iwae(log_w)
    return bound + np.log(len(log_w)), pullback


@mutant(
    iwae, says="the mean over examples inside the logarithm: S9.2 is one number per example", hint=3
)
def batch_inside_the_logarithm(log_w):
    bound, pullback = iwae(log_w)
    return np.full_like(bound, iwae(bound[:, None])[0][0]), pullback


@mutant(iwae, says="the weights are exp(−log w): S9.2 has w itself, not a loss", hint=3)
def weights_of_losses(log_w):
    bound, pullback = iwae(-log_w)
    return -bound, pullback


@mutant(iwae, says="exp before the maximum is subtracted: S9.2 overflows above 709.78", hint=3)
def no_shift(log_w):
    with np.errstate(all="ignore"):
        return np.log(np.exp(log_w).mean(axis=0)), iwae(log_w)[1]


@mutant(iwae, says="the same sample K times: L_K of S9.2 needs K independent draws", hint=1)
def one_draw_repeated(log_w):
    bound, _ = elbo(log_w[:1])

    def one_draw_pullback(dbound):
        return np.concatenate([np.ones_like(log_w[:1]), np.zeros_like(log_w[1:])]) * dbound

    return bound, one_draw_pullback


@mutant(iwae, says="every sample counts the same in the gradient: that is S9.3, S9.4 has w̃")
def uniform_in_the_gradient(log_w):
    return iwae(log_w)[0], elbo(log_w)[1]


@mutant(iwae, says="the weights in the gradient do not sum to 1: S9.5 divides by Σ w", hint=3)
def unnormalised_in_the_gradient(log_w):
    bound, _ = iwae(log_w)

    def unnormalised_pullback(dbound):
        return dbound * np.exp(log_w)

    return bound, unnormalised_pullback


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


@mutant(iwae_exact, says="log E w, which is log p(x) for every K: S9.2 is E log", hint=1)
def log_of_the_expectation(q, w, K):
    return math.log(q @ w)


@mutant(iwae_exact, says="−log K is missing from S9.2", hint=3)
def exact_without_log_K(q, w, K):
    return iwae_exact(q, w, K) + math.log(K)


@mutant(iwae_exact, says="one draw counted K times: L_K stays at L_1", hint=1)
def exact_with_one_draw(q, w, K):
    return iwae_exact(q, w, 1)
