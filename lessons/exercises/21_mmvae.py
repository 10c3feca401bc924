"""MMVAE: the bound with every gradient, and one modality made from another."""

import numpy as np

from mmvae_edu.course import todo


def mmvae_bound(w, *, x, eps):
    """(1/M) sum_m log (1/K) sum_k p(z_m^k, x_1..M) / q_Phi(z_m^k), Gaussian modalities.  [S11.4]

    w {name: {"encoder": weights, "decoder": weights}}, x {name: (N, P)} of M modalities in order.
    A network is `mmvae_edu.networks.mlp(weights, x, activation="tanh")`, one layer or more; an
    encoder's output is mu and log_var of the expert side by side, a decoder's the mean of x_m,
    whose variance is 1.  z_m = mu_m + std_m eps_m, q_Phi is the even mixture of the M experts.
    eps (M, K, N, D) -> (N,), and its pullback: (N,) -> dw, dicts like w.
    """
    return todo("L21.mmvae_bound")


def cross_generate(w, x, *, source, target, eps):
    """Decode the means of modality `target` given `source`, for z ~ q(z|x_source).    [S10.c]

    w as in `mmvae_bound`, x (N, P) of the source, eps (K, N, D) -> (K, N, P of the target)
    """
    return todo("L21.cross_generate")
