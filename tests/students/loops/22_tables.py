import math

import numpy as np


def gaussian_log_density(x, mean, covariance):
    P = len(x)
    residual = x - mean
    _, log_det = np.linalg.slogdet(covariance)
    return -0.5 * (
        P * math.log(2 * math.pi) + log_det + residual @ np.linalg.inv(covariance) @ residual
    )


def log_conditional_exact_lg(xm, xn, W, b, sigma):
    """log p(x_m, x_n) - log p(x_n), each a Gaussian with its own covariance."""
    both_W, both_b = np.vstack(W), np.concatenate(b)
    noise = np.diag([sigma[0] ** 2] * len(b[0]) + [sigma[1] ** 2] * len(b[1]))
    both_C = both_W @ both_W.T + noise
    own_C = W[1] @ W[1].T + sigma[1] ** 2 * np.eye(len(b[1]))
    out = np.empty(len(xm))
    for i in range(len(xm)):
        joint = gaussian_log_density(np.concatenate([xm[i], xn[i]]), both_b, both_C)
        out[i] = joint - gaussian_log_density(xn[i], b[1], own_C)
    return out


def log_conditional_is(log_pxm, log_pxn, log_pz, log_q):
    K, N = log_pxm.shape
    out = np.zeros(N)
    for n in range(N):
        log_w = [log_pxn[k, n] + log_pz[k, n] - log_q[k, n] for k in range(K)]
        both = [log_pxm[k, n] + log_w[k] for k in range(K)]
        top, high = max(log_w), max(both)
        total = math.fsum(math.exp(a - top) for a in log_w)
        out[n] = high - top + math.log(math.fsum(math.exp(a - high) for a in both) / total)
    return out


def laplace_ceiling(P, b, *, unit=1.0):
    density_at_the_median = 1 / (2 * b) / unit
    return P * math.log(density_at_the_median)


def audit_table3(rows, *, classes, ceilings):
    S = len(rows)
    shared, conditional, ceiling = np.zeros(S), np.zeros((S, 2)), np.zeros((S, 2))
    for s in range(S):
        best = [max(rows[s, m, 1], rows[s, m, 2]) for m in (0, 1)]
        joint = rows[s, 0, 0]
        shared[s] = joint - best[0] - best[1] - math.log(classes)
        for m in (0, 1):
            conditional[s, m] = joint - rows[s, m, 3] - best[1 - m]
            ceiling[s, m] = best[m] - ceilings[m]
    return shared, conditional, ceiling


def over_seeds(values):
    ordered = sorted(values)
    n = len(ordered)
    middle = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    return middle, ordered[0], ordered[-1], 1 - 2 * 0.5**n


def against_chance(hits, n, *, chance, z=1.96):
    error = np.sqrt(n * chance * (1 - chance))
    score = (np.asarray(hits) - n * chance) / error
    return np.where(score > z, 1.0, np.where(score < -z, -1.0, 0.0))
