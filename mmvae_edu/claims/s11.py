"""Slide 11: the bounds on several modalities, the mixture of experts, and MMVAE's bound."""

import itertools
import math

import mpmath
import numpy as np

from ..bounds import looseness_gap, responsibility
from ..exact import iwae_exact, mixture_iwae_exact, stratified_iwae_exact
from ..gaussian import gaussian_log_prob, gaussian_sample, standard_normal_log_prob
from ..gradcheck import complex_step
from ..models import MMVAE
from ..objectives import iwae, mixture_elbo, mixture_iwae, stratified_iwae
from ..posteriors import log_mixture_weights, mixture_log_prob
from .instances import (
    affine_model,
    discrete_mixture,
    every_draw,
    expert_parameters,
    log_mean,
    log_normal_sum,
)
from .registry import T0, T1, T2C, claim, mutant

# S11.1: L_ELBO(x_1:M) = E_{q_Φ} log p(z, x_1:M) / q_Φ(z|x_1:M)


@claim("S11.1", of=mixture_elbo, tol=T0, oracle="O1 enumeration")
def mixture_elbo_is_the_elbo_of_the_mixture(f, rng):
    """With every expert's samples weighed by p / q_Φ, it is the ELBO of the mixture q_Φ."""
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


@claim("S11.1", of=mixture_elbo, tol=T2C, oracle="O7 complex step")
def mixture_elbo_has_this_gradient(f, rng):
    """Each of the M K samples gets 1 / MK, those of absent experts 0."""
    present = np.array([[1, 1, 0, 1], [1, 0, 1, 1], [1, 1, 1, 0]], bool)
    log_w = rng.standard_normal((3, 2, 4))
    return complex_step(f, log_w, rng=rng, present=present), 0.0


@mutant(mixture_elbo, says="the sum over experts: S11.4 and S12.1 have 1/M")
def elbo_without_1_over_M(log_w, *, present=None):
    return mixture_elbo(log_w * len(log_w), present=present)


@mutant(mixture_elbo, says="the first expert's samples only: S12.1 averages over all M")
def first_expert_only(log_w, *, present=None):
    return mixture_elbo(log_w[:1], present=None if present is None else present[:1])


@mutant(mixture_elbo, says="the logarithm of the mean: S11.1 is the mean of log w")
def logarithm_outside(log_w, *, present=None):
    return stratified_iwae(log_w, present=present)


@mutant(mixture_elbo, says="1/M counts the absent experts too")
def absent_experts_counted(log_w, *, present=None):
    if present is None:
        return mixture_elbo(log_w)
    return mixture_elbo(log_w * present.sum(axis=0) / len(log_w), present=present)


@mutant(mixture_elbo, says="the gradient misses 1/M of S12.1")
def gradient_without_1_over_M(log_w, *, present=None):
    return mixture_elbo(log_w, present=present)[0], elbo_without_1_over_M(log_w)[1]


# S11.2: L_IWAE(x_1:M), K samples of q_Φ itself


@claim("S11.2", of=iwae, tol=T1, oracle="O4 Frullani")
def iwae_of_the_mixture_in_expectation(f, rng):
    """K independent samples of the mixture q_Φ give L_IWAE of all modalities, exactly."""
    _, _, q, log_w, _ = discrete_mixture(rng, 3, 2)
    lhs, rhs = [], []
    for K in 1, 2, 4:
        (states,), chance = every_draw(q.mean(axis=0), K=K)
        lhs.append(chance @ f(log_w[states])[0])
        rhs.append(iwae_exact(q.mean(axis=0), np.exp(log_w), K))
    return np.array(lhs), np.array(rhs)


# S11.3: q_Φ(z|x_1:M) = Σ α_m q_m(z|x_m)


