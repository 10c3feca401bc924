"""The IWAE objective of one mini-batch, and its gradient, from the three log densities.

    sum_n log 1/K sum_k w_kn,   w = p(x|z) p(z) / q(z|x)

The sum over the mini-batch is what the optimiser maximises; dividing by N is left to the caller.
"""

import numpy as np


def log_weights(log_px_z, log_pz, log_qz):
    """log w = log p(x|z) + log p(z) - log q(z|x), (K, N)."""
    return log_px_z + log_pz - log_qz


def objective(log_px_z, log_pz, log_qz):
    """The sum over the N images of their importance-weighted bounds: a number, in nats.

    All three (K, N), K samples of each image; the pullback takes a number to three gradients.
    """
    log_w = log_weights(log_px_z, log_pz, log_qz)
    log_w = log_w.sum(axis=1, keepdims=True)
    top = log_w.max(axis=0)
    w = np.exp(log_w - top)
    bounds = top + np.log(w.mean(axis=0))
    normalised = w / w.sum(axis=0)

    def objective_pullback(d):
        dlog_w = d * np.broadcast_to(normalised, log_px_z.shape)
        return dlog_w, dlog_w, -dlog_w

    return bounds.sum(), objective_pullback


def effective_samples(log_w):
    """1 / sum_k w~_k^2: how many of the K samples carry the weight, (N,)."""
    w = np.exp(log_w - log_w.max(axis=0))
    return w.sum(axis=0) ** 2 / (w**2).sum(axis=0)
