import math

import numpy as np


def log_mean(column):
    top = max(column)
    return top + math.log(math.fsum(math.exp(a - top) for a in column) / len(column))


def is_log_marginal(log_px1, log_pz, log_q):
    log_w = log_px1 + log_pz - log_q
    return np.array([log_mean(column) for column in log_w.T])


def is_log_joint(log_px1, log_px2, log_pz, log_q):
    return is_log_marginal(log_px1 + log_px2, log_pz, log_q)


def is_log_conditional(log_px1, log_px2, log_pz, log_q, log_px2_prior):
    joint = is_log_joint(log_px1, log_px2, log_pz, log_q)
    for n, column in enumerate(log_px2_prior.T):
        joint[n] -= log_mean(column)
    return joint


def consistency_report(table, *, entropy=0.0, slack=0.001):
    S = len(table)
    implied, flags = np.empty((S, 3)), np.zeros((S, 3), dtype=bool)
    entropies = np.broadcast_to(entropy, S)
    for s, (marginal, joint, conditional) in enumerate(table):
        implied[s] = joint - marginal, joint - conditional, conditional - marginal
        flags[s, 0] = joint > marginal + slack
        flags[s, 1] = joint > conditional - entropies[s] + slack
        flags[s, 2] = conditional < marginal - slack
    return implied, flags


def bootstrap_ci(values, rng, *, level=0.95, resamples=2000):
    means = [rng.choice(values, len(values)).mean() for _ in range(resamples)]
    means.sort()
    outside = (1 - level) / 2 * resamples
    return means[int(outside)], means[int(resamples - outside)]
