import math

import numpy as np


def kl_per_dimension(mu, log_var):
    N, D = mu.shape
    found = np.zeros(D)
    for n in range(N):
        for d in range(D):
            std = math.exp(log_var[n, d] / 2)
            found[d] += (mu[n, d] ** 2 + std**2) / 2 - 0.5 - math.log(std)
    return found / N


def active_units(mu, *, threshold=0.01):
    N, D = mu.shape
    active = np.zeros(D, dtype=bool)
    for d in range(D):
        mean = sum(mu[:, d]) / N
        active[d] = sum((m - mean) ** 2 for m in mu[:, d]) / N > threshold
    return active


def reverse_water_filling(eigenvalues, *, noise, beta=1.0):
    std = math.sqrt(beta) * noise
    kl, error = np.zeros(len(eigenvalues)), np.array(eigenvalues)
    for d, value in enumerate(eigenvalues):
        if math.sqrt(value) > std:
            kl[d] = math.log(math.sqrt(value) / std)
            error[d] = std * std
    return kl, error
