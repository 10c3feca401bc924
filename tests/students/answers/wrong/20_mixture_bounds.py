# === L20.mixture_log_prob | wrong | mean of the log for the log of the mean | The log densities are averaged with the weights alpha. | wrong at: two different experts
import numpy as np


def mixture_log_prob(z, mu, log_var, *, log_alpha):
    alpha = np.exp(log_alpha)[:, None]
    diff = z - mu[:, None]
    tau = np.exp(-log_var)[:, None]
    each = -0.5 * (np.log(2 * np.pi) + log_var[:, None] + diff**2 * tau).sum(-1)

    def back(d):
        a = (alpha * d)[..., None]
        slope = a * diff * tau
        return -slope.sum(0), slope.sum(1), 0.5 * (slope * diff - a).sum(1)

    return (alpha * each).sum(0), back


# === L20.mixture_log_prob | wrong | option ignored in the gradient | The responsibilities in the gradient leave alpha out. | wrong at: log_alpha that is not uniform
import numpy as np
from scipy.special import logsumexp, softmax


def mixture_log_prob(z, mu, log_var, *, log_alpha):
    diff = z - mu[:, None]
    var = np.exp(log_var)[:, None]
    each = -0.5 * (np.log(2 * np.pi * var) + diff**2 / var).sum(-1)
    value = logsumexp(each + log_alpha[:, None], axis=0)

    def back(d):
        r = (d * softmax(each, axis=0))[..., None]
        slope = r * diff / var
        return -slope.sum(0), slope.sum(1), 0.5 * (r * (diff**2 / var - 1)).sum(1)

    return value, back


# === L20.mixture_elbo | wrong | mask inverted | The absent experts are averaged and the present ones left out. | wrong at: present with a False
import numpy as np


def mixture_elbo(log_w, *, present=None):
    M, K, N = log_w.shape
    use = np.ones((M, 1, N), bool) if present is None else ~present[:, None]
    count = np.maximum(use.sum(axis=0), 1) * K
    value = np.where(use, log_w, 0).sum(axis=(0, 1)) / count[0]
    return value, lambda d: np.broadcast_to(use, log_w.shape) * d / count


# === L20.mixture_elbo | wrong | NaN under a mask leaks | Absent experts are multiplied with 0, and NaN stays NaN. | wrong at: log_w NaN under False
import numpy as np


def mixture_elbo(log_w, *, present=None):
    M, K, N = log_w.shape
    p = np.ones((M, N)) if present is None else present.astype(float)
    weights = p / p.sum(axis=0) / K
    value = np.einsum("mkn,mn->n", log_w, weights)

    def back(d):
        return np.repeat((weights * d)[:, None], K, axis=1)

    return value, back


# === L20.mixture_iwae | wrong | gradient of another function | The value is a mean of M logs, the gradient that of one log over all. | wrong at: M > 1
import numpy as np


def mixture_iwae(log_w, *, present=None):
    M, K, N = log_w.shape
    here = np.ones((M, N), bool) if present is None else present
    a = np.where(here[:, None], log_w, -np.inf)
    each = np.where(here, np.logaddexp.reduce(np.where(here[:, None], log_w, 0), axis=1), 0)
    value = (each - np.log(K) * here).sum(0) / here.sum(0)

    def back(d):
        flat = a.reshape(M * K, N)
        w = np.exp(flat - np.logaddexp.reduce(flat))
        return (w * d).reshape(M, K, N)

    return value, back


# === L20.mixture_iwae | wrong | missing samples weigh | Absent experts get log weights of 0 before the mean over experts, and so bring a bound of 0. | wrong at: present with a False
import numpy as np
from scipy.special import logsumexp, softmax


def mixture_iwae(log_w, *, present=None):
    M, K, N = log_w.shape
    here = np.ones((M, N), bool) if present is None else present
    a = np.where(here[:, None], log_w, 0.0)
    value = (logsumexp(a, axis=1) - np.log(K)).mean(axis=0)

    def back(d):
        return softmax(a, axis=1) * here[:, None] * d / M

    return value, back


# === L20.stratified_iwae | wrong | option counted wrongly | log(M K) is subtracted also where experts are absent. | wrong at: present with a False
import numpy as np
from scipy.special import logsumexp


def stratified_iwae(log_w, *, present=None):
    M, K, N = log_w.shape
    a = log_w if present is None else np.where(present[:, None], log_w, -np.inf)
    total = logsumexp(a, axis=(0, 1))
    return total - np.log(M * K), lambda d: np.exp(a - total) * d


# === L20.stratified_iwae | wrong | mean of the log in part | The mean over the samples is inside the log, that over the experts outside. | wrong at: M > 1
import numpy as np
from scipy.special import logsumexp, softmax


def stratified_iwae(log_w, *, present=None):
    M, K, N = log_w.shape
    here = np.ones((M, N)) if present is None else present.astype(float)
    share = here / here.sum(axis=0)
    a = np.where(here[:, None] > 0, log_w, 0)
    value = (share * (logsumexp(a, axis=1) - np.log(K))).sum(axis=0)
    return value, lambda d: softmax(a, axis=1) * share[:, None] * d


# === L20.responsibility | wrong | error not raised | A state without an expert counts 0, also where the posterior has mass there. | wrong at: experts = [[1, 0], [1, 0]], posterior = [0.5, 0.5]
import numpy as np


def responsibility(posterior, experts):
    total = experts.sum(axis=0)
    share = np.divide(experts, total, out=np.zeros_like(experts), where=total > 0)
    return share @ posterior


# === L20.responsibility | wrong | 0 / 0 | A state where neither experts nor posterior have mass gives NaN. | wrong at: experts = [[1, 0], [1, 0]], posterior = [1, 0]
import numpy as np


def responsibility(posterior, experts):
    total = experts.sum(axis=0)
    if np.any((total == 0) & (posterior > 0)):
        raise ValueError("the posterior has mass where no expert has")
    return (posterior * experts / total).sum(axis=1)


# === L20.looseness_gap | wrong | the other direction of the KL | KL(a || uniform). | wrong at: a = [0.2, 0.8]
import numpy as np
from scipy.special import xlogy


def looseness_gap(a):
    M = len(a)
    return np.sum(xlogy(a, a), axis=0) + np.log(M)


# === L20.looseness_gap | wrong | wrong shape of the output | The mean runs over all axes and returns one number for all columns. | wrong at: a of shape (2, 3)
import numpy as np


def looseness_gap(a):
    return -np.log(a).mean() - np.log(len(a))
