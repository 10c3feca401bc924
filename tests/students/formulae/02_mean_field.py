from functools import reduce

import numpy as np


def marginal(P, kept):
    return P.sum(axis=tuple(i for i in range(P.ndim) if i not in kept), keepdims=True)


def chain_rule_logp(logP, order):
    P, factors = np.exp(logP), np.empty((logP.ndim, *logP.shape))
    for i in range(len(order)):
        past, present = marginal(P, order[:i]), marginal(P, order[: i + 1])
        quotient = np.divide(present, past, out=np.zeros_like(present), where=past > 0)
        factors[i] = np.log(quotient)
    return factors


def product_of_marginals(P):
    marginals = [np.moveaxis(P, i, 0).reshape(P.shape[i], -1).sum(1) for i in range(P.ndim)]
    return reduce(np.multiply.outer, marginals)


def cavi_step(logP, q_list, i):
    a = logP
    for j in reversed(range(logP.ndim)):
        if j != i:
            a = np.tensordot(a, q_list[j], axes=(j, 0))
    q = np.exp(a - a.max())
    q /= q.sum()
    return q


def gaussian_mean_field(mu, Sigma):
    half = np.linalg.solve(np.linalg.cholesky(Sigma), np.eye(len(Sigma)))
    return [mu, 1 / np.einsum("ij,ij->j", half, half)]
