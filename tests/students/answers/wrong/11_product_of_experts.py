# === L11.product_of_experts | wrong | missing path in a gradient | The mean's gradient by the experts' log_var is left out. | wrong at: dmean other than 0
import numpy as np


def product_of_experts(mu, log_var, *, mask=None):
    if mask is None:
        mask = np.ones(mu.shape[:2], dtype=bool)
    here = mask[:, :, None]
    precision = np.where(here, np.exp(-np.where(here, log_var, 0)), 0)
    mu = np.where(here, mu, 0)
    total = 1 + precision.sum(0)
    share = precision / total
    mean = (share * mu).sum(0)

    def back(dmean, dlog_var):
        return share * dmean, share * dlog_var

    return (mean, -np.log(total)), back


# === L11.product_of_experts | wrong | prior once per expert | Every expert is multiplied with the prior, which counts M times. | wrong at: two present experts
import numpy as np


def product_of_experts(mu, log_var, *, mask=None):
    M, N, D = mu.shape
    mask = np.ones((M, N), bool) if mask is None else mask
    here = np.broadcast_to(mask[..., None], mu.shape)
    T = np.zeros_like(mu)
    T[here] = np.exp(-log_var[here])
    m = np.zeros_like(mu)
    m[here] = mu[here]
    total = np.maximum((T + here).sum(axis=0), 1)
    mean = (T * m).sum(axis=0) / total

    def back(dmean, dlog_var):
        r = T / total
        return r * dmean, r * (dlog_var - (m - mean) * dmean)

    return (mean, -np.log(total)), back


# === L11.quotient_of_experts | wrong | option counted wrongly | The prior is divided out M - 1 times although some experts are missing. | wrong at: M = 3, mask with one False
import numpy as np


def quotient_of_experts(mu, log_var, *, mask=None):
    M, N, D = mu.shape
    mask = np.ones((M, N), bool) if mask is None else mask
    here = mask[:, :, None]
    T = np.where(here, np.exp(-log_var), 0)
    mu = np.where(here, mu, 0)
    total = T.sum(axis=0) - (M - 1)
    valid = total > 0
    safe = np.where(valid, total, 1)
    mean = np.where(valid, (T * mu).sum(0) / safe, np.nan)
    joint = np.where(valid, -np.log(safe), np.nan)

    def back(dmean, djoint):
        r = np.where(valid, T / safe, 0)
        dmean, djoint = np.where(valid, dmean, 0), np.where(valid, djoint, 0)
        return r * dmean, r * (djoint - (mu - np.where(valid, mean, 0)) * dmean)

    return (mean, joint, valid), back


# === L11.quotient_of_experts | wrong | NaN in the gradient | The gradient is NaN and not 0 where no density exists. | wrong at: log_var = 1 for two experts
import numpy as np


def quotient_of_experts(mu, log_var, *, mask=None):
    if mask is None:
        mask = np.ones(mu.shape[:2], bool)
    T = np.where(mask[..., None], np.exp(-log_var), 0)
    m = np.where(mask[..., None], mu, 0)
    total = T.sum(0) + 1 - mask.sum(0)[:, None]
    valid = total > 0
    with np.errstate(all="ignore"):
        log_var_joint = np.where(valid, -np.log(total), np.nan)
    mean = np.exp(log_var_joint) * (T * m).sum(0)

    def back(dmean, dlog_var):
        share = T * np.exp(log_var_joint)
        return share * dmean, share * (dlog_var - (m - mean) * dmean)

    return (mean, log_var_joint, valid), back
