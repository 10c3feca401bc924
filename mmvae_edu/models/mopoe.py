"""MoPoE: a mixture over all subsets' products of experts (Sutter et al. 2021).   [S7.5, S11.3]"""

from itertools import compress, product

import numpy as np

from ..gaussian import gaussian_sample
from ..objectives import log_prior_ratio, mixture_elbo
from ..posteriors import product_of_subsets
from .base import evenly, number
from .mmvae import MMVAE


class MoPoE(MMVAE):
    """MMVAE whose components are the products of experts of all 2^M − 1 subsets of modalities.

        q_Φ(z|X) = 1/(2^M − 1) Σ_A q(z|X_A),    q(z|X_A) ∝ p(z) Π_{m in A} q̃(z|x_m)        [S7.5]

    The subsets of one modality alone give MMVAE's mixture, and the subset of all gives MVAE's
    product.  Every product has the prior as an expert, as in MVAE; the paper leaves it out.
    Under a mask the subsets of the present modalities are mixed.  The number of samples, and with
    it the cost, grows like 2^M.

    `objective` is one of MMVAE's, by default "iwae" [S11.4], or "generalised_elbo", the paper's:

        E_{q_Φ} Σ_m λ_m log p(x_m|z) − β/(2^M − 1) Σ_A KL(q(z|X_A) ‖ p(z))

    which is at most the "elbo", since KL(q_Φ ‖ p) is at most the mean of the subsets' KL.
    """

    most = 10  # modalities: more than a thousand subsets are decoded by nobody
    objectives = (*MMVAE.objectives, "generalised_elbo")
    fusion = ("product", "mixture")

    def __init__(self, modalities, **options):
        super().__init__(modalities, **options)
        if len(modalities) > self.most:
            raise ValueError(
                f"MoPoE: expected at most {self.most} modalities, found {len(modalities)}, which "
                f"have {2 ** len(modalities) - 1} subsets; MMVAE and MVAE take any number"
            )
        members = product([False, True], repeat=len(modalities))
        self.members = np.array(list(members)[1:])  # (2^M − 1, M)

    def noise_shape(self, N, K):
        """Return (2^M − 1, K, N, D) of eps: K samples from each subset's product.

        eps[s] is the noise of the product of the modalities in members[s], the binary digits of
        s + 1 with the first modality's the highest.
        """
        return (len(self.members), K, N, self.latent)

    def components(self, w, batch):
        """Compute q(z|X_A) for every subset A of the batch's modalities, (S, N, D).       [S7.5]"""
        (mu, log_var), encode_pullback = self.encode_experts(w, batch)
        absent = [m for m in range(len(self.modalities)) if m not in batch.index]
        strata = np.flatnonzero(~self.members[:, absent].any(axis=1)).tolist()
        members = self.members[strata][:, batch.index, None]  # (S, M, 1)
        present = (batch.present | ~members).all(axis=1)  # whole subsets only: (S, N)
        subsets = batch.on_device(members & batch.present)
        (mean, joint_log_var), product_pullback = product_of_subsets(
            mu, log_var, subsets=subsets, kernels=self.backend(mu)
        )

        def components_pullback(dmean, djoint_log_var, dw):
            encode_pullback(*product_pullback(dmean, djoint_log_var), dw)

        return (mean, joint_log_var), present, strata, components_pullback

    def reduce(self, log_w, present):
        """Reduce log-weights (S, K, N) to the bound, and return its pullback."""
        if self.objective == "generalised_elbo":
            return mixture_elbo(log_w, present=present)
        return super().reduce(log_w, present)

    def component_names(self, strata):
        """List the modalities that each of these products is given."""
        return [tuple(compress(self.modalities, members)) for members in self.members[strata]]

    def mixture_ratio(self, w, z, mu, log_var, present):
        """Compute log p(z) − log q_Φ(z|X), or −KL(q(z|X_A) ‖ p(z)) of the generalised ELBO."""
        if self.objective == "generalised_elbo":
            return log_prior_ratio(z, mu, log_var, closed_form=True)[0]
        return super().mixture_ratio(w, z, mu, log_var, present)

    def log_weights(self, theta, x, *, mask=None, eps, beta=1.0):
        """Compute MMVAE's log-weights, or those whose mean is the generalised ELBO.

            Σ_m λ_m log p(x_m|z) − β KL(q(z|X_A) ‖ p(z)),   z ~ q(z|X_A)

        The KL in closed form leaves no direct terms of log q, so that the doubly reparameterised
        estimator of the generalised ELBO is its plain gradient.
        """
        if self.objective != "generalised_elbo":
            return super().log_weights(theta, x, mask=mask, eps=eps, beta=beta)
        batch, w = self.checked_batch(theta, x, mask, eps)
        beta = number(beta, theta)
        (mean, log_var), present, strata, components_pullback = self.components(w, batch)
        z, sample_pullback = gaussian_sample(mean, log_var, eps=eps[evenly(strata)])
        log_px_z, decode_pullback = self.log_likelihood(  # every decoder on every sample
            w, batch, z, weights=self.weights, scored=np.stack([batch.present] * len(z))
        )
        neg_kl, kl_pullback = log_prior_ratio(z, mean, log_var, closed_form=True)

        def log_weights_pullback(dlog_w, normalised=None):
            dtheta = np.empty_like(theta)
            dw = self.tree.views(dtheta)
            _, dmean, dlog_var = kl_pullback(beta * dlog_w)
            path_dmean, path_dlog_var = sample_pullback(decode_pullback(dlog_w, dw))
            components_pullback(dmean + path_dmean, dlog_var + path_dlog_var, dw)
            return dtheta

        return log_px_z + beta * neg_kl, batch.on_device(present), log_weights_pullback
