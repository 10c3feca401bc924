"""L1, the closed form of minus the KL divergence from q to the prior."""

import numpy as np

from mmvae_edu.course import todo


def neg_kl_std_normal(mu, log_var):
    """L1 = 1/2 sum_j (1 + log s_j^2 - mu_j^2 - s_j^2), with log_var = log s^2.        [S5.11]

    (N, D), (N, D) -> (N,), and its pullback: (N,) -> (N, D), (N, D)
    """
    return todo("L05.neg_kl_std_normal")


def kl_gauss(mu1, log_var1, mu2, log_var2):
    """KL(N(mu1, var1) || N(mu2, var2)), of which L1 is a special case.                [S5.11]

    all (N, D) -> (N,), and its pullback: (N,) -> four gradients (N, D)
    """
    return todo("L05.kl_gauss")
