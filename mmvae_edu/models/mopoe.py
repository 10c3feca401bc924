"""MoPoE: a mixture over all subsets' products of experts (Sutter et al. 2021).   [S7.5, S11.3]"""

from itertools import product

import numpy as np

from ..posteriors import product_of_subsets
from .mmvae import MMVAE


class MoPoE(MMVAE):
    """MMVAE whose components are the products of experts of all 2^M − 1 subsets of modalities.

        q_Φ(z|X) = 1/(2^M − 1) Σ_A q(z|X_A),    q(z|X_A) ∝ p(z) Π_{m in A} q̃(z|x_m)        [S7.5]

    The subsets of one modality alone give MMVAE's mixture, and the subset of all gives MVAE's
    product.  Every product has the prior as an expert, as in MVAE; the paper leaves it out.
    Under a mask the subsets of the present modalities are mixed.  The number of samples, and with
    it the cost, grows like 2^M.
    """

    def __init__(self, modalities, **options):
        super().__init__(modalities, **options)
        members = product([False, True], repeat=len(modalities))
        self.members = np.array(list(members)[1:])  # (2^M − 1, M)

    def noise_shape(self, N, K):
        """Return (2^M − 1, K, N, D): K samples from each subset's product."""
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
