"""MMVAE: a mixture of experts, every expert's samples decoded by all (Shi et al. 2019).   [S11]"""

import numpy as np

from ..gaussian import gaussian_sample
from ..objectives import mixture_elbo, mixture_iwae, stratified_iwae
from ..posteriors import log_mixture_weights
from ..support.devices import like
from .base import cotangent, evenly, number
from .multimodal_vae import MultimodalVAE
from .settings import choice

OBJECTIVES = {"elbo": mixture_elbo, "iwae": mixture_iwae, "stratified": stratified_iwae}


class MMVAE(MultimodalVAE):
    """The mixture-of-experts multimodal VAE, with Gaussian experts (LaplaceMMVAE has the paper's).

    `objective` is "elbo" [S11.1], "iwae" [S11.4] (the paper's "looser" bound) or "stratified",
    the tighter one with the mean over experts inside the logarithm.
    """

    own_arguments = ("objective",)
    fusion = ("mixture",)
    objectives = tuple(OBJECTIVES)
    reparameterise = staticmethod(gaussian_sample)

    def __init__(self, modalities, *, objective="iwae", **options):
        super().__init__(modalities, **options)
        self.objective = choice("objective", objective, self.objectives)

    def noise_shape(self, N, K):
        """Return (M, K, N, D): eps[m] is the noise of expert m's K samples."""
        return (len(self.modalities), K, N, self.latent)

    def bound(self, theta, x, *, mask=None, eps, beta=1.0):
        """Compute (1/M) Σ_m E_{q_m} log (1/K) Σ_k p(z_m^k, x_1..M) / q_Φ(z_m^k|x_1..M).    [S11.4]

        Under a mask M is the number of present modalities.  theta (size,), x dict name → (N, P),
        mask (M, N), eps (M, K, N, D); returns the bound (N,) in nats, higher is better, and its
        pullback: dbound (N,) → dtheta (size,).
        """
        log_w, present, log_weights_pullback = self.log_weights(
            theta, x, mask=mask, eps=eps, beta=beta
        )
        bound, reduce_pullback = self.reduce(log_w, present)

        def bound_pullback(dbound):
            dbound = cotangent(dbound, bound)
            return log_weights_pullback(reduce_pullback(dbound))

        return bound, bound_pullback

    def doubly_reparameterised(self, theta, x, *, mask=None, eps, beta=1.0):
        """Compute the same bound, with another estimator of the encoders' gradient.

        Its expectation is the bound's gradient, also for K > 1, where the usual w̃² form is biased:
        it drops log q_Φ's direct terms, which vanish only if q_Φ drew the samples.  Its variance is
        lower after training; at random parameters it may be many times higher.
        """
        log_w, present, log_weights_pullback = self.log_weights(
            theta, x, mask=mask, eps=eps, beta=beta
        )
        bound, reduce_pullback = self.reduce(log_w, present)
        normalised = reduce_pullback(np.ones_like(bound))  # w̃ among the draws within one logarithm
        if self.objective == "iwae":
            count = len(log_w) if present is None else present.sum(axis=0).astype(log_w.dtype)
            normalised = normalised * count
        elif self.objective == "elbo":
            normalised = np.ones_like(log_w)

        def gradient_estimator(dbound):
            dbound = cotangent(dbound, bound)
            return log_weights_pullback(reduce_pullback(dbound), normalised)

        return bound, gradient_estimator

    def reduce(self, log_w, present):
        """Reduce log-weights (M, K, N) to the bound, and return its pullback."""
        if self.objective == "elbo":
            return mixture_elbo(log_w, present=present)
        return OBJECTIVES[self.objective](log_w, present=present, kernels=self.backend(log_w))

    def log_weights(self, theta, x, *, mask=None, eps, beta=1.0):
        """Compute log w = Σ_j λ_j log p(x_j|z) + β [log p(z) − log q_Φ(z|X)], z_m^k ~ q_m.

        (M, K, N); those of absent experts are finite and not to be used.  Also returns which
        experts are present (M, N), None if all are, and the pullback dlog_w → dtheta.
        """
        batch, w = self.checked_batch(theta, x, mask, eps)
        beta = number(beta, theta)
        (mu, log_var), present, strata, components_pullback = self.components(w, batch)
        log_alpha = batch.on_device(log_mixture_weights(present, dtype=mu.dtype))
        present = None if present.all() else batch.on_device(present)
        eps = eps[evenly(strata)]
        M, K, N, D = eps.shape
        family = self.family(mu)
        z, sample_pullback = self.reparameterise(mu, log_var, eps=eps)  # z_m^k: (M, K, N, D)
        log_px_z, decode_pullback = self.log_likelihood(  # every decoder on every sample
            w, batch, z, weights=self.weights, scored=np.stack([batch.present] * M)
        )
        log_pz, prior_pullback = self.log_prior(w, z)
        z_all = z.reshape(M * K, N, D)
        log_q, r = family.mixture_log_prob(z_all, mu, log_var, log_alpha)  # log q_Φ   [S11.3]

        def log_weights_pullback(dlog_w, normalised=None):
            """Compute dtheta; with `normalised` weights, its doubly reparameterised estimator."""
            dtheta = np.empty_like(theta)
            dw = self.tree.views(dtheta)
            dlog_q = (-beta * dlog_w).reshape(M * K, N)
            dz_q, dmu, dlog_var = family.mixture_log_prob_vjp(dlog_q, r, z_all, mu, log_var)
            dz = decode_pullback(dlog_w, dw) + prior_pullback(beta * dlog_w, dw)
            dz = dz + dz_q.reshape(z.shape)
            if normalised is not None:
                scale = 1 - beta * own_responsibilities(r) * (1 - normalised)
                own_score = self.score(z, mu, log_var)
                extra, dmu, dlog_var = own_density_as_path(
                    dlog_q, r, z, mu, log_var, own_score, family
                )
                dz = scale[..., None] * dz + extra
            path_dmu, path_dlog_var = sample_pullback(dz)
            components_pullback(dmu + path_dmu, dlog_var + path_dlog_var, dw)
            return dtheta

        log_w = log_px_z + beta * (log_pz - log_q.reshape(M, K, N))
        return log_w, present, log_weights_pullback

    def parts(self, w, batch, eps):
        """Return what `terms` needs: a term for each component, scoring all that the batch has."""
        (mu, log_var), present, strata, _ = self.components(w, batch)
        z, _ = self.reparameterise(mu, log_var, eps=eps[evenly(strata)])
        weight = (present / present.sum(axis=0)).astype(mu.dtype)
        scored = np.stack([batch.present] * len(z))
        log_ratio = self.mixture_ratio(w, z, mu, log_var, batch.on_device(present))
        return self.component_names(strata), weight, scored, z, log_ratio

    def component_names(self, strata):
        """List the modalities that each of these components is given."""
        return [(list(self.modalities)[m],) for m in strata]

    def mixture_ratio(self, w, z, mu, log_var, present):
        """Compute log p(z) − log q_Φ(z|X) at each component's samples (M, K, N, D): (M, K, N)."""
        log_alpha = log_mixture_weights(present, dtype=mu.dtype)
        z_all = z.reshape(-1, *z.shape[2:])
        log_q, _ = self.family(mu).mixture_log_prob(z_all, mu, log_var, log_alpha)
        return self.log_prior(w, z)[0] - log_q.reshape(z.shape[:-1])

    def gains(self, log_w, weight):
        """Compute what the logarithm adds to each stratum's mean; "stratified" has one for all."""
        means = log_w.mean(axis=1)
        if self.objective != "stratified":
            return np.stack([self.reduce(one, None)[0] for one in log_w[:, None]]) - means
        weight = like(weight, log_w)
        bound, _ = self.reduce(log_w, weight > 0)
        return np.broadcast_to(bound - (weight * means).sum(axis=0), means.shape)

    def family(self, array):
        """Return the module with the mixture's density and its vjp: for Gaussians, a backend."""
        return self.backend(array)

    def score(self, z, mu, log_var):
        """Compute ∂log q_m/∂z at each component's own samples z (M, K, N, D)."""
        return (mu[:, None] - z) * np.exp(-log_var)[:, None]

    def components(self, w, batch):
        """Compute the densities that q_Φ mixes evenly, here the experts q_m(z|x_m).  [S11.3]

        Returns mu, log_var (M, N, D); which of them are present (M, N); their rows in eps; and the
        pullback, which writes the encoders' gradients.
        """
        (mu, log_var), encode_pullback = self.encode_experts(w, batch)
        return (mu, log_var), batch.present, batch.index, encode_pullback

    def infer(self, w, batch):
        """Compute the components' parameters, (M, N, D) each; q_Φ mixes those present.  [S11.3]"""
        return self.components(w, batch)[0]

    def posterior_samples(self, w, batch, K, rng):
        """Draw z ~ q_Φ(z|batch), stratified over present experts; z (K, N, D), log q_Φ (K, N)."""
        (mu, log_var), present, _, _ = self.components(w, batch)
        expert = like(stratified_experts(present, K, rng), mu)  # (K, N)
        rows = like(np.arange(batch.size), mu)
        eps = like(self.noise(rng, (K, *mu.shape[1:]), mu.dtype), mu)
        z, _ = self.reparameterise(mu[expert, rows], log_var[expert, rows], eps=eps[:, None])
        log_alpha = log_mixture_weights(batch.on_device(present), dtype=mu.dtype)
        log_q, _ = self.family(mu).mixture_log_prob(z[:, 0], mu, log_var, log_alpha)
        return z[:, 0], log_q


