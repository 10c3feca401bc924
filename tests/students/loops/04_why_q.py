import math

import numpy as np


def refine(mu, log_var, *, eps, log_px_z, rate=0.1):
    T, K, N, D = eps.shape
    mean, std = mu.copy(), np.exp(log_var / 2)
    for t in range(T):
        z = np.empty((K, N, D))
        for k, n, d in np.ndindex(K, N, D):
            z[k, n, d] = mean[n, d] + std[n, d] * eps[t, k, n, d]
        _, pullback = log_px_z(z)
        slope = pullback(np.ones((K, N)))
        moved, widened = np.empty((N, D)), np.empty((N, D))
        for n, d in np.ndindex(N, D):
            up = math.fsum(slope[:, n, d]) / K - mean[n, d]
            # d/dlog var is std/2 times d/dstd
            wider = math.fsum(slope[:, n, d] * eps[t, :, n, d]) / K - std[n, d] + 1 / std[n, d]
            moved[n, d] = mean[n, d] + rate * std[n, d] ** 2 * up
            widened[n, d] = std[n, d] * math.exp(rate * std[n, d] * wider / 2)
        mean, std = moved, widened
    return mean, 2 * np.log(std)
