# === L17.vae_grad | right | tensordot with 1/K | A vector of equal weights.
import numpy as np


def vae_grad(g):
    return np.tensordot(np.full(len(g), 1 / len(g)), g, axes=1)


# === L17.iwae_grad | right | ratios of weights | w~_k = 1 / sum_j exp(log w_j - log w_k), by differences of all pairs.
import numpy as np


def iwae_grad(log_w, g):
    with np.errstate(over="ignore"):
        share = 1 / np.exp(log_w[None] - log_w[:, None]).sum(axis=1)
    return np.einsum("kn,knp->np", share, g, optimize=True)


# === L17.normalised_weights | right | log domain | exp(a - lse(a)), with a where for the empty columns.
import numpy as np


def normalised_weights(log_w):
    total = np.logaddexp.reduce(log_w, axis=0, keepdims=True)
    difference = np.full_like(log_w, -np.inf)
    np.subtract(log_w, total, out=difference, where=total > -np.inf)
    return np.exp(difference)


# === L17.dreg_grads | right | matrix products per example | Batched matmul instead of sums.
import numpy as np
from scipy.special import logsumexp


def dreg_grads(log_w, dlog_w_dz, log_var, eps):
    squared = np.exp(2 * (log_w - logsumexp(log_w, axis=0)))
    slope = np.concatenate([dlog_w_dz, dlog_w_dz * eps * np.exp(log_var / 2) / 2], axis=-1)
    both = np.matmul(squared.T[:, None, :], slope.swapaxes(0, 1))[:, 0]
    dmu, dlog_var = np.split(both, 2, axis=-1)
    return dmu, dlog_var
