import numpy as np


def gaussian_sample(mu, log_var, *, eps):
    z, std = np.empty_like(eps), np.exp(log_var / 2)
    for k in range(len(eps)):
        z[k] = mu + std * eps[k]

    def back(dz):
        dmu, dlog_var = np.zeros_like(mu), np.zeros_like(log_var)
        for k in range(len(eps)):
            dmu += dz[k]
            dlog_var += 0.5 * dz[k] * std * eps[k]
        return dmu, dlog_var

    return z, back


def pathwise_grad(mu, log_var, *, eps, log_px_z):
    z, to_parameters = gaussian_sample(mu, log_var, eps=eps)
    log_lik, to_z = log_px_z(z)
    return list(to_parameters(to_z(np.full(log_lik.shape, 1.0)) / len(eps)))


def score(z, mu, var):
    return (z - mu) / var, ((z - mu) ** 2 / var - 1) / 2


def score_function_grad(mu, log_var, *, eps, log_px_z, baseline=None):
    z = mu + eps * np.exp(log_var / 2)
    f = log_px_z(z)[0] - (0 if baseline is None else baseline)
    return tuple(np.einsum("kn,knd->nd", f, s) / len(f) for s in score(z, mu, np.exp(log_var)))
