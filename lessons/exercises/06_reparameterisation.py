"""Sampling from q so that the gradient passes through the sample, and two gradients of L2."""

import numpy as np

from mmvae_edu.course import todo


def gaussian_sample(mu, log_var, *, eps):
    """Compute z ~ N(mu, var) from mu, log_var = log var and standard normal eps.      [S5.12]

    (N, D), (N, D), eps (K, N, D) -> z (K, N, D), and its pullback: (K, N, D) -> (N, D), (N, D)
    """
    return todo("L06.gaussian_sample")


def expected_log_lik(mu, log_var, *, eps, log_px_z):
    """L2 = E_q log p(x|z), estimated from the K samples that eps makes.               [S5.13]

    (N, D), (N, D), eps (K, N, D) -> (N,).  log_px_z(z) gives log p(x|z) (K, N) of z (K, N, D),
    and a pullback: (K, N) -> (K, N, D).
    """
    return todo("L06.expected_log_lik")


def pathwise_grad(mu, log_var, *, eps, log_px_z):
    """Compute the gradient of that estimate with eps held, by mu and by log_var.      [S5.13]

    (N, D), (N, D), eps (K, N, D) -> the pair (N, D), (N, D).  log_px_z as above.
    """
    return todo("L06.pathwise_grad")


def score_function_grad(mu, log_var, *, eps, log_px_z, baseline=0.0):
    """Average (log p(x|z) - baseline) times the gradient of log q(z) over samples.      [S5.13]

    (N, D), (N, D), eps (K, N, D) -> the pair (N, D), (N, D).  log_px_z as above; baseline a number
    or (N,).  The z_k stay where they are, while mu and log_var move.
    """
    return todo("L06.score_function_grad")
