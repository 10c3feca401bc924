"""IWAE in one function: K samples, each with its importance weight.                      [S9]

w is {"encoder": {W0, b0, W1, b1, …}, "decoder": {…}}, tanh networks of any depth (`mlp`); the
encoder's output is mu and log_var side by side, the decoder's is x̂, and p(x|z) = N(x; x̂(z), I).
"""

import numpy as np

from ...gaussian import gaussian_log_prob, gaussian_sample, standard_normal_log_prob
from ...networks import mlp
from ...objectives import iwae


def log_weights(w, *, x, eps):
    """Compute log w_k = log p(x|z_k) + log p(z_k) − log q(z_k|x), z_k = mu + std · eps_k.    [S9.5]

    x (N, P), eps (K, N, D); returns (K, N), nats.
    """
    N, P = x.shape
    heads, encoder_pullback = mlp(w["encoder"], x, activation="tanh")
    mu, log_var = np.split(heads, 2, axis=-1)
    z, sample_pullback = gaussian_sample(mu, log_var, eps=eps)
    x_hat, decoder_pullback = mlp(w["decoder"], z, activation="tanh")
    log_px_z, likelihood_pullback = gaussian_log_prob(x, x_hat, np.zeros(P))
    log_pz, prior_pullback = standard_normal_log_prob(z)
    log_qz_x, posterior_pullback = gaussian_log_prob(z, mu, log_var)

    def log_weights_pullback(dlog_w):
        _, dx_hat, _ = likelihood_pullback(dlog_w)
        ddecoder, dz = decoder_pullback(dx_hat)
        dz_q, dmu, dlog_var = posterior_pullback(-dlog_w)
        path_dmu, path_dlog_var = sample_pullback(dz + prior_pullback(dlog_w) + dz_q)
        dheads = np.concatenate([dmu + path_dmu, dlog_var + path_dlog_var], axis=-1)
        dencoder, _ = encoder_pullback(dheads)
        return {"encoder": dencoder, "decoder": ddecoder}

    return log_px_z + log_pz - log_qz_x, log_weights_pullback


def iwae_bound(w, *, x, eps):
    """Compute log (1/K) Σ_k w_k; its gradient is Σ_k w̃_k ∇log w_k.            [S9.2, S9.4]

    x (N, P), eps (K, N, D); returns (N,), nats, higher is better.  At K = 1 it is the VAE's bound.
    """
    log_w, log_weights_pullback = log_weights(w, x=x, eps=eps)
    bound, reduce_pullback = iwae(log_w)

    def iwae_bound_pullback(dbound):
        return log_weights_pullback(reduce_pullback(dbound))

    return bound, iwae_bound_pullback
