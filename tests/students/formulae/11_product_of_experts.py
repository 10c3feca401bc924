import numpy as np


def product_of_experts(mu, log_var, *, mask=None):
    M, N, D = mu.shape
    if mask is not None:
        mu = np.where(mask[:, :, None], mu, 0)
        log_var = np.where(mask[:, :, None], log_var, np.inf)
    log_T = np.logaddexp(0, np.logaddexp.reduce(-log_var, axis=0))
    share = np.exp(-log_var - log_T)
    mean = np.einsum("mnd,mnd->nd", share, mu)

    def back(dmean, dlog_var):
        return share * dmean, share * (dlog_var + (mean - mu) * dmean)

    return (mean, -log_T), back


def quotient_of_experts(mu, log_var, *, mask=None):
    M, N, D = mu.shape
    mask = np.ones((M, N), bool) if mask is None else mask
    T = np.where(mask[:, :, None], np.exp(-log_var), 0)
    mu = np.where(mask[:, :, None], mu, 0)
    total = T.sum(0) - (mask.sum(0) - 1)[:, None]
    valid = total > 0
    mean, joint = np.full((N, D), np.nan), np.full((N, D), np.nan)
    mean[valid] = (T * mu).sum(0)[valid] / total[valid]
    joint[valid] = -np.log(total[valid])

    def back(dmean, djoint):
        share = np.where(valid, T / np.where(valid, total, 1), 0)
        safe = np.where(valid, mean, 0)
        dmean, djoint = np.where(valid, dmean, 0), np.where(valid, djoint, 0)
        return share * dmean, share * (djoint - (mu - safe) * dmean)

    return (mean, joint, valid), back
