"""Probabilities by their logarithms, each with its pullback."""

import numpy as np

from mmvae_edu.course import todo


def log_sum_exp(a, *, axis):
    """log sum_k exp(a_k) along one axis, at any scale of a.                      [S9.2, S9.5]

    An array, an axis -> without that axis, and its pullback: that shape -> a's shape.
    Where every entry is -inf: -inf, and a gradient of 0.
    """
    return todo("L01.log_sum_exp")


def log_mean_exp(a, *, axis):
    """log (1/K) sum_k exp(a_k) along an axis of length K.                        [S9.2, S9.5]

    An array, an axis -> without that axis, and its pullback, as for log_sum_exp
    """
    return todo("L01.log_mean_exp")


def gaussian_log_prob(z, mu, log_var):
    """log N(z; mu, var), with log_var = log var, summed over the last axis.           [S5.12]

    z (K, N, D), mu, log_var (N, D) -> (K, N), and its pullback:
    (K, N) -> (K, N, D), (N, D), (N, D)
    """
    return todo("L01.gaussian_log_prob")


def binomial_log_prob(logits, *, x, n=1):
    """log p(x|z) of counts x out of n with p = sigmoid(logits), coefficient included.  [S5.13]

    logits of any size (K, N, P), x (N, P) -> (K, N), summed over P, and its pullback:
    (K, N) -> (K, N, P)
    """
    return todo("L01.binomial_log_prob")


def categorical_log_prob(logits, *, x):
    """log p(x|z) of a one-hot x, with p in proportion to exp(logits).                 [S5.13]

    logits of any size (K, N, V), x (N, V) -> (K, N), and its pullback: (K, N) -> (K, N, V)
    """
    return todo("L01.categorical_log_prob")
