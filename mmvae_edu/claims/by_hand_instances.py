"""Small networks for the systems written by hand, and their log-weights in plain formulas.

The formulas share no code with the library.
"""

import numpy as np

from ..networks import mlp_shapes
from ..oracles import LinearGaussian
from .gaussian_instances import set_exact_encoders
from .instances import log_normal_sum


def affine(rng, features, D, *, N=3, exact=None, scale=1.0):
    """Draw one-layer networks, their decoders' linear-Gaussian model, and x from it.

    features {name: P}; `exact` makes each encoder the "posterior" given its own modality, or the
    "expert" without the prior; otherwise they are random.  `scale` is the size of W.
    """
    twin = LinearGaussian.random(rng, D, features)
    for m, P in features.items():
        twin.W[m], twin.sigma[m] = scale * twin.W[m], 1.0
        twin.b[m] = rng.standard_normal(P)
    w = {m: {"encoder": {}, "decoder": {"W0": twin.W[m].T, "b0": twin.b[m]}} for m in features}
    for m, P in features.items():
        W0, b0 = 0.3 * rng.standard_normal((P, 2 * D)), rng.normal(0, 0.5, 2 * D)
        w[m]["encoder"] = {"W0": W0, "b0": b0}
    if exact:
        set_exact_encoders(w, twin, prior=exact == "posterior")
    return w, twin, twin.sample(rng, N)[1]


def two_layers(rng, features, D, H=2):
    """Draw networks with one hidden layer."""
    sizes = {"encoder": lambda P: (P, H, 2 * D), "decoder": lambda P: (D, H, P)}
    return {
        m: {part: random_network(rng, *size(P)) for part, size in sizes.items()}
        for m, P in features.items()
    }


def random_network(rng, P, H, Q):
    shapes = mlp_shapes((P, H, Q))
    return {name: rng.normal(0, 0.7, shape) for name, shape in shapes.items()}


def random_data(rng, features, N):
    return {m: rng.normal(0, 1.5, (N, P)) for m, P in features.items()}


def network(weights, x):
    """Apply tanh layers, the last one affine."""
    for layer in range(len(weights) // 2):
        x = (np.tanh(x) if layer else x) @ weights[f"W{layer}"] + weights[f"b{layer}"]
    return x


def experts(w, x):
    """Compute mu, log_var (M, N, D) by every modality's encoder."""
    return np.split(np.array([network(w[m]["encoder"], x[m]) for m in x]), 2, axis=-1)


def log_likelihood(w, x, z):
    """Compute {name: log p(x_m|z)} of unit-variance Gaussians, z (…, N, D); (…, N) each."""
    return {m: log_normal_sum(x[m], network(w[m]["decoder"], z), np.zeros(1)) for m in x}
