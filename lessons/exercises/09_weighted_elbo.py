"""Conditional independence, and the ELBO of a subset of modalities."""

import numpy as np

from mmvae_edu.course import todo


def log_joint_subset(log_pz, log_px_z, *, mask):
    """log p(x_present, z): a missing modality's factor is dropped.                    [S6.2]

    (K, N), (M, K, N), mask (M, N) bool, True = present -> (K, N), and its pullback:
    (K, N) -> (K, N), (M, K, N).  What stands under False may be NaN.
    """
    return todo("L09.log_joint_subset")


def subset_elbo(log_px_z, log_ratio, *, mask, weights, beta=1.0):
    """ELBO(X) with weights lambda on the likelihoods and beta on the KL, by K samples.  [S6.3]

    log_px_z (M, K, N), log_ratio = log p(z) - log q(z|X) (K, N), mask (M, N) bool,
    weights (M,) -> (N,), and its pullback: (N,) -> (M, K, N), (K, N).  What stands under False may
    be NaN.
    """
    return todo("L09.subset_elbo")
