"""MVAE-Q: the quotient of full unimodal posteriors (Wu and Goodman 2018, equation 3).     [S7.3]"""

from ..ops import softplus
from ..posteriors import quotient_of_subsets
from .mvae import MVAE


class MVAEQ(MVAE):
    """MVAE with q(z|X) ∝ Π_m q(z|x_m) / p(z)^(M−1): the networks and the objective are MVAE's.

    Each encoder gives a full posterior q(z|x_m) = N(mu_m, var_m), and p(z), which stands in all M
    of them, is divided away M − 1 times.  The quotient is a density only if Σ_m 1/var_m > M − 1;
    therefore the heads a_m give var_m = sigmoid(a_m), below the prior's 1:

        1/var = Σ_m (1 + exp(−a_m)) − (M − 1) = 1 + Σ_m exp(−a_m)

    MVAE with var_m = exp(a_m) has the same precision [S7.5]: with this constraint the quotient is
    the product, and MVAE's mu_m is this mu_m / (1 − var_m).
    """

    fusion = ("quotient",)

    def encode_experts(self, w, batch):
        """Encode the full posteriors q(z|x_m): mu, log_var = log sigmoid(a), (M, N, D) each."""
        (mu, a), heads_pullback = super().encode_experts(w, batch)
        neg_log_var, softplus_pullback = softplus(-a)

        def encode_experts_pullback(dmu, dlog_var, dw):
            heads_pullback(dmu, softplus_pullback(dlog_var), dw)

        return (mu, -neg_log_var), encode_experts_pullback

    def fuse(self, mu, log_var, subsets):
        """Compute q(z|X) of T subsets, (T, N, D), NaN if no density; and its pullback.  [S7.3]"""
        (mean, joint_log_var, _), quotient_pullback = quotient_of_subsets(
            mu, log_var, subsets=subsets
        )
        return (mean, joint_log_var), quotient_pullback
