"""Claims about slides 10 and 11: one modality made from another by the MMVAE written by hand."""

import numpy as np

from ..models.one_function.mmvae import cross_generate
from .by_hand_instances import affine, network, random_data, two_layers
from .gaussian_instances import sigma_points
from .registry import T0, claim, mutant

FEATURES = {"a": 2, "b": 4, "c": 3}
WAY = {"source": "c", "target": "b"}


@claim("S10.c", "S11.3", of=cross_generate, tol=T0, oracle="O3 linear-Gaussian")
def crossing_over_averages_to_the_conditional_mean(f, rng):
    """With exact experts the mean over z ~ q(z|x_m) is E[x_n|x_m] of the joint Gaussian."""
    w, twin, x = affine(rng, FEATURES, 2, N=5, exact="posterior")
    W, V = twin.W["b"], twin.W["c"]
    regression = W @ V.T @ np.linalg.inv(V @ V.T + np.eye(3))  # Cov(x_b, x_c) Var(x_c)^-1
    made = f(w, x["c"], **WAY, eps=sigma_points(1, 5, 2)[0])
    return made.mean(axis=0), twin.b["b"] + (x["c"] - twin.b["c"]) @ regression.T


@claim("S10.c", of=cross_generate, tol=T0, oracle="O3 linear-Gaussian")
def crossing_over_draws_from_the_posterior(f, rng):
    """Each sample decodes its own z = μ + σ ε of the posterior p(z|x_m), not the mean alone."""
    w, twin, x = affine(rng, FEATURES, 2, N=5, exact="posterior")
    mean, cov = twin.posterior(x, ["c"])
    eps = rng.standard_normal((3, 5, 2))
    made = f(w, x["c"], **WAY, eps=eps)
    return made, (mean + eps * np.sqrt(np.diag(cov))) @ twin.W["b"].T + twin.b["b"]


@claim("S10.c", of=cross_generate, tol=T0, oracle="the formula, written out")
def crossing_over_uses_encoder_m_and_decoder_n(f, rng):
    """It is decoder n of encoder m's z, with a hidden tanh layer in both networks."""
    w, x = two_layers(rng, FEATURES, 2), random_data(rng, FEATURES, 5)
    eps = rng.standard_normal((3, 5, 2))
    return f(w, x["c"], **WAY, eps=eps), _made(w, x["c"], **WAY, eps=eps)


def _made(w, x, *, source, target, eps, factor=0.5, by=None, use_x=1):
    mu, log_var = np.split(network(w[source]["encoder"], x), 2, axis=-1)
    z = use_x * (mu + np.exp(factor * log_var) * eps) + (1 - use_x) * eps
    return network(w[by or target]["decoder"], z)


@mutant(cross_generate, says="decoder m: that is a reconstruction of x_m, S10.c asks for x_n")
def reconstruction_for_crossing(w, x, *, source, target, eps):
    return _made(w, x, source=source, target=target, eps=eps, by=source)


@mutant(cross_generate, says="z from the prior: x_m is not used, S10.c has z ~ q(z|x_m)", hint=1)
def prior_sample_for_crossing(w, x, *, source, target, eps):
    return _made(w, x, source=source, target=target, eps=eps, use_x=0)


@mutant(cross_generate, says="the mean of q(z|x_m) for every sample: S10.c draws z", hint=3)
def mean_for_crossing(w, x, *, source, target, eps):
    return _made(w, x, source=source, target=target, eps=0 * eps)


@mutant(
    cross_generate, says="σ² times ε: the samples of S10.c have the standard deviation σ", hint=3
)
def variance_for_crossing(w, x, *, source, target, eps):
    return _made(w, x, source=source, target=target, eps=eps, factor=1.0)


@mutant(cross_generate, says="the mean over samples: each z of S10.c makes an x_n of its own")
def averaged_crossing(w, x, *, source, target, eps):
    made = _made(w, x, source=source, target=target, eps=eps)
    return np.broadcast_to(made.mean(axis=0), made.shape)
