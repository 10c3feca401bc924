"""Claims about slide 11: MMVAE's bound and its gradient, written by hand."""

import math

import numpy as np

from ..models.one_function.mmvae import mmvae_bound
from ..oracles import bound_gradient, mixture_iwae_continuous
from .by_hand_instances import affine, experts, flat, network, random_data, two_layers
from .instances import log_mean, log_normal_sum, noise_grid, repeated
from .registry import T0, T1, claim

FEATURES = {"a": 2, "b": 4, "c": 3}


# ---- S11.4 by hand ----------------------------------------------------------------------------


@claim("S11.4", of=mmvae_bound, tol=T0, oracle="plain sums")
def by_hand_every_expert_is_decoded_by_all(f, rng):
    """The mean over m of log (1/K) Σ_k p(z_m^k, x_1:M) / q_Φ(z_m^k), one example at a time."""
    w, x = two_layers(rng, FEATURES, 2), random_data(rng, FEATURES, 4)
    (mu, log_var), eps = experts(w, x), rng.standard_normal((3, 5, 4, 2))
    rhs = np.zeros((4, 3))
    for n, m in np.ndindex(rhs.shape):
        z = mu[m, n] + np.exp(log_var[m, n] / 2) * eps[m, :, n]
        log_q = log_mean(np.array([log_normal_sum(z, mu[j, n], log_var[j, n]) for j in range(3)]))
        score = sum(log_normal_sum(x[j][n], network(w[j]["decoder"], z), np.zeros(1)) for j in x)
        rhs[n, m] = log_mean(score + log_normal_sum(z, 0, np.zeros(2)) - log_q)
    return f(w, x=x, eps=eps)[0], np.array([math.fsum(row) / 3 for row in rhs])


@claim("S11.4", of=mmvae_bound, tol=T0, oracle="O3 linear-Gaussian")
def by_hand_equal_experts_can_be_exact(f, rng):
    """Where every expert is the exact joint posterior, the bound is log p(x_1:M) for any noise."""
    w, twin, x = affine(rng, {"a": 3, "b": 2}, 2, N=1)
    mean, cov = twin.posterior(x)
    for networks in w.values():
        networks["encoder"]["W0"] = 0 * networks["encoder"]["W0"]
        networks["encoder"]["b0"] = np.concatenate([mean[0], np.log(np.diag(cov))])
    return f(w, x=x, eps=rng.standard_normal((2, 3, 1, 2)))[0], twin.log_prob(x)


@claim("S11.4", "S12.3", of=mmvae_bound, tol=T1, oracle="O4 Frullani")
def by_hand_the_mixture_bound_is_exact_on_average(f, rng):
    """Value and encoder gradients, integrated over the noise of K = 2, are the exact L^MoE_2's."""
    w, twin, x = affine(rng, {"a": 1, "b": 2}, 1, exact="posterior", scale=0.2, N=1)
    for networks in w.values():
        networks["encoder"]["b0"] = networks["encoder"]["b0"] + rng.uniform(-0.2, 0.2, 2)
    mu, log_var = (parameter[:, 0, 0] for parameter in experts(w, x))
    eps, chance = noise_grid(2, nodes=41)  # two experts see it, each has a logarithm of its own

    def log_joint(z):
        return twin.log_joint(z.reshape(-1, 1), x).reshape(z.shape)

    def exact(*arguments):
        return mixture_iwae_continuous(*arguments, nodes=301)

    dheads = np.array(bound_gradient(exact, log_joint, mu, log_var, 2)).T
    noise = np.broadcast_to(eps[None, ..., None], (2, *eps.shape, 1))
    bound, pullback = f(w, x=repeated(x, len(chance)), eps=noise)
    dw, rhs = pullback(chance), [[exact(log_joint, mu, log_var, 2)]]
    for m, dhead in zip(x, dheads, strict=True):
        rhs += [np.outer(x[m], dhead).ravel(), dhead]
    lhs = [dw[m]["encoder"][name].ravel() for m in x for name in ("W0", "b0")]
    return np.concatenate([[chance @ bound], *lhs]), np.concatenate(rhs)


@claim("S11.4", of=mmvae_bound, tol=T0, oracle="the same with the modalities in another order")
def permuting_modalities_permutes_gradients(f, rng):
    """The mixture has no first expert: in any order of the modalities the bound is the same, and
    each network gets the same gradient."""
    w, _, x = affine(rng, {"a": 1, "b": 3, "c": 2}, 1, N=4)
    eps, dbound = rng.standard_normal((3, 2, 4, 1)), rng.standard_normal(4)
    results = []
    for order in [0, 1, 2], [2, 0, 1]:
        names = [list(x)[m] for m in order]
        reordered = {m: w[m] for m in names}
        bound, pullback = f(reordered, x={m: x[m] for m in names}, eps=eps[order])
        results.append(np.concatenate([bound, flat(pullback(dbound))]))
    return tuple(results)
