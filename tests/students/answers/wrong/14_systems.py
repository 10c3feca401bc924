# === L14.bivcca_bound | wrong | a loop over the diagonal | Each encoder is scored on its own modality only. | wrong at: any input with M > 1
import numpy as np


def bivcca_bound(log_px_z, log_ratio, *, share):
    M, _, K, N = log_px_z.shape
    value = sum(share[m] * (log_px_z[m, m] + log_ratio[m]).mean(axis=0) for m in range(M))

    def back(d):
        dpx = np.zeros_like(log_px_z)
        dratio = np.zeros_like(log_ratio)
        for m in range(M):
            dpx[m, m] = share[m] * d / K
            dratio[m] = share[m] * d / K
        return dpx, dratio

    return value, back


# === L14.jmvae_bound | wrong | the joint posterior held constant | The divergence trains the single encoders only, as if the joint one were a target. | wrong at: any input
import numpy as np


def jmvae_bound(elbo, mean, joint_log_var, mu, log_var, *, alpha=0.1):
    r = np.exp(joint_log_var - log_var)
    off = (mean - mu) * np.exp(-log_var)
    kl = 0.5 * (r - 1 - np.log(r) + off * (mean - mu)).sum(axis=-1)

    def back(d):
        c = -alpha * d[:, None]
        zero = np.zeros_like(mean)
        return d, zero, zero.copy(), -c * off, -0.5 * c * (r - 1 + off * (mean - mu))

    return elbo - alpha * kl.sum(axis=0), back


# === L14.single_modality_gaps | wrong | ln in base 2 | The second gap is in bits. | wrong at: any input
import numpy as np


def single_modality_gaps(precision):
    r = (precision.sum(0) - precision) / (1 + precision)
    return r.sum(1) / 2, np.log2(1 + r).sum(1) / 2
