import math


def log_joint(log_prior, log_lik, x):
    out = log_prior.copy()
    for s in range(len(out)):
        out[s] += log_lik[s][x]
    return out


def log_evidence(log_joint):
    total = -math.inf
    for l in log_joint.tolist():
        a, b = max(total, l), min(total, l)
        if b > -math.inf:
            a += math.log1p(math.exp(b - a))
        total = a
    return total


def kl(q, p):
    total = 0.0
    for i in range(len(q)):
        if q[i] > 0:
            total += q[i] * math.log(q[i] / p[i])
    return total
