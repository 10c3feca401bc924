"""Claims about slide 11: the mixture of experts, its bounds, and MMVAE as a model."""

import itertools
import math

import numpy as np

from ..gradcheck import complex_step
from ..models import MMVAE
from ..objectives import iwae, mixture_elbo, mixture_iwae
from ..oracles import iwae_exact, mixture_iwae_exact, stratified_iwae_exact
from ..oracles.fifty_digits import LOG_2PI, exp, log, number
from ..posteriors import log_mixture_weights, mixture_log_prob
from ..slides.s11_mixture import looseness_gap, responsibility
from .gaussian_instances import affine_model, expert_parameters
from .instances import discrete_mixture, expected_bound, log_mean, log_normal_sum
from .registry import T0, T1, T2C, claim
from .s05_evidence import fsum_kl

# S11.1: L_ELBO(x_1:M) = E_{q_Φ} log p(z, x_1:M) / q_Φ(z|x_1:M)


@claim("S11.1", of=mixture_elbo, tol=T0, oracle="O1 enumeration")
def mixture_elbo_is_the_elbo_of_the_mixture(f, rng):
    """With w = p / q_Φ at every expert's samples, the mean of log w is the ELBO of q_Φ."""
    model, x, q, log_w, states = discrete_mixture(rng, 5, 3, K=12)
    return f(log_w[states][..., None])[0], np.array([model.elbo(q.mean(axis=0), x)])


@claim("S11.1", of=mixture_elbo, tol=T0, oracle="a mean over the present experts")
def absent_experts_have_no_stratum(f, rng):
    """Under a mask the mean is over the present experts; an absent one's weights may be NaN."""
    log_w = rng.normal(-90, 5, size=(3, 4, 7))
    present = np.array(list(itertools.product([True, False], repeat=3))[:-1]).T
    log_w[~present[:, None].repeat(4, axis=1)] = np.nan
    rhs = [log_w[kept, :, n].mean() for n, kept in enumerate(present.T)]
    return f(log_w, present=present)[0], np.array(rhs)


# S11.2: L_IWAE(x_1:M), K samples of q_Φ itself


@claim("S11.2", of=iwae, tol=T1, oracle="O4 Frullani")
def iwae_of_the_mixture_in_expectation(f, rng):
    """Averaged over all outcomes of K draws from the mixture q_Φ the bound is L_IWAE, exactly."""
    _, _, q, log_w, _ = discrete_mixture(rng, 3, 2)
    mixture = q.mean(axis=0)
    rhs = [iwae_exact(mixture, np.exp(log_w), K) for K in (1, 2, 4)]
    return np.array([expected_bound(f, mixture, log_w, K) for K in (1, 2, 4)]), np.array(rhs)


# S11.3: q_Φ(z|x_1:M) = Σ α_m q_m(z|x_m)


def _experts(rng, K=4, M=3, N=5, D=2):
    """Draw z (K, N, D), mu, log_var (M, N, D), and a mask that leaves every row an expert."""
    mask = np.array([[1, 1, 0, 0, 1], [1, 0, 1, 0, 1], [1, 1, 0, 1, 0]], bool)
    mu, log_var = rng.normal(0, 1.5, (M, N, D)), rng.uniform(-2, 1.5, (M, N, D))
    return rng.normal(0, 2, (K, N, D)), mu, log_var, mask


def _log_alpha(mask):
    with np.errstate(divide="ignore"):
        return np.log(mask / mask.sum(axis=0))


@claim("S11.3", of=mixture_log_prob, tol=T1, oracle="O5 mpmath, 50 digits")
def the_mixture_averages_densities(f, rng):
    """log q_Φ is the logarithm of the mean of the present experts' densities."""
    z, mu, log_var, mask = _experts(rng)
    log_q, _ = f(z, mu, log_var, log_alpha=_log_alpha(mask))
    squared = (number(z) - number(mu)[:, None]) ** 2 / exp(number(log_var))[:, None]
    log_densities = -(LOG_2PI + number(log_var)[:, None] + squared).sum(axis=-1) / 2
    densities = exp(log_densities) * mask[:, None]
    return log_q, log(densities.sum(axis=0) / mask.sum(axis=0)).astype(float)


@claim("S11.3", of=mixture_log_prob, tol=T1, oracle="O2 quadrature")
def the_mixture_is_a_density(f, rng):
    """The mixture of experts integrates to 1 over one latent dimension."""
    z, step = np.linspace(-40, 40, 4001, retstep=True)
    mu, log_var = rng.normal(0, 2, (3, 1, 1)), rng.uniform(-1, 2, (3, 1, 1))
    log_q, _ = f(z[:, None, None], mu, log_var, log_alpha=np.full((3, 1), -np.log(3)))
    return np.exp(log_q).sum(axis=0) * step, np.ones(1)


