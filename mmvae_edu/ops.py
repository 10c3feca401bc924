"""Differentiable building blocks: each returns its value and its pullback.

The pullback takes one cotangent per output and returns one per positional argument, in order (a
tuple, unless there is only one).  Positional arguments are differentiated; keyword-only arguments
are constants.  A pullback mutates nothing and may be called twice.
"""

import numpy as np

from .kernels import reference
from .kernels.arrays import check_calls


def linear(x, W, b):
    """Compute y = x W + b for each row.  x (N, P), W (P, H), b (H,); y (N, H)."""
    y = x @ W + b

    def linear_pullback(dy):
        return dy @ W.T, x.T @ dy, dy.sum(axis=0)

    return y, linear_pullback


def relu(a):
    """Compute max(a, 0), elementwise; the derivative at 0 is taken as 0."""
    active = a > 0

    def relu_pullback(dy):
        return np.where(active, dy, 0)

    return np.where(active, a, 0), relu_pullback


def tanh(a):
    """Compute tanh(a), elementwise."""
    y = np.tanh(a)

    def tanh_pullback(dy):
        return dy * (1 - y * y)

    return y, tanh_pullback


def sigmoid(a):
    """Compute 1 / (1 + exp(−a)), elementwise."""
    y = reference.sigmoid(a)

    def sigmoid_pullback(dy):
        return dy * y * (1 - y)

    return y, sigmoid_pullback


def softplus(a):
    """Compute log(1 + exp(a)), elementwise."""

    def softplus_pullback(dy):
        return dy * reference.sigmoid(a)

    return reference.softplus(a), softplus_pullback


def swish(a):
    """Compute a · sigmoid(a), elementwise (also called SiLU)."""
    gate = reference.sigmoid(a)
    y = a * gate

    def swish_pullback(dy):
        return dy * (gate + y * (1 - gate))

    return y, swish_pullback


def log_sum_exp(a, *, axis):
    """Compute log Σ exp(a) along `axis`, in nats; −∞ only where every entry is −∞."""
    log_sum, weights = reference.log_sum_exp_and_weights(a, axis)

    def log_sum_exp_pullback(dy):
        return np.expand_dims(dy, axis) * weights

    return np.squeeze(log_sum, axis), log_sum_exp_pullback


def log_mean_exp(a, *, axis):
    """Compute log (1/K) Σ exp(a) along `axis` of length K, in nats."""
    log_sum, log_mean_exp_pullback = log_sum_exp(a, axis=axis)
    return log_sum - float(np.log(a.shape[axis])), log_mean_exp_pullback


def unbroadcast(dy, shape):
    """Sum a cotangent over the axes along which an argument of `shape` was broadcast."""
    dy = dy.sum(axis=tuple(range(dy.ndim - len(shape))))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and dy.shape[i] != 1)
    return dy.sum(axis=stretched, keepdims=True) if stretched else dy


check_calls(globals())
