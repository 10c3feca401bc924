"""The joint posterior of an MVAE: a product of Gaussian experts and the prior.

    q(z|x_1, ..., x_M) ~ p(z) prod_m q~(z|x_m),   p(z) = N(0, I)

Expert m is N(mu_m, var_m) over D latent dimensions, as the encoder of modality m gives it.  A
product of Gaussian densities is Gaussian: precisions add up, means are weighted by precision.
"""

import numpy as np


def product_of_experts(mu, log_var):
    """Mean and log variance of the joint posterior, (N, D) each, and the pullback.

    mu, log_var (M, N, D).
    """
    precision = np.exp(-log_var)
    total = (1 + precision).sum(axis=0)  # the prior has precision 1, and its mean adds nothing
    share = precision / total
    mean = (share * mu).sum(axis=0)

    def product_of_experts_pullback(dmean, dlog_var):
        return share * dmean, share * (dlog_var - (mu - mean) * dmean)

    return (mean, -np.log(total)), product_of_experts_pullback


def unimodal(mu, log_var):
    """The posterior given modality m alone, for each m: mean and log variance (M, N, D)."""
    alone = [product_of_experts(mu[m : m + 1], log_var[m : m + 1])[0] for m in range(len(mu))]
    mean, joint_log_var = zip(*alone, strict=True)
    return np.stack(mean), np.stack(joint_log_var)
