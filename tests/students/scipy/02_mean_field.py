import numpy as np
from scipy.special import logsumexp
from scipy.stats import entropy


def chain_rule_logp(logP, order):
    factors, present = [], logP
    for axis in reversed(order):
        past = logsumexp(present, axis=axis, keepdims=True)
        factor = present - np.where(past == -np.inf, 0, past)
        factors.insert(0, factor + np.zeros(logP.shape))
        present = past
    return np.array(factors)


def total_correlation(P):
    axes = range(P.ndim)
    marginals = [P.sum(axis=tuple(j for j in axes if j != i)) for i in axes]
    return np.sum([entropy(m) for m in marginals]) - entropy(P.ravel())
