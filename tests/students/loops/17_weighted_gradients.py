import numpy as np

from mmvae_edu.models.one_function.iwae import log_weights


def vae_grad(g):
    total = np.zeros(g.shape[1:])
    for g_k in g:
        total += g_k / len(g)
    return total


def iwae_grad(log_w, g):
    K, N, P = g.shape
    total = np.zeros((N, P))
    for n in range(N):
        w = np.exp(log_w[:, n] - np.max(log_w[:, n]))
        for k in range(K):
            total[n] += w[k] / w.sum() * g[k, n]
    return total


def normalised_weights(log_w):
    shares = np.zeros_like(log_w)
    for n, column in enumerate(log_w.T):
        if np.any(column > -np.inf):
            w = np.exp(column - column.max())
            shares[:, n] = w / w.sum()
    return shares


def iwae_bound(w, *, x, eps):
    log_w, log_weights_back = log_weights(w, x=x, eps=eps)
    shares, top = normalised_weights(log_w), log_w.max(0)

    def back(d):
        return log_weights_back(shares * d)

    return top + np.log(np.exp(log_w - top).mean(0)), back
