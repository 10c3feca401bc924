"""Equation (4) and its rival: products and quotients of Gaussian experts."""

import numpy as np

from mmvae_edu.course import todo


def product_of_experts(mu, log_var, *, mask=None):
    """q(z|X): the prior N(0, I) times the present Gaussian experts, normalised.       [S7.5]

    (M, N, D), (M, N, D), mask (M, N) bool or None, True = present ->
    (mean, log_var), each (N, D), and its pullback: (N, D), (N, D) -> (M, N, D), (M, N, D).
    What stands under False may be NaN; log_var may be as far as 300 from 0.  No expert: the prior.
    """
    return todo("L11.product_of_experts")


def quotient_of_experts(mu, log_var, *, mask=None):
    """Multiply full posteriors, and divide by the prior all but once.                 [S7.3]

    (M, N, D), (M, N, D), mask (M, N) bool or None -> (mean, log_var, valid), each (N, D), and
    its pullback: (N, D), (N, D) for mean and log_var -> (M, N, D), (M, N, D).
    valid is False, mean and log_var NaN and the gradient 0 where no such density exists.  What
    stands under False may be NaN.  No expert: the prior.
    """
    return todo("L11.quotient_of_experts")
