"""Slide 8's Table 2 from log densities: its three estimates, and whether its cells agree. [S8.T2]

x1 is the image and x2 the label; z_k ~ q(z|x1) are K samples of each of N examples.  What the
densities mean, in nats and with λ = β = 1:

    log_px1, log_px2 (K, N)   log p(x1|z_k), log p(x2|z_k)
    log_pz, log_q (K, N)      log p(z_k), log q(z_k|x1)
"""

import mpmath
import numpy as np

from ..objectives import iwae

CHECKS = ("log p(x2|x1)", "log p(x2)", "log p(x1|x2) − log p(x1)")


def is_log_marginal(log_px1, log_pz, log_q):
    """Estimate log p(x1), on average too low.  (K, N) each → (N,) nats.             [S8.T2, S9.2]

    log (1/K) Σ_k p(x1|z_k) p(z_k) / q(z_k|x1)
    """
    return iwae(log_px1 + log_pz - log_q)[0]


def is_log_joint(log_px1, log_px2, log_pz, log_q):
    """Estimate log p(x1, x2) by the same samples, on average too low.  (N,) nats.         [S8.T2]

        log (1/K) Σ_k p(x1|z_k) p(x2|z_k) p(z_k) / q(z_k|x1)

    q has not seen x2: where it is the exact p(z|x1), `is_log_marginal` is exact and this is not.
    """
    return iwae(log_px1 + log_px2 + log_pz - log_q)[0]


def is_log_conditional(log_px1, log_px2, log_pz, log_q, log_px2_prior):
    """Estimate log p(x1|x2) by a difference, too high or too low.  → (N,) nats.           [S8.T2]

        is_log_joint − log (1/L) Σ_l p(x2|z_l),   z_l ~ p(z)

    log_px2_prior (L, N): log p(x2|z_l).  The first part is on average too low, and so is what is
    subtracted.
    """
    return is_log_joint(log_px1, log_px2, log_pz, log_q) - iwae(log_px2_prior)[0]


def log_densities(model, x, *, K=1000, L=5000, rng):
    """Compute the arguments of the three estimates, by name, of a trained model.            [S8.T2]

    x: dict name → (N, P), x1 first, and x2 where the model knows one; the L prior samples are the
    same for all examples, so that the estimated p(x2) is a distribution.
    """
    (x1, *x2), rng = x, np.random.default_rng(rng)
    batch, w = model.checked_batch(model.theta, {x1: x[x1]})
    z, log_q = model.posterior_samples(w, batch, K, rng)
    found = {"log_px1": _log_likelihood(model, x1, x[x1], z)}
    found |= {"log_pz": model.log_prior(w, z)[0], "log_q": log_q}
    for name in x2:
        distinct, where = np.unique(x[name], axis=0, return_inverse=True)
        z_prior = model.prior_samples(model.theta, (L, 1, model.latent), rng)
        z_prior = np.repeat(z_prior, len(distinct), axis=1)
        found["log_px2"] = _log_likelihood(model, name, x[name], z)
        found["log_px2_prior"] = _log_likelihood(model, name, distinct, z_prior)[:, where.ravel()]
    return found


def _log_likelihood(model, name, x, z):
    """Compute log p(x|z) with λ = 1: x (N, P), z (K, N, D) → (K, N)."""
    batch, w = model.checked_batch(model.theta, {name: x})
    return model.log_likelihood(w, batch, z[None], weights={name: 1.0})[0][0]


def consistency_report(table, *, entropy=0.0, slack=0.001):
    """Derive log p(x2|x1), log p(x2), … for a discrete x2, and flag impossible cells.      [S8.T2]

        joint − marginal       = log p(x2|x1)              ≤ 0
        joint − conditional    = log p(x2)                 ≤ −H(x2)
        conditional − marginal = log p(x1|x2) − log p(x1)  ≥ 0

    table (S, 3): a row a system, its means of log p(x1), log p(x1, x2), log p(x1|x2) over the same
    examples, nats, NaN where there is none; entropy: H of those examples' x2, nats, a number or
    (S,), 0 where it is unknown.  The first two hold whatever the model is (the second, since no
    distribution fits the labels better than their frequencies); the third is expected, and an
    overconfident p(x2|x1) breaks it.  Returns the differences (S, 3) and flags (S, 3) bool: True
    where one misses its limit by more than `slack`, by default what rounding to three digits does.
    """
    marginal, joint, conditional = np.asarray(table, dtype=np.float64).T
    implied = np.stack([joint - marginal, joint - conditional, conditional - marginal], axis=1)
    beyond = np.stack([implied[:, 0], implied[:, 1] + entropy, -implied[:, 2]], axis=1)
    return implied, beyond > slack


def bootstrap_ci(values, rng, *, level=0.95, resamples=2000):
    """Compute the bootstrap's interval (low, high) for the mean of many independent values.

    values (N,), one an example.  Resamples N of them with replacement, `resamples` times; between
    the two ends lies the fraction `level` of the resampled means.  Of few values it promises too
    much: use `student_interval`.  Source: Efron, Annals of Statistics 7 (1979).
    """
    rows = rng.integers(len(values), size=(resamples, len(values)))
    tail = (1 - level) / 2
    low, high = np.quantile(values[rows].mean(axis=1), [tail, 1 - tail])
    return float(low), float(high)


def student_interval(values, *, level=0.95):
    """Compute Student's interval (low, high) for the mean of a few normal values, as of seeds.

        mean ± t s / √n,   P(|T| > t) = 1 − level for Student's T with n − 1 degrees of freedom

    values (n,), n at least 2, else ValueError.
    """
    n = len(values)
    if n < 2:
        raise ValueError(f"values: expected at least 2, found {n}")

    low, high = 0.0, 1.0  # of (n − 1) / (n − 1 + t²), in which P(|T| > t) rises from 0 to 1
    for _ in range(80):
        middle = (low + high) / 2
        beyond = mpmath.betainc((n - 1) / 2, 0.5, 0, middle, regularized=True)
        low, high = (middle, high) if beyond < 1 - level else (low, middle)
    t = np.sqrt((n - 1) * (1 - high) / high)
    half = t * np.std(values, ddof=1) / np.sqrt(n)
    return float(np.mean(values) - half), float(np.mean(values) + half)


def seed_means(runs):
    """Average each system's blocks over the seeds, with Student's 95% interval.

    runs: results as `measure.tables.store.read` gives them.  Rows [system, parameters, seeds,
    block, mean, low, high], nats; low and high are NaN where there is one seed.  Numbers of another
    table, which name it as their `part`, are left out.  Raises ValueError where runs of one system
    differ in more than their seed and their evaluation.
    """
    by_system, rows = {}, []
    for run in runs:
        by_system.setdefault(run["job"]["system"], []).append(run)
    for system, mine in by_system.items():
        first, *others = (run["job"] | {"seed": None, "evaluation": None} for run in mine)
        for job in others:
            if differ := sorted(key for key in job if job[key] != first.get(key)):
                raise ValueError(
                    f"runs: expected one configuration of {system!r}, found two, which differ in "
                    f"{', '.join(differ)}"
                )
        found = [
            {block: v["mean"] for block, v in run["numbers"].items() if "part" not in v}
            for run in mine
        ]
        for block in dict.fromkeys(block for means in found for block in means):
            values = [means[block] for means in found if block in means]
            ends = student_interval(values) if len(values) > 1 else (np.nan, np.nan)
            row = [system, mine[0]["parameters"], len(values), block, float(np.mean(values)), *ends]
            rows.append(row)
    return rows