def _experts(rng, K=4, M=3, N=5, D=2):
    """z (K, N, D), mu, log_var (M, N, D), and a mask that leaves every row an expert."""
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
    rhs = np.empty(log_q.shape)
    with mpmath.workdps(50):
        for k, n in np.ndindex(*rhs.shape):
            densities = [
                mpmath.fprod(
                    mpmath.npdf(float(z[k, n, d]), float(mu[m, n, d]), mpmath.exp(lv / 2))
                    for d, lv in enumerate(log_var[m, n])
                )
                for m in np.flatnonzero(mask[:, n])
            ]
            rhs[k, n] = mpmath.log(mpmath.fsum(densities) / len(densities))
    return log_q, rhs


@claim("S11.3", of=mixture_log_prob, tol=T1, oracle="O2 quadrature")
def the_mixture_is_a_density(f, rng):
    """The mixture of experts integrates to 1 over one latent dimension."""
    z, step = np.linspace(-40, 40, 4001, retstep=True)
    mu, log_var = rng.normal(0, 2, (3, 1, 1)), rng.uniform(-1, 2, (3, 1, 1))
    log_q, _ = f(z[:, None, None], mu, log_var, log_alpha=np.full((3, 1), -np.log(3)))
    return np.exp(log_q).sum(axis=0) * step, np.ones(1)


@claim("S11.3", of=mixture_log_prob, tol=T2C, oracle="O7 complex step")
def the_mixture_has_this_gradient(f, rng):
    """Expert m's density gets its responsibility r_m; absent experts get 0."""
    z, mu, log_var, mask = _experts(rng)
    return complex_step(f, z, mu, log_var, rng=rng, log_alpha=_log_alpha(mask)), 0.0


@mutant(mixture_log_prob, says="log densities averaged: a geometric mean is a product of experts")
def log_densities_averaged(z, mu, log_var, *, log_alpha):
    kept = log_alpha > -np.inf
    log_q = np.where(kept[:, None], log_normal_sum(z, mu[:, None], log_var[:, None]), 0)
    return log_q.sum(axis=0) / kept.sum(axis=0), mixture_log_prob(
        z, mu, log_var, log_alpha=log_alpha
    )[1]


@mutant(mixture_log_prob, says="the parameters averaged: one Gaussian is no mixture (S11.3)")
def parameters_averaged(z, mu, log_var, *, log_alpha):
    alpha = np.exp(log_alpha)[..., None]
    mean, variance = (alpha * mu).sum(axis=0), (alpha * np.exp(log_var)).sum(axis=0)
    _, pullback = mixture_log_prob(z, mu, log_var, log_alpha=log_alpha)
    return log_normal_sum(z, mean, np.log(variance)), pullback


@mutant(mixture_log_prob, says="α_m is missing: S11.3 weighs each expert, here 1/M")
def without_alpha(z, mu, log_var, *, log_alpha):
    return mixture_log_prob(z, mu, log_var, log_alpha=np.where(log_alpha > -np.inf, 0, log_alpha))


@mutant(mixture_log_prob, says="an absent expert still stands in the sum of S11.3")
def absent_expert_mixed_in(z, mu, log_var, *, log_alpha):
    return mixture_log_prob(z, mu, log_var, log_alpha=np.maximum(log_alpha, -np.log(len(mu))))


@mutant(mixture_log_prob, says="every expert's density gets α_m: its gradient needs r_m")
def alpha_for_responsibility(z, mu, log_var, *, log_alpha):
    log_q, _ = mixture_log_prob(z, mu, log_var, log_alpha=log_alpha)
    densities, density_pullback = gaussian_log_prob(z, mu[:, None], log_var[:, None])
    alpha = np.exp(log_alpha)[:, None]

    def alpha_pullback(dlog_q):
        dz, dmu, dlog_var = density_pullback(alpha * dlog_q)
        return dz, dmu[:, 0], dlog_var[:, 0]

    return log_q + 0 * densities[0], alpha_pullback


@claim("S11.3", of=log_mixture_weights, tol=T0, oracle="counting")
def present_experts_share_the_mass(f, rng):
    """α_m is 1 over the number of present experts, and 0 for an absent one."""
    mask = _experts(rng)[-1]
    return np.exp(f(mask)), mask / mask.sum(axis=0)


