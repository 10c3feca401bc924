"""BiVCCA: each encoder alone explains every modality (Wang et al. 2016).                  [S8]"""

import numpy as np

from ..gaussian import gaussian_sample
from ..posteriors import only_expert
from .base import cotangent, evenly, number
from .multimodal_vae import MultimodalVAE
from .settings import KL, choice, number_per_modality


class BiVCCA(MultimodalVAE):
    """Bi-deep variational canonical correlation analysis: no joint posterior, two ELBOs.

    `share` is μ, each encoder's part of the objective: dict name → number, 1 where absent, scaled
    to sum to 1; even by default.  `kl` is "closed_form" [S5.11] or "monte_carlo".
    """

    own_arguments = ("share", "kl")

    def __init__(self, modalities, *, share=None, kl="closed_form", **options):
        super().__init__(modalities, **options)
        share = number_per_modality("share", share, modalities)
        if not all(share.values()):
            raise ValueError(f"share: expected positive numbers, found {share}")
        self.share = {name: part / sum(share.values()) for name, part in share.items()}
        self.kl = choice("kl", kl, KL)

    def noise_shape(self, N, K):
        """Return (M, K, N, D): eps[m] is the noise of encoder m's K samples."""
        return (len(self.modalities), K, N, self.latent)

    def bound(self, theta, x, *, mask=None, eps, beta=1.0):
        """Compute Σ_m μ_m {E_q(z|x_m)[Σ_j λ_j log p(x_j|z)] − β KL(q(z|x_m) ‖ p(z))}.

        Under a mask, j runs over the present modalities and their μ_m are scaled to sum to 1.
        theta (size,), x dict name → (N, P), mask (M, N), eps (M, K, N, D); returns the bound (N,)
        in nats, higher is better, and its pullback: dbound (N,) → dtheta (size,).
        """
        batch, w = self.checked_batch(theta, x, mask, eps)
        beta = number(beta, theta)
        eps = eps[evenly(batch.index)]
        M, K, N, D = eps.shape
        (mu, log_var), encode_pullback = self.encode_experts(w, batch)  # q(z|x_m)
        z, sample_pullback = gaussian_sample(mu, log_var, eps=eps)  # (M, K, N, D)
        log_px_z, decode_pullback = self.log_likelihood(  # every decoder on every sample
            w, batch, z, weights=self.weights, scored=np.stack([batch.present] * M)
        )
        log_ratio, ratio_pullback = self.log_ratio(z, mu, log_var)
        terms = (log_px_z + beta * log_ratio).mean(axis=1)  # (M, N)
        present = batch.on_device(batch.present)
        share = batch.on_device(self._shares(batch)).astype(terms.dtype)
        bound = np.where(present, share * terms, 0).sum(axis=0)

        def bound_pullback(dbound):
            dbound = cotangent(dbound, bound)
            dtheta = np.empty_like(theta)
            dw = self.tree.views(dtheta)
            dlog_w = np.broadcast_to((share * dbound / K)[:, None], log_px_z.shape)
            dz, dmu, dlog_var = ratio_pullback(beta * dlog_w)
            path_dmu, path_dlog_var = sample_pullback(dz + decode_pullback(dlog_w, dw))
            encode_pullback(dmu + path_dmu, dlog_var + path_dlog_var, dw)
            return dtheta

        return bound, bound_pullback

    def parts(self, w, batch, eps):
        """Return what `terms` needs: a term for each encoder, scoring all that the batch has."""
        (mu, log_var), _ = self.encode_experts(w, batch)
        z, _ = gaussian_sample(mu, log_var, eps=eps[evenly(batch.index)])
        log_ratio, _ = self.log_ratio(z, mu, log_var)
        share, scored = self._shares(batch).astype(mu.dtype), np.stack([batch.present] * len(mu))
        return [(name,) for name in batch.x], share, scored, z, log_ratio

    def _shares(self, batch):
        """Scale μ_m over the present modalities of each row to sum 1: (M, N), absent 0."""
        share = np.array([self.share[name] for name in batch.x])[:, None] * batch.present
        return share / share.sum(axis=0)

    def posterior(self, mu, log_var, batch):
        """Pick q(z|x_m) of rows that have one modality: mu, log_var (N, D)."""
        several = np.flatnonzero(batch.present.sum(axis=0) > 1)
        if len(several):
            raise ValueError(
                "BiVCCA has no joint posterior, only one given each modality alone; "
                f"example {several[0]} has {batch.present[:, several[0]].sum()} (an estimate takes "
                "one of them, or {} for the prior, as its proposal)"
            )
        return only_expert(mu, log_var, batch.on_device(batch.present))
