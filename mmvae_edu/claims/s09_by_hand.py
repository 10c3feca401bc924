"""Claims about slide 9: the IWAE written by hand."""

import numpy as np

from ..models.one_function.iwae import iwae_bound, log_weights
from ..oracles import bound_gradient, iwae_continuous
from .by_hand_instances import affine, network, random_data, two_layers
from .instances import log_normal_sum, noise_grid, repeated
from .registry import T0, T1, claim


def _affine(rng, D, P=4, **options):
    """The networks of one modality, its oracle and its x."""
    w, twin, x = affine(rng, {"x": P}, D, **options)
    return w["x"], twin, x["x"]


def _two_layers(rng, P=3, N=2, D=1):
    return two_layers(rng, {"x": P}, D)["x"], random_data(rng, {"x": P}, N)["x"]


def _log_weights(w, *, x, eps):
    """log p(x|z) + log p(z) − log q(z|x)."""
    mu, log_var = np.split(network(w["encoder"], x), 2, axis=-1)
    z = mu + np.exp(log_var / 2) * eps
    log_px_z = log_normal_sum(x, network(w["decoder"], z), np.zeros(1))
    log_pz = log_normal_sum(z, 0, np.zeros(z.shape[-1]))
    return log_px_z + log_pz - log_normal_sum(z, mu, log_var)


# ---- S9.5: log w ------------------------------------------------------------------------------


@claim("S9.5", of=log_weights, tol=T0, oracle="O3 linear-Gaussian")
def by_hand_a_weight_is_joint_over_posterior(f, rng):
    """log w_k = log p(x, z_k) − log q(z_k|x) at z_k = μ + σ ε_k."""
    w, twin, x = _affine(rng, 2)
    mu, log_var = np.split(network(w["encoder"], x), 2, axis=-1)
    eps = rng.standard_normal((5, 3, 2))
    z = mu + np.exp(log_var / 2) * eps
    return f(w, x=x, eps=eps)[0], twin.log_joint(z, {"x": x}) - log_normal_sum(z, mu, log_var)


@claim("S9.5", of=log_weights, tol=T0, oracle="O3 linear-Gaussian")
def by_hand_the_posterior_makes_every_weight_the_evidence(f, rng):
    """With q the exact posterior every log-weight is log p(x), whatever the noise."""
    w, twin, x = _affine(rng, 3, exact="posterior")
    log_w, _ = f(w, x=x, eps=rng.standard_normal((5, 3, 3)))
    return log_w, np.broadcast_to(twin.log_prob({"x": x}), (5, 3))


@claim("S9.5", of=log_weights, tol=T0, oracle="the formula, written out")
def by_hand_both_networks_have_two_layers(f, rng):
    """With a hidden tanh layer in both networks log w is the same formula."""
    w, x = _two_layers(rng, P=4, N=3, D=2)
    constants = {"x": x, "eps": rng.standard_normal((5, 3, 2))}
    return f(w, **constants)[0], _log_weights(w, **constants)


# ---- S9.2, S9.4: the bound --------------------------------------------------------------------


@claim("S9.2", "S9.4", of=iwae_bound, tol=T1, oracle="O4 Frullani")
def by_hand_the_bound_is_exact_on_average(f, rng):
    """Value and encoder gradient, integrated over the noise of K = 2, are the exact L_2's."""
    w, twin, x = _affine(rng, 1, P=2, exact="posterior", scale=0.2, N=1)
    w["encoder"]["W0"] += rng.uniform(-0.04, 0.04, w["encoder"]["W0"].shape)
    w["encoder"]["b0"] += rng.uniform(-0.2, 0.2, 2)
    (mu,), (log_var,) = np.split(network(w["encoder"], x)[0], 2)
    eps, chance = noise_grid(2, nodes=41)

    def log_joint(z):
        return twin.log_joint(z[:, None], {"x": x})

    def exact(*arguments):
        return iwae_continuous(*arguments, nodes=401)

    dheads = np.array(bound_gradient(exact, log_joint, mu, log_var, 2))
    bound, pullback = f(w, **repeated({"x": x}, len(chance)), eps=eps[..., None])
    dencoder = pullback(chance)["encoder"]
    lhs = [dencoder["W0"].ravel(), dencoder["b0"], [chance @ bound]]
    rhs = [np.outer(x, dheads).ravel(), dheads, [exact(log_joint, mu, log_var, 2)]]
    return np.concatenate(lhs), np.concatenate(rhs)


@claim("S9.2", of=iwae_bound, tol=T0, oracle="O3 linear-Gaussian")
def by_hand_the_posterior_closes_the_gap(f, rng):
    """With q the exact posterior the bound is log p(x) at any K, whatever the noise."""
    w, twin, x = _affine(rng, 2, exact="posterior")
    bounds = [f(w, x=x, eps=rng.standard_normal((K, 3, 2)))[0] for K in (1, 2, 5)]
    return np.array(bounds), np.broadcast_to(twin.log_prob({"x": x}), (3, 3))
