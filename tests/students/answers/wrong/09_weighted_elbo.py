# === L09.log_joint_subset | wrong | NaN under a mask leaks | Masking by multiplication: NaN times 0 is NaN. | wrong at: NaN in log_px_z under False
import numpy as np


def log_joint_subset(log_pz, log_px_z, *, mask):
    m = mask[:, None, :].astype(float)
    value = log_pz + (m * log_px_z).sum(axis=0)
    return value, lambda d: (d.copy(), d * m * np.ones_like(log_px_z))


# === L09.log_joint_subset | wrong | mask ignored in the gradient | The gradient of a missing modality is d and not 0. | wrong at: any mask with False
import numpy as np


def log_joint_subset(log_pz, log_px_z, *, mask):
    here = np.broadcast_to(mask[:, None], log_px_z.shape)
    value = log_pz + np.sum(log_px_z, axis=0, where=here)

    def back(d):
        return d, np.repeat(d[None], len(log_px_z), axis=0)

    return value, back


# === L09.subset_elbo | wrong | two options wrong only together | The weights of the missing modalities are handed to those present, which matters only with a mask that has False. | wrong at: weights (1, 2), mask with one False
import numpy as np


def subset_elbo(log_px_z, log_ratio, *, mask, weights, beta=1.0):
    K = len(log_ratio)
    lam = np.asarray(weights, float)[:, None] * mask
    total = lam.sum(axis=0)
    lam = lam * np.divide(np.sum(weights), total, out=np.zeros_like(total), where=total > 0)
    used = np.where(mask[:, None], log_px_z, 0.0)
    value = (lam[:, None] * used).sum(axis=0).mean(axis=0) + beta * log_ratio.mean(axis=0)

    def back(d):
        return (lam[:, None] * d / K).repeat(K, axis=1), np.tile(beta * d / K, (K, 1))

    return value, back


# === L09.subset_elbo | wrong | option ignored in the gradient | beta is missing in the gradient by log_ratio. | wrong at: beta = 0.5
import numpy as np


def subset_elbo(log_px_z, log_ratio, *, mask, weights, beta=1.0):
    M, K, N = log_px_z.shape
    lam = (np.asarray(weights)[:, None] * mask)[:, None, :]
    terms = np.where(mask[:, None, :], log_px_z, 0) * lam
    value = (terms.sum(0) + beta * log_ratio).mean(0)

    def back(d):
        share = np.broadcast_to(d / K, (K, N))
        return lam * share, share.copy()

    return value, back
