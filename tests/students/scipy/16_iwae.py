import numpy as np
from scipy.special import logsumexp, softmax


def importance_weights(log_w):
    log_sum = logsumexp(log_w, axis=0)
    safe = np.where(np.isinf(log_sum), 0, log_sum)
    return log_sum - np.log(len(log_w)), np.exp(log_w - safe)


def effective_sample_size(log_w):
    return 1 / (softmax(log_w, axis=0) ** 2).sum(0)


def iwae_exact(q, w, K):
    scale = w.max()
    w = w / scale

    def integrand(s):  # t = e^s, so that dt / t = ds
        t = np.exp(s)
        log_L = np.log1p(np.maximum(q @ np.expm1(-np.outer(w, t)), -1))
        return np.exp(-t) - np.exp(K * log_L)

    s, step = np.linspace(-45, 75, 1201, retstep=True)
    return integrand(s).sum() * step - np.log(K) + np.log(scale)
