"""Claims about slide 11: MMVAE's encoders, samples, decoders and mixture density together."""

import itertools
import math

import numpy as np

from ..gaussian import gaussian_sample, standard_normal_log_prob
from ..gradcheck import complex_step
from ..models import MMVAE
from ..objectives import mixture_iwae
from ..posteriors import log_mixture_weights, mixture_log_prob
from .gaussian_instances import affine_model, expert_parameters
from .instances import log_mean, log_normal_sum
from .registry import T0, T2C, claim, mutant

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


@mutant(MMVAE.bound, says="the experts share one ε: S11.4 draws samples for each")
def eps_shared_by_experts(model, theta, x, *, mask=None, eps, beta=1.0):
    eps = np.broadcast_to(eps[:1], eps.shape)
    return MMVAE.bound(model, theta, x, mask=mask, eps=eps, beta=beta)


@mutant(MMVAE.bound, says="β is missing from the weights of S11.4")
def beta_missing_in_the_mixture(model, theta, x, *, mask=None, eps, beta=1.0):
    return MMVAE.bound(model, theta, x, mask=mask, eps=eps)


@mutant(MMVAE.bound, says="no gradient through log q_Φ: in S11.4 it depends on every q_m")
def mixture_detached(model, theta, x, *, mask=None, eps, beta=1.0):
    return _mmvae(model, theta, x, mask, eps, beta, detached=True)
