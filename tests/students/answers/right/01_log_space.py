# === L01.log_sum_exp | right | recursion | Halves are added in pairs, down to one.
import numpy as np


def tree(rows):
    if len(rows) == 1:
        return rows[0]
    middle = len(rows) // 2
    return np.logaddexp(tree(rows[:middle]), tree(rows[middle:]))


def log_sum_exp(a, *, axis):
    value = np.asarray(tree(np.moveaxis(a, axis, 0)))

    def back(dy):
        at = np.expand_dims(value, axis)
        slope = np.exp(np.subtract(a, at, out=np.full(a.shape, -np.inf), where=at > -np.inf))
        return np.expand_dims(dy, axis) * slope

    return value, back


# === L01.gaussian_log_prob | right | a class | A class with a method for each direction, powers of two for squares.
import numpy as np


class Density:
    def __init__(self, z, mu, log_var):
        self.root = np.exp(-log_var / 2)
        self.r = np.multiply(z - mu, self.root)
        self.log_root = -log_var / 2

    def value(self):
        half_log = np.log(np.sqrt(2 * np.pi))
        return np.sum(self.log_root - half_log - np.square(self.r) / 2, axis=-1)

    def __call__(self, d):
        r_d = np.einsum("knd,kn->knd", self.r, d)
        dmu = np.einsum("knd,nd->knd", r_d, self.root)
        dlog_var = np.einsum("knd,knd->nd", r_d, self.r) - d.sum(axis=0)[:, None]
        return np.negative(dmu), dmu.sum(axis=0), dlog_var / 2


def gaussian_log_prob(z, mu, log_var):
    density = Density(z, mu, log_var)
    return density.value(), density


# === L01.binomial_log_prob | right | other formulae | log sigmoid of both signs, and Beta functions for the coefficient.
import numpy as np
from scipy.special import betaln, expit, log_expit


def binomial_log_prob(logits, *, x, n=1):
    coefficient = -np.log(n + 1) - betaln(x + 1, n - x + 1)
    ones, zeros = x * log_expit(logits), (n - x) * log_expit(-logits)
    value = (ones + zeros).sum(-1) + coefficient.sum(-1)

    def back(d):
        return d[..., np.newaxis] * (x * expit(-logits) - (n - x) * expit(logits))

    return value, back


# === L01.categorical_log_prob | right | differences of logits | -log sum of exp(logit - logit of the seen class).
import numpy as np
from scipy.special import logsumexp


def categorical_log_prob(logits, *, x):
    seen = np.einsum("knv,nv->kn", logits, x)
    relative = logits - seen[..., None]
    value = -logsumexp(relative, axis=-1)
    return value, lambda d: d[..., None] * (x - np.exp(relative + value[..., None]))
