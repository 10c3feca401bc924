"""Slide 8's systems: two objectives, and what a missing modality costs each.

z_m^k is sample k of encoder m, drawn from q(z|x_m); all values are in nats.
"""

import numpy as np

from mmvae_edu.course import todo


def bivcca_bound(log_px_z, log_ratio, *, share):
    """Compute BiVCCA's bound of log p(x_1..M), and its pullback.                          [S8.T2]

    log_px_z (M, J, K, N): log p(x_j|z_m^k) of decoder j, J = M
    log_ratio (M, K, N): log p(z_m^k) - log q(z_m^k|x_m)
    share (M,): mu, each encoder's part, which sums to 1
    -> (N,), and its pullback: d(N,) -> (M, J, K, N), (M, K, N)
    """
    return todo("L14.bivcca_bound")


def jmvae_bound(elbo, mean, joint_log_var, mu, log_var, *, alpha=0.1):
    """Compute JMVAE's bound, and its pullback.                                            [S8.T2]

    elbo (N,): the joint encoder's; mean, joint_log_var (N, D): its q(z|x_1..M)
    mu, log_var (M, N, D): each q(z|x_m)
    -> (N,), and its pullback: d(N,) -> (N,), (N, D), (N, D), (M, N, D), (M, N, D)
    """
    return todo("L14.jmvae_bound")


def single_modality_gaps(precision):
    """Compute the least KL that q(z|x_m) leaves, on average over x_1..M.                   [S8.T2]

    precision (M, D): what modality m adds to the posterior's precision; the prior has 1.
    -> two arrays (M,): the least E KL(q(z|x_m) || p(z|x_1..M)), which BiVCCA pays, and the least
       E KL(p(z|x_1..M) || q(z|x_m)), which JMVAE pays; all are Gaussian, with diagonal covariances
    """
    return todo("L14.single_modality_gaps")
