# === L01.log_sum_exp | wrong | maximum over the whole array | The maximum is taken over all entries and not along the axis, so that columns far below it underflow to -inf. | wrong at: a = [[0, -6237], [1, -6236]], axis 0
import numpy as np


def log_sum_exp(a, *, axis):
    top = a.max()
    if top == -np.inf:
        return np.sum(a, axis=axis), lambda dy: np.zeros(a.shape)
    w = np.exp(a - top)
    total = w.sum(axis=axis, keepdims=True)
    share = np.divide(w, total, out=np.zeros_like(w), where=total > 0)

    def back(dy):
        return share * np.expand_dims(dy, axis)

    return top + np.log(np.squeeze(total, axis)), back


# === L01.log_sum_exp | wrong | zeros and -inf | Where every entry is -inf the maximum is subtracted from itself and the result is NaN. | wrong at: a = [-inf, -inf]
import numpy as np


def log_sum_exp(a, *, axis):
    top = a.max(axis=axis, keepdims=True)
    w = np.exp(a - top)
    total = w.sum(axis=axis, keepdims=True)
    value = np.squeeze(top + np.log(total), axis=axis)
    return value, lambda dy: w / total * np.expand_dims(dy, axis)


# === L01.log_mean_exp | wrong | axis length of another axis | log K is taken from the first axis, whatever axis is asked for. | wrong at: a (2, 3), axis 1
import numpy as np
from scipy.special import logsumexp, softmax


def log_mean_exp(a, *, axis):
    K = len(a)
    value = logsumexp(a, axis=axis) - np.log(K)
    share = np.nan_to_num(softmax(a, axis=axis))
    return value, lambda dy: np.expand_dims(dy, axis) * share


# === L01.log_mean_exp | wrong | extra factor in the gradient | The gradient is divided by K once more, as if the mean's 1/K were not already in the normalised weights. | wrong at: any a with K > 1
import numpy as np


def log_mean_exp(a, *, axis):
    K = a.shape[axis]
    value = np.logaddexp.reduce(a, axis=axis) - np.log(K)
    safe = np.where(np.isneginf(value), 0.0, value)

    def back(dy):
        w = np.exp(a - np.expand_dims(safe + np.log(K), axis))
        return np.expand_dims(dy, axis) * w / K

    return value, back


# === L01.gaussian_log_prob | wrong | constant once instead of per dimension | The -1/2 log 2 pi is added once for a row and not once for each dimension. | wrong at: any input with D > 1
import numpy as np


def gaussian_log_prob(z, mu, log_var):
    diff = z - mu
    tau = np.exp(-log_var)
    value = -0.5 * np.log(2 * np.pi) - 0.5 * np.sum(log_var + diff**2 * tau, axis=-1)

    def back(d):
        d = d[..., None]
        slope = d * diff * tau
        return -slope, slope.sum(0), 0.5 * (slope * diff - d).sum(0)

    return value, back


# === L01.gaussian_log_prob | wrong | missing path in a gradient | The derivative by log_var leaves out the normaliser's -1/2. | wrong at: any input
import numpy as np


def gaussian_log_prob(z, mu, log_var):
    std = np.exp(0.5 * log_var)
    r = (z - mu) / std
    value = (-0.5 * r**2 - np.log(std) - 0.5 * np.log(2 * np.pi)).sum(axis=2)

    def back(d):
        dr = -r * d[:, :, None]
        return dr / std, -(dr / std).sum(axis=0), -0.5 * (dr * r).sum(axis=0)

    return value, back


# === L01.binomial_log_prob | wrong | option ignored in the gradient | The gradient is x - p instead of x - n p. | wrong at: n = 16
import numpy as np
from scipy.special import expit, gammaln


def binomial_log_prob(logits, *, x, n=1):
    coefficient = gammaln(n + 1) - gammaln(x + 1) - gammaln(n - x + 1)
    value = np.sum(coefficient + x * logits - n * np.logaddexp(0, logits), axis=-1)

    def back(d):
        return d[..., None] * (x - expit(logits))

    return value, back


# === L01.binomial_log_prob | wrong | naive exp that overflows | log(1 + exp(logit)) is computed as it stands and is inf at a logit of 720. | wrong at: logits = 720
import numpy as np
from scipy.special import gammaln


def binomial_log_prob(logits, *, x, n=1):
    coefficient = gammaln(n + 1) - gammaln(x + 1) - gammaln(n - x + 1)
    value = np.sum(coefficient + x * logits - n * np.log1p(np.exp(logits)), axis=-1)
    p = 1 / (1 + np.exp(-logits))
    return value, lambda d: d[:, :, None] * (x - n * p)


# === L01.categorical_log_prob | wrong | epsilon in the log | 1e-12 is added to the probabilities before the log, so that very unlikely classes get -27.6. | wrong at: logits = [0, -60], x = [0, 1]
import numpy as np
from scipy.special import softmax


def categorical_log_prob(logits, *, x):
    p = softmax(logits, axis=-1)
    value = (x * np.log(p + 1e-12)).sum(axis=-1)

    def back(d):
        return d[..., None] * (x - p)

    return value, back


# === L01.categorical_log_prob | wrong | normalised over the wrong axis | The softmax runs over the samples (axis 0) and not over the classes. | wrong at: any logits (K, N, V) with K > 1
import numpy as np
from scipy.special import log_softmax


def categorical_log_prob(logits, *, x):
    log_p = log_softmax(logits, axis=0)
    value = (x * log_p).sum(axis=-1)

    def back(d):
        a = d[..., None] * x
        return a - np.exp(log_p) * a.sum(axis=0)

    return value, back
