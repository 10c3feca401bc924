import numpy as np


def gaussian_sample(mu, log_var, *, eps):
    std = np.sqrt(np.exp(log_var))

    def back(dz):
        return np.einsum("knd->nd", dz), np.einsum("knd,knd,nd->nd", dz, eps, std) / 2

    return mu + np.einsum("nd,knd->knd", std, eps), back


def expected_log_lik(mu, log_var, *, eps, log_px_z):
    total = 0
    for e in eps:
        log_lik, _ = log_px_z((mu + np.exp(log_var / 2) * e)[None])
        total = total + log_lik[0]
    return total / len(eps)


def pathwise_grad(mu, log_var, *, eps, log_px_z):
    K = eps.shape[0]
    noise = np.exp(0.5 * log_var) * eps
    log_lik, back = log_px_z(mu + noise)
    dz = back(np.ones(log_lik.shape)) / K
    return dz.sum(0), np.einsum("knd,knd->nd", dz, noise) / 2


def score_function_grad(mu, log_var, *, eps, log_px_z, baseline=0):
    std = np.exp(log_var / 2)
    weight = (log_px_z(mu + std * eps)[0] - baseline)[..., None]
    return np.mean(weight * eps / std, axis=0), np.mean(weight * (eps**2 - 1), axis=0) / 2
