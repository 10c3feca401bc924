import math

import numpy as np


def product_of_marginals(P):
    Q = np.empty_like(P)
    for x in np.ndindex(P.shape):
        Q[x] = math.prod(P.take(x[i], axis=i).sum() for i in range(P.ndim))
    return Q


def gaussian_mean_field(mu, Sigma):
    var = []
    for i in range(len(mu)):
        others = np.arange(len(mu)) != i
        b = np.linalg.lstsq(Sigma[others][:, others], Sigma[others, i], rcond=None)[0]
        var.append(Sigma[i, i] - Sigma[i, others] @ b)
    return mu.copy(), np.array(var)
