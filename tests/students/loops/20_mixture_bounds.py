import math

import numpy as np


def mixture_log_prob(z, mu, log_var, *, log_alpha):
    scores, present = [], (log_alpha > -math.inf)[..., None]
    mu, log_var = np.where(present, mu, 0), np.where(present, log_var, 0)
    for m in range(len(mu)):
        r2 = (z - mu[m]) ** 2 / np.exp(log_var[m])
        scores.append(log_alpha[m] - 0.5 * (math.log(2 * math.pi) + log_var[m] + r2).sum(-1))
    log_q = np.logaddexp.reduce(scores)
    r = np.exp(np.array(scores) - log_q)

    def back(d):
        dz, dmu, dlog_var = np.zeros_like(z), np.zeros_like(mu), np.zeros_like(log_var)
        for m in range(len(mu)):
            weight = (d * r[m])[..., None]
            slope = weight * (z - mu[m]) / np.exp(log_var[m])
            dz -= slope
            dmu[m] = slope.sum(0)
            dlog_var[m] = 0.5 * (slope * (z - mu[m]) - weight).sum(0)
        return dz, dmu, dlog_var

    return log_q, back


def responsibility(posterior, experts):
    a = np.zeros(len(experts))
    for p, column in zip(posterior, experts.T, strict=False):
        if column.sum() > 0:
            a += p * column / column.sum()
        elif p > 0:
            raise ValueError("no expert covers this state")
    return a
