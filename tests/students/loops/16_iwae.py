import math

import numpy as np


def iwae(log_w):
    K, N = log_w.shape
    bound, share = np.empty(N), np.empty((K, N))
    for n in range(N):
        w = np.exp(log_w[:, n] - log_w[:, n].max())
        bound[n] = log_w[:, n].max() + math.log(w.sum() / K)
        share[:, n] = w / w.sum()
    return bound, lambda d: share * d
