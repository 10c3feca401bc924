# === L14.bivcca_bound | right | loops over encoders and decoders | One encoder after the other, one sample after the other.
import numpy as np


def bivcca_bound(log_px_z, log_ratio, *, share):
    M, J, K, N = log_px_z.shape
    value = np.zeros(N)
    for m in range(M):
        for k in range(K):
            weight = log_ratio[m, k].copy()
            for j in range(J):
                weight = weight + log_px_z[m, j, k]
            value = value + share[m] * weight / K

    def back(d):
        one = np.zeros((M, K, N))
        for m in range(M):
            one[m, :] = share[m] * d / K
        return np.stack([one] * J, axis=1), one

    return value, back


# === L14.jmvae_bound | right | the divergence written out | The KL of two Gaussians term by term.
import numpy as np


def jmvae_bound(elbo, mean, joint_log_var, mu, log_var, *, alpha=0.1):
    v, v_m = np.exp(joint_log_var), np.exp(log_var)
    kl = log_var / 2 - joint_log_var / 2 + (v + (mean - mu) ** 2) / (2 * v_m) - 0.5
    value = elbo - alpha * kl.sum(axis=(0, 2))

    def back(d):
        c = -alpha * d[:, None]
        to_mean = (mean - mu) / v_m
        to_log_var = 0.5 - (v + (mean - mu) ** 2) / (2 * v_m)
        return (
            d.copy(),
            c * to_mean.sum(axis=0),
            c * (v / (2 * v_m) - 0.5).sum(axis=0),
            -c * to_mean,
            c * to_log_var,
        )

    return value, back


# === L14.single_modality_gaps | right | by variances | S of all and S_m of one, modality by modality.
import numpy as np


def single_modality_gaps(precision):
    all_of_them = 1 / (1 + np.sum(precision, axis=0))
    first, second = [], []
    for tau in precision:
        own = 1 / (1 + tau)
        first.append(np.sum(own / all_of_them - 1) / 2)
        second.append(np.sum(np.log(own) - np.log(all_of_them)) / 2)
    return np.array(first), np.array(second)
