# === L05.neg_kl_std_normal | wrong | std for variance | exp(log_var / 2) stands where the variance belongs, forward and backward. | wrong at: any log_var other than 0
import numpy as np


def neg_kl_std_normal(mu, log_var):
    s = np.exp(log_var / 2)
    value = 0.5 * (1 + log_var - mu**2 - s).sum(axis=1)
    return value, lambda d: (-d[:, None] * mu, d[:, None] * (0.5 - s / 4))


# === L05.neg_kl_std_normal | wrong | cached array overwritten by the pullback | The pullback changes its stored variance in place, so that the second call is wrong. | wrong at: two calls of one pullback
import numpy as np


def neg_kl_std_normal(mu, log_var):
    var = np.exp(log_var)
    value = 0.5 * np.sum(1 + log_var - mu * mu - var, axis=-1)

    def back(d):
        dlog_var = var
        dlog_var *= -1
        dlog_var += 1
        dlog_var *= 0.5 * d[:, None]
        return -mu * d[:, None], dlog_var

    return value, back


# === L05.kl_gauss | wrong | missing path in a gradient | The gradient by log_var2 leaves out the squared difference of the means. | wrong at: mu1 unequal to mu2
import numpy as np


def kl_gauss(mu1, log_var1, mu2, log_var2):
    ratio = np.exp(log_var1 - log_var2)
    diff = (mu1 - mu2) * np.exp(-log_var2 / 2)
    value = 0.5 * (ratio + diff**2 - 1 - log_var1 + log_var2).sum(-1)

    def back(d):
        d = d[:, None]
        dmu = d * diff * np.exp(-log_var2 / 2)
        return dmu, 0.5 * d * (ratio - 1), -dmu, 0.5 * d * (1 - ratio)

    return value, back


# === L05.kl_gauss | wrong | constant once instead of per dimension | 1/2 is subtracted once for a row and not for each dimension. | wrong at: any input with D > 1
import numpy as np


def kl_gauss(mu1, log_var1, mu2, log_var2):
    var1, var2 = np.exp(log_var1), np.exp(log_var2)
    gap = mu1 - mu2
    value = 0.5 * np.sum(log_var2 - log_var1 + (var1 + gap**2) / var2, axis=-1) - 0.5

    def back(d):
        d = d[:, None]
        a = d * gap / var2
        b = 0.5 * d * (var1 / var2 - 1)
        return a, b, -a, -0.5 * d * ((var1 + gap**2) / var2 - 1)

    return value, back
