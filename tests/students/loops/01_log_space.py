import math

import numpy as np


def log_sum_exp(a, *, axis):
    rows = np.moveaxis(a, axis, -1)
    value, weights = np.empty(rows.shape[:-1]), np.zeros(rows.shape)
    for i in np.ndindex(value.shape):
        top = rows[i].max()
        if top == -np.inf:
            value[i] = top
            continue
        w = np.exp(rows[i] - top)
        value[i], weights[i] = top + math.log(w.sum()), w / w.sum()
    return value, lambda dy: np.moveaxis(weights * dy[..., None], -1, axis)


def gaussian_log_prob(z, mu, log_var):
    K, N, D = z.shape
    log_prob = np.zeros((K, N))
    for k in range(K):
        for n in range(N):
            for d in range(D):
                var = math.exp(log_var[n, d])
                log_prob[k, n] -= 0.5 * math.log(2 * math.pi * var)
                log_prob[k, n] -= (z[k, n, d] - mu[n, d]) ** 2 / (2 * var)

    def back(dlog_prob):
        dz, dmu, dlog_var = np.zeros_like(z), np.zeros_like(mu), np.zeros_like(log_var)
        for k, n, d in np.ndindex(z.shape):
            slope = dlog_prob[k, n] * (z[k, n, d] - mu[n, d]) / math.exp(log_var[n, d])
            dz[k, n, d] = -slope
            dmu[n, d] += slope
            dlog_var[n, d] += (slope * (z[k, n, d] - mu[n, d]) - dlog_prob[k, n]) / 2
        return [dz, dmu, dlog_var]

    return log_prob, back


def softplus(a):
    return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))


def binomial_log_prob(logits, *, x, n=1):
    choices = sum(np.log([math.comb(n, int(c)) for c in column]) for column in x.T)
    value = np.sum(x * logits - n * softplus(logits), axis=2) + choices
    p = np.exp(-softplus(-logits))

    def back(d):
        return np.einsum("kn,knp->knp", d, x - n * p)

    return value, back
