# === L04.refine | right | the library's pieces | The pullback of L1 and the estimate through the sample, added up.
import numpy as np

from mmvae_edu.gaussian import neg_kl_std_normal
from mmvae_edu.slides.s05_evidence import pathwise_grad


def refine(mu, log_var, *, eps, log_px_z, rate=0.1):
    for t in range(eps.shape[0]):
        _, kl_back = neg_kl_std_normal(mu, log_var)
        parts = kl_back(np.ones(mu.shape[0])), pathwise_grad(mu, log_var, eps=eps[t], log_px_z=log_px_z)
        g, h = (a + b for a, b in zip(*parts))
        mu, log_var = mu + rate * np.exp(log_var) * g, log_var + 2 * rate * h
    return mu, log_var


# === L04.refine | right | recursion | The first step, then the others; the prior is a term of the log joint, the entropy is known.
import numpy as np


def refine(mu, log_var, *, eps, log_px_z, rate=0.1):
    if len(eps) == 0:
        return mu, log_var
    K, scale = eps.shape[1], np.exp(0.5 * log_var)
    z = mu[None] + scale[None] * eps[0]
    up = log_px_z(z)[1](np.ones(z.shape[:2])) / K
    to_mean = np.einsum("knd->nd", up) - mu
    to_scale = np.einsum("knd,knd->nd", up, eps[0]) - scale + 1 / scale
    # d log_var = 2 d scale / scale: the Fisher step on log_var is 2 * (scale / 2) * d/d scale
    return refine(mu + rate * scale * scale * to_mean, log_var + rate * scale * to_scale,
                  eps=eps[1:], log_px_z=log_px_z, rate=rate)
