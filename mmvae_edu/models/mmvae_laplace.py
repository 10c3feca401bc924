"""MMVAE with Laplace experts and a Laplace prior, as its paper has it (Shi et al. 2019).   [S11]"""

import numpy as np

from .. import laplace
from ..support.devices import like
from ..support.parameters import Tree
from .mmvae import MMVAE

PRIOR = "latent prior"  # stands beside the modalities in the tree of weights


class LaplaceMMVAE(MMVAE):
    """MMVAE with q_m(z|x_m) = Laplace(mu_m, b_m) and p(z) = Laplace(0, b), b learnt.

    All scales are D softmax(head): their mean over the D dimensions is 1, so one scale shrinks only
    if others grow, and with D = 1 none is learnt: `latent` is at least 2.  `encode` returns mu and
    log b.  The paper's likelihoods are likelihoods.Laplace(features, scale=0.75); with one modality
    this is its "single-VAE".
    """

    reparameterise = staticmethod(laplace.laplace_sample)

    def __init__(self, modalities, **options):
        super().__init__(modalities, **options)
        if self.latent == 1:
            raise ValueError("latent: expected at least 2, found 1, whose scale is the mean, 1")
        if PRIOR in modalities:
            raise ValueError(f"LaplaceMMVAE: {PRIOR!r} is the name of its own weights")
        self.tree = Tree(self.tree.shapes | {PRIOR: {"head": (self.latent,)}})

    def family(self, array):
        """Return the module with the mixture's density and its vjp."""
        return laplace

    def score(self, z, mu, log_scale):
        """Compute ∂log q_m/∂z at each expert's own samples z (M, K, N, D)."""
        return np.sign(mu[:, None] - z) * np.exp(-log_scale)[:, None]

    def noise(self, rng, shape, dtype):
        """Draw standard Laplace noise."""
        return laplace.laplace_noise(rng, shape, dtype)

    def encode_experts(self, w, batch):
        """Compute the experts' mu and log b, (M, N, D) each."""
        (mu, head), heads_pullback = super().encode_experts(w, batch)
        log_scale, scales_pullback = laplace.competing_scales(head)

        def encode_experts_pullback(dmu, dlog_scale, dw):
            heads_pullback(dmu, scales_pullback(dlog_scale), dw)

        return (mu, log_scale), encode_experts_pullback

    def log_prior(self, w, z):
        """Compute log p(z), nats: z (…, D) → (…); its pullback writes the prior's gradient."""
        log_scale, scales_pullback = laplace.competing_scales(w[PRIOR]["head"])
        log_pz, laplace_pullback = laplace.laplace_log_prob(z, np.zeros_like(log_scale), log_scale)

        def log_prior_pullback(dlog_pz, dw):
            dz, _, dlog_scale = laplace_pullback(dlog_pz)
            dw[PRIOR]["head"][...] = scales_pullback(dlog_scale)
            return dz

        return log_pz, log_prior_pullback

    def prior_samples(self, theta, shape, rng):
        """Draw z ~ p(z), of shape (K, N, D)."""
        log_scale, _ = laplace.competing_scales(self.tree.views(theta)[PRIOR]["head"])
        return np.exp(log_scale) * like(self.noise(rng, shape, theta.dtype), theta)
