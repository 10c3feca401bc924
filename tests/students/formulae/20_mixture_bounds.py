import math

import numpy as np


def mixture_elbo(log_w, *, present=None):
    M, K, N = log_w.shape
    if present is None:
        present = np.ones((M, N), bool)
    weights = np.repeat((present / present.sum(0) / K)[:, None], K, axis=1)
    used = np.where(present[:, None], log_w, 0)
    return (used * weights).sum((0, 1)), lambda d: weights * d


def mixture_iwae(log_w, *, present=None):
    M, K, N = log_w.shape
    bound, gradient = np.zeros(N), np.zeros((M, K, N))
    for n in range(N):
        experts = range(M) if present is None else np.flatnonzero(present[:, n])
        for m in experts:
            a = log_w[m, :, n]
            w = np.exp(a - a.max())
            bound[n] += (a.max() + math.log(w.mean())) / len(experts)
            gradient[m, :, n] = w / w.sum() / len(experts)
    return bound, lambda d: gradient * d


def stratified_iwae(log_w, *, present=None):
    M, K, N = log_w.shape
    if present is None:
        present = np.full((M, N), True)
    flat = np.where(present[:, None], log_w, -np.inf).reshape(-1, N)
    total = np.logaddexp.reduce(flat)

    def back(d):
        return (np.exp(flat - total) * d).reshape(M, K, N)

    return total - np.log(K * present.sum(0)), back
