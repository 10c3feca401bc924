# === L11.product_of_experts | right | two at a time | Gaussians are multiplied in pairs, in logs of precisions.
import numpy as np


def times(first, second):
    """The product of two Gaussians (mean, log precision)."""
    log_total = np.logaddexp(first[1], second[1])
    a, b = np.exp(first[1] - log_total), np.exp(second[1] - log_total)
    return a * first[0] + b * second[0], log_total


def product_of_experts(mu, log_var, *, mask=None):
    here = np.ones(mu.shape, bool) if mask is None else np.broadcast_to(mask[..., None], mu.shape)
    log_T = np.full(mu.shape, -np.inf)
    log_T[here] = -log_var[here]
    centre = np.zeros(mu.shape)
    centre[here] = mu[here]
    joint = np.zeros(mu.shape[1:]), np.zeros(mu.shape[1:])  # the prior
    for expert in zip(centre, log_T):
        joint = times(joint, expert)
    mean, log_total = joint

    def back(dmean, dlog_var):
        share = np.exp(log_T - log_total)
        return share * dmean, share * dlog_var + share * dmean * (mean - centre)

    return (mean, -log_total), back


# === L11.quotient_of_experts | right | natural parameters by loops | tau and eta are summed expert by expert, in Python.
import math

import numpy as np


def quotient_of_experts(mu, log_var, *, mask=None):
    M, N, D = mu.shape
    mean, joint = np.full((N, D), math.nan), np.full((N, D), math.nan)
    valid = np.zeros((N, D), dtype=bool)
    for n, d in np.ndindex(N, D):
        inside = [m for m in range(M) if mask is None or mask[m, n]]
        tau = 1.0 - len(inside) + math.fsum(math.exp(-log_var[m, n, d]) for m in inside)
        eta = math.fsum(math.exp(-log_var[m, n, d]) * mu[m, n, d] for m in inside)
        if tau > 0:
            valid[n, d], mean[n, d], joint[n, d] = True, eta / tau, -math.log(tau)

    def back(dmean, djoint):
        dmu, dlog_var = np.zeros(mu.shape), np.zeros(mu.shape)
        for m, n, d in np.ndindex(M, N, D):
            if valid[n, d] and (mask is None or mask[m, n]):
                share = math.exp(joint[n, d] - log_var[m, n, d])
                dmu[m, n, d] = share * dmean[n, d]
                pull = (mean[n, d] - mu[m, n, d]) * dmean[n, d]
                dlog_var[m, n, d] = share * (djoint[n, d] + pull)
        return dmu, dlog_var

    return (mean, joint, valid), back
