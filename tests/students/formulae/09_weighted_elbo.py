import numpy as np


def subset_elbo(log_px_z, log_ratio, *, mask, weights, beta=1):
    w = np.asarray(weights)[:, None] * mask
    likelihoods = np.where(mask[:, None], log_px_z, 0)
    K = len(log_ratio)

    def back(d):
        return (np.einsum("mn,n,k->mkn", w, d, np.ones(K)) / K, np.tile(beta * d / K, (K, 1)))

    return np.einsum("mn,mkn->n", w, likelihoods) / K + beta * log_ratio.mean(0), back
