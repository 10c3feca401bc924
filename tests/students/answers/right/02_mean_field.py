# === L02.chain_rule_logp | right | a loop over the table | Every cell sums the cells that agree with its past.
import itertools

import numpy as np


def chain_rule_logp(logP, order):
    P = np.exp(logP)
    out = np.full((logP.ndim, *logP.shape), -np.inf)
    cells = list(itertools.product(*map(range, logP.shape)))
    for x in cells:
        for i in range(logP.ndim):
            past = [slice(None)] * logP.ndim
            for v in order[:i]:
                past[v] = x[v]
            before = np.sum(P[tuple(past)])
            past[order[i]] = x[order[i]]
            now = np.sum(P[tuple(past)])
            if now > 0:
                out[(i, *x)] = np.log(now) - np.log(before)
    return out


# === L02.product_of_marginals | right | einsum by letters | The marginals and their product as one string each.
import string

import numpy as np


def product_of_marginals(P):
    letters = string.ascii_lowercase[: P.ndim]
    marginals = [np.einsum(f"{letters}->{a}", P) for a in letters]
    return np.einsum(",".join(letters) + "->" + letters, *marginals)


# === L02.total_correlation | right | relative entropy of two tables | rel_entr of P and the outer product.
import numpy as np
from scipy.special import rel_entr


def total_correlation(P):
    Q = 1.0
    for i in range(P.ndim):
        other = [j for j in range(P.ndim) if j != i]
        Q = np.multiply.outer(Q, P.sum(axis=tuple(other)))
    return rel_entr(P, Q).sum()


# === L02.cavi_step | right | a loop over cells | Each cell adds its log P with the others' probability.
import math

import numpy as np


def cavi_step(logP, q_list, i):
    expected = [0.0] * logP.shape[i]
    for x, value in np.ndenumerate(logP):
        others = math.prod(q_list[j][x[j]] for j in range(logP.ndim) if j != i)
        expected[x[i]] += others * value
    top = max(expected)
    q = [math.exp(e - top) for e in expected]
    return np.array(q) / math.fsum(q)


# === L02.gaussian_mean_field | right | determinants | A precision's diagonal is a ratio of determinants.
import numpy as np


def gaussian_mean_field(mu, Sigma):
    whole = np.linalg.slogdet(Sigma)[1]
    var = []
    for i in range(len(mu)):
        rest = np.delete(np.delete(Sigma, i, axis=0), i, axis=1)
        var.append(np.exp(whole - np.linalg.slogdet(rest)[1]))
    return mu, np.array(var)
