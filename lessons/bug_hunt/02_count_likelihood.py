"""Images whose pixels count ink from 0 to n: their log likelihood under a decoder's logits.

Each pixel is Binomial(n, p) with p = sigmoid(logit).  The log of p is never taken: p may round
to 0 or 1, the logit never does.
"""

import math

import numpy as np

LEVELS = 16  # of ink, besides none


def softplus(a):
    """log(1 + exp(a)) without overflow."""
    return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))


def log_coefficient(x, n):
    """log of n over x, for an array of counts."""
    table = [math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in range(n + 1)]
    return np.array(table)[x.astype(int)]


def log_likelihood(logits, *, x, n=LEVELS):
    """log p(x|z) in nats, summed over the pixels.  logits (K, N, P), counts x (N, P); (K, N).

    p(x|z) is a distribution over the images x with counts 0..n.
    """
    constant = log_coefficient(x, n).sum(axis=-1)  # the same for all samples z
    value = (x * logits - n * softplus(logits)).sum(axis=-1) + constant

    def log_likelihood_pullback(d):
        p = 0.5 * (1 + np.tanh(0.5 * logits))
        return d[..., None] * (x - n * p)

    return value, log_likelihood_pullback
