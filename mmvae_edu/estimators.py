"""Log likelihoods of a trained model by importance sampling, in nats.                     [S8]

λ and β play no part here: they weigh the training objective only.
"""

from dataclasses import dataclass
from functools import cached_property, reduce
from math import log

import numpy as np

from .kernels.memory import kept_pages
from .likelihoods import Categorical
from .objectives import effective_sample_size, iwae
from .ops import log_sum_exp
from .support.batches import Batch
from .support.checks import random_generator, real_numbers, whole_number
from .support.devices import generator, namespace, to_host

ON_GPU = 100_000  # rows (examples × samples) that are decoded at once on a GPU


@dataclass(frozen=True)
class Estimate:
    """An estimated log likelihood of each of N examples, with its standard error.

    log_p   (N,) nats
    error   (N,) its standard error, from the spread of K independent weights: it is too small
            unless ess is large, since weights that were never drawn do not count, and too
            large where a mixture's samples are divided evenly among its experts
    ess     (N,) effective sample size of the weights, between 1 and K
    """

    log_p: np.ndarray
    error: np.ndarray
    ess: np.ndarray
    K: int

    @property
    def mean(self):
        """Compute the mean over the examples, nats."""
        return float(self.log_p.mean(dtype=np.float64))

    @property
    def mean_error(self):
        """Compute the standard error of that mean, from the spread of the examples' estimates."""
        if len(self.log_p) == 1:
            return float("inf")
        return float(self.log_p.std(ddof=1, dtype=np.float64) / np.sqrt(len(self.log_p)))

    def take(self, rows):
        """Select the estimates of these examples: an array of indices, which may repeat."""
        return Estimate(self.log_p[rows], self.error[rows], self.ess[rows], self.K)

    def __sub__(self, other):
        """Subtract an independent estimate: log p(a) − log p(b); `ess` is the lower of the two."""
        return Estimate(
            self.log_p - other.log_p,
            np.hypot(self.error, other.error),
            np.minimum(self.ess, other.ess),
            min(self.K, other.K),
        )


def marginal(model, theta, x, *, given=None, mask=None, K=1000, rng, chunk=None):
    """Estimate log p(x) of all modalities of x by K samples of the proposal q(z|given).   [S8, S9]

        log (1/K) Σ_k p(x|z_k) p(z_k) / q(z_k|given),   z_k ~ q(z|given)

    x, given: dicts name → (N, P); given = x by default, and {} is the prior p(z).  mask (M, N),
    bool, True = present, says for both what an example has of the model's modalities, and log p(x)
    is that of the present ones.  Returns an Estimate, on average below log p(x) and tending to it
    with K, for any proposal.  At most `chunk` rows (examples × samples) are decoded at once, by
    default 5,000, and 100,000 on a GPU; the result does not depend on it.
    """
    return marginals(model, theta, [x], given=given, mask=mask, K=K, rng=rng, chunk=chunk)[0]


def marginals(model, theta, parts, *, given=None, mask=None, K=1000, rng, chunk=None):
    """Estimate log p(x_1), log p(x_1, x_2), … by the same samples z_k ~ q(z|given).  [S8.T2]

    parts: dicts x_1, x_2, … of different modalities, name → (N, P); given = all of them by default.
    Returns an Estimate for each, as `marginal` does, but runs every decoder once; their errors are
    not independent.  Under a mask every example needs something of each part.
    """
    if not parts:
        raise ValueError("parts: expected at least one dict name → (N, P), found none")
    together = reduce(_union, parts)
    given = together if given is None else given
    if model.condition:
        names = ", ".join(name for x in parts for name in x)
        raise ValueError(
            f"{type(model).__name__} has no p({names}), only p({model.target} | "
            f"{', '.join(model.condition)}): use conditional"
        )
    return _estimates(model, theta, parts, given, mask, K, rng, chunk)


def conditional(
    model, theta, x, given, *,
    proposal=None, proposal_given=None, mask=None, K=1000, rng, chunk=None
):  # fmt: skip
    """Estimate log p(x|given) = log p(x, given) − log p(given).                      [S8]

    x, given: dicts name → (N, P) with different names; mask (M, N) bool, True = present, says what
    an example has of the model's modalities, something of each of the two.  The joint is estimated
    from q(z|proposal), by default q(z|x, given), the other from q(z|proposal_given), by default
    q(z|given); {} is the prior.  Each part is on average too low, and the difference may err
    either way: of two proposals for a part, the one with the higher mean is better.
    A conditional model has one estimate, from q(z|proposal).
    """
    both, rng = _union(x, given), random_generator(rng)  # one stream, also of a seed
    if model.condition:
        if set(given) != set(model.condition):
            raise ValueError(f"given: expected {list(model.condition)}, found {list(given)}")
        proposal = both if proposal is None else proposal
        return _estimates(model, theta, [both], proposal, mask, K, rng, chunk)[0]
    _checked(model, theta, x, mask)
    options = {"mask": mask, "K": K, "rng": rng, "chunk": chunk}
    joint = marginal(model, theta, both, given=proposal, **options)
    return joint - marginal(model, theta, given, given=proposal_given, **options)


