# === L06.gaussian_sample | wrong | mean for sum | The pullback averages over the K samples instead of adding them. | wrong at: K > 1
import numpy as np


def gaussian_sample(mu, log_var, *, eps):
    std = np.exp(log_var / 2)
    z = mu + std * eps

    def back(dz):
        return dz.mean(axis=0), (dz * 0.5 * std * eps).mean(axis=0)

    return z, back


# === L06.gaussian_sample | wrong | own noise | New noise is drawn and the given eps only lends its shape. | wrong at: any eps
import numpy as np


def gaussian_sample(mu, log_var, *, eps):
    noise = np.random.default_rng(0).standard_normal(eps.shape)
    std = np.exp(log_var / 2)

    def back(dz):
        return dz.sum(axis=0), (dz * 0.5 * std * noise).sum(axis=0)

    return mu + std * noise, back


# === L06.expected_log_lik | wrong | log of the mean for the mean of the log | log (1/K) sum p(x|z_k) is returned, an importance bound without weights. | wrong at: K > 1
import numpy as np


def expected_log_lik(mu, log_var, *, eps, log_px_z):
    z = mu + np.exp(log_var / 2) * eps
    log_lik, _ = log_px_z(z)
    return np.logaddexp.reduce(log_lik, axis=0) - np.log(len(eps))


# === L06.expected_log_lik | wrong | noise averaged before the function | The likelihood is taken at the mean of the samples. | wrong at: K > 1 and a likelihood that is not linear
import numpy as np


def expected_log_lik(mu, log_var, *, eps, log_px_z):
    z = (mu + np.exp(log_var / 2) * eps).mean(axis=0, keepdims=True)
    return log_px_z(z)[0][0]


# === L06.pathwise_grad | wrong | factor of a half forgotten | The derivative of std by log_var is taken to be std. | wrong at: any input, second output
import numpy as np


def pathwise_grad(mu, log_var, *, eps, log_px_z):
    std = np.exp(log_var / 2)
    log_lik, back = log_px_z(mu + std * eps)
    dz = back(np.ones_like(log_lik) / len(eps))
    return dz.sum(axis=0), (dz * eps).sum(axis=0) * std


# === L06.pathwise_grad | wrong | noise forgotten in a gradient | dz / dlog_var lacks its eps. | wrong at: any input, second output
import numpy as np


def pathwise_grad(mu, log_var, *, eps, log_px_z):
    std = np.exp(log_var / 2)
    log_lik, back = log_px_z(mu + std * eps)
    dmu = back(np.full(log_lik.shape, 1 / eps.shape[0])).sum(axis=0)
    return dmu, dmu * std / 2


# === L06.score_function_grad | wrong | batch mean of an option | One mean baseline is used for all examples. | wrong at: baseline (N,) with different numbers
import numpy as np


def score_function_grad(mu, log_var, *, eps, log_px_z, baseline=0.0):
    std = np.exp(log_var / 2)
    f = log_px_z(mu + std * eps)[0] - np.mean(baseline)
    by_mu, by_log_var = eps / std, 0.5 * (eps**2 - 1)
    return (f[..., None] * by_mu).mean(0), (f[..., None] * by_log_var).mean(0)


# === L06.score_function_grad | wrong | broadcasting (N,) as a column | The baseline is made a column and is subtracted along the samples. | wrong at: baseline (N,) with different numbers
import numpy as np


def score_function_grad(mu, log_var, *, eps, log_px_z, baseline=0.0):
    std = np.exp(log_var / 2)
    log_lik = log_px_z(mu + std * eps)[0]
    f = log_lik - np.reshape(baseline, (-1, 1))
    dmu = np.einsum("kn,knd->nd", f, eps / std) / len(eps)
    dlog_var = np.einsum("kn,knd->nd", f, eps**2 - 1) / (2 * len(eps))
    return dmu, dlog_var
