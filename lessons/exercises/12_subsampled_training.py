"""Sub-sampled training: random subsets, MVAE's objective, and steps that its joint term ignores."""

import numpy as np

from mmvae_edu.course import todo


def sample_subsets(M, k, rng):
    """Draw k random proper subsets X_j of M >= 2 modalities.                          [S7.6]

    -> (k, M) bool.  The size is uniform on 2..M-1 (1 at M = 2), then all subsets of that size are
    equally likely.  All randomness comes from rng, a numpy Generator.
    """
    return todo("L12.sample_subsets")


def subsampled_bound(w, *, x, subsets, eps):
    """ELBO(x_1..M) + sum_m ELBO(x_m) + sum_j ELBO(X_j), for Gaussian modalities.      [S7.6]

    w {name: {"encoder": weights, "decoder": weights}}, x {name: (N, P)} of M modalities in order.
    A network is `mmvae_edu.networks.mlp(weights, x, activation="tanh")`, one layer or more; an
    encoder's output is mu and log_var of the expert side by side, a decoder's the mean of x_m,
    whose variance is 1.  q(z|X) is the product of the experts in X and the prior; the KL is in
    closed form.  subsets (k, M) bool, the X_j, each counted; eps (1 + M + k, K, N, D), the noise of
    each term in the order of S7.6.
    -> (N,), and its pullback: (N,) -> dw, dicts like w.
    """
    return todo("L12.subsampled_bound")


def flat_direction(dtau, deta):
    """Find the nearest step of the experts that keeps their joint posterior.           [S7.6]

    Steps of the experts' precisions tau_m and of eta_m = tau_m mu_m: (M, N, D), (M, N, D) -> the
    part of each that ELBO(x_1..M) does not feel, (M, N, D), (M, N, D)
    """
    return todo("L12.flat_direction")
