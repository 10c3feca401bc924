# === L02.chain_rule_logp | wrong | -inf minus -inf | After an impossible past the factor is -inf - (-inf) = NaN. | wrong at: P = [[0, 0], [0.5, 0.5]], order (0, 1)
import numpy as np
from scipy.special import logsumexp


def chain_rule_logp(logP, order):
    n = logP.ndim
    factors = []
    for i in range(n):
        later = tuple(order[i + 1 :])
        present = logsumexp(logP, axis=later, keepdims=True) if later else logP
        past = logsumexp(logP, axis=tuple(order[i:]), keepdims=True)
        factors.append(np.broadcast_to(present - past, logP.shape))
    return np.stack(factors)


# === L02.chain_rule_logp | wrong | order of outputs | The factor of variable v stands in row v and not at v's place in `order`. | wrong at: order (1, 0)
import numpy as np
from scipy.special import logsumexp


def chain_rule_logp(logP, order):
    out = np.zeros((logP.ndim, *logP.shape))
    for i, v in enumerate(order):
        later = tuple(order[i + 1 :])
        present = logsumexp(logP, axis=later, keepdims=True) if later else logP
        past = logsumexp(present, axis=v, keepdims=True)
        with np.errstate(invalid="ignore"):
            out[v] = np.where(np.isneginf(past), -np.inf, present - past)
    return out


# === L02.product_of_marginals | wrong | hard-coded number of axes | The outer product of two marginals; a table of three variables loses one. | wrong at: P of shape (2, 3, 2)
import numpy as np


def product_of_marginals(P):
    rows = P.reshape(len(P), -1).sum(axis=1)
    columns = P.reshape(len(P), -1).sum(axis=0)
    return np.outer(rows, columns).reshape(P.shape)


# === L02.product_of_marginals | wrong | wrong axis | Each factor is summed over one axis instead of all but one: the same for two variables only. | wrong at: P of shape (2, 3, 2)
import numpy as np


def product_of_marginals(P):
    Q = np.ones_like(P)
    for i in range(P.ndim):
        Q *= P.sum(axis=i, keepdims=True)
    return Q


# === L02.total_correlation | wrong | wrong unit of the log | The logarithm has base 2, so that the answer is in bits. | wrong at: any dependent P
import numpy as np


def total_correlation(P):
    def entropy(p):
        p = p[p > 0]
        return -(p * np.log2(p)).sum()

    total = 0.0
    for i in range(P.ndim):
        total += entropy(P.sum(axis=tuple(j for j in range(P.ndim) if j != i)))
    return float(total - entropy(P.ravel()))


# === L02.total_correlation | wrong | 0 log 0 | Impossible cells give 0 * -inf = NaN. | wrong at: P = [[0.5, 0], [0, 0.5]]
import numpy as np


def total_correlation(P):
    Q = np.ones_like(P)
    for i in range(P.ndim):
        Q = Q * P.sum(axis=tuple(j for j in range(P.ndim) if j != i), keepdims=True)
    return float(np.sum(P * (np.log(P) - np.log(Q))))


# === L02.cavi_step | wrong | log of the mean for the mean of the log | P is averaged over the other factors and not log P. | wrong at: any dependent P
import numpy as np


def cavi_step(logP, q_list, i):
    a = np.exp(logP - logP.max())
    for j in reversed(range(logP.ndim)):
        if j != i:
            a = np.tensordot(a, q_list[j], axes=(j, 0))
    return a / a.sum()


# === L02.cavi_step | wrong | own factor counted | log P is weighted with all factors, q_i among them, before the other axes are summed away. | wrong at: any q_i that is no point
import math

import numpy as np


def cavi_step(logP, q_list, i):
    n = logP.ndim
    a = logP
    for j, q in enumerate(q_list):
        shape = [1] * n
        shape[j] = len(q)
        a = a * q.reshape(shape)
    a = a.sum(axis=tuple(j for j in range(n) if j != i))
    q = np.exp(a - a.max())
    return q / math.fsum(q)


# === L02.gaussian_mean_field | wrong | the other direction of the KL | The marginal variances, which minimise KL(P || Q). | wrong at: any correlated Sigma
import numpy as np


def gaussian_mean_field(mu, Sigma):
    return mu.copy(), np.diag(Sigma).copy()


# === L02.gaussian_mean_field | wrong | std for variance | The roots of the variances are returned. | wrong at: any Sigma
import numpy as np


def gaussian_mean_field(mu, Sigma):
    Lambda = np.linalg.inv(Sigma)
    return np.array(mu), 1 / np.sqrt(np.diagonal(Lambda))
