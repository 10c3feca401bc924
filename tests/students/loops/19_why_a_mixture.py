import math

import numpy as np


def mixture_moments(mu, log_var, *, mask=None):
    M, N, D = mu.shape
    mean, log_variance = np.empty((N, D)), np.empty((N, D))
    for n in range(N):
        there = [m for m in range(M) if mask is None or mask[m, n]]
        for d in range(D):
            first = sum(mu[m, n, d] for m in there) / len(there)
            total = 0.0
            for m in there:
                total += math.exp(log_var[m, n, d]) + (mu[m, n, d] - first) ** 2
            mean[n, d], log_variance[n, d] = first, math.log(total / len(there))
    return mean, log_variance


def cross_reconstruction(joint, q, decoder):
    total = 0.0
    for u, v in np.ndindex(*joint.shape):
        for s in range(q.shape[1]):
            chance = joint[u, v] * q[u, s]
            if chance > 0:
                total += chance * (math.log(decoder[s, v]) if decoder[s, v] > 0 else -math.inf)
    return total


def reconstruction_cap(joint):
    entropy = 0.0
    for row in joint:
        for p in row:
            if p > 0:
                entropy += p * math.log(p / sum(row))
    return entropy
