"""Small random instances whose every expectation is a finite sum or a sum over a grid.

Generic on purpose: asymmetric, no unit scales, all sizes distinct.
"""

import itertools
import math
import tomllib
from importlib import resources

import numpy as np

from ..oracles import DiscreteModel


def printed(table, parse=float):
    """Read the rows of a slide's table, by data set and system."""
    file = resources.files("mmvae_edu.measure.tables").joinpath("slides.toml")
    return tomllib.loads(file.read_text("utf-8"), parse_float=parse)[table]["rows"]


def random_table(rng, shape=(2, 3, 4)):
    """Draw a joint distribution of as many variables as `shape` is long."""
    return rng.dirichlet(np.full(math.prod(shape), 0.7)).reshape(shape)


def random_product(rng, shape):
    """Draw independent factors; returns them and their table."""
    factors = [rng.dirichlet(np.ones(V)) for V in shape]
    return factors, outer(factors)


def random_covariance(rng, D=3):
    """Draw a covariance matrix (D, D) of correlated variables."""
    A = rng.normal(size=(D, D))
    return A @ A.T + np.eye(D)


def outer(factors):
    """Compute the table of a product distribution."""
    table = np.array(1.0)
    for q in factors:
        table = np.multiply.outer(table, q)
    return table


def discrete_model(rng, S=5, symbols=(2, 3, 4)):
    """Draw a discrete oracle with modalities of unequal numbers of symbols."""
    tables = [np.log(rng.dirichlet(np.full(V, 2.0), size=S)) for V in symbols]
    return DiscreteModel(np.log(rng.dirichlet(np.full(S, 2.0))), tables)


def random_symbols(model, rng):
    """Draw one observation, each symbol uniformly."""
    return [int(rng.integers(table.shape[1])) for table in model.log_lik]


def log_liks(model, x):
    """Look up log p(x_m|z) at the observed symbols x: (M, S)."""
    return np.stack([table[:, symbol] for table, symbol in zip(model.log_lik, x, strict=True)])


def all_masks(M):
    """List all 2^M masks as the columns of (M, 2^M)."""
    return np.array(list(itertools.product([True, False], repeat=M))).T


def per_mask(a, masks):
    """Append an axis to `a`, one copy for every column of masks."""
    return np.repeat(a[..., None], masks.shape[1], axis=-1)


def occupied_states(rng, S, K):
    """Draw K states that are a whole distribution: their mean is the expectation under q.

    Returns states (K,), every state at least once, and q (S,), the frequency of each.
    """
    counts = 1 + rng.multinomial(K - S, rng.dirichlet(np.ones(S)))
    return np.repeat(np.arange(S), counts), counts / K


def every_draw(*q, K):
    """List all outcomes of K independent draws from each of the G distributions q, (S,) each.

    Returns states (G, K, S^(GK)) and the probability of each outcome, (S^(GK),).
    """
    G, S = len(q), len(q[0])
    states = np.array(list(itertools.product(range(S), repeat=G * K))).T.reshape(G, K, -1)
    chances = np.array([q[g][states[g]].prod(axis=0) for g in range(G)])
    return states, chances.prod(axis=0)


def expected_bound(f, q, log_w, K):
    """Compute E f(log w) over all outcomes of K draws from q (S,), or each expert of q (M, S)."""
    states, chance = every_draw(*np.atleast_2d(q), K=K)
    return chance @ f(log_w[states].reshape(*q.shape[:-1], K, -1))[0]


def discrete_weights(rng, S):
    """Draw a discrete model: q (S,), log w = log p(x, z) − log q (S,), and log p(x)."""
    model = discrete_model(rng, S)
    x, q = random_symbols(model, rng), rng.dirichlet(np.full(S, 4.0))
    return q, model.log_joint(x) - np.log(q), model.log_evidence(x)


def discrete_mixture(rng, S, M, *, K=20):
    """Draw a discrete model, an observation x, M experts, and their mixture's log-weights.

    Every expert is a whole number of K states: returns model, x, experts q (M, S),
    log w = log p(x, z) − log q_Φ(z) (S,), and the states (M, K).
    """
    model = discrete_model(rng, S)
    x = random_symbols(model, rng)
    occupied = [occupied_states(rng, S, K) for _ in range(M)]
    states, q = (np.array(part) for part in zip(*occupied, strict=True))
    return model, x, q, model.log_joint(x) - np.log(q.mean(axis=0)), states


def log_normal_sum(z, mu, log_var):
    """Compute the log of a diagonal Gaussian density, summed over the last axis."""
    return -0.5 * (np.log(2 * np.pi) + log_var + (z - mu) ** 2 / np.exp(log_var)).sum(axis=-1)


def log_mean(log_w, axis=0):
    """Compute the log of the mean of exp(log_w), by pairwise additions."""
    return np.logaddexp.reduce(log_w, axis=axis) - np.log(log_w.shape[axis])


def log_mean_weight(log_joint, mu, log_var, eps):
    """Compute log (1/K) Σ_k p(x, z_k) / q(z_k), z_k = mu + std eps_k: eps (K, N, D) → (N,)."""
    z = mu + np.sqrt(np.exp(log_var)) * eps
    return log_mean(log_joint(z) - log_normal_sum(z, mu, log_var))


def violation(smaller, larger):
    """Compute by how much smaller <= larger fails beyond rounding; returns that and zeros."""
    smaller, larger = np.asarray(smaller), np.asarray(larger)
    slack = 1e-13 * np.maximum(1, np.abs(larger))
    excess = np.maximum(smaller - larger - slack, 0)
    return excess, np.zeros_like(excess)


def flat(tree):
    """Copy the numbers of a tree into one vector, a dict's in the order of its names."""
    if isinstance(tree, dict):
        tree = [tree[name] for name in sorted(tree)]
    if isinstance(tree, tuple | list):
        return np.concatenate([np.zeros(0), *map(flat, tree)])
    return np.array(tree, dtype=float).ravel()


def noise_grid(draws, nodes=101, reach=7.5):
    """List every combination of `draws` standard normals on a grid, and its probability.

    Returns eps (draws, nodes^draws) and weights (nodes^draws,), which sum to 1 but for the tails.
    The trapezoidal rule converges exponentially here: examples of a batch become nodes.
    """
    points, step = np.linspace(-reach, reach, nodes, retstep=True)
    eps = np.array(list(itertools.product(points, repeat=draws))).T
    return eps, (step * np.exp(-0.5 * eps**2) / np.sqrt(2 * np.pi)).prod(axis=0)


def repeated(x, N):
    """Repeat one observation as N equal rows."""
    return {m: np.repeat(values, N, axis=0) for m, values in x.items()}