def conditional_by_prior(
    model, theta, x, given, *, K=1000, prior_samples=5000, rng, chunk=None
):  # fmt: skip
    """Estimate log p(x|given) as the slides' table does, both parts without q(z|given).  [S8]

        log (1/K) Σ_k p(x, given|z_k) p(z_k) / q(z_k|x)  −  log (1/L) Σ_l p(given|z_l)
        z_k ~ q(z|x),  z_l ~ p(z)

    It has the same limit as `conditional`.
    """
    whole_number("prior_samples", prior_samples, 1)
    both, rng = _union(x, given), random_generator(rng)
    joint = marginal(model, theta, both, given=x, K=K, rng=rng, chunk=chunk)
    return joint - marginal(model, theta, given, given={}, K=prior_samples, rng=rng, chunk=chunk)


def log_weights(model, theta, x, *, given=None, mask=None, K=1000, rng, chunk=None):
    """Compute log w_k = log p(x|z_k) + log p(z_k) − log q(z_k|given), z_k ~ q(z|given).    [S9.5]

    For every system alike, with the arguments of `marginal`, which reduces the same weights by
    log (1/K) Σ_k w_k.  Returns (K, N), nats.  λ and β play no part: `model.terms` has them.
    """
    given = x if given is None else given
    weights = _weights(model, theta, [x], given, mask, K, rng, chunk)
    return np.concatenate([to_host(log_w) for (log_w,) in weights], axis=1)


def class_log_prob(model, theta, given, target, *, K=200, rng):
    """Estimate log p(c|given) of every class c of a categorical modality.        [S10.c]

        log (1/K) Σ_k p(target = c|z_k),   z_k ~ q(z|given)

    given: dict name → (N, P).  Returns (N, C), nats, whose exponentials sum to 1 in each row.  They
    are what q(z|given) says: unlike in `conditional`, no weight corrects q to the posterior.
    """
    if not isinstance(model.modalities.get(target), Categorical):
        found = model.modalities.get(target, "none of its modalities")
        raise ValueError(f"target: expected a Categorical, found {target!r}, {found}")
    whole_number("K", K, 1)
    batch, w = model.checked_batch(theta, given)
    found = []
    for rows, streams, _ in _chunks(batch.size, K, None, theta, rng):
        z, _ = model.posterior_samples(w, batch.take(rows), K, streams)
        logits, _ = model.run_decoder(w, target, z, pullback=False)
        log_p = logits - log_sum_exp(logits, axis=-1)[0][..., None]
        found.append(to_host(log_sum_exp(log_p, axis=0)[0] - log(K)))
    return np.concatenate(found)


