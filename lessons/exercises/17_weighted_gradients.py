"""Why weighted: the gradients of VAE and IWAE from those of log w.

log_w may be thousands from 0, where exp(log_w) is 0 or inf, and differ by thousands.
"""

import numpy as np

from mmvae_edu.course import todo


def vae_grad(g):
    """Compute the gradient of the ELBO estimate.                                      [S9.3]

    g = the gradient of log w by P parameters, (K, N, P) -> (N, P)
    """
    return todo("L17.vae_grad")


def iwae_grad(log_w, g):
    """Compute the gradient of the IWAE estimate.                                      [S9.4]

    (K, N), g = the gradient of log w by P parameters, (K, N, P) -> (N, P)
    """
    return todo("L17.iwae_grad")


def normalised_weights(log_w):
    """w~_k = w_k / sum_j w_j, each sample's share.                                    [S9.5]

    (K, N) -> (K, N).  -inf weighs 0; a column of only -inf has the shares 0.
    """
    return todo("L17.normalised_weights")


def iwae_bound(w, *, x, eps):
    """log (1/K) sum_k w_k of the IWAE of L16's `log_weights`, which you may use.      [S9.2, S9.4]

    w {"encoder": weights, "decoder": weights}, x (N, P), eps (K, N, D) -> (N,), and its pullback:
    (N,) -> dw, a dict like w.  `mmvae_edu.models.one_function.iwae.log_weights` is the library's.
    """
    return todo("L17.iwae_bound")


def dreg_grads(log_w, dlog_w_dz, log_var, eps):
    """Compute the doubly reparameterised gradient of the encoder, with z = mu + std eps:

        sum_k w~_k^2 (dlog w_k / dz_k) dz_k / d(mu, log_var)

    (K, N), (K, N, D), (N, D), (K, N, D) -> the gradients of mu and log_var, (N, D), (N, D)
    """
    return todo("L17.dreg_grads")
