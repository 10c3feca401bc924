"""MMVAE in one function: a mixture of experts, every expert's samples decoded by all.    [S11]

w is {name: {"encoder": {W0, b0, W1, b1, …}, "decoder": {…}}}, tanh networks of any depth (`mlp`);
encoder m gives mu_m and log_var_m of the expert q_m(z|x_m), and p(x_m|z) = N(x_m; x̂_m(z), I).
"""

import numpy as np

from ...gaussian import gaussian_log_prob, gaussian_sample, standard_normal_log_prob
from ...networks import mlp
from ...objectives import mixture_iwae
from ...posteriors import mixture_log_prob


def mmvae_bound(w, *, x, eps):
    """Compute (1/M) Σ_m log (1/K) Σ_k p(z_m^k, x_1..M) / q_Φ(z_m^k), z_m = mu_m + std_m · eps_m.

    Expert m's parameters determine its own samples z_m, and q_Φ = (1/M) Σ_j q_j at the samples of
    all experts.                                                                   [S11.4]
    x {name: (N, P)} of M modalities, eps (M, K, N, D); returns (N,), nats, higher is better.
    """
    M, K, N, D = eps.shape
    heads, encoder_pullbacks = zip(
        *(mlp(w[name]["encoder"], x[name], activation="tanh") for name in x), strict=True
    )
    mu, log_var = np.split(np.stack(heads), 2, axis=-1)  # the experts: (M, N, D)
    z, sample_pullback = gaussian_sample(mu, log_var, eps=eps)  # (M, K, N, D)
    log_pz, prior_pullback = standard_normal_log_prob(z)
    log_q, mixture_pullback = mixture_log_prob(
        z.reshape(M * K, N, D), mu, log_var, log_alpha=np.full((M, N), -np.log(M))
    )
    log_w, decoded = log_pz - log_q.reshape(M, K, N), []
    for name in x:  # every decoder on every expert's samples
        x_hat, decoder_pullback = mlp(w[name]["decoder"], z, activation="tanh")
        log_px_z, pullback = gaussian_log_prob(x[name], x_hat, np.zeros(x_hat.shape[-1]))
        log_w = log_w + log_px_z
        decoded.append((decoder_pullback, pullback))
    bound, reduce_pullback = mixture_iwae(log_w)

    def mmvae_bound_pullback(dbound):
        dlog_w = reduce_pullback(dbound)
        dz_q, dmu, dlog_var = mixture_pullback(-dlog_w.reshape(M * K, N))  # q_m's own densities
        dz, ddecoders = prior_pullback(dlog_w) + dz_q.reshape(z.shape), []
        for decoder_pullback, likelihood_pullback in decoded:
            _, dx_hat, _ = likelihood_pullback(dlog_w)
            ddecoder, dz_decoded = decoder_pullback(dx_hat)
            dz = dz + dz_decoded
            ddecoders.append(ddecoder)
        path_dmu, path_dlog_var = sample_pullback(dz)  # z_m's own path
        dheads = np.concatenate([dmu + path_dmu, dlog_var + path_dlog_var], axis=-1)
        dw = {}
        for name, pull, dhead, ddecoder in zip(
            x, encoder_pullbacks, dheads, ddecoders, strict=True
        ):
            dw[name] = {"encoder": pull(dhead)[0], "decoder": ddecoder}
        return dw

    return bound, mmvae_bound_pullback


def cross_generate(w, x, *, source, target, eps):
    """Compute x̂_target(z), z ~ q(z|x_source): one modality generated from another.        [S10.c]

    x (N, P) of the source, eps (K, N, D); returns the means of p(x_target|z), (K, N, P_target).
    """
    heads, _ = mlp(w[source]["encoder"], x, activation="tanh")
    z, _ = gaussian_sample(*np.split(heads, 2, axis=-1), eps=eps)
    return mlp(w[target]["decoder"], z, activation="tanh")[0]
