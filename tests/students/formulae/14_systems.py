import numpy as np


def bivcca_bound(log_px_z, log_ratio, *, share):
    K = log_ratio.shape[1]
    weight = np.asarray(share) / K
    value = np.einsum("m,mjkn->n", weight, log_px_z) + np.einsum("m,mkn->n", weight, log_ratio)

    def back(d):
        ones = np.ones(log_px_z.shape)
        return ones * weight[:, None, None, None] * d, ones[:, 0] * weight[:, None, None] * d

    return value, back


def jmvae_bound(elbo, mean, joint_log_var, mu, log_var, *, alpha=0.1):
    log_ratio = joint_log_var - log_var
    scaled = (mean - mu) / np.exp(log_var / 2)
    kl = (np.exp(log_ratio) - log_ratio + scaled**2 - 1) / 2

    def back(d):
        by = -alpha * d[None, :, None]
        dmean = by * scaled / np.exp(log_var / 2)
        djoint = by * (np.exp(log_ratio) - 1) / 2
        dlog_var = -djoint - by * scaled**2 / 2
        return d + 0.0, dmean.sum(axis=0), djoint.sum(axis=0), -dmean, dlog_var

    return elbo - alpha * kl.sum(axis=-1).sum(axis=0), back


def single_modality_gaps(precision):
    own = 1 + precision
    every = 1 + precision.sum(axis=0)
    return (every / own - 1).sum(axis=1) / 2, np.log(every / own).sum(axis=1) / 2
