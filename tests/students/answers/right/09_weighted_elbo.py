# === L09.log_joint_subset | right | selection by where= | A reduction that skips what is missing.
import numpy as np


def log_joint_subset(log_pz, log_px_z, *, mask):
    here = np.repeat(mask[:, None], log_px_z.shape[1], axis=1)
    value = np.add.reduce(log_px_z, axis=0, where=here, initial=0.0) + log_pz

    def back(d):
        out = np.zeros(log_px_z.shape)
        out[here] = np.broadcast_to(d, out.shape)[here]
        return d.copy(), out

    return value, back


# === L09.subset_elbo | right | a matrix product per example | One example after the other.
import numpy as np


def subset_elbo(log_px_z, log_ratio, *, mask, weights, beta=1.0):
    M, K, N = log_px_z.shape
    means = [[np.mean(log_px_z[m, :, n]) if mask[m, n] else 0.0 for n in range(N)] for m in range(M)]
    value = np.asarray(weights) @ np.array(means) + beta * np.mean(log_ratio, axis=0)

    def back(d):
        by_modality = np.multiply.outer(np.asarray(weights), d / K) * mask
        ones = np.ones(K)
        return np.einsum("mn,k->mkn", by_modality, ones), np.outer(ones, beta / K * d)

    return value, back
