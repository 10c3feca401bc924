# === L17.vae_grad | wrong | sum for mean | The K gradients are added. | wrong at: K > 1
def vae_grad(g):
    return g.sum(axis=0)


# === L17.vae_grad | wrong | cumulated across rows | The running total is not set to 0 again for the next example. | wrong at: N > 1, from the second row on
import numpy as np


def vae_grad(g):
    K, N, P = g.shape
    out = np.empty((N, P))
    total = np.zeros(P)
    for n in range(N):
        for k in range(K):
            total += g[k, n]
        out[n] = total / K
    return out


# === L17.iwae_grad | wrong | maximum over the whole array | The maximum of all examples is subtracted, so that an example far below has only weights 0 and 0 / 0. | wrong at: log_w = [[0, -6237], [1, -6236]]
import numpy as np


def iwae_grad(log_w, g):
    w = np.exp(log_w - log_w.max())
    w /= w.sum(axis=0)
    return np.einsum("kn,knp->np", w, g)


# === L17.iwae_grad | wrong | wrong weights | The weights are squared and normalised again. | wrong at: K > 1
import numpy as np
from scipy.special import softmax


def iwae_grad(log_w, g):
    w = softmax(log_w, axis=0) ** 2
    w = w / w.sum(axis=0)
    return (w[:, :, None] * g).sum(axis=0)


# === L17.normalised_weights | wrong | argument changed in place | The maximum is subtracted from log_w itself. | wrong at: any input: log_w has changed afterwards
import numpy as np


def normalised_weights(log_w):
    top = log_w.max(axis=0)
    log_w -= np.where(np.isfinite(top), top, 0)
    w = np.exp(log_w)
    total = w.sum(axis=0)
    return np.divide(w, total, out=np.zeros_like(w), where=total > 0)


# === L17.normalised_weights | wrong | special value | A column of only -inf gets the equal shares 1/K and not 0. | wrong at: log_w = [[-inf], [-inf]]
import numpy as np


def normalised_weights(log_w):
    top = log_w.max(axis=0)
    shifted = np.where(np.isneginf(top), 0.0, log_w - np.where(np.isneginf(top), 0.0, top))
    w = np.exp(shifted)
    return w / w.sum(axis=0)


# === L17.iwae_bound | wrong | gradient of another function | The pullback is the ELBO's, with the weights 1/K. | wrong at: K > 1
import numpy as np
from mmvae_edu.models.one_function.iwae import log_weights


def iwae_bound(w, *, x, eps):
    log_w, log_w_back = log_weights(w, x=x, eps=eps)
    K = len(log_w)
    bound = np.logaddexp.reduce(log_w) - np.log(K)

    def back(d):
        return log_w_back(np.broadcast_to(d, log_w.shape) / K)

    return bound, back


# === L17.iwae_bound | wrong | cotangent ignored | The pullback takes every example's cotangent to be 1. | wrong at: d other than 1
import numpy as np
from mmvae_edu.models.one_function.iwae import log_weights
from scipy.special import logsumexp, softmax


def iwae_bound(w, *, x, eps):
    log_w, log_w_back = log_weights(w, x=x, eps=eps)
    return logsumexp(log_w, axis=0) - np.log(len(eps)), lambda d: log_w_back(softmax(log_w, axis=0))


# === L17.dreg_grads | wrong | wrong power | The weights are not squared. | wrong at: K > 1
import numpy as np
from scipy.special import softmax


def dreg_grads(log_w, dlog_w_dz, log_var, eps):
    a = softmax(log_w, axis=0)[..., None] * dlog_w_dz
    return a.sum(0), 0.5 * np.exp(0.5 * log_var) * (a * eps).sum(0)


# === L17.dreg_grads | wrong | variance for std | dz / dlog_var is var eps / 2. | wrong at: any log_var other than 0
import numpy as np


def dreg_grads(log_w, dlog_w_dz, log_var, eps):
    w = np.exp(log_w - np.logaddexp.reduce(log_w))
    dz = np.einsum("kn,knd->knd", w**2, dlog_w_dz)
    return dz.sum(0), np.einsum("knd,knd,nd->nd", dz, eps, np.exp(log_var)) / 2
