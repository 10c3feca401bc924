# === L19.mixture_moments | right | masked arrays | numpy.ma, and the second moment less the squared mean.
import numpy as np


def mixture_moments(mu, log_var, *, mask=None):
    hidden = np.zeros(mu.shape, bool) if mask is None else ~np.repeat(mask[..., None], mu.shape[-1], axis=-1)
    means = np.ma.masked_array(mu, hidden)
    variances = np.ma.masked_array(np.exp(np.where(hidden, 0, log_var)), hidden)
    mean = means.mean(axis=0)
    return mean.filled(), np.log(variances.mean(axis=0) + means.var(axis=0)).filled()


# === L19.mixture_moments | right | example by example | A loop that keeps only the present experts.
import numpy as np


def mixture_moments(mu, log_var, *, mask=None):
    M, N, D = mu.shape
    mean, log_variance = np.empty((N, D)), np.empty((N, D))
    for n in range(N):
        some = range(M) if mask is None else [m for m in range(M) if mask[m, n]]
        centres, widths = mu[list(some), n], log_var[list(some), n]
        mean[n] = np.average(centres, axis=0)
        terms = np.concatenate([widths, 2 * np.log(np.abs(centres - mean[n]) + 1e-300)])
        log_variance[n] = np.logaddexp.reduce(terms, axis=0) - np.log(len(centres))
    return mean, log_variance


# === L19.cross_reconstruction | right | loops | Three loops, and what has the probability 0 is passed by.
import math


def cross_reconstruction(joint, q, decoder):
    total = 0.0
    for u in range(len(joint)):
        for s in range(len(decoder)):
            for v in range(len(joint[u])):
                p = float(joint[u, v] * q[u, s])
                if p == 0:
                    continue
                if decoder[s, v] == 0:
                    return -math.inf
                total += p * math.log(decoder[s, v])
    return total


# === L19.cross_reconstruction | right | scipy | xlogy, over all of (x_m, x_n, z).
import numpy as np
from scipy.special import xlogy


def cross_reconstruction(joint, q, decoder):
    p = np.einsum("uv,us->uvs", joint, q)
    return xlogy(p, decoder.T[None]).sum()


# === L19.reconstruction_cap | right | difference of entropies | H(x_m) - H(x_m, x_n), by scipy.
from scipy.special import entr


def reconstruction_cap(joint):
    return entr(joint.sum(axis=1)).sum() - entr(joint).sum()


# === L19.reconstruction_cap | right | row by row | Each x_m's own conditional, weighted by p(x_m).
import numpy as np


def reconstruction_cap(joint):
    total = 0.0
    for row in joint:
        p = row.sum()
        if p > 0:
            own = row[row > 0] / p
            total += p * np.dot(own, np.log(own))
    return total
