"""Claims about slide 7: the random subsets of S7.6, and what the joint term does not feel."""

import numpy as np

from ..objectives import sample_subsets
from ..oracles import LinearGaussian
from ..slides.s07_joint_posterior import flat_direction
from .gaussian_instances import exact_posterior, linear_gaussian
from .registry import T0, claim

# ---- the random subsets X_j -------------------------------------------------------------------


@claim("S7.6", of=sample_subsets, tol=T0, oracle="counting")
def sampled_subsets_are_proper(f, rng):
    """A random subset X_j of 5 modalities has 2, 3 or 4 members: never one, none or all."""
    sizes = f(5, 300, rng).sum(axis=1)
    return np.unique(sizes), np.array([2, 3, 4])


# ---- the flat directions of ELBO(x_1..M) ------------------------------------------------------


@claim("S7.6", "S7.5", of=flat_direction, tol=T0, oracle="O3 linear-Gaussian")
def a_flat_step_keeps_the_joint_posterior(f, rng):
    """Exact experts that take a flat step still multiply to the exact joint posterior."""
    model, x, mu, log_var = linear_gaussian(rng)
    tau, (dtau, deta) = np.exp(-log_var), f(*_step(rng, log_var))
    total = 1 + (tau + dtau).sum(axis=0)
    joint = np.stack([(tau * mu + deta).sum(axis=0) / total, -np.log(total)])
    return joint, exact_posterior(model, x, [True] * 3)


@claim("S7.6", of=flat_direction, tol=T0, oracle="O3 linear-Gaussian, to 4 digits")
def a_flat_step_costs_the_unimodal_terms(f, rng):
    """The fixture's experts, moved by the flat part of a step, keep the joint gap at 0 and open
    unimodal gaps of .0126 and .0986 nats."""
    a, var, x = np.array([1.3, -0.7]), np.array([0.5, 0.3]), np.array([0.4, 1.1])
    model = LinearGaussian(
        {m: a[[m], None] for m in range(2)}, {0: [0], 1: [0]}, dict(enumerate(np.sqrt(var)))
    )
    data, common = {m: x[[m], None] for m in range(2)}, rng.standard_normal(2)
    steps = (np.outer([1, -1], [0.25, 0.4]) + common).T[..., None, None]
    dtau, deta = (d[:, 0, 0] for d in f(*steps))
    tau, eta, gaps = a**2 / var + dtau, a * x / var + deta, []
    for names in [0, 1], [0], [1]:
        total = 1 + tau[names].sum()
        q = np.reshape([eta[names].sum() / total, -np.log(total)], (2, 1, 1))
        gaps.append((model.log_prob(data, names) - model.elbo(*q, data, names)).item())
    return np.round(gaps, 4), np.array([0, 0.0126, 0.0986])


@claim("S7.6", of=flat_direction, tol=T0, oracle="eigenvectors of the Fisher information")
def flat_steps_span_the_null_space(f, rng):
    """It projects on the directions of zero curvature of ELBO(x_1..M), 2M − 2 for each z_d."""
    M, mean, var, (dtau, deta) = 4, rng.normal(), rng.uniform(0.3, 2), rng.normal(size=(2, 4))
    cross = -mean * var
    fisher = np.array([[mean**2 * var + var**2 / 2, cross], [cross, var]])  # of (−z²/2, z)
    curvature, directions = np.linalg.eigh(np.kron(fisher, np.ones((M, M))))
    flat = directions[:, curvature < 1e-9 * curvature[-1]]
    step = np.concatenate(f(dtau[:, None, None], deta[:, None, None]))[:, 0, 0]
    expected = flat @ (flat.T @ np.concatenate([dtau, deta]))
    return np.append(step, flat.shape[1]), np.append(expected, 2 * M - 2)


def _step(rng, log_var):
    """A random step of the experts' precisions, which stay positive, and of eta."""
    smallest = np.exp(-log_var).min()
    return rng.uniform(-0.4, 0.4, log_var.shape) * smallest, rng.normal(0, 0.5, log_var.shape)
