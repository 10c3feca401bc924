# === L04.refine | wrong | std for var | The mean moves by rate times std. | wrong at: std other than 1
import numpy as np


def refine(mu, log_var, *, eps, log_px_z, rate=0.1):
    for noise in eps:
        std = np.exp(log_var / 2)
        log_lik, pullback = log_px_z(mu + std * noise)
        dz = pullback(np.full_like(log_lik, 1 / len(noise)))
        dmu = dz.sum(axis=0) - mu
        dlog_var = (dz * noise).sum(axis=0) * std / 2 + (1 - std**2) / 2
        mu = mu + rate * std * dmu
        log_var = log_var + rate * 2 * dlog_var
    return mu, log_var


# === L04.refine | wrong | prior left out | Only log p(x|z) is climbed. | wrong at: any input
import numpy as np


def refine(mu, log_var, *, eps, log_px_z, rate=0.1):
    for noise in eps:
        std = np.exp(log_var / 2)
        log_lik, pullback = log_px_z(mu + std * noise)
        dz = pullback(np.full_like(log_lik, 1 / len(noise)))
        dmu = dz.sum(axis=0)
        dlog_var = (dz * noise).sum(axis=0) * std / 2
        mu = mu + rate * std**2 * dmu
        log_var = log_var + rate * 2 * dlog_var
    return mu, log_var


# === L04.refine | wrong | sum for mean | The K samples are added up. | wrong at: K > 1
import numpy as np


def refine(mu, log_var, *, eps, log_px_z, rate=0.1):
    for noise in eps:
        std = np.exp(log_var / 2)
        log_lik, pullback = log_px_z(mu + std * noise)
        dz = pullback(np.full_like(log_lik, 1.0))
        dmu = dz.sum(axis=0) - mu
        dlog_var = (dz * noise).sum(axis=0) * std / 2 + (1 - std**2) / 2
        mu = mu + rate * std**2 * dmu
        log_var = log_var + rate * 2 * dlog_var
    return mu, log_var


# === L04.refine | wrong | missing path | log var has the gradient of L1 only, as if z did not depend on it. | wrong at: any input
import numpy as np


def refine(mu, log_var, *, eps, log_px_z, rate=0.1):
    for noise in eps:
        std = np.exp(log_var / 2)
        log_lik, pullback = log_px_z(mu + std * noise)
        dz = pullback(np.full_like(log_lik, 1 / len(noise)))
        dmu = dz.sum(axis=0) - mu
        dlog_var = (1 - std**2) / 2
        mu = mu + rate * std**2 * dmu
        log_var = log_var + rate * 2 * dlog_var
    return mu, log_var


# === L04.refine | wrong | updates one after the other | The step of log var uses z at the new mean. | wrong at: any input
import numpy as np


def refine(mu, log_var, *, eps, log_px_z, rate=0.1):
    for noise in eps:
        std = np.exp(log_var / 2)
        log_lik, pullback = log_px_z(mu + std * noise)
        dz = pullback(np.full_like(log_lik, 1 / len(noise)))
        dmu = dz.sum(axis=0) - mu
        mu = mu + rate * std**2 * dmu
        log_lik, pullback = log_px_z(mu + std * noise)
        dz = pullback(np.full_like(log_lik, 1 / len(noise)))
        dlog_var = (dz * noise).sum(axis=0) * std / 2 + (1 - std**2) / 2
        log_var = log_var + rate * 2 * dlog_var
    return mu, log_var


# === L04.refine | wrong | in place | The encoder's mu and log var are overwritten. | wrong at: a second call with the same mu
import numpy as np


def refine(mu, log_var, *, eps, log_px_z, rate=0.1):
    for noise in eps:
        std = np.exp(log_var / 2)
        log_lik, pullback = log_px_z(mu + std * noise)
        dz = pullback(np.full_like(log_lik, 1 / len(noise)))
        dmu = dz.sum(axis=0) - mu
        dlog_var = (dz * noise).sum(axis=0) * std / 2 + (1 - std**2) / 2
        mu += rate * std**2 * dmu
        log_var += rate * 2 * dlog_var
    return mu, log_var


# === L04.refine | wrong | plain gradient | No Fisher information. | wrong at: var other than 1
import numpy as np


def refine(mu, log_var, *, eps, log_px_z, rate=0.1):
    for noise in eps:
        std = np.exp(log_var / 2)
        log_lik, pullback = log_px_z(mu + std * noise)
        dz = pullback(np.full_like(log_lik, 1 / len(noise)))
        dmu = dz.sum(axis=0) - mu
        dlog_var = (dz * noise).sum(axis=0) * std / 2 + (1 - std**2) / 2
        mu = mu + rate * dmu
        log_var = log_var + rate * dlog_var
    return mu, log_var


# === L04.refine | wrong | chain rule | The gradient by std is taken for that by log var. | wrong at: any input
import numpy as np


def refine(mu, log_var, *, eps, log_px_z, rate=0.1):
    for noise in eps:
        std = np.exp(log_var / 2)
        log_lik, pullback = log_px_z(mu + std * noise)
        dz = pullback(np.full_like(log_lik, 1 / len(noise)))
        dmu = dz.sum(axis=0) - mu
        dlog_var = (dz * noise).sum(axis=0) + (1 - std**2) / 2
        mu = mu + rate * std**2 * dmu
        log_var = log_var + rate * 2 * dlog_var
    return mu, log_var


# === L04.refine | wrong | log of the std | log var / 2 moves by rate times 2, so log var by 4 rate. | wrong at: any input
import numpy as np


def refine(mu, log_var, *, eps, log_px_z, rate=0.1):
    for noise in eps:
        std = np.exp(log_var / 2)
        log_lik, pullback = log_px_z(mu + std * noise)
        dz = pullback(np.full_like(log_lik, 1 / len(noise)))
        dmu = dz.sum(axis=0) - mu
        dlog_var = (dz * noise).sum(axis=0) * std / 2 + (1 - std**2) / 2
        mu = mu + rate * std**2 * dmu
        log_var = log_var + rate * 4 * dlog_var
    return mu, log_var


# === L04.refine | wrong | Fisher information of one for both | log var is scaled by var, too. | wrong at: any input
import numpy as np


def refine(mu, log_var, *, eps, log_px_z, rate=0.1):
    for noise in eps:
        std = np.exp(log_var / 2)
        log_lik, pullback = log_px_z(mu + std * noise)
        dz = pullback(np.full_like(log_lik, 1 / len(noise)))
        dmu = dz.sum(axis=0) - mu
        dlog_var = (dz * noise).sum(axis=0) * std / 2 + (1 - std**2) / 2
        mu = mu + rate * std**2 * dmu
        log_var = log_var + rate * std**2 * dlog_var
    return mu, log_var


# === L04.refine | wrong | the same noise | Each step has the noise of the first. | wrong at: T > 1
import numpy as np


def refine(mu, log_var, *, eps, log_px_z, rate=0.1):
    for noise in [eps[0]] * len(eps):
        std = np.exp(log_var / 2)
        log_lik, pullback = log_px_z(mu + std * noise)
        dz = pullback(np.full_like(log_lik, 1 / len(noise)))
        dmu = dz.sum(axis=0) - mu
        dlog_var = (dz * noise).sum(axis=0) * std / 2 + (1 - std**2) / 2
        mu = mu + rate * std**2 * dmu
        log_var = log_var + rate * 2 * dlog_var
    return mu, log_var
