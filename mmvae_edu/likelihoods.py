"""Likelihoods p(x|z) of a decoder's outputs: log probability, mean, samples, and checks of x.

The ops come first, then one small class a likelihood.  Every log probability is summed over
the P features, in nats, one per sample and example: outputs (…, N, P), x (N, P) → (…, N).
"""

from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from math import log
from numbers import Real

import numpy as np

from .gaussian import gaussian_log_prob
from .kernels import reference
from .kernels.arrays import check_calls
from .laplace import laplace_log_prob, laplace_noise
from .ops import log_sum_exp
from .support.checks import whole_number


def binomial_log_prob(logits, *, x, n=1, kernels=reference):
    """Compute log Binomial(x; n, sigmoid(l)) = Σ_P log C(n, x) + x·l − n·softplus(l).

    Bernoulli at n = 1, where grey values in [0, 1] are accepted too: a score, not a density.
    """
    whole_number("n", n, 1)
    log_prob = kernels.binomial_log_prob(logits, x, n)

    def binomial_log_prob_pullback(dlog_prob):
        return kernels.binomial_log_prob_vjp(dlog_prob, logits, x, n)

    return log_prob + log_binomial_coefficient(x, n), binomial_log_prob_pullback


_COEFFICIENTS = {}  # log C(n, k) for all k, copied to a GPU once


