"""A q(z|x) of one x's own, found by climbing its bound."""

import numpy as np

from mmvae_edu.course import todo
from mmvae_edu.gaussian import neg_kl_std_normal
from mmvae_edu.slides.s05_evidence import pathwise_grad


def refine(mu, log_var, *, eps, log_px_z, rate=0.1):
    """T steps up the bound L^v = L1 + (1/K) sum_k log p(x|z_k), z_k = mu + std eps[t, k].  [S5.0]

    Each step adds rate times q's inverse Fisher information, (var, 2), times the gradient of L^v
    by (mu, log_var); step t uses the noise eps[t].

    L1 = -KL(q || N(0, I)), by neg_kl_std_normal; the gradient of the rest: pathwise_grad.
    mu, log_var (N, D), eps (T, K, N, D); log_px_z: (K, N, D) -> (K, N) and its pullback.
    Returns mu, log_var (N, D).
    """
    return todo("L04.refine")
