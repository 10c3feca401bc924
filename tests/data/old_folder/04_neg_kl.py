"""L1, the closed form of minus the KL divergence from q to the prior."""

import numpy as np

from mmvae_edu.course import todo  # noqa: F401


def neg_kl_std_normal(mu, log_var):
    """L1 = 1/2 sum_j (1 + log s_j^2 - mu_j^2 - s_j^2), with log_var = log s^2.        [S5.11]

    (N, D), (N, D) -> (N,), and its pullback: (N,) -> (N, D), (N, D)
    """
    var = np.exp(log_var)

    def pullback(d):
        return -mu * d[:, None], 0.5 * (1 - var) * d[:, None]

    return 0.5 * (1 + log_var - mu**2 - var).sum(axis=1), pullback


def kl_gauss(mu1, log_var1, mu2, log_var2):
    """KL(N(mu1, var1) || N(mu2, var2)), of which L1 is a special case.                [S5.11]

    all (N, D) -> (N,), and its pullback: (N,) -> four gradients (N, D)
    """
    var2 = np.exp(log_var2)
    d = (mu1 - mu2) / var2
    ratio = np.exp(log_var1 - log_var2)

    def pullback(dkl):
        dkl = dkl[:, None]
        halves = (ratio - 1) / 2, (1 - ratio - d * (mu1 - mu2)) / 2
        return dkl * d, dkl * halves[0], -dkl * d, dkl * halves[1]

    return (log_var2 - log_var1 + ratio + d * (mu1 - mu2) - 1).sum(axis=1), pullback
