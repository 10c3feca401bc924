"""Equation (3): the joint posterior from unimodal ones, with z one of S states.

Logarithms may be thousands below 0, where every exp gives 0; a prior or likelihood may be 0.
"""

import numpy as np

from mmvae_edu.course import todo


def posterior_joint(log_prior, log_liks):
    """p(z|x_1..M) of modalities that are independent given z.                         [S7.1]

    (S,), (M, S) with rows log p(x_m|z) -> probabilities (S,)
    """
    return todo("L10.posterior_joint")


def posterior_from_unimodal(log_posts, log_prior):
    """p(z|x_1..M) from the posteriors of each modality alone.                         [S7.3]

    (M, S) with rows log p(z|x_m), (S,) -> probabilities (S,).  Here no prior is 0.
    """
    return todo("L10.posterior_from_unimodal")


def log_constant_eq3(log_prior, log_liks):
    """Compute the log of the product of the p(x_m) over p(x_1..M), (3)'s constant.    [S7.3]

    (S,), (M, S) with rows log p(x_m|z) -> a float, in nats
    """
    return todo("L10.log_constant_eq3")
