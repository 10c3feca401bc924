"""The importance-weighted bound as it is trained and logged.

The gradient of log 1/K sum_k w_k is sum_k w~_k grad log w_k with the normalised weights w~; the
bound itself goes to the log file, beside the effective sample size.
"""

import numpy as np


def normalised_weights(log_w):
    """w~_k = w_k / sum_j w_j for each example.  (K, N); (K, N)."""
    w = np.exp(log_w - log_w.max(axis=0))
    return w / w.sum(axis=0)


def bound(log_w):
    """log 1/K sum_k w_k in nats, (N,), and its pullback, (N,) to (K, N).

    log_w (K, N) = log p(x, z_k) - log q(z_k|x).
    """
    weights = normalised_weights(log_w)
    value = (weights * log_w).sum(axis=0)

    def bound_pullback(d):
        return d * weights

    return value, bound_pullback


def log_line(step, log_w):
    """One line of the log file."""
    value, _ = bound(log_w)
    ess = 1 / (normalised_weights(log_w) ** 2).sum(axis=0)
    return f"step {step:6d}  bound {value.mean():10.3f}  ess {ess.mean():6.2f}"
