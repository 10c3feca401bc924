# === L22.log_conditional_exact_lg | wrong | std for variance | sigma is put on the covariance's diagonal unsquared. | wrong at: sigma other than 1
import numpy as np
from scipy.stats import multivariate_normal


def log_conditional_exact_lg(xm, xn, W, b, sigma):
    Wm, Wn = W
    Cmm = Wm @ Wm.T + sigma[0] * np.eye(len(Wm))
    Cnn = Wn @ Wn.T + sigma[1] * np.eye(len(Wn))
    gain = np.linalg.solve(Cnn, Wn @ Wm.T).T
    mean = b[0] + (xn - b[1]) @ gain.T
    cov = Cmm - gain @ (Wn @ Wm.T)
    return np.array([multivariate_normal(m, cov).logpdf(v) for m, v in zip(mean, xm)])


# === L22.log_conditional_exact_lg | wrong | spread of the posterior left out | The posterior's mean of z is decoded, and its covariance is not added. | wrong at: any W
import numpy as np


def log_conditional_exact_lg(xm, xn, W, b, sigma):
    Wn = W[1]
    D = Wn.shape[1]
    precision = np.eye(D) + Wn.T @ Wn / sigma[1] ** 2
    z = np.linalg.solve(precision, Wn.T @ (xn - b[1]).T / sigma[1] ** 2).T
    r = (xm - b[0] - z @ W[0].T) / sigma[0]
    return -0.5 * (r**2 + np.log(2 * np.pi) + 2 * np.log(sigma[0])).sum(axis=1)


# === L22.log_conditional_is | wrong | a factor left out | The given modality does not enter the weights: this estimates log p(x_m). | wrong at: any log_pxn
import numpy as np


def log_conditional_is(log_pxm, log_pxn, log_pz, log_q):
    return np.logaddexp.reduce(log_pxm + log_pz - log_q) - np.log(len(log_q))


# === L22.log_conditional_is | wrong | proposal taken for the posterior | log (1/K) sum p(x_m|z_k), right only where q is p(z|x_n). | wrong at: any other q
import numpy as np
from scipy.special import logsumexp


def log_conditional_is(log_pxm, log_pxn, log_pz, log_q):
    return logsumexp(log_pxm, axis=0, b=1 / len(log_pxm))


# === L22.laplace_ceiling | wrong | sign of a term | The log of the unit is added. | wrong at: unit = 255
import numpy as np


def laplace_ceiling(P, b, *, unit=1.0):
    return P * (np.log(unit) - np.log(2 * b))


# === L22.laplace_ceiling | wrong | wrong constant | The density at the centre is 1/b and not 1/(2b). | wrong at: any input
import numpy as np


def laplace_ceiling(P, b, *, unit=1.0):
    return -P * np.log(b * unit)


# === L22.audit_table3 | wrong | index not turned | joint - log p(x_m|x_n) has log p(x_m) subtracted and not log p(x_n). | wrong at: unequal marginals
import numpy as np


def audit_table3(rows, *, classes, ceilings):
    joint = rows[:, 0, 0]
    best = np.maximum(rows[..., 1], rows[..., 2])
    shared = joint - best.sum(axis=1) - np.log(classes)
    conditional = joint[:, None] - rows[..., 3] - best
    return shared, conditional, best - np.asarray(ceilings)


# === L22.audit_table3 | wrong | first of two bounds only | log p(x_m) is always the column of z from both, though the other is sometimes the higher bound. | wrong at: column 2 above column 1
import numpy as np


def audit_table3(rows, *, classes, ceilings):
    joint, marginal, conditional = rows[:, 0, 0], rows[:, :, 1], rows[:, :, 3]
    return (
        joint - marginal[:, 0] - marginal[:, 1] - np.log(classes),
        joint[:, None] - conditional - marginal[:, ::-1],
        marginal - np.array(ceilings),
    )


# === L22.over_seeds | wrong | one-sided for two-sided | The coverage is 1 - 2^-n. | wrong at: any n
import numpy as np


def over_seeds(values):
    return np.median(values), np.min(values), np.max(values), 1 - 0.5 ** len(values)


# === L22.over_seeds | wrong | integer division | For an even n the median is the upper of the two in the middle. | wrong at: n = 4
def over_seeds(values):
    ordered = sorted(float(v) for v in values)
    n = len(ordered)
    return ordered[n // 2], ordered[0], ordered[-1], 1 - 2.0 ** (1 - n)


# === L22.against_chance | wrong | error at the wrong place | The standard error is taken at the observed frequency and not at chance. | wrong at: hits = 0 or few of n
import numpy as np


def against_chance(hits, n, *, chance, z=1.96):
    p = np.asarray(hits) / n
    error = np.sqrt(p * (1 - p) / n)
    return (p > chance + z * error) * 1 - (p < chance - z * error) * 1


# === L22.against_chance | wrong | numbers only | The comparisons are `if`s, which an array cannot answer. | wrong at: hits an array
import math


def against_chance(hits, n, *, chance, z=1.96):
    excess = hits - n * chance
    limit = z * math.sqrt(n * chance * (1 - chance))
    if excess > limit:
        return 1
    if excess < -limit:
        return -1
    return 0
