import math

import numpy as np


def neg_kl_std_normal(mu, log_var):
    N, D = mu.shape
    value = np.zeros(N)
    for n in range(N):
        for j in range(D):
            value[n] += (1 + log_var[n, j] - mu[n, j] ** 2 - math.exp(log_var[n, j])) / 2

    def back(d):
        dmu, dlog_var = np.empty((N, D)), np.empty((N, D))
        for n in range(N):
            dmu[n] = -d[n] * mu[n]
            dlog_var[n] = d[n] * (1 - np.exp(log_var[n])) / 2
        return [dmu, dlog_var]

    return value, back


@np.vectorize
def one(m1, l1, m2, l2):
    return 0.5 * (math.exp(l1 - l2) - 1 - l1 + l2 + (m1 - m2) ** 2 * math.exp(-l2))


def kl_gauss(mu1, log_var1, mu2, log_var2):
    def back(d):
        d, r = d[:, None], np.exp(log_var1 - log_var2)
        a = (mu1 - mu2) * np.exp(-log_var2)
        return d * a, d * (r - 1) / 2, -d * a, d * (1 - r - a * (mu1 - mu2)) / 2

    return one(mu1, log_var1, mu2, log_var2).sum(1), back
