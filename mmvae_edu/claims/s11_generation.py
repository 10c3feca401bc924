"""Claims about slides 10 and 11: one modality made from another by the MMVAE written by hand."""

import numpy as np

from ..models.one_function.mmvae import cross_generate
from .by_hand_instances import affine, network, random_data, two_layers
from .gaussian_instances import sigma_points
from .registry import T0, claim

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


def _made(w, x, *, source, target, eps):
    mu, log_var = np.split(network(w[source]["encoder"], x), 2, axis=-1)
    return network(w[target]["decoder"], mu + np.exp(0.5 * log_var) * eps)