@mutant(log_mixture_weights, says="1/M counts absent experts: the α_m of S11.3 sum to 1")
def absent_counted_in_alpha(mask, dtype=np.float64):
    return np.where(mask, -np.log(len(mask)), -np.inf).astype(dtype)


@mutant(log_mixture_weights, says="log α = 0 for an absent expert: a weight of 1 where S11.3 has 0")
def absent_given_log_weight_0(mask, dtype=np.float64):
    return np.where(mask, log_mixture_weights(mask, dtype), 0)


# S11.4: L_IWAE^MoE = (1/M) Σ_m E log (1/K) Σ_k p(z_m^k, x_1:M) / q_Φ(z_m^k|x_1:M)


@claim("S11.4", of=mixture_iwae, tol=T1, oracle="O4 Frullani")
def mixture_iwae_in_expectation(f, rng):
    """Averaged over all outcomes of K draws from each of M experts it is L^MoE_K, exactly."""
    return _expected_strata(f, mixture_iwae_exact, rng)


@claim("S11.4", of=mixture_iwae, tol=T0, oracle="plain sums")
def every_expert_has_its_own_logarithm(f, rng):
    """The mean over present experts of log (1/K) Σ_k w, at any scale of log w."""
    log_w = np.array([-6237.0, 0.0, 30.0, -90.0]) + rng.normal(0, 3, size=(3, 2, 4))
    present = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1]], bool)
    strata = log_mean(log_w, axis=1)
    rhs = [strata[kept, n].sum() / kept.sum() for n, kept in enumerate(present.T)]
    return f(log_w, present=present)[0], np.array(rhs)


@claim("S11.4", of=mixture_iwae, tol=T2C, oracle="O7 complex step")
def mixture_iwae_has_this_gradient(f, rng):
    """A sample gets w̃ / M, normalised among its own expert's K samples."""
    present = np.array([[1, 1, 0, 1], [1, 0, 1, 1], [1, 1, 1, 0]], bool)
    log_w = 2 * rng.standard_normal((3, 2, 4))
    return complex_step(f, log_w, rng=rng, present=present), 0.0


def _expected_strata(f, exact_bound, rng):
    """E f over all draws, and `exact_bound`, for two experts and several K."""
    _, _, q, log_w, _ = discrete_mixture(rng, 3, 2)
    lhs, rhs = [], []
    for K in 1, 2, 3:
        states, chance = every_draw(*q, K=K)
        lhs.append(chance @ f(log_w[states])[0])
        rhs.append(exact_bound(q, np.exp(log_w), K))
    return np.array(lhs), np.array(rhs)


@mutant(mixture_iwae, says="Σ_m without the 1/M of S11.4")
def without_1_over_M(log_w, *, present=None):
    bound, pullback = mixture_iwae(log_w, present=present)
    count = len(log_w) if present is None else present.sum(axis=0)

    def summed_pullback(dbound):
        return pullback(dbound * count)

    return bound * count, summed_pullback


@mutant(mixture_iwae, says="the mean over m inside the log: the stratified bound, not S11.4")
def log_outside_the_experts(log_w, *, present=None):
    return stratified_iwae(log_w, present=present)


@mutant(mixture_iwae, says="the mean of log w: that is the ELBO of S11.1 for every K")
def mean_of_mixture_logs(log_w, *, present=None):
    return mixture_elbo(log_w, present=present)


@mutant(mixture_iwae, says="−log K is missing from S11.4")
def mixture_without_log_K(log_w, *, present=None):
    bound, pullback = mixture_iwae(log_w, present=present)
    return bound + math.log(log_w.shape[1]), pullback


@mutant(mixture_iwae, says="the weights are exp(−log w): S11.4 has w itself, not a loss")
def mixture_of_losses(log_w, *, present=None):
    bound, pullback = mixture_iwae(-log_w, present=present)
    return -bound, pullback


