"""A small system, ten bugs to plant in it, and the standard checks of a bug hunt (L23).

The system is a product of experts with an importance-weighted bound.  Its pullback is derived from
its forward by complex steps, so that a wrong forward has the backward that belongs to it.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from ..claims.hunt.versions import close, gradient_agrees
from ..kernels.simulator.text import edited
from ..mistakes.edits import differentiated
from ..oracles import LinearGaussian, log_normal
from ..posteriors import product_of_experts

BUGS = {  # in words: old text of `value` or `bound`, and the new one
    "1/2 missing in the backward": ("dmu, dlog_var\n", "dmu, 2 * dlog_var\n"),
    "noise scaled by the variance": ("total**-0.5", "1 / total"),
    "one noise for the whole batch": ("std * eps", "std * eps[:, :1]"),
    "a prior for each expert": ("1 + precision", "here.sum(axis=0) + precision"),
    "a missing expert is N(0, 1)": ("np.exp(-log_var), 0)", "np.exp(-log_var), 1)"),
    "a missing modality is scored": ("mask[m] * model", "model"),
    "likelihood scaled by its size": ("mask[m] *", "mask[m] * x[-1].shape[1] / x_m.shape[1] *"),
    "batch averaged inside the log": (
        "top = log_w",
        "log_w = log_w.mean(axis=1, keepdims=True) + 0 * log_w\n    top = log_w",
    ),
    "log K forgotten": ("w.mean(", "w.sum("),
    "mean of the logs": ("return top + np.log(w.mean(axis=0))", "return log_w.mean(axis=0)"),
}


def value(mu, log_var, *, x, eps, mask, model):
    """Compute log 1/K sum_k p(x, z_k) / q(z_k), q the present experts' product.    [S7.5, S9.2]

    mu, log_var (M, N, D), eps (K, N, D), mask (M, N), x a list of (N, P_m); returns (N,).
    """
    here = mask[..., None]
    precision = np.where(here, np.exp(-log_var), 0)
    total = 1 + precision.sum(axis=0)
    mean, std = (precision * np.where(here, mu, 0)).sum(axis=0) / total, total**-0.5
    z = mean + std * eps
    log_w = (log_normal(z, 0.0, 0.0) - log_normal(z, mean, -np.log(total))).sum(axis=-1)
    for m, x_m in enumerate(x):
        log_w = log_w + mask[m] * model.log_lik(z, x_m, m)
    top = log_w.real.max(axis=0)
    w = np.exp(log_w - top)
    return top + np.log(w.mean(axis=0))


def bound(mu, log_var, **constants):
    """Compute `value`, with its pullback."""
    found, pullback = differentiated(value)(mu, log_var, **constants)

    def bound_pullback(dfound):
        dmu, dlog_var = pullback(dfound)
        return dmu, dlog_var

    return found, bound_pullback


@cache
def planted(bug=None):
    """Return `bound` with one of the BUGS, or without any."""
    return bound if bug is None else edited(bound, "bound", dict([BUGS[bug]]), [value])


@dataclass(frozen=True)
class Inputs:
    """The inputs of a check: experts (M, N, D), noise (K, N, D), mask (M, N), data and decoder."""

    mu: np.ndarray
    log_var: np.ndarray
    eps: np.ndarray
    mask: np.ndarray
    x: list
    model: LinearGaussian

    @property
    def constants(self):
        return {"x": self.x, "eps": self.eps, "mask": self.mask, "model": self.model}

    def value(self, bound):
        return bound(self.mu, self.log_var, **self.constants)[0]

    def rows(self, rows):
        """Select some of the examples, in that order."""
        arrays = {name: getattr(self, name)[:, rows] for name in ("mu", "log_var", "eps", "mask")}
        return replace(self, x=[x_m[rows] for x_m in self.x], **arrays)

    def complete(self):
        """Mark every modality as present."""
        return replace(self, mask=np.ones_like(self.mask))


def generic(rng, N=3, K=4, D=2):
    """Draw inputs with distinct sizes and some modalities missing."""
    model = LinearGaussian.random(rng, D, {0: 2, 1: 4})
    _, x = model.sample(rng, N)
    mu, log_var = rng.normal(size=(2, 2, N, D))
    mask = np.array([[True, True, False], [True, False, True]])[:, :N]
    return Inputs(mu, log_var, rng.normal(size=(K, N, D)), mask, list(x.values()), model)


def convenient(rng):
    """Draw one example, one sample, experts at N(0, 1), nothing missing."""
    inputs = generic(rng, N=1, K=1)
    return replace(inputs, mu=0 * inputs.mu, log_var=0 * inputs.log_var)


def gradient(i, bound):
    return gradient_agrees(bound, i.mu, i.log_var, **i.constants)


def shape_and_finite(i, bound):
    found = i.value(bound)
    return found.shape == i.mu.shape[1:2] and bool(np.isfinite(found).all())


def batches_of_one(i, bound):
    alone = [i.rows([n]).value(bound)[0] for n in range(i.mu.shape[1])]
    return close(i.value(bound), alone)


def order_of_examples(i, bound):
    back = np.arange(i.mu.shape[1])[::-1]
    return close(i.rows(back).value(bound), i.value(bound)[back])


def missing_is_absent(i, bound):
    """Compare each example with a model that has only the modalities which it has."""
    for n in range(i.mu.shape[1]):
        one, kept = i.rows([n]), np.flatnonzero(i.mask[:, n])
        model = LinearGaussian(*({j: part[m] for j, m in enumerate(kept)} for part in _parts(i)))
        arrays = {name: getattr(one, name)[kept] for name in ("mu", "log_var", "mask")}
        absent = replace(one, x=[one.x[m] for m in kept], model=model, **arrays)
        if not close(one.value(bound), absent.value(bound)):
            return False
    return True


def _parts(i):
    return i.model.W, i.model.b, i.model.sigma


def one_sample_is_the_elbo(i, bound):
    """Compare the mean over eps = ±1, exact as log w is quadratic in z, with the ELBO."""
    i = i.complete()
    (mean, log_var), _ = product_of_experts(i.mu, i.log_var)
    signs = np.array(np.meshgrid([-1.0, 1.0], [-1.0, 1.0])).reshape(2, 4).T[:, None, None]
    values = [replace(i, eps=np.tile(e, (1, len(mean), 1))).value(bound) for e in signs]
    return close(np.mean(values, axis=0), i.model.elbo(mean, log_var, dict(enumerate(i.x))))


def exact_posterior(i, bound):
    """Compare every weight with log p(x), whatever the noise."""
    i, x = i.complete(), dict(enumerate(i.x))
    experts = [i.model.expert_without_prior(x[m], m) for m in x]
    mu, log_var = (np.stack(part) for part in zip(*experts, strict=True))
    return close(replace(i, mu=mu, log_var=log_var).value(bound), i.model.log_prob(x))


def above_the_mean(i, bound):
    """Compare the bound of K samples with the log of the mean of their weights, one at a time."""
    each = [np.exp(replace(i, eps=i.eps[[k]]).value(bound)) for k in range(len(i.eps))]
    return close(i.value(bound), np.log(np.mean(each, axis=0)))


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
