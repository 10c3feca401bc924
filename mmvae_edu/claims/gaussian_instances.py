"""Small linear-Gaussian instances: systems with affine networks, and their exact twins."""

import numpy as np

from ..likelihoods import Normal
from ..oracles import LinearGaussian, bound_gradient, mixture_iwae_continuous
from .instances import noise_grid, repeated

FEATURES = {"a": 3, "b": 4, "c": 2}


def linear_gaussian(rng, N=3, D=2):
    """Draw an oracle with diagonal posteriors, N rows x, and the exact experts without prior."""
    model = LinearGaussian.random(rng, D, FEATURES)
    _, x = model.sample(rng, N)
    experts = [model.expert_without_prior(x[m], m) for m in x]
    return model, x, *(np.stack(parameter) for parameter in zip(*experts, strict=True))


def exact_posterior(model, x, present):
    """Compute the posterior's mean and log_var, (N, D) each, given the present modalities."""
    mean, cov = model.posterior(x, [m for m, keep in zip(x, present, strict=True) if keep])
    return np.stack([mean, np.broadcast_to(np.log(np.diag(cov)), mean.shape)])


def present_experts(mu, log_var, mask):
    """Return mu and precision, 0 under the mask."""
    present = True if mask is None else mask[..., None]
    return np.where(present, mu, 0), np.where(present, np.exp(-log_var), 0)


def affine_model(system, rng, features, latent, *, N=4, sigma=None, **options):
    """Draw a system with affine networks, and its twin: its decoders' linear-Gaussian model.

    features: dict name → P; sigma: every modality's scale, random by default.  Returns model,
    theta, twin and N rows x that the twin drew.  The encoders are random.
    """
    twin = LinearGaussian.random(rng, latent, features)
    twin.sigma = twin.sigma if sigma is None else dict.fromkeys(features, sigma)
    modalities = {m: Normal(P, scale=twin.sigma[m]) for m, P in features.items()}
    model = system(modalities, latent=latent, hidden=(), **options)
    theta = 0.2 * rng.standard_normal(model.tree.size)
    for m, w in model.tree.views(theta).items():
        w["decoder"]["W0"][...], w["decoder"]["b0"][...] = twin.W[m].T, twin.b[m]
    return model, theta, twin, twin.sample(rng, N)[1]


def set_exact_encoders(networks, twin, *, prior):
    """Make every encoder the exact posterior given its modality, or without `prior` the expert."""
    for m, w in networks.items():
        gram = (twin.W[m] ** 2).sum(axis=0) / twin.sigma[m] ** 2
        var = 1 / (gram + prior)
        D = twin.D
        w["encoder"]["W0"][:, :D] = twin.W[m] / twin.sigma[m] ** 2 * var
        w["encoder"]["W0"][:, D:] = 0
        w["encoder"]["b0"][:D] = -twin.b[m] @ w["encoder"]["W0"][:, :D]
        w["encoder"]["b0"][D:] = np.log(var)


def expert_parameters(model, theta, x):
    """Compute mu, log_var (M, N, D) of a model with affine networks."""
    views = model.tree.views(theta)
    outputs = [x[m] @ views[m]["encoder"]["W0"] + views[m]["encoder"]["b0"] for m in x]
    return np.array(np.split(np.array(outputs), 2, axis=-1))


def sigma_points(T, N, D):
    """Return eps (T, 2D, N, D) of mean 0, covariance I: exact for quadratic integrands."""
    axes = np.sqrt(D) * np.concatenate([np.eye(D), -np.eye(D)])
    return np.broadcast_to(axes[None, :, None, :], (T, 2 * D, N, D)).copy()


def kl_to_prior(mu, log_var):
    """Compute the KL of diagonal Gaussians from N(0, I), summed over the last axis."""
    return 0.5 * (np.exp(log_var) + mu**2 - 1 - log_var).sum(axis=-1)


def one_dimensional(system, rng, features):
    """Draw an `affine_model`: D = 1, one observation x, weights smooth enough for `noise_grid`.

    Wide likelihoods, and encoders near the posterior given their own modality, keep the zeros of
    Σ w, as a function of complex noise, far from the real axis.
    """
    model, theta, twin, x = affine_model(system, rng, features, 1, N=1, sigma=2.0)
    set_exact_encoders(model.tree.views(theta), twin, prior=True)
    for w in model.tree.views(theta).values():
        w["encoder"]["W0"][...] += rng.uniform(-0.04, 0.04, w["encoder"]["W0"].shape)
        w["encoder"]["b0"][...] += rng.uniform(-0.2, 0.2, 2)
    return model, theta, twin, x


def over_all_noise(f, system, rng, features):
    """Average f over the noise of K = 2 at one x of `one_dimensional`; return that, and it exactly.

    Both are the encoders' gradient (flat), then the bound.  All experts see the same noise, since
    each has a logarithm of its own.
    """
    model, theta, twin, x = one_dimensional(system, rng, features)
    eps, chance = noise_grid(2)
    eps = np.broadcast_to(eps[:, :, None], (len(x), *eps.shape, 1))
    bound, pullback = f(model, theta, repeated(x, len(chance)), eps=eps)
    found = np.append(encoders_of(model.tree.views(pullback(chance))), chance @ bound)
    return found, exact_bound(twin, x, *expert_parameters(model, theta, x)[..., 0, 0])


def encoders_of(gradient):
    """Join the gradient of the affine encoders."""
    encoders = [networks["encoder"] for networks in gradient.values()]
    return np.concatenate([dw[name].ravel() for dw in encoders for name in ("W0", "b0")])


def exact_bound(twin, x, mu, log_var):
    """Compute the affine encoders' exact gradient of L_2, as `encoders_of`, and L_2, at one x.

    mu, log_var (M,): the encoders' outputs, of one latent dimension.
    """

    def log_joint(z):
        return twin.log_joint(z.reshape(-1, 1), x).reshape(z.shape)

    def bound(*arguments):
        return mixture_iwae_continuous(*arguments, nodes=401)

    gradients, parts = bound_gradient(bound, log_joint, mu, log_var, 2), []
    for m, d in zip(x, np.stack(gradients, axis=-1), strict=True):
        parts += [np.outer(x[m][0], d).ravel(), d]
    return np.concatenate([*parts, [bound(log_joint, mu, log_var, 2)]])