@mutant(mixture_iwae, says="uniform weights in the gradient: S9.4 weighs by w̃")
def uniform_mixture_gradient(log_w, *, present=None):
    return mixture_iwae(log_w, present=present)[0], mixture_elbo(log_w, present=present)[1]


@mutant(mixture_iwae, says="1/M² for the 1/M of S11.4 in the gradient")
def one_over_M_squared(log_w, *, present=None):
    bound, pullback = mixture_iwae(log_w, present=present)

    def twice_averaged_pullback(dbound):
        return pullback(dbound / len(log_w))

    return bound, twice_averaged_pullback


@claim("S11.4", of=mixture_iwae_exact, tol=T0, oracle="a fixture")
def the_slides_bound_stays_loose(f, rng):
    """Two experts, K = 10⁴: L^MoE is −5.03988 where log p(x) is −4.60517, 0.4346 nats above."""
    q, w, log_evidence = _loose_fixture()
    bounds = f(q, w, 10**4), iwae_exact(q.mean(axis=0), w, 10**4)
    lhs = [*np.round([bounds[0], log_evidence], 5), np.round(bounds[1], 6)]
    lhs.append(np.round(stratified_iwae_exact(q, w, 10**4), 6))
    return np.array(lhs), np.array([-5.03988, -4.60517, -4.605210, -4.605176])


def _loose_fixture():
    """Experts (2, 4), the mixture's weights (4,) and log p(x) = log 0.01."""
    posterior = np.array([0.70, 0.20, 0.07, 0.03])
    q = np.array([[0.65, 0.25, 0.07, 0.03], [0.02, 0.03, 0.15, 0.80]])
    return q, 0.01 * posterior / q.mean(axis=0), math.log(0.01)


@mutant(mixture_iwae_exact, says="the mean over m inside the log: the stratified bound, not S11.4")
def stratified_for_mixture(q, w, K):
    return stratified_iwae_exact(q, w, K)


@mutant(mixture_iwae_exact, says="K samples of the mixture: that is S11.2, S11.4 fixes the expert")
def iid_for_mixture(q, w, K):
    return iwae_exact(np.asarray(q).mean(axis=0), w, K)


@claim("S11.4", of=responsibility, tol=T0, oracle="O1 enumeration")
def an_experts_mean_weight_is_its_share(f, rng):
    """E_{q_m} w = M p(x) a_m: what expert m finds of p(x) is its share a_m of the posterior."""
    model, x, q, log_w, _ = discrete_mixture(rng, 5, 3)
    found = [math.fsum(q_m * np.exp(log_w)) for q_m in q]
    return f(model.posterior(x), q), np.array(found) / (3 * math.exp(model.log_evidence(x)))


@mutant(responsibility, says="the average is over the prior of experts: a_m is under p(z|x)")
def share_under_the_mixture(posterior, experts):
    return responsibility(experts.mean(axis=0), experts)


@mutant(responsibility, says="E q_m over Σ E q_j: a_m is the expectation of the ratio")
def ratio_of_expectations(posterior, experts):
    return (posterior * experts).sum(axis=1) / (posterior * experts).sum()


@claim("S11.4", "S12.3", of=looseness_gap, tol=T1, oracle="O4 Frullani")
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


@mutant(looseness_gap, says="KL(a ‖ uniform): the limit of S11.4 loses KL(uniform ‖ a)")
def gap_the_other_way(a):
    return np.log(len(a)) + (a * np.log(a)).sum(axis=0)


@mutant(looseness_gap, says="−log M is missing from KL(uniform ‖ a)")
def gap_without_log_M(a):
    return -np.log(a).mean(axis=0)


# S11.4 as a model: encoders, samples, decoders and the mixture's density together


@claim("S11.4", "S6.2", of=MMVAE.bound, tol=T0, oracle="O3 linear-Gaussian")
def mmvae_scores_every_modality_at_every_experts_sample(f, rng):
    """Each expert's samples are weighed by the joint of all modalities over the mixture."""
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


