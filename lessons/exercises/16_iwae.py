"""The importance weighted bound.  log_w may be thousands from 0, where exp(log_w) is 0 or inf."""

import numpy as np

from mmvae_edu.course import todo


def importance_weights(log_w):
    """Compute the bound log (1/K) sum_k w_k and the normalised weights.        [S9.2, S9.5]

    (K, N) -> (N,), (K, N).  -inf weighs 0; a column of only -inf gives -inf and weights 0.
    """
    return todo("L16.importance_weights")


def iwae(log_w):
    """log (1/K) sum_k w_k, the bound of IWAE.                                  [S9.2, S9.4]

    (K, N) -> (N,), and its pullback: (N,) -> (K, N)
    """
    return todo("L16.iwae")


def effective_sample_size(log_w):
    """Compute 1 / sum_k w~_k^2, as how many equal weights the K samples count.         [S9.5]

    (K, N) -> (N,), between 1 and K
    """
    return todo("L16.effective_sample_size")


def log_weights(w, *, x, eps):
    """log w_k = log p(x|z_k) + log p(z_k) - log q(z_k|x), z_k = mu + std eps_k.        [S9.5]

    w {"encoder": weights, "decoder": weights}.  A network is
    `mmvae_edu.networks.mlp(weights, x, activation="tanh")`, one layer or more; the encoder's
    output is mu and log_var side by side, the decoder's the mean of x, whose variance is 1.
    x (N, P), eps (K, N, D) -> (K, N), and its pullback: (K, N) -> dw, a dict like w.
    """
    return todo("L16.log_weights")


def iwae_exact(q, w, K):
    """L_K = E log (1/K) sum_k w(z_k) over K draws from a discrete q, without sampling.  [S9.2]

    q (S,) probabilities, w (S,) weights > 0, K an integer from 1 to 100 000 -> a number, right to
    1e-12.  E log sum_k w_k = integral over t > 0 of (e^-t - L(t)^K) / t, L(t) = E_q e^(-t w).
    """
    return todo("L16.iwae_exact")
