"""IWAE: the VAE's networks under the importance-weighted bound (Burda et al. 2016).        [S9]"""

from ..objectives import iwae
from .base import cotangent
from .vae import VAE


class IWAE(VAE):
    """The importance-weighted autoencoder: the mean over K samples moves inside the logarithm."""

    own_arguments = ()

    def __init__(self, modalities, **options):
        super().__init__(modalities, kl="monte_carlo", **options)

    def reduce(self, log_w):
        """Compute log (1/K) Σ_k w_k.                                               [S9.2]"""
        return iwae(log_w, kernels=self.backend(log_w))

    def doubly_reparameterised(self, theta, x, *, mask=None, eps, beta=1.0):
        """Compute the same bound, with another estimator of the encoder's gradient.

            Σ_k w̃_k [1 − β(1 − w̃_k)] ∂log w_k/∂z_k ∂z_k/∂φ       (w̃_k² at β = 1)

        Reparameterising Σ_k w̃_k ∂log q(z_k)/∂φ once more turns q's direct terms into path
        terms.  The estimator's expectation is the bound's gradient; it is not the pullback of
        the bound.  Its variance is lower after training; at random parameters it may be many times
        higher.  Decoders get their plain gradient.  Source: Tucker et al. (2019).
        """
        log_w, log_weights_pullback = self.log_weights(theta, x, mask=mask, eps=eps, beta=beta)
        bound, normalised = self.backend(log_w).importance_weights(log_w)

        def gradient_estimator(dbound):
            dbound = cotangent(dbound, bound)
            return log_weights_pullback(dbound * normalised, normalised)

        return bound, gradient_estimator
