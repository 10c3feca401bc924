"""KL per dimension, active units, and what the best linear VAE keeps."""

import numpy as np

from mmvae_edu.course import todo


def kl_per_dimension(mu, log_var):
    """The KL of q(z_d|x) = N(mu_d, var_d) from N(0, 1), averaged over the examples.       [S6.1]

    mu, log_var (N, D) -> (D,), nats
    """
    return todo("L08.kl_per_dimension")


def active_units(mu, *, threshold=0.01):
    """Whether the variance of mu_d over the examples is above the threshold.              [S6.1]

    mu (N, D) -> (D,) bool; the variance is a mean over the N examples
    """
    return todo("L08.active_units")


def reverse_water_filling(eigenvalues, *, noise, beta=1.0):
    """KL and squared error of each principal direction at the best linear VAE.            [S6.1]

    The decoder is N(W z + b, noise^2 I), the KL has the weight beta, and D is large enough.
    eigenvalues (P,) of the data's covariance -> KL (P,) in nats, error (P,), of a sample's
    reconstruction
    """
    return todo("L08.reverse_water_filling")
