"""MVAE: a product of experts, trained on sub-sampled sets (Wu and Goodman 2018).      [S6, S7]"""

from itertools import compress

import numpy as np

from ..gaussian import gaussian_sample
from ..objectives import distinct_subsets, subsampled_terms
from ..posteriors import product_of_subsets
from ..support.checks import whole_number
from .base import cotangent, number
from .multimodal_vae import MultimodalVAE
from .settings import KL, choice


class MVAE(MultimodalVAE):
    """The multimodal VAE with a product-of-experts posterior.

    `subsets` is k, how many different random subsets each step scores besides the joint and the
    unimodal terms; `kl` is "closed_form" [S5.11] or "monte_carlo".  MVAE19 of the slides' table is
    this system with 19 modalities and subsets=1.
    """

    own_arguments = ("subsets", "kl")
    fusion = ("product",)

    def __init__(self, modalities, *, subsets=0, kl="closed_form", **options):
        super().__init__(modalities, **options)
        whole_number("subsets", subsets, 0)
        self.subsets = subsets
        self.kl = choice("kl", kl, KL)

    def noise_shape(self, N, K):
        """Return (1 + M + k, K, N, D) of eps.

        eps[0] is the noise of the joint term, eps[1 + m] of modality m's, eps[1 + M + j] of the
        random subset sampled[j]'s.
        """
        M = len(self.modalities)
        return (1 + M + self.subsets, K, N, self.latent)

    def draw_noise(self, rng, N, K, dtype=np.float32, xp=np):
        """Draw eps, and the random subsets if the objective has some."""
        noise = super().draw_noise(rng, N, K, dtype, xp)
        if self.subsets:
            noise["sampled"] = distinct_subsets(len(self.modalities), self.subsets, rng)
        return noise

    def bound(self, theta, x, *, mask=None, eps, beta=1.0, sampled=None):
        """Compute ELBO(x_1..M) + Σ_m ELBO(x_m) + Σ_j ELBO(X_j) over distinct subsets.    [S7.6]

            ELBO(X) = E_q(z|X)[Σ_{x_m in X} λ_m log p(x_m|z)] − β KL(q(z|X) ‖ p(z))       [S6.3]

        theta (size,), x dict name → (N, P), mask (M, N), eps (T, K, N, D), sampled (k, M) bool;
        returns the sum of the terms (N,) in nats, higher is better, and its pullback.
        """
        batch, w = self.checked_batch(theta, x, mask, eps)
        beta = number(beta, theta)
        subsets, counted = self.scored_subsets(batch, sampled)

        (mu, log_var), encode_pullback = self.encode_experts(w, batch)  # q̃(z|x_m)        [S7.4]
        (mean, joint_log_var), fuse_pullback = self.fuse(mu, log_var, batch.on_device(subsets))
        z, sample_pullback = gaussian_sample(mean, joint_log_var, eps=eps)  # (T, K, N, D)
        log_px_z, decode_pullback = self.log_likelihood(
            w, batch, z, weights=self.weights, scored=subsets & counted[:, None]
        )
        log_ratio, ratio_pullback = self.log_ratio(z, mean, joint_log_var)
        terms = (log_px_z + beta * log_ratio).mean(axis=1)  # one ELBO(X) each: (T, N)
        counted = batch.on_device(counted)
        bound = np.where(counted, terms, 0).sum(axis=0)

        def bound_pullback(dbound):
            dbound = cotangent(dbound, bound)
            dtheta = np.empty_like(theta)
            dw = self.tree.views(dtheta)
            dterms = np.where(counted, dbound, 0) / eps.shape[1]
            dlog_w = np.broadcast_to(dterms[:, None], log_px_z.shape)
            dz, dmean, djoint_log_var = ratio_pullback(beta * dlog_w)
            path_dmean, path_dlog_var = sample_pullback(dz + decode_pullback(dlog_w, dw))
            dmu, dlog_var = fuse_pullback(dmean + path_dmean, djoint_log_var + path_dlog_var)
            encode_pullback(dmu, dlog_var, dw)
            return dtheta

        return bound, bound_pullback

    def scored_subsets(self, batch, sampled):
        """List each term's experts (T, M, N) in the batch, and the rows that count it (T, N)."""
        if self.subsets and sampled is None:
            raise ValueError("sampled: expected the random subsets that draw_noise gives with eps")
        subsets, counted = subsampled_terms(batch.present_in(self.modalities), sampled)
        return subsets[:, batch.index], counted

    def parts(self, w, batch, eps, sampled=None):
        """Return what `terms` needs: a term for each subset, given and scoring it."""
        everything = np.ones((len(self.modalities), 1), dtype=bool)
        named = subsampled_terms(everything, sampled)[0][..., 0]  # (T, M)
        subsets, counted = self.scored_subsets(batch, sampled)
        (mu, log_var), _ = self.encode_experts(w, batch)
        (mean, joint_log_var), _ = self.fuse(mu, log_var, batch.on_device(subsets))
        z, _ = gaussian_sample(mean, joint_log_var, eps=eps)
        log_ratio, _ = self.log_ratio(z, mean, joint_log_var)
        names = [tuple(compress(self.modalities, members)) for members in named]
        return names, counted.astype(mu.dtype), subsets, z, log_ratio

    def fuse(self, mu, log_var, subsets):
        """Compute q(z|X) ∝ p(z) Π_m q̃(z|x_m) of T subsets, (T, N, D), and its pullback.  [S7.5]"""
        return product_of_subsets(mu, log_var, subsets=subsets, kernels=self.backend(mu))

    def posterior(self, mu, log_var, batch):
        """Compute q(z|X) of the present modalities: mean, log_var (N, D).          [S7.5]"""
        (mean, joint_log_var), _ = self.fuse(mu, log_var, batch.on_device(batch.present[None]))
        return mean[0], joint_log_var[0]