def _mmvae(model, theta, x, mask, eps, beta, *, log_q=None, own=False, detached=False):
    """MMVAE.bound written out, with a hook for each mistake."""
    batch, w = model.open(theta, x, mask, eps)
    M, K, N, D = eps.shape
    (mu, log_var), encode_pullback = model.encode_experts(w, batch)
    z, sample_pullback = gaussian_sample(mu, log_var, eps=eps)
    scored = np.stack([batch.present] * M)
    if own:
        scored = scored & np.eye(M, dtype=bool)[..., None]
    log_px_z, decode_pullback = model.log_likelihood(
        w, batch, z, weights=model.weights, scored=scored
    )
    log_pz, prior_pullback = standard_normal_log_prob(z)
    log_alpha = log_mixture_weights(batch.present)
    log_mixture, mixture_pullback = mixture_log_prob(
        z.reshape(M * K, N, D), mu, log_var, log_alpha=log_alpha
    )
    if log_q is None:
        log_q_z = log_mixture.reshape(M, K, N)
    else:
        log_q_z = log_q(z, mu, log_var, batch.present)
    log_w = log_px_z + beta * (log_pz - log_q_z)
    bound, reduce_pullback = mixture_iwae(log_w, present=batch.present)

    def bound_pullback(dbound):
        dtheta = np.empty_like(theta)
        dw, dlog_w = model.tree.views(dtheta), reduce_pullback(dbound)
        dz, dmu, dlog_var = mixture_pullback(-beta * dlog_w.reshape(M * K, N))
        dz = dz.reshape(z.shape) + decode_pullback(dlog_w, dw) + prior_pullback(beta * dlog_w)
        path_dmu, path_dlog_var = sample_pullback(dz)
        kept = 0 if detached else 1
        encode_pullback(path_dmu + kept * dmu, path_dlog_var + kept * dlog_var, dw)
        return dtheta

    return bound, bound_pullback


@mutant(MMVAE.bound, says="log q_m as denominator: M separate IWAEs, S11.4 divides by q_Φ")
def own_expert_as_denominator(model, theta, x, *, mask=None, eps, beta=1.0):
    def log_q(z, mu, log_var, present):
        return log_normal_sum(z, mu[:, None], log_var[:, None])

    return _mmvae(model, theta, x, mask, eps, beta, log_q=log_q)


@mutant(MMVAE.bound, says="log densities averaged: a geometric mean is no mixture (S11.3)")
def geometric_mixture(model, theta, x, *, mask=None, eps, beta=1.0):
    def log_q(z, mu, log_var, present):
        every = log_normal_sum(z[None], mu[:, None, None], log_var[:, None, None])
        kept = present[:, None, None]
        return np.where(kept, every, 0).sum(axis=0) / present.sum(axis=0)

    return _mmvae(model, theta, x, mask, eps, beta, log_q=log_q)


@mutant(MMVAE.bound, says="expert m's samples decoded by decoder m only: S11.4 has p(z, x_1:M)")
def own_decoder_only(model, theta, x, *, mask=None, eps, beta=1.0):
    return _mmvae(model, theta, x, mask, eps, beta, own=True)


@mutant(MMVAE.bound, says="the experts share one eps: S11.4 draws for each")
def eps_shared_by_experts(model, theta, x, *, mask=None, eps, beta=1.0):
    eps = np.broadcast_to(eps[:1], eps.shape)
    return MMVAE.bound(model, theta, x, mask=mask, eps=eps, beta=beta)


@mutant(MMVAE.bound, says="β is missing from the weights")
def beta_missing_in_the_mixture(model, theta, x, *, mask=None, eps, beta=1.0):
    return MMVAE.bound(model, theta, x, mask=mask, eps=eps)


@mutant(MMVAE.bound, says="q_m inside log q_Φ gets no gradient: S11.4's density term × 0")
def mixture_detached(model, theta, x, *, mask=None, eps, beta=1.0):
    return _mmvae(model, theta, x, mask, eps, beta, detached=True)