@claim("S11.3", of=log_mixture_weights, tol=T0, oracle="counting")
def present_experts_share_the_mass(f, rng):
    """α_m is 1 over the number of present experts, and 0 for an absent one."""
    mask = _experts(rng)[-1]
    return np.exp(f(mask)), mask / mask.sum(axis=0)


# S11.4: L_IWAE^MoE = (1/M) Σ_m E log (1/K) Σ_k p(z_m^k, x_1:M) / q_Φ(z_m^k|x_1:M)


@claim("S11.4", of=mixture_iwae, tol=T1, oracle="O4 Frullani")
def mixture_iwae_in_expectation(f, rng):
    """Averaged over all outcomes of K draws from each of M experts the bound is L^MoE_K,
    exactly.
    """
    _, _, q, log_w, _ = discrete_mixture(rng, 3, 2)
    rhs = [mixture_iwae_exact(q, np.exp(log_w), K) for K in (1, 2, 3)]
    return np.array([expected_bound(f, q, log_w, K) for K in (1, 2, 3)]), np.array(rhs)


@claim("S11.4", of=mixture_iwae, tol=T0, oracle="plain sums")
def every_expert_has_its_own_logarithm(f, rng):
    """The bound is the mean over present experts of log (1/K) Σ_k w, at any scale of log w."""
    log_w = np.array([-6237.0, 0.0, 30.0, -90.0]) + rng.normal(0, 3, size=(3, 2, 4))
    present = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1]], bool)
    strata = log_mean(log_w, axis=1)
    rhs = [strata[kept, n].sum() / kept.sum() for n, kept in enumerate(present.T)]
    return f(log_w, present=present)[0], np.array(rhs)


