"""Small random instances whose every expectation is a finite sum or a closed form.

Generic on purpose: asymmetric, no unit scales, all sizes distinct.
"""

import itertools

import numpy as np

from ..exact import DiscreteModel, LinearGaussian
from ..likelihoods import Normal


def discrete_model(rng, S=5, symbols=(2, 3, 4)):
    """A discrete oracle with modalities of unequal numbers of symbols."""
    tables = [np.log(rng.dirichlet(np.full(V, 2.0), size=S)) for V in symbols]
    return DiscreteModel(np.log(rng.dirichlet(np.full(S, 2.0))), tables)


def random_symbols(model, rng):
    """One observation of a discrete model."""
    return [int(rng.integers(table.shape[1])) for table in model.log_lik]


def occupied_states(rng, S, K):
    """K states that are a whole distribution: the mean over them is the expectation under q.

    Returns states (K,), every state at least once, and q (S,), the frequency of each.
    """
    counts = 1 + rng.multinomial(K - S, rng.dirichlet(np.ones(S)))
    return np.repeat(np.arange(S), counts), counts / K


def every_draw(*q, K):
    """All outcomes of K independent draws from each of the G distributions q, (S,) each.

    Returns states (G, K, S^(GK)) and the probability of each outcome, (S^(GK),).
    """
    G, S = len(q), len(q[0])
    states = np.array(list(itertools.product(range(S), repeat=G * K))).T.reshape(G, K, -1)
    chances = np.array([q[g][states[g]].prod(axis=0) for g in range(G)])
    return states, chances.prod(axis=0)


def discrete_mixture(rng, S, M, *, K=20):
    """A discrete model, an observation x, M experts, and the log-weights of their mixture.

    Every expert is a whole number of K states: returns model, x, experts q (M, S),
    log w = log p(x, z) − log q_Φ(z) (S,), and the states (M, K).
    """
    model = discrete_model(rng, S)
    x = random_symbols(model, rng)
    occupied = [occupied_states(rng, S, K) for _ in range(M)]
    states, q = (np.array(part) for part in zip(*occupied, strict=True))
    return model, x, q, model.log_joint(x) - np.log(q.mean(axis=0)), states


def affine_model(system, rng, features, latent, *, N=4, sigma=None, **options):
    """A system with affine networks, and its twin, the linear-Gaussian model of its decoders.

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


def set_exact_encoders(model, theta, twin, *, prior):
    """Make every encoder the exact posterior given its modality, or without `prior` the expert."""
    for m, w in model.tree.views(theta).items():
        gram = (twin.W[m] ** 2).sum(axis=0) / twin.sigma[m] ** 2
        var = 1 / (gram + prior)
        D = twin.D
        w["encoder"]["W0"][:, :D] = twin.W[m] / twin.sigma[m] ** 2 * var
        w["encoder"]["W0"][:, D:] = 0
        w["encoder"]["b0"][:D] = -twin.b[m] @ w["encoder"]["W0"][:, :D]
        w["encoder"]["b0"][D:] = np.log(var)


def expert_parameters(model, theta, x):
    """mu, log_var (M, N, D) of a model with affine networks."""
    views = model.tree.views(theta)
    outputs = [x[m] @ views[m]["encoder"]["W0"] + views[m]["encoder"]["b0"] for m in x]
    return np.split(np.array(outputs), 2, axis=-1)


def sigma_points(T, N, D):
    """eps (T, 2D, N, D) with mean 0 and covariance I: exact where the integrand is quadratic."""
    axes = np.sqrt(D) * np.concatenate([np.eye(D), -np.eye(D)])
    return np.broadcast_to(axes[None, :, None, :], (T, 2 * D, N, D)).copy()


def log_normal_sum(z, mu, log_var):
    """log of a diagonal Gaussian density, summed over the last axis."""
    return -0.5 * (np.log(2 * np.pi) + log_var + (z - mu) ** 2 / np.exp(log_var)).sum(axis=-1)


def log_mean(log_w, axis=0):
    """log of the mean of exp(log_w), by pairwise additions."""
    return np.logaddexp.reduce(log_w, axis=axis) - np.log(log_w.shape[axis])


def violation(smaller, larger):
    """By how much smaller <= larger fails beyond rounding, and the zeros it is compared with."""
    smaller, larger = np.asarray(smaller), np.asarray(larger)
    slack = 1e-13 * np.maximum(1, np.abs(larger))
    excess = np.maximum(smaller - larger - slack, 0)
    return excess, np.zeros_like(excess)


def noise_grid(draws, nodes=101, reach=7.5):
    """Every combination of `draws` standard normals on a grid, and its probability.

    Returns eps (draws, nodes^draws) and weights (nodes^draws,), which sum to 1 but for the tails.
    The trapezoidal rule converges exponentially here: examples of a batch become nodes.
    """
    points, step = np.linspace(-reach, reach, nodes, retstep=True)
    eps = np.array(list(itertools.product(points, repeat=draws))).T
    return eps, (step * np.exp(-0.5 * eps**2) / np.sqrt(2 * np.pi)).prod(axis=0)


def one_dimensional(system, rng, features, **options):
    """`affine_model` with D = 1, one observation x, and weights smooth enough for `noise_grid`.

    Wide likelihoods, and encoders near the posterior given their own modality, keep the zeros of
    Σ w, as a function of complex noise, far from the real axis.
    """
    model, theta, twin, x = affine_model(system, rng, features, 1, N=1, sigma=2.0, **options)
    set_exact_encoders(model, theta, twin, prior=True)
    for w in model.tree.views(theta).values():
        w["encoder"]["W0"][...] += rng.uniform(-0.04, 0.04, w["encoder"]["W0"].shape)
        w["encoder"]["b0"][...] += rng.uniform(-0.2, 0.2, 2)
    return model, theta, twin, x


def repeated(x, N):
    """One observation as N equal rows."""
    return {m: np.repeat(values, N, axis=0) for m, values in x.items()}


def encoder_gradient(model, gradient):
    """The encoders' part of a gradient, flat."""
    views = model.tree.views(gradient)
    return np.concatenate([views[m]["encoder"][k].ravel() for m in views for k in ("W0", "b0")])


def affine_encoder_gradient(x, dmu, dlog_var):
    """The same of a bound with derivatives dmu, dlog_var (M,) at one observation."""
    parts = []
    for m, d in zip(x, np.stack([dmu, dlog_var], axis=-1), strict=True):
        parts += [np.outer(x[m][0], d).ravel(), d]
    return np.concatenate(parts)
