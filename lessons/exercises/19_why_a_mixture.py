"""A mixture of experts: its two moments, and how well one modality shows another."""

import numpy as np

from mmvae_edu.course import todo


def mixture_moments(mu, log_var, *, mask=None):
    """Compute the mean and the log variance of the even mixture of Gaussian experts.     [S11.3]

    mu, log_var (M, N, D), mask (M, N) bool, True = present, or None; each example has an expert,
    and what is given for an absent one may be NaN -> mean, log_var, (N, D) each
    """
    return todo("L19.mixture_moments")


def cross_reconstruction(joint, q, decoder):
    """Compute the mean over all pairs of E log p(x_n|z), z ~ q(z|x_m), in nats.

    joint (U, V) p(x_m, x_n), a row for each x_m; q (U, S) q(z|x_m); decoder (S, V) p(x_n|z)
    -> a number.  Probabilities may be 0: what never occurs adds nothing; what occurs and cannot
    be decoded makes it -inf.
    """
    return todo("L19.cross_reconstruction")


def reconstruction_cap(joint):
    """Compute -H(x_n|x_m), the most that any encoder and decoder reach above, in nats.

    joint (U, V) p(x_m, x_n), a row for each x_m; entries may be 0 -> a number
    """
    return todo("L19.reconstruction_cap")
