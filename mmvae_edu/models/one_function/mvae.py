"""MVAE in one function: a product of experts, trained on several subsets.              [S6, S7]

w is {name: {"encoder": {W0, b0, W1, b1, …}, "decoder": {…}}}, tanh networks of any depth (`mlp`);
encoder m gives mu_m and log_var_m of the expert q̃(z|x_m), and p(x_m|z) = N(x_m; x̂_m(z), I).
"""

import numpy as np

from ...gaussian import gaussian_log_prob, gaussian_sample, neg_kl_std_normal
from ...networks import mlp
from ...posteriors import product_of_subsets


def subsampled_bound(w, *, x, subsets, eps):
    """Compute ELBO(x_1..M) + Σ_m ELBO(x_m) + Σ_j ELBO(X_j), each of its own posterior.  [S7.6]

        ELBO(X) = (1/K) Σ_k Σ_{x_m in X} log p(x_m|z_k) − KL(q(z|X) ‖ p(z)),  z_k ~ q(z|X)   [S6.3]

    x {name: (N, P)} of M modalities; subsets (k, M) bool are the X_j, each of which counts (the
    class MVAE draws them distinct); eps (1 + M + k, K, N, D).  Returns (N,), nats, higher is
    better.
    """
    M = len(x)
    terms = np.concatenate([np.ones((1, M), bool), np.eye(M, dtype=bool), subsets])  # (T, M)
    T, K, N, D = eps.shape
    heads, encoder_pullbacks = zip(
        *(mlp(w[name]["encoder"], x[name], activation="tanh") for name in x), strict=True
    )
    mu, log_var = np.split(np.stack(heads), 2, axis=-1)  # the experts: (M, N, D)
    present = np.broadcast_to(terms[..., None], (T, M, N))
    (mean, joint_log_var), product_pullback = product_of_subsets(mu, log_var, subsets=present)
    z, sample_pullback = gaussian_sample(mean, joint_log_var, eps=eps)
    neg_kl, kl_pullback = neg_kl_std_normal(mean, joint_log_var)  # (T, N)
    bound, decoded = neg_kl.sum(axis=0), []
    for name, scored in zip(x, terms.T, strict=True):  # a decoder sees the terms that score it
        x_hat, decoder_pullback = mlp(w[name]["decoder"], z[scored], activation="tanh")
        log_px_z, pullback = gaussian_log_prob(x[name], x_hat, np.zeros(x_hat.shape[-1]))
        bound = bound + log_px_z.mean(axis=1).sum(axis=0)
        decoded.append((scored, decoder_pullback, pullback))

    def subsampled_bound_pullback(dbound):
        dz, ddecoders = np.zeros_like(z), []
        for scored, decoder_pullback, likelihood_pullback in decoded:
            _, dx_hat, _ = likelihood_pullback(np.broadcast_to(dbound / K, (scored.sum(), K, N)))
            ddecoder, dz_scored = decoder_pullback(dx_hat)
            dz[scored] += dz_scored
            ddecoders.append(ddecoder)
        dmean, djoint_log_var = kl_pullback(np.broadcast_to(dbound, (T, N)))
        path_dmean, path_dlog_var = sample_pullback(dz)
        dexperts = product_pullback(dmean + path_dmean, djoint_log_var + path_dlog_var)
        dw = {}
        for name, pull, dhead, ddecoder in zip(
            x, encoder_pullbacks, np.concatenate(dexperts, axis=-1), ddecoders, strict=True
        ):
            dw[name] = {"encoder": pull(dhead)[0], "decoder": ddecoder}
        return dw

    return bound, subsampled_bound_pullback
