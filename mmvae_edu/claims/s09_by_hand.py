"""Claims about slide 9: the IWAE written by hand."""

import numpy as np

from ..models.one_function.iwae import iwae_bound, log_weights
from ..oracles import bound_gradient, iwae_continuous
from .by_hand_instances import (
    affine,
    by_formula,
    gradients,
    log_mean_exp,
    network,
    random_data,
    two_layers,
)
from .instances import log_normal_sum, noise_grid, repeated
from .registry import T0, T1, T2C, claim, mutant


def _affine(rng, D, P=4, **options):
    """The networks of one modality, its oracle and its x."""
    w, twin, x = affine(rng, {"x": P}, D, **options)
    return w["x"], twin, x["x"]


def _two_layers(rng, P=3, N=2, D=1):
    return two_layers(rng, {"x": P}, D)["x"], random_data(rng, {"x": P}, N)["x"]


def _log_weights(w, *, x, eps, prior=1, posterior=1, sample_in_q=None, q_in_q=None):
    """log p(x|z) + log p(z) − log q(z|x), with a hook for each mistake.

    sample_in_q and q_in_q change z and q's parameters where they stand in log q(z|x).
    """
    mu, log_var = np.split(network(w["encoder"], x), 2, axis=-1)
    z = mu + np.exp(log_var / 2) * eps
    held_z = sample_in_q(z) if sample_in_q else z
    held_q = (q_in_q(mu), q_in_q(log_var)) if q_in_q else (mu, log_var)
    log_q = log_normal_sum(held_z, *held_q)
    log_px_z = log_normal_sum(x, network(w["decoder"], z), np.zeros(1))
    return log_px_z + prior * log_normal_sum(z, 0, np.zeros(z.shape[-1])) - posterior * log_q


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


@claim("S9.5", of=log_weights, tol=T2C, oracle="O7 complex step")
def by_hand_log_w_has_this_gradient(f, rng):
    """The encoder's gradient comes through z_k, and through q's own parameters in log q(z_k|x)."""
    w, x = _two_layers(rng)
    return gradients(f, _log_weights, w, rng, x=x, eps=rng.standard_normal((4, 2, 1)))


@claim("S9.5", of=log_weights, tol=T0, oracle="the formula, written out")
def by_hand_both_networks_have_two_layers(f, rng):
    """With a hidden tanh layer in both networks log w is the same formula."""
    w, x = _two_layers(rng, P=4, N=3, D=2)
    constants = {"x": x, "eps": rng.standard_normal((5, 3, 2))}
    return f(w, **constants)[0], _log_weights(w, **constants)


@mutant(log_weights, says="only p(x|z): S9.5 has p(x, z) / q(z|x)", hint=1)
def weight_is_the_likelihood(w, *, x, eps):
    return by_formula(_log_weights, w, x=x, eps=eps, prior=0, posterior=0)


@mutant(log_weights, says="the prior p(z) is missing from p(x, z) = p(x|z) p(z)", hint=1)
def weight_without_prior(w, *, x, eps):
    return by_formula(_log_weights, w, x=x, eps=eps, prior=0)


@mutant(log_weights, says="log q is added: in S9.5 q is the denominator", hint=1)
def weight_times_q(w, *, x, eps):
    return by_formula(_log_weights, w, x=x, eps=eps, posterior=-1)


@mutant(
    log_weights, says="the closed-form KL in a weight: S9.5 has each sample's own ratio", hint=1
)
def weight_with_closed_kl(w, *, x, eps):
    def formula(w):
        mu, log_var = np.split(network(w["encoder"], x), 2, axis=-1)
        neg_kl = 0.5 * (1 + log_var - mu**2 - np.exp(log_var)).sum(axis=-1)
        return _log_weights(w, x=x, eps=eps, prior=0, posterior=0) + neg_kl

    return by_formula(formula, w)


@mutant(log_weights, says="one ε for all samples: the z_k of S9.2 are independent", hint=3)
def weight_of_one_noise(w, *, x, eps):
    return by_formula(_log_weights, w, x=x, eps=np.broadcast_to(eps[:1], eps.shape))


