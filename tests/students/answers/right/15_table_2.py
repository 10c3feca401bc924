# === L15.is_log_marginal | right | a running sum | A one-pass sum that rescales when a larger weight comes.
import numpy as np


def is_log_marginal(log_px1, log_pz, log_q):
    top, total = np.full(log_q.shape[1], -np.inf), np.zeros(log_q.shape[1])
    for a in log_px1 + log_pz - log_q:
        higher = np.maximum(top, a)
        total = total * np.exp(top - higher) + np.exp(a - higher)
        top = higher
    return top + np.log(total / len(log_q))


# === L15.is_log_conditional | right | longdouble | In the longest float there is, given back as float64.
import numpy as np


def log_mean(a):
    a = a.astype(np.longdouble)
    top = a.max(axis=0)
    return top + np.log(np.exp(a - top).mean(axis=0))


def is_log_conditional(log_px1, log_px2, log_pz, log_q, log_px2_prior):
    both = log_mean(log_px1 + log_px2 + log_pz - log_q) - log_mean(log_px2_prior)
    return both.astype(np.float64)


# === L15.consistency_report | right | excess over a limit | One array of excesses, with the third column turned round, is compared once.
import numpy as np


def consistency_report(table, *, entropy=0.0, slack=0.001):
    implied = np.empty((len(table), 3))
    for column, (plus, minus) in enumerate([(1, 0), (1, 2), (2, 0)]):
        implied[:, column] = np.subtract(table[:, plus], table[:, minus])
    excess = implied * np.array([1, 1, -1])
    excess[:, 1] += entropy
    return implied, np.greater(excess, slack)


# === L15.bootstrap_ci | right | counts from a multinomial | How often each value is drawn, times the values.
import numpy as np


def bootstrap_ci(values, rng, *, level=0.95, resamples=2000):
    N = len(values)
    counts = rng.multinomial(N, np.full(N, 1 / N), size=resamples)
    means = np.sort(counts @ values / N)
    low, high = np.interp([(1 - level) / 2, (1 + level) / 2], np.linspace(0, 1, resamples), means)
    return float(low), float(high)