def own_responsibilities(r):
    """View r_m(z_m^k), each expert's responsibility at its own samples: (M, M·K, N) → (M, K, N)."""
    M, _, N = r.shape
    return np.einsum("mmkn->mkn", r.reshape(M, M, -1, N))


def own_density_as_path(dlog_q, r, z, mu, log_var, own_score, family):
    """Compute the direct terms of log q_Φ, with each expert's own turned into path terms.

    Expert m's parameters stand directly in log q_Φ(z_m) with weight r_m, and z_m was drawn from
    q_m, so that E[w̃ r_m ∂log q_m/∂φ_m] = E[∂(w̃ r_m)/∂z ∂z/∂φ_m]  (Bauer and Mnih 2021).
    The derivative of w̃ is left to the caller; that of r_m is
        ∂r_m/∂z = r_m (∂log q_m/∂z − ∂log q_Φ/∂z),
    returned as a path cotangent.  The direct terms of experts j ≠ m stay: dmu, dlog_var.
    """
    M, K, N, D = z.shape
    z_all = z.reshape(M * K, N, D)
    others = r.copy()
    own_responsibilities(others)[...] = 0
    _, dmu, dlog_var = family.mixture_log_prob_vjp(dlog_q, others, z_all, mu, log_var)
    ones = np.ones_like(dlog_q)
    mixture_score, _, _ = family.mixture_log_prob_vjp(ones, r, z_all, mu, log_var)
    dr = own_responsibilities(r)[..., None] * (own_score - mixture_score.reshape(z.shape))
    return dlog_q.reshape(M, K, N)[..., None] * dr, dmu, dlog_var


def stratified_experts(present, K, rng):
    """Choose the expert that draws sample k of example n: (M, N) bool → (K, N) int.

    The present experts take turns from a random start: each sample's expert is uniform, and every
    expert gets its share of the K.
    """
    order = np.argsort(~present, axis=0, kind="stable")  # the present experts first
    count = present.sum(axis=0)
    start = rng.integers(0, count)
    turn = (np.arange(K)[:, None] + start) % count
    return np.take_along_axis(order, turn, axis=0)
