import numpy as np
from scipy import stats
from scipy.special import logsumexp


def is_log_marginal(log_px1, log_pz, log_q):
    return logsumexp(log_px1 + log_pz - log_q, axis=0, b=1 / len(log_q))


def is_log_joint(log_px1, log_px2, log_pz, log_q):
    return logsumexp(log_px1 + log_px2 + log_pz - log_q, axis=0) - np.log(len(log_q))


def is_log_conditional(log_px1, log_px2, log_pz, log_q, log_px2_prior):
    log_px2_mean = logsumexp(log_px2_prior, axis=0) - np.log(len(log_px2_prior))
    return is_log_joint(log_px1, log_px2, log_pz, log_q) - log_px2_mean


def consistency_report(table, *, entropy=0.0, slack=0.001):
    a, b, c = np.transpose(table)
    implied = np.column_stack([b - a, b - c, c - a])
    limit = np.zeros((len(b), 3))
    limit[:, 1] -= entropy
    return implied, (implied - limit) * [1, 1, -1] > slack


def bootstrap_ci(values, rng, *, level=0.95, resamples=2000):
    options = {"n_resamples": resamples, "method": "percentile", "rng": rng}
    found = stats.bootstrap((values,), np.mean, confidence_level=level, **options)
    return found.confidence_interval
