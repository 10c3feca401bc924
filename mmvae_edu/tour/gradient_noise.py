"""The noise of the encoders' gradient: plain against doubly reparameterised, as K grows.

With more samples IWAE's bound depends less on the encoder, and the signal-to-noise ratio of its
plain gradient falls as K^(−1/2) (Rainforth et al. 2018).  The doubly reparameterised estimator has
the same mean, and a ratio that rises as K^(1/2) (Tucker et al. 2019).
"""

from dataclasses import dataclass

import numpy as np

from ..likelihoods import Normal
from ..models import IWAE
from ..oracles import LinearGaussian


@dataclass(frozen=True)
class GradientNoise:
    """One estimator at one K; both numbers are means over the encoder's parameters."""

    system: str
    estimator: str
    K: int
    variance: float
    signal_to_noise: float  # |mean| / standard deviation


def encoder_gradient_noise(
    system=IWAE, samples=(1, 2, 8, 32, 128), *, replicates=400, seed=0
):  # fmt: skip
    """Measure both estimators at each K on the same noise: rows of GradientNoise, plain first.

    system: IWAE (one modality) or MMVAE (two).  The model is linear-Gaussian, the encoders are near
    the exact posteriors; there are one observation and `replicates` independent draws of the noise.
    Both estimators have the same mean, the signal; the doubly reparameterised one estimates it,
    with less error.
    """
    rng = np.random.default_rng(seed)
    model, theta, x = _near_the_posterior(system, rng)
    rows = []
    for K in samples:
        noise = rng.standard_normal((replicates, *model.noise_shape(1, K)))
        plain, doubly = (
            np.array([_encoder_gradient(model, objective, theta, x, eps) for eps in noise])
            for objective in (model.bound, model.doubly_reparameterised)
        )
        signal = np.abs(doubly.mean(axis=0))
        for name, gradients in ("plain", plain), ("doubly reparameterised", doubly):
            std = gradients.std(axis=0, ddof=1)
            noise_of = float((std**2).mean()), float((signal / std).mean())
            rows.append(GradientNoise(system.__name__, name, K, *noise_of))
    return rows


def _near_the_posterior(system, rng, D=2, P=4, distance=0.1):
    """Make a model, parameters `distance` off the exact posteriors, and one observation x."""
    twin = LinearGaussian.random(rng, D, {"x": P} if system is IWAE else {"x": P, "y": P})
    _, x = twin.sample(rng, 1)
    likelihoods = {name: Normal(P, scale=twin.sigma[name]) for name in x}
    model = system(likelihoods, latent=D, hidden=())
    theta = distance * rng.standard_normal(model.tree.size)
    for name, networks in model.tree.views(theta).items():
        encoder, decoder = networks["encoder"], networks["decoder"]
        mean, cov = twin.posterior(x, [name])
        decoder["W0"][...], decoder["b0"][...] = twin.W[name].T, twin.b[name]
        encoder["W0"][:, :D] += twin.W[name] @ cov / twin.sigma[name] ** 2
        encoder["b0"][:D] += (mean - x[name] @ encoder["W0"][:, :D])[0]
        encoder["b0"][D:] += np.log(np.diag(cov))
    return model, theta, x


def _encoder_gradient(model, objective, theta, x, eps):
    _, gradient = objective(theta, x, eps=eps)
    networks = model.tree.views(gradient(np.ones(1))).values()
    return np.concatenate([view.ravel() for w in networks for view in w["encoder"].values()])