@claim("S11.4", of=mixture_iwae, tol=T0, oracle="O1 enumeration")
def experts_may_divide_the_posterior(f, rng):
    """Experts that divide the posterior among them, each a part of mass 1/M, make S11.4 log p(x) in
    every draw and for every K, though each is KL(q_m ‖ p(z|x)) = log M from the posterior."""
    posterior, log_p = (rng.dirichlet(np.ones(2), size=3) / 3).ravel(), rng.normal(-90, 5)
    q = np.array([np.where(np.arange(6) // 2 == m, 3 * posterior, 0) for m in range(3)])
    log_w = log_p + np.log(posterior / q.mean(axis=0))
    bounds = []
    for K in 1, 4:
        states = np.stack([rng.choice(6, size=(K, 20), p=q_m) for q_m in q])
        bounds.append(f(log_w[states])[0])
    lhs = [*np.ravel(bounds), *(fsum_kl(q_m, posterior) for q_m in q)]
    return np.array(lhs), np.array([log_p] * 40 + [math.log(3)] * 3)


@claim("S11.4", of=mixture_iwae_exact, tol=T0, oracle="a fixture")
def the_slides_bound_stays_loose(f, rng):
    """Two experts, K = 10⁴: L^MoE is −5.03988 where log p(x) is −4.60517, 0.4347 nats above."""
    q, w, log_evidence = _loose_fixture()
    bounds = f(q, w, 10**4), iwae_exact(q.mean(axis=0), w, 10**4)
    lhs = [*np.round([bounds[0], log_evidence], 5), np.round(bounds[1], 6)]
    lhs.append(np.round(stratified_iwae_exact(q, w, 10**4), 6))
    return np.array(lhs), np.array([-5.03988, -4.60517, -4.605210, -4.605176])


def _loose_fixture():
    """Return experts (2, 4), the mixture's weights (4,) and log p(x) = log 0.01."""
    posterior = np.array([0.70, 0.20, 0.07, 0.03])
    q = np.array([[0.65, 0.25, 0.07, 0.03], [0.02, 0.03, 0.15, 0.80]])
    return q, 0.01 * posterior / q.mean(axis=0), math.log(0.01)


@claim("S11.4", of=responsibility, tol=T0, oracle="O1 enumeration")
def an_experts_mean_weight_is_its_share(f, rng):
    """E_{q_m} w = M p(x) a_m: what expert m finds of p(x) is its share a_m of the posterior."""
    model, x, q, log_w, _ = discrete_mixture(rng, 5, 3)
    found = [math.fsum(q_m * np.exp(log_w)) for q_m in q]
    return f(model.posterior(x), q), np.array(found) / (3 * math.exp(model.log_evidence(x)))


@claim("S11.4", of=responsibility, tol=T0, oracle="hand calculation")
def what_no_expert_covers_must_be_impossible(f, rng):
    """A state that no expert covers adds nothing if p(z|x) is 0 there, else it is a ValueError."""
    q, r, p = rng.uniform(0.2, 0.8, size=3)
    experts = np.array([[q, 1 - q, 0.0], [r, 1 - r, 0.0]])
    share = p * q / (q + r) + (1 - p) * (1 - q) / (2 - q - r)
    refused = _raises(f, np.array([p, 0.9 - p, 0.1]), experts)
    found = f(np.array([p, 1 - p, 0.0]), experts)
    return np.append(found, refused), np.array([share, 1 - share, 1])


def _raises(f, *args):
    try:
        f(*args)
    except Exception:  # an exercise's check compares its class with the library's
        return True
    return False


@claim("S11.4", of=looseness_gap, tol=T1, oracle="O4 Frullani")
def no_number_of_samples_closes_the_gap(f, rng):
    """As K grows, log p(x) − L^MoE_K tends to KL(uniform ‖ a), not to 0."""
    model, x, q, log_w, _ = discrete_mixture(rng, 4, 3)
    a = np.array([math.fsum(model.posterior(x) * q_m / q.sum(axis=0)) for q_m in q])
    return f(a), np.float64(model.log_evidence(x) - mixture_iwae_exact(q, np.exp(log_w), 10**12))


@claim("S11.4", of=looseness_gap, tol=T0, oracle="a fixture")
def the_gap_of_the_fixture(f, rng):
    """With a = (.88103, .11897) the slides' bound stays 0.434637 nats below log p(x)."""
    q, w, _ = _loose_fixture()
    a = (q * w).sum(axis=1) / (2 * 0.01)
    return np.append(np.round(a, 5), np.round(f(a), 6)), np.array([0.88103, 0.11897, 0.434637])


@claim("S11.4", of=looseness_gap, tol=T0, oracle="plain loops")
def every_observation_has_its_own_gap(f, rng):
    """Of the shares of several observations, a column each, the gaps are one per column."""
    a = rng.dirichlet(np.full(3, 2.0), size=4).T
    gaps = [-math.log(3) - math.fsum(map(math.log, column)) / 3 for column in a.T]
    return f(a), np.array(gaps)


# S11.4 as a model: encoders, samples, decoders and the mixture's density together


@claim("S11.4", "S6.2", of=MMVAE.bound, tol=T0, oracle="O3 linear-Gaussian")
def mmvae_scores_every_modality_at_every_experts_sample(f, rng):
    """Each expert's samples are weighed by p(z, x_1:M) / q_Φ(z|x_1:M) of the modalities present."""
    lam, beta = {"a": 0.7, "b": 1.0, "c": 1.8}, 1.3
    model, theta, twin, x = affine_model(MMVAE, rng, {"a": 2, "b": 3, "c": 4}, 2, weights=lam)
    mask = np.array([[1, 1, 0, 1], [1, 0, 1, 0], [1, 1, 0, 0]], bool)
    mask[0, 2] = True
    eps = rng.standard_normal((3, 5, 4, 2))
    bound, _ = f(model, theta, x, mask=mask, eps=eps, beta=beta)
    mu, log_var = expert_parameters(model, theta, x)
    rhs = np.empty(4)
    for n, kept in enumerate(mask.T):
        strata = []
        for m in np.flatnonzero(kept):
            z = mu[m, n] + np.exp(log_var[m, n] / 2) * eps[m, :, n]
            experts = [log_normal_sum(z, mu[j, n], log_var[j, n]) for j in np.flatnonzero(kept)]
            ratio = log_normal_sum(z, 0, np.zeros(2)) - log_mean(np.array(experts))
            names = itertools.compress(x, kept)
            score = sum(lam[j] * twin.log_lik(z, x[j][n], j) for j in names)
            strata.append(log_mean(score + beta * ratio))
        rhs[n] = math.fsum(strata) / len(strata)
    return bound, rhs


@claim("S11.4", of=MMVAE.bound, tol=T2C, oracle="O7 complex step")
def mmvae_has_this_gradient(f, rng):
    """Expert m's gradient comes through its samples and through q_m in every log q_Φ(z_j)."""
    model, _, _, x = affine_model(MMVAE, rng, {"a": 2, "b": 3}, 2)
    model = MMVAE(model.modalities, latent=2, hidden=(4,), activation="tanh")
    theta = 0.5 * rng.standard_normal(model.tree.size)
    eps = rng.standard_normal((2, 3, 4, 2))

    def bound(theta):
        return f(model, theta, x, eps=eps, beta=1.4)

    return complex_step(bound, theta, rng=rng), 0.0
