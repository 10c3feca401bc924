"""VAE: one modality, one encoder, one decoder (Kingma and Welling 2014; Doersch 2016).     [S5]"""

import numpy as np

from ..gaussian import gaussian_sample
from ..objectives import elbo
from .base import cotangent, number
from .multimodal_vae import MultimodalVAE
from .settings import KL, choice


class VAE(MultimodalVAE):
    """The variational autoencoder.  `kl` is "closed_form" [S5.11] or "monte_carlo".

    The slides' "single-VAE" is one of these for each modality, trained by itself.
    """

    own_arguments = ("kl",)

    def __init__(self, modalities, *, kl="closed_form", **options):
        super().__init__(modalities, **options)
        explained = [name for name in modalities if name not in self.condition]
        if len(explained) != 1:
            besides = f" besides {list(self.condition)}" if self.condition else ""
            mend = "; MVAE and MMVAE take several" if explained else ""
            raise ValueError(
                f"{type(self).__name__}: expected 1 modality{besides}, found {explained}{mend}"
            )
        self.kl = choice("kl", kl, KL)

    def bound(self, theta, x, *, mask=None, eps, beta=1.0):
        """Estimate L^v = E_q[λ log p(x|z)] − β KL(q(z|x) ‖ p(z)) by K samples.  [S5.10, S6.1]

        theta (size,), x dict name → (N, P), eps (1, K, N, D); returns the bound (N,) in nats,
        higher is better, and its pullback: dbound (N,) → dtheta (size,).
        """
        log_w, log_weights_pullback = self.log_weights(theta, x, mask=mask, eps=eps, beta=beta)
        bound, reduce_pullback = self.reduce(log_w)

        def bound_pullback(dbound):
            dbound = cotangent(dbound, bound)
            return log_weights_pullback(reduce_pullback(dbound))

        return bound, bound_pullback

    def reduce(self, log_w):
        """Compute the mean over K samples.                                        [S5.13]"""
        return elbo(log_w)

    def log_weights(self, theta, x, *, mask=None, eps, beta=1.0):
        """Compute log w = λ log p(x|z) + β [log p(z) − log q(z|x)] a sample: (K, N).  [S9.5]"""
        batch, w = self.checked_batch(theta, x, mask, eps)
        beta = number(beta, theta)
        (mu, log_var), encode_pullback = self.encode_experts(w, batch)  # q(z|x): (1, N, D)
        z, sample_pullback = gaussian_sample(mu, log_var, eps=eps)  # (1, K, N, D)       [S5.12]
        log_px_z, decode_pullback = self.log_likelihood(w, batch, z, weights=self.weights)
        log_ratio, ratio_pullback = self.log_ratio(z, mu, log_var)

        def log_weights_pullback(dlog_w, normalised=None):
            """Compute dtheta; with `normalised` weights, its doubly reparameterised estimator."""
            dtheta = np.empty_like(theta)
            dw = self.tree.views(dtheta)
            dlog_w = dlog_w[None]
            dz, dmu, dlog_var = ratio_pullback(beta * dlog_w)
            dz = dz + decode_pullback(dlog_w, dw)
            if normalised is not None:
                dz, dmu, dlog_var = (1 - beta * (1 - normalised))[..., None] * dz, 0, 0
            path_dmu, path_dlog_var = sample_pullback(dz)
            encode_pullback(dmu + path_dmu, dlog_var + path_dlog_var, dw)
            return dtheta

        return (log_px_z + beta * log_ratio)[0], log_weights_pullback

    def parts(self, w, batch, eps):
        """Return what `terms` needs: one term, given and scoring all that the batch has."""
        (mu, log_var), _ = self.encode_experts(w, batch)
        z, _ = gaussian_sample(mu, log_var, eps=eps)
        weight = np.ones((1, batch.size), dtype=mu.dtype)
        return [tuple(batch.x)], weight, None, z, self.log_ratio(z, mu, log_var)[0]

    def gains(self, log_w, weight):
        """Compute what `reduce` adds to the mean over the samples: (1, K, N) → (1, N)."""
        return (self.reduce(log_w[0])[0] - log_w[0].mean(axis=0))[None]

    def posterior(self, mu, log_var, batch):
        """Return q(z|x): mu, log_var (N, D)."""
        return mu[0], log_var[0]