def _log_weights(model, theta, targets, proposal, K, rng, chunk):
    """Compute log p(x_1 … x_t|z) + log p(z) − log q(z|given) at z ~ q(z|given).    [S9.5]

    targets: the Batches of x_1, x_2, …; proposal: that of `given`, None for the prior.  Returns a
    list of (K, N), one for each t, in nats.
    """
    w, N = model.tree.views(theta), targets[0].size
    if proposal is None:
        z = model.prior_samples(theta, (K, N, model.latent), rng)
        log_w = 0
    else:
        z, log_q = model.posterior_samples(w, proposal, K, rng)
        log_w = model.log_prior(w, z)[0] - log_q
    found, step = [], max(1, chunk // N)
    for target in targets:
        settings = {"weights": dict.fromkeys(target.x, 1.0), "pullback": False}
        settings["scored"] = None if target.mask is None else target.present[None]
        log_px_z = []
        for k in range(0, K, step):
            here = z[None, k : k + step]
            log_prob, _ = model.log_likelihood(w, target, here, **settings)
            log_px_z.append(log_prob[0])
        log_w = log_w + np.concatenate(log_px_z)
        found.append(log_w)
    return found


def _weights(model, theta, parts, given, mask, K, rng, chunk):
    """Check the arguments; yield for each chunk of n examples the parts' log-weights (K, n)."""
    whole_number("K", K, 1)
    if not isinstance(given, dict | Batch):
        raise ValueError(f"given: expected a dict name → (N, P), found a {type(given).__name__}")
    targets = [_checked(model, theta, x, mask) for x in parts]
    proposal = _checked(model, theta, given, mask) if given else None
    real_numbers("theta", theta)
    N = targets[0].size
    for batch in (*targets, proposal or targets[0]):
        if batch.size != N:
            raise ValueError(f"given: expected {N} examples as x, found {batch.size}")
    for rows, streams, most in _chunks(N, K, chunk, theta, rng):
        here = [target.take(rows) for target in targets]
        there = proposal and proposal.take(rows)
        yield _log_weights(model, theta, here, there, K, streams, most)


def _chunks(N, K, chunk, theta, rng):
    """Yield rows of the N examples, their Streams, and how many to decode at once: `chunk`."""
    if chunk is not None:
        whole_number("chunk", chunk, 1)
    on_host = isinstance(theta, np.ndarray)
    chunk, streams = chunk or (5_000 if on_host else ON_GPU), Streams if on_host else StreamsOnGpu
    root, step = int(random_generator(rng).integers(2**63)), max(1, chunk // K)
    with kept_pages():
        for start in range(0, N, step):
            rows = np.arange(start, min(start + step, N))
            yield rows, streams(root, rows), chunk


def _checked(model, theta, x, mask):
    """Check x as a Batch, by the rows of the mask (M, N) that belong to its modalities."""
    if mask is not None and isinstance(x, dict):
        mask, here = to_host(mask), np.array([name in x for name in model.modalities])
        if mask.dtype == bool and mask.ndim == 2 and len(mask) == len(here):
            mask = mask & here[:, None]
            nothing = np.flatnonzero(~mask.any(axis=0))
            if len(nothing):
                raise ValueError(f"mask: example {nothing[0]} has nothing of {list(x)}")
    return model.checked_batch(theta, x, mask)[0]


def _estimates(model, theta, parts, given, mask, K, rng, chunk):
    """Reduce each part's log-weights to log p and the effective sample size, on the host."""
    found = [[] for _ in parts]
    with np.errstate(over="ignore", invalid="ignore"):  # a sentence names what is not finite
        for weights in _weights(model, theta, parts, given, mask, K, rng, chunk):
            for chunks, log_w in zip(found, weights, strict=True):
                log_p, _ = iwae(log_w, kernels=model.backend(theta))
                chunks.append((to_host(log_p), to_host(effective_sample_size(log_w))))
    return [_estimate(chunks, K) for chunks in found]


def _estimate(chunks, K):
    log_p, ess = map(np.concatenate, zip(*chunks, strict=True))
    for n in np.flatnonzero(~(log_p < np.inf))[:1]:
        raise ValueError(
            f"x: log p of example {n} became {log_p[n]}; are its values as in the training data?"
        )
    with np.errstate(divide="ignore"):  # ess is 0 where no weight is above 0
        variance = np.maximum(1 / ess - 1 / K, 0)  # Σ_k (w̃_k − 1/K)², of the K weights' mean
    error = np.sqrt(variance * K / (K - 1)) if K > 1 else np.full_like(log_p, np.inf)
    return Estimate(log_p, error, ess, K)


def _union(x, given):
    for part in x, given:
        if not isinstance(part, dict):
            found = type(part).__name__
            raise ValueError(f"x, given: expected dicts name → (N, P), found a {found}")
    twice = sorted(x.keys() & given.keys())
    if twice:
        raise ValueError(f"x, given: expected different modalities, found {twice} twice")
    return {**x, **given}


class Streams:
    """One random stream for each example: no draw depends on how the examples are chunked.

    It has the methods of a generator that `posterior_samples` uses; shapes are (K, N, …).
    """

    def __init__(self, root, rows):
        self.root, self.rows = root, rows

    @cached_property
    def streams(self):
        return [np.random.default_rng((self.root, n)) for n in self.rows.tolist()]

    def standard_normal(self, shape, dtype=np.float64):
        return self._draw("standard_normal", shape, dtype=dtype)

    def standard_exponential(self, shape, dtype=np.float64):
        return self._draw("standard_exponential", shape, dtype=dtype)

    def integers(self, low, high, size=None):
        if size is None:  # high (N,): one number an example
            bounds = zip(self.streams, high.tolist(), strict=True)
            return np.array([stream.integers(low, top) for stream, top in bounds])
        return self._draw("integers", size, low=low, high=high)

    def _draw(self, law, shape, **arguments):
        K, N, *rest = shape
        draws = [getattr(stream, law)(size=(K, *rest), **arguments) for stream in self.streams]
        return np.stack(draws, axis=1)


class StreamsOnGpu(Streams):
    """The same for arrays on a GPU, which draws fast, but is slow to make a generator.

    A block of neighbouring examples, as many as are decoded at once by default, has one generator
    a draw: all of the block is drawn, and the rows in question are taken.
    """

    draws = 0

    def _draw(self, law, shape, **arguments):
        K, N, *rest = shape
        block, found, xp = max(1, ON_GPU // K), [], namespace("cuda")
        start, stop = self.rows[0], self.rows[-1] + 1
        for b in range(start // block, -(-stop // block)):
            rng = generator(np.random.default_rng((self.root, b, self.draws)), xp)
            drawn = getattr(rng, law)(size=(K, block, *rest), **arguments)
            found.append(drawn[:, max(start - b * block, 0) : stop - b * block])
        self.draws += 1
        return np.concatenate(found, axis=1)
