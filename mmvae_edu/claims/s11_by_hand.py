"""Claims about slide 11: MMVAE's bound and its gradient, written by hand."""

import math

import numpy as np

from ..models.one_function.mmvae import mmvae_bound
from ..oracles import bound_gradient, mixture_iwae_continuous
from .by_hand_instances import (
    affine,
    by_formula,
    experts,
    flat,
    gradients,
    log_likelihood,
    log_mean_exp,
    network,
    random_data,
    two_layers,
)
from .instances import log_mean, log_normal_sum, noise_grid, repeated
from .registry import T0, T1, T2C, claim, mutant

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


def _log_densities(z, mu, log_var):
    """log q_j at expert m's samples: z (M, K, N, D), experts (M, N, D) → (j, m, K, N)."""
    return log_normal_sum(z, mu[:, None, None], log_var[:, None, None])


def _log_mixture(z, mu, log_var):
    return log_mean_exp(_log_densities(z, mu, log_var))


def _mean_of_logs(log_w):
    return log_mean_exp(log_w, axis=1).mean(axis=0)


def _bound(w, *, x, eps, own_decoder=False, log_q=_log_mixture, reduce=_mean_of_logs):
    """S11.4 at the given noise, with a hook for each mistake."""
    mu, log_var = experts(w, x)
    z = mu[:, None] + np.exp(log_var / 2)[:, None] * eps
    scores = np.array(list(log_likelihood(w, x, z).values()))  # (j, m, K, N)
    score = _own(scores) if own_decoder else scores.sum(axis=0)
    return reduce(score + log_normal_sum(z, 0, np.zeros(z.shape[-1])) - log_q(z, mu, log_var))


def _own(values):
    """What expert m's networks say of its own samples: (j, m, K, N) → (m, K, N)."""
    return np.einsum("mmkn->mkn", values)


@claim("S11.4", of=mmvae_bound, tol=T2C, oracle="O7 complex step")
def by_hand_mmvae_has_this_gradient(f, rng):
    """Expert m's gradient comes through its samples and through q_m in every log q_Φ(z_j)."""
    features = {"a": 1, "b": 2}
    w, x = two_layers(rng, features, 1), random_data(rng, features, 3)
    return gradients(f, _bound, w, rng, x=x, eps=rng.standard_normal((2, 4, 3, 1)))


# ---- its mistakes -----------------------------------------------------------------------------


@mutant(mmvae_bound, says="log q_m as denominator: M separate IWAEs, S11.4 divides by q_Φ")
def by_hand_own_denominator(w, *, x, eps):
    def log_q(*arguments):
        return _own(_log_densities(*arguments))

    return by_formula(_bound, w, x=x, eps=eps, log_q=log_q)


@mutant(mmvae_bound, says="log densities averaged: a geometric mean is no mixture (S11.3)")
def by_hand_geometric_mixture(w, *, x, eps):
    def log_q(*arguments):
        return _log_densities(*arguments).mean(axis=0)

    return by_formula(_bound, w, x=x, eps=eps, log_q=log_q)


@mutant(mmvae_bound, says="−log M is missing: q_Φ of S11.3 is the mean of the experts")
def by_hand_sum_of_experts(w, *, x, eps):
    def log_q(*arguments):
        return _log_mixture(*arguments) + np.log(len(eps))

    return by_formula(_bound, w, x=x, eps=eps, log_q=log_q)


@mutant(mmvae_bound, says="expert m's samples decoded by decoder m only: S11.4 has p(z, x_1:M)")
def by_hand_own_decoder_only(w, *, x, eps):
    return by_formula(_bound, w, x=x, eps=eps, own_decoder=True)


@mutant(mmvae_bound, says="the experts share one ε: S11.4 draws samples for each", hint=3)
def by_hand_shared_noise(w, *, x, eps):
    return by_formula(_bound, w, x=x, eps=np.broadcast_to(eps[:1], eps.shape))


@mutant(mmvae_bound, says="the mean over m inside the log: the stratified bound, not S11.4", hint=3)
def by_hand_stratified(w, *, x, eps):
    def stratified(log_w):
        return log_mean_exp(log_w.reshape(-1, log_w.shape[-1]))

    return by_formula(_bound, w, x=x, eps=eps, reduce=stratified)


@mutant(mmvae_bound, says="the mean of log w: that is the ELBO of S11.1 for every K", hint=3)
def by_hand_mixture_elbo(w, *, x, eps):
    def elbo(log_w):
        return log_w.mean(axis=(0, 1))

    return by_formula(_bound, w, x=x, eps=eps, reduce=elbo)


@mutant(mmvae_bound, says="Σ_m without the 1/M of S11.4", hint=3)
def by_hand_sum_over_experts(w, *, x, eps):
    def summed(log_w):
        return len(log_w) * _mean_of_logs(log_w)

    return by_formula(_bound, w, x=x, eps=eps, reduce=summed)


@mutant(mmvae_bound, says="1/M² in the gradient: S11.4 has 1/M", hint=3)
def by_hand_one_over_M_squared(w, *, x, eps):
    def twice_averaged(log_w):
        bound = _mean_of_logs(log_w)
        return bound / len(log_w) + (1 - 1 / len(log_w)) * bound.real

    return by_formula(_bound, w, x=x, eps=eps, reduce=twice_averaged)


@mutant(
    mmvae_bound, says="the density term of expert m ×0: q_m stands in every log q_Φ(z_j)", hint=1
)
def by_hand_own_path_only(w, *, x, eps):
    def log_q(z, mu, log_var):
        return _log_mixture(z, mu.real, log_var.real)

    return by_formula(_bound, w, x=x, eps=eps, log_q=log_q)


@mutant(mmvae_bound, says="the density term of expert m at the others' samples z_j ×0", hint=1)
def by_hand_own_density_only(w, *, x, eps):
    def log_q(z, mu, log_var):
        own = np.eye(len(mu), dtype=bool)[:, :, None, None]
        held = _log_densities(z, mu.real, log_var.real)
        return log_mean_exp(np.where(own, _log_densities(z, mu, log_var), held))

    return by_formula(_bound, w, x=x, eps=eps, log_q=log_q)


@mutant(
    mmvae_bound, says="the path through z_m in log q_Φ(z_m) ×0: the samples move there too", hint=3
)
def by_hand_no_path_in_the_mixture(w, *, x, eps):
    def log_q(z, mu, log_var):
        return _log_mixture(z.real, mu, log_var)

    return by_formula(_bound, w, x=x, eps=eps, log_q=log_q)


@mutant(mmvae_bound, says="no gradient through log q_Φ at all: it depends on every expert", hint=1)
def by_hand_mixture_detached(w, *, x, eps):
    def log_q(*arguments):
        return _log_mixture(*arguments).real

    return by_formula(_bound, w, x=x, eps=eps, log_q=log_q)
