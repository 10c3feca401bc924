# === L20.mixture_elbo | right | masked arrays | numpy.ma counts and averages.
import numpy as np


def mixture_elbo(log_w, *, present=None):
    M, K, N = log_w.shape
    here = np.full((M, N), True) if present is None else present.astype(bool)
    gone = np.broadcast_to(~here[:, None], log_w.shape)
    value = np.ma.array(log_w, mask=gone).mean(axis=(0, 1)).filled(0)

    def back(d):
        out = np.where(gone, 0.0, d / (K * here.sum(axis=0)))
        return out

    return value, back


# === L20.stratified_iwae | right | a loop over examples | Only the present rows are taken.
import numpy as np
from scipy.special import logsumexp, softmax


def stratified_iwae(log_w, *, present=None):
    M, K, N = log_w.shape
    bound, share = [], np.zeros((M, K, N))
    for n in range(N):
        rows = np.arange(M) if present is None else np.nonzero(present[:, n])[0]
        a = log_w[rows, :, n]
        bound.append(logsumexp(a) - np.log(a.size))
        share[rows, :, n] = softmax(a)
    return np.array(bound), lambda d: share * d


# === L20.responsibility | right | a matrix product | Columns without mass are left out first.
import numpy as np


def responsibility(posterior, experts):
    covered = experts.any(axis=0)
    if posterior[~covered].any():
        raise ValueError("posterior mass where no expert has any")
    share = experts[:, covered] / experts[:, covered].sum(axis=0)
    return share @ posterior[covered]


# === L20.looseness_gap | right | a shorter formula | -mean of log(M a).
import numpy as np


def looseness_gap(a):
    return -np.log(len(a) * a).mean(axis=0)
