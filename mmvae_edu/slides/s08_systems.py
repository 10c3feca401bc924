"""Slide 8's systems: the objectives of BiVCCA and JMVAE, and what a missing modality costs each."""

import numpy as np

from ..gaussian import kl_gauss


def bivcca_bound(log_px_z, log_ratio, *, share):
    """Compute BiVCCA's Σ_m μ_m {E_q(z|x_m)[Σ_j log p(x_j|z)] − KL(q(z|x_m) ‖ p)}.    [S8.T2]

    Encoder m draws z_m^k ~ q(z|x_m), and every decoder j must explain it:
    log_px_z (M, J, K, N) is log p(x_j|z_m^k), J = M, and log_ratio (M, K, N) is
    log p(z_m^k) − log q(z_m^k|x_m).  share (M,) is μ, which sums to 1.  Returns (N,), nats; its
    mean is at most log p(x_1..M).
    """
    share = np.asarray(share)[:, None, None]
    M, K, N = log_ratio.shape
    log_w = log_px_z.sum(axis=1) + log_ratio

    def bivcca_bound_pullback(dbound):
        dlog_w = np.broadcast_to(share * dbound / K, log_w.shape)
        return np.broadcast_to(dlog_w[:, None], log_px_z.shape), dlog_w

    return (share * log_w).sum(axis=0).mean(axis=0), bivcca_bound_pullback


def jmvae_bound(elbo, mean, joint_log_var, mu, log_var, *, alpha=0.1):
    """Compute JMVAE's ELBO(x_1..M) − α Σ_m KL(q(z|x_1..M) ‖ q(z|x_m)).              [S8.T2]

    elbo (N,) is that of the joint encoder, whose q(z|x_1..M) has mean, joint_log_var (N, D);
    mu, log_var (M, N, D) are those of q(z|x_m).  Returns (N,), nats.
    """
    kl, kl_pullback = kl_gauss(mean, joint_log_var, mu, log_var)

    def jmvae_bound_pullback(dbound):
        dmean, djoint_log_var, dmu, dlog_var = kl_pullback(
            np.broadcast_to(-alpha * dbound, kl.shape)
        )
        return dbound, dmean.sum(axis=0), djoint_log_var.sum(axis=0), dmu, dlog_var

    return elbo - alpha * kl.sum(axis=0), jmvae_bound_pullback


def single_modality_gaps(precision):
    """Compute the least KL of each q(z|x_m) from p(z|x_1..M), in both directions.    [S8.T2]

    precision (M, D): modality m adds precision_md to the posterior of a linear-Gaussian model with
    orthogonal loadings, whose prior has 1.  Returns two arrays (M,) of nats, the averages over
    x_1..M of what the best Gaussian q(z|x_m) leaves:

        BiVCCA   min E KL(q(z|x_m) ‖ p(z|x_1..M)) = ½ Σ_d r_md
        JMVAE    min E KL(p(z|x_1..M) ‖ q(z|x_m)) = ½ Σ_d log(1 + r_md)

    r_md is the precision of the other modalities over that of p(z|x_m).
    """
    precision = np.asarray(precision)
    others = precision.sum(axis=0) - precision
    ratio = others / (1 + precision)
    return 0.5 * ratio.sum(axis=1), 0.5 * np.log1p(ratio).sum(axis=1)
