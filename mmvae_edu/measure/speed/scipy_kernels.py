"""Peers of `kernels` in SciPy, where it has the functions."""

import numpy as np
from scipy.special import expit, log_expit, logsumexp, softmax


def product_of_experts(mu, log_var):
    log_precision = np.concatenate([np.zeros_like(log_var[:1]), -log_var])
    return (softmax(log_precision, axis=0)[1:] * mu).sum(axis=0), -logsumexp(log_precision, axis=0)


def importance_weights(log_w):
    return logsumexp(log_w, axis=0) - float(np.log(len(log_w))), softmax(log_w, axis=0)


def mixture_log_prob(z, mu, log_var, log_alpha):
    s = (z - mu[:, None]) / np.exp(log_var / 2)[:, None]
    log_density = -(s * s + (float(np.log(2 * np.pi)) + log_var)[:, None]).sum(axis=-1) / 2
    log_joint = log_alpha[:, None] + log_density
    return logsumexp(log_joint, axis=0), softmax(log_joint, axis=0)


def binomial_log_prob(logits, x):
    return (x * log_expit(logits) + (1 - x) * log_expit(-logits)).sum(axis=-1)


def binomial_log_prob_vjp(dlog_p, logits, x):
    return dlog_p[..., None] * (x - expit(logits))