def log_binomial_coefficient(x, n):
    """Compute Σ_P log C(n, x): (N, P) → (N,).  0 at n = 1."""
    if n == 1:
        return 0
    key = n, x.dtype, type(x), str(getattr(x, "device", ""))
    if key not in _COEFFICIENTS:
        exact = accumulate(range(n), lambda c, k: c * (n - k) // (k + 1), initial=1)
        _COEFFICIENTS[key] = np.array([*map(log, exact)], dtype=x.dtype, like=x)
    return _COEFFICIENTS[key][x.real.astype(np.int64)].sum(axis=-1)


def categorical_log_prob(logits, *, x):
    """Compute log Π_v p_v^{x_v} = Σ_v x_v l_v − log Σ_v exp(l_v), with x one-hot."""
    log_normaliser, log_sum_exp_pullback = log_sum_exp(logits, axis=-1)

    def categorical_log_prob_pullback(dlog_prob):
        return dlog_prob[..., None] * x - log_sum_exp_pullback(dlog_prob)

    return (x * logits).sum(axis=-1) - log_normaliser, categorical_log_prob_pullback


@dataclass(frozen=True)
class Binomial:
    """Counts out of n.  The decoder gives the logits; the encoder sees x / n."""

    features: int
    n: int = 1

    one_hot = False

    def __post_init__(self):
        whole_number("features", self.features, 1)
        whole_number("n", self.n, 1)

    def shapes(self):
        return {}

    def network_input(self, x):
        return x if self.n == 1 else x / self.n

    def log_prob(self, weights, outputs, *, x, kernels=reference):
        log_prob, binomial_pullback = binomial_log_prob(outputs, x=x, n=self.n, kernels=kernels)

        def log_prob_pullback(dlog_prob, out=None):
            return {}, binomial_pullback(dlog_prob)

        return log_prob, log_prob_pullback

    def mean(self, outputs):
        return self.n * reference.sigmoid(outputs)

    def sample(self, weights, outputs, rng):
        return rng.binomial(self.n, reference.sigmoid(outputs)).astype(outputs.dtype)

    def problem(self, x):
        """Return (expected, found) if something is wrong with these observed values, else None."""
        if (x < 0).any() or (x > self.n).any():
            return f"values in [0, {self.n}]", f"the range [{x.min()!s}, {x.max()!s}]"
        if self.n > 1 and (x != np.round(x)).any():
            return f"whole counts out of {self.n}", "fractions"


Bernoulli = partial(Binomial, n=1)  # binary features, or grey values in [0, 1] as a score


@dataclass(frozen=True)
class Categorical:
    """One of `features` classes, one-hot.  The decoder gives the logits."""

    features: int

    one_hot = True

    def __post_init__(self):
        whole_number("features", self.features, 1)

    def shapes(self):
        return {}

    def network_input(self, x):
        return x

    def log_prob(self, weights, outputs, *, x, kernels=reference):
        log_prob, categorical_pullback = categorical_log_prob(outputs, x=x)

        def log_prob_pullback(dlog_prob, out=None):
            return {}, categorical_pullback(dlog_prob)

        return log_prob, log_prob_pullback

    def mean(self, outputs):
        return np.exp(outputs - log_sum_exp(outputs, axis=-1)[0][..., None])

    def sample(self, weights, outputs, rng):
        gumbel = rng.gumbel(size=outputs.shape)  # the maximum of logits + Gumbel noise is a draw
        return np.eye(self.features, dtype=outputs.dtype)[(outputs + gumbel).argmax(axis=-1)]

    def problem(self, x):
        """Return (expected, found) if something is wrong with these observed values, else None."""
        if ((x != 0) & (x != 1)).any() or (x.sum(axis=-1) != 1).any():
            return "one-hot rows", "rows that are not"


@dataclass(frozen=True)
class Normal:
    """Real features.  The decoder gives the mean; each feature has one scale.

    `scale` is the fixed standard deviation, or "learnt": exp of a log scale that a sigmoid keeps
    between log 0.02 and log 5, because exact repeats in the data could drive a density to ∞.
    """

    features: int
    scale: float | str = 1.0

    one_hot = False
    bounds = (0.02, 5.0)
    density = staticmethod(gaussian_log_prob)
    parameter_per_log_scale = 2  # log_var = 2 log scale

    def __post_init__(self):
        whole_number("features", self.features, 1)
        number = isinstance(self.scale, Real) and not isinstance(self.scale, bool)
        learnt = isinstance(self.scale, str) and self.scale == "learnt"
        if not (learnt or (number and 0 < self.scale < np.inf)):
            raise ValueError(f'scale: expected a positive number or "learnt", found {self.scale!r}')

    def shapes(self):
        return {"raw_scale": (self.features,)} if self.scale == "learnt" else {}

    @property
    def initial_scale(self):
        """The scale before training, when `raw_scale` is 0."""
        return float(np.sqrt(np.prod(self.bounds)) if self.scale == "learnt" else self.scale)

    def network_input(self, x):
        return x

    def log_scale(self, weights):
        """Compute log scale, one per feature, and its pullback to the raw parameter."""
        if self.scale != "learnt":
            return float(np.log(self.scale)), None
        low, high = np.log(self.bounds).tolist()
        gate = reference.sigmoid(weights["raw_scale"])

        def log_scale_pullback(dlog_scale):
            return dlog_scale * (high - low) * gate * (1 - gate)

        return low + (high - low) * gate, log_scale_pullback

    def log_prob(self, weights, outputs, *, x, kernels=reference):
        log_scale, log_scale_pullback = self.log_scale(weights)
        factor = self.parameter_per_log_scale
        spread = np.zeros_like(outputs, shape=outputs.shape[-1:]) + factor * log_scale
        log_prob, density_pullback = self.density(x, outputs, spread)

        def log_prob_pullback(dlog_prob, out=None):
            _, doutputs, dspread = density_pullback(dlog_prob)
            if log_scale_pullback is None:
                return {}, doutputs
            dweights = {"raw_scale": log_scale_pullback(factor * dspread)}
            if out is not None:
                out["raw_scale"][...] = dweights["raw_scale"]
            return dweights, doutputs

        return log_prob, log_prob_pullback

    def mean(self, outputs):
        return outputs

    def noise(self, rng, shape, dtype):
        return rng.standard_normal(shape, dtype=dtype)

    def sample(self, weights, outputs, rng):
        scale = np.exp(self.log_scale(weights)[0])
        return outputs + scale * self.noise(rng, outputs.shape, outputs.dtype)

    def problem(self, x):
        """Return None: any finite number will do."""


@dataclass(frozen=True)
class Laplace(Normal):
    """Real features.  The decoder gives the median; `scale` is b, the mean absolute deviation."""

    density = staticmethod(laplace_log_prob)
    parameter_per_log_scale = 1

    def noise(self, rng, shape, dtype):
        return laplace_noise(rng, shape, dtype)


LIKELIHOODS = {kind.__name__: kind for kind in (Binomial, Categorical, Normal, Laplace)}  # in files


check_calls(globals())
