"""A small system, ten bugs to plant in it, and the standard checks of a bug hunt (L23).

The system is a product of experts with an importance-weighted bound.  Its pullback is derived from
its forward by complex steps, so that a wrong forward has the backward that belongs to it.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..claims.differentiate import differentiated
from ..claims.hunt.versions import close, gradient_agrees
from ..oracles import LinearGaussian, log_normal
from ..posteriors import product_of_experts

BUGS = (
    "1/2 missing in the backward",
    "noise scaled by the variance",
    "one noise for the whole batch",
    "a prior for each expert",
    "a missing expert is N(0, 1)",
    "a missing modality is scored",
    "likelihood scaled by its size",
    "batch averaged inside the log",
    "log K forgotten",
    "mean of the logs",
)


def bound(mu, log_var, *, x, eps, mask, model, bug=None):
    """log 1/K sum_k p(x, z_k) / q(z_k) with q the product of the present experts.  [S7.5, S9.2]

    mu, log_var (M, N, D), eps (K, N, D), mask (M, N), x a list of (N, P_m); returns (N,).
    """
    here = mask[..., None]
    precision = np.where(here, np.exp(-log_var), 1.0 if bug == "a missing expert is N(0, 1)" else 0)
    total = (here.sum(axis=0) if bug == "a prior for each expert" else 1) + precision.sum(axis=0)
    mean = (precision * np.where(here, mu, 0)).sum(axis=0) / total
    std = 1 / total if bug == "noise scaled by the variance" else total**-0.5
    z = mean + std * (eps[:, :1] if bug == "one noise for the whole batch" else eps)
    log_w = (log_normal(z, 0.0, 0.0) - log_normal(z, mean, -np.log(total))).sum(axis=-1)
    for m, x_m in enumerate(x):
        weight = 1.0 if bug == "a missing modality is scored" else mask[m]
        if bug == "likelihood scaled by its size":
            weight = weight * max(part.shape[1] for part in x) / x_m.shape[1]
        log_w = log_w + weight * model.log_lik(z, x_m, m)
    if bug == "batch averaged inside the log":
        log_w = log_w.mean(axis=1, keepdims=True) + 0 * log_w
    if bug == "mean of the logs":
        return log_w.mean(axis=0)
    top = log_w.real.max(axis=0)
    w = np.exp(log_w - top)
    return top + np.log(w.sum(axis=0) if bug == "log K forgotten" else w.mean(axis=0))


def bound_op(mu, log_var, *, bug=None, **constants):
    """`bound` with its pullback."""
    value, pullback = differentiated(bound)(mu, log_var, bug=bug, **constants)

    def bound_op_pullback(dvalue):
        dmu, dlog_var = pullback(dvalue)
        return dmu, dlog_var * (2 if bug == "1/2 missing in the backward" else 1)

    return value, bound_op_pullback


@dataclass(frozen=True)
class Inputs:
    """What a check is run on: experts (M, N, D), noise (K, N, D), mask (M, N), data and decoder."""

    mu: np.ndarray
    log_var: np.ndarray
    eps: np.ndarray
    mask: np.ndarray
    x: list
    model: LinearGaussian

    def bound(self, bug):
        constants = {"x": self.x, "eps": self.eps, "mask": self.mask, "model": self.model}
        return bound(self.mu, self.log_var, bug=bug, **constants)

    def rows(self, rows):
        """The same for some of the examples, in that order."""
        arrays = {name: getattr(self, name)[:, rows] for name in ("mu", "log_var", "eps", "mask")}
        return replace(self, x=[x_m[rows] for x_m in self.x], **arrays)

    def complete(self):
        """The same with nothing missing."""
        return replace(self, mask=np.ones_like(self.mask))


def generic(rng, N=3, K=4, D=2):
    """Everything differs from everything, and modalities are missing here and there."""
    model = LinearGaussian.random(rng, D, {0: 2, 1: 4})
    _, x = model.sample(rng, N)
    mu, log_var = rng.normal(size=(2, 2, N, D))
    mask = np.array([[True, True, False], [True, False, True]])[:, :N]
    return Inputs(mu, log_var, rng.normal(size=(K, N, D)), mask, list(x.values()), model)


def convenient(rng):
    """One example, one sample, experts at N(0, 1), nothing missing."""
    inputs = generic(rng, N=1, K=1)
    return replace(inputs, mu=0 * inputs.mu, log_var=0 * inputs.log_var)


def gradient(i, bug):
    constants = {"x": i.x, "eps": i.eps, "mask": i.mask, "model": i.model, "bug": bug}
    return gradient_agrees(bound_op, i.mu, i.log_var, **constants)


def shape_and_finite(i, bug):
    value = i.bound(bug)
    return value.shape == i.mu.shape[1:2] and bool(np.isfinite(value).all())


def batches_of_one(i, bug):
    alone = [i.rows([n]).bound(bug)[0] for n in range(i.mu.shape[1])]
    return close(i.bound(bug), alone)


def order_of_examples(i, bug):
    back = np.arange(i.mu.shape[1])[::-1]
    return close(i.rows(back).bound(bug), i.bound(bug)[back])


def missing_is_absent(i, bug):
    """Each example against a model that has only the modalities which it has."""
    for n in range(i.mu.shape[1]):
        one, kept = i.rows([n]), np.flatnonzero(i.mask[:, n])
        model = LinearGaussian(*({j: part[m] for j, m in enumerate(kept)} for part in _parts(i)))
        arrays = {name: getattr(one, name)[kept] for name in ("mu", "log_var", "mask")}
        absent = replace(one, x=[one.x[m] for m in kept], model=model, **arrays)
        if not close(one.bound(bug), absent.bound(bug)):
            return False
    return True


def _parts(i):
    return i.model.W, i.model.b, i.model.sigma


def one_sample_is_the_elbo(i, bug):
    """log w is quadratic in z: its mean over eps = +1 and -1 is its expectation, the exact ELBO."""
    i = i.complete()
    (mean, log_var), _ = product_of_experts(i.mu, i.log_var)
    signs = np.array(np.meshgrid([-1.0, 1.0], [-1.0, 1.0])).reshape(2, 4).T[:, None, None]
    values = [replace(i, eps=np.tile(e, (1, len(mean), 1))).bound(bug) for e in signs]
    return close(np.mean(values, axis=0), i.model.elbo(mean, log_var, dict(enumerate(i.x))))


def exact_posterior(i, bug):
    """Every weight is log p(x), whatever the noise."""
    i, x = i.complete(), dict(enumerate(i.x))
    experts = [i.model.expert_without_prior(x[m], m) for m in x]
    mu, log_var = (np.stack(part) for part in zip(*experts, strict=True))
    return close(replace(i, mu=mu, log_var=log_var).bound(bug), i.model.log_prob(x))


def above_the_mean(i, bug):
    """The bound of K samples is the log of the mean of their weights, one at a time."""
    each = [np.exp(replace(i, eps=i.eps[[k]]).bound(bug)) for k in range(len(i.eps))]
    return close(i.bound(bug), np.log(np.mean(each, axis=0)))


CHECKS = {
    "gradient check": gradient,
    "shape, finite": shape_and_finite,
    "batches of one": batches_of_one,
    "order of examples": order_of_examples,
    "missing = absent": missing_is_absent,
    "K = 1 is the ELBO": one_sample_is_the_elbo,
    "exact posterior": exact_posterior,
    "K weights, one by one": above_the_mean,
}
