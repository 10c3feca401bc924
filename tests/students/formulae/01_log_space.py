import math

import numpy as np


def log_sum_exp(a, *, axis):
    rows = np.moveaxis(a, axis, 0)
    value = np.logaddexp.reduce(rows)
    safe = np.where(np.isinf(value), 0.0, value)
    return value, lambda dy: np.moveaxis(np.exp(rows - safe) * dy, 0, axis)


def log_mean_exp(a, *, axis):
    value, back = log_sum_exp(a, axis=axis)
    return value - math.log(a.shape[axis]), back


def categorical_log_prob(logits, *, x):
    seen = x.argmax(-1)
    rows = np.arange(len(seen))
    top = logits.max(-1, keepdims=True)
    log_p = logits - top
    log_p -= np.log(np.exp(log_p).sum(-1, keepdims=True))

    def back(d):
        gradient = -np.exp(log_p)
        gradient[:, rows, seen] += 1
        gradient *= d[:, :, None]
        return gradient

    return log_p[:, rows, seen], back