@mutant(log_weights, says="−log w: that is a loss, S9.5 has w itself", hint=1)
def weight_as_loss(w, *, x, eps):
    def formula(w):
        return -_log_weights(w, x=x, eps=eps)

    return by_formula(formula, w)


@mutant(log_weights, says="the path through z in log q(z|x) is dropped", hint=3)
def no_path_in_log_q(w, *, x, eps):
    return by_formula(_log_weights, w, x=x, eps=eps, sample_in_q=np.real)


@mutant(log_weights, says="log q's own gradient is dropped: μ and σ stand in log q(z|x) too")
def no_direct_term_of_q(w, *, x, eps):
    return by_formula(_log_weights, w, x=x, eps=eps, q_in_q=np.real)


# ---- S9.2, S9.4: the bound --------------------------------------------------------------------


def _bound(w, *, x, eps, **hooks):
    return log_mean_exp(_log_weights(w, x=x, eps=eps, **hooks))


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


@claim("S9.4", of=iwae_bound, tol=T2C, oracle="O7 complex step")
def by_hand_the_bound_has_this_gradient(f, rng):
    """At fixed noise the gradient is Σ w̃_k ∇log w_k, and w̃_k is not differentiated."""
    w, x = _two_layers(rng)
    return gradients(f, _bound, w, rng, x=x, eps=rng.standard_normal((4, 2, 1)))


def _surrogate(w, x, eps, weigh):
    """The bound's value, and the gradient of Σ_k weigh(log w)_k log w_k."""
    log_w = _log_weights(w, x=x, eps=eps)
    score = (weigh(log_w) * log_w).sum(axis=0)
    return log_mean_exp(log_w).real + score - score.real


def _softmax(log_w, axis=0):
    weights = np.exp(log_w - log_w.real.max(axis=axis, keepdims=True))
    return weights / weights.sum(axis=axis, keepdims=True)


@mutant(iwae_bound, says="the mean over K outside the logarithm: that is S9.1, not S9.2", hint=1)
def by_hand_elbo(w, *, x, eps):
    def formula(w):
        return _log_weights(w, x=x, eps=eps).mean(axis=0)

    return by_formula(formula, w)


@mutant(
    iwae_bound,
    says="−log K is missing: without the 1/K of S9.2 the bound is log K too high",
    hint=3,
)
def by_hand_without_log_K(w, *, x, eps):
    def formula(w):
        return _bound(w, x=x, eps=eps) + np.log(len(eps))

    return by_formula(formula, w)


@mutant(iwae_bound, says="one ε for all samples: then L_K of S9.2 is L_1", hint=1)
def by_hand_one_noise(w, *, x, eps):
    return by_formula(_bound, w, x=x, eps=eps[:1])


@mutant(iwae_bound, says="every sample counts the same in the gradient: that is S9.3, S9.4 has w̃")
def by_hand_even_gradient(w, *, x, eps):
    return by_formula(_surrogate, w, x=x, eps=eps, weigh=lambda a: np.full(a.shape, 1 / len(a)))


@mutant(iwae_bound, says="the weights are differentiated: an extra Σ (∇w̃_k) log w_k beside S9.4")
def by_hand_weights_differentiated(w, *, x, eps):
    return by_formula(_surrogate, w, x=x, eps=eps, weigh=_softmax)


@mutant(iwae_bound, says="the weights are normalised over the batch: S9.5 sums over the K samples")
def by_hand_weights_over_the_batch(w, *, x, eps):
    return by_formula(_surrogate, w, x=x, eps=eps, weigh=lambda a: _softmax(a.real, axis=1))


@mutant(iwae_bound, says="the path through z in log q(z|x) is dropped from S9.4", hint=3)
def by_hand_no_path_in_log_q(w, *, x, eps):
    return by_formula(_bound, w, x=x, eps=eps, sample_in_q=np.real)


@mutant(iwae_bound, says="log q's own gradient is dropped from S9.4: biased at K > 1", hint=3)
def by_hand_no_direct_term_of_q(w, *, x, eps):
    return by_formula(_bound, w, x=x, eps=eps, q_in_q=np.real)
