"""The columns of a table of log likelihoods, all from the same K samples of a proposal q(z).

A model p(z) p(x_1|z) p(x_2|z) of two modalities.  Arguments are log densities at the samples,
(K, N) each: log_px1 = log p(x_1|z_k), log_px2 = log p(x_2|z_k), log_pz and log_q = log q(z_k).
The proposal may be any density that covers the posterior, the encoder's among them.
"""

import numpy as np


def log_mean_exp(a):
    """log of the mean of exp(a) over the samples, (K, N) to (N,)."""
    top = a.max(axis=0)
    return top + np.log(np.exp(a - top).mean(axis=0))


def log_joint(log_px1, log_px2, log_pz, log_q):
    """The estimate of log p(x_1, x_2) in nats, (N,)."""
    return log_mean_exp(log_px1 + log_px2 + log_pz - log_q)


def log_given(log_px2, log_pz, log_q):
    """The estimate of log p(x_2) in nats, (N,)."""
    return log_mean_exp(log_px2 + log_pz - log_q)


def log_conditional(log_px1, log_px2, log_pz, log_q):
    """The estimate of log p(x_1 | x_2) in nats, (N,): x_1 generated from x_2, how likely is it?"""
    log_w = log_pz - log_q
    return log_mean_exp(log_px1 + log_w)


def rows(**columns):
    """The test-set means as lines of text."""
    return [f"{name:12} {values.mean():10.2f}" for name, values in columns.items()]
