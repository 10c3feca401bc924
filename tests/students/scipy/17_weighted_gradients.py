import numpy as np
from scipy.special import softmax


def iwae_grad(log_w, g):
    w = softmax(log_w, axis=0).T[:, None]
    return (w @ np.moveaxis(g, 0, 1))[:, 0]


def normalised_weights(log_w):
    return np.nan_to_num(softmax(log_w, axis=0))


def dreg_grads(log_w, dlog_w_dz, log_var, eps):
    g = softmax(log_w, axis=0)[..., None] ** 2 * dlog_w_dz
    return g.sum(0), (g * eps).sum(0) * np.exp(log_var / 2) / 2
