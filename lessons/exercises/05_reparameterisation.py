"""Sampling from q so that the gradient passes through the sample."""

from mmvae_edu.course import todo


def gaussian_sample(mu, log_var, *, eps):
    """z ~ N(mu, var) made of mu, log_var = log var and standard normal eps.           [S5.12]

    (N, D), (N, D), eps (K, N, D) -> z (K, N, D), and its pullback: (K, N, D) -> (N, D), (N, D)
    """
    return todo("L05.gaussian_sample")
