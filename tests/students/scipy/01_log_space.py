import numpy as np
from scipy.special import expit, gammaln, log_softmax, logsumexp
from scipy.stats import norm


def log_sum_exp(a, *, axis):
    value = logsumexp(a, axis=axis)
    weights = np.nan_to_num(np.exp(a - np.expand_dims(value, axis)))

    def pullback(dy):
        return np.expand_dims(dy, axis) * weights

    return value, pullback


def log_mean_exp(a, *, axis=0):
    K = a.shape[axis]
    value = logsumexp(a, axis=axis, b=np.full(a.shape, 1 / K))
    log_sum = np.expand_dims(np.maximum(value, -1e300), axis) + np.log(K)
    return value, lambda d: np.expand_dims(d, axis) * np.exp(a - log_sum)


def gaussian_log_prob(z, mu, log_var):
    sd = np.exp(log_var / 2)
    r = (z - mu) / sd

    def back(d):
        d = d[:, :, None]
        return -d * r / sd, (d * r / sd).sum(0), (d * (r**2 - 1)).sum(0) / 2

    return norm.logpdf(z, mu, sd).sum(-1), back


def binomial_log_prob(logits, *, x, n=1):
    choices = gammaln(n + 1) - gammaln(x + 1) - gammaln(n - x + 1)
    value = (choices + x * logits - n * np.logaddexp(0, logits)).sum(-1)
    return value, lambda d: d[..., None] * (x - n * expit(logits))


def categorical_log_prob(logits, *, x):
    log_p = log_softmax(logits, axis=-1)
    return (log_p * x).sum(-1), lambda d: d[..., None] * (x - np.exp(log_p))
