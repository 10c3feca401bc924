"""The VAE in one function: two tanh networks, a sample, a closed-form KL, the pullback.     [S5]"""

import numpy as np

from ...gaussian import gaussian_sample, neg_kl_std_normal
from ...likelihoods import binomial_log_prob
from ...ops import linear, tanh


def mlp(weights, x):
    """Apply affine layers with tanh between them: tanh(x W0 + b0) W1 + b1, ….    [S5.12, S5.13]

    weights {W0, b0, W1, b1, …} of any depth, x (N, P); returns (N, H).  The pullback returns
    (dweights, dx).
    """
    depth, h, layers = len(weights) // 2, x, []
    for i in range(depth):
        a, affine_pullback = linear(h, weights[f"W{i}"], weights[f"b{i}"])
        h, tanh_pullback = tanh(a) if i < depth - 1 else (a, None)
        layers.append((affine_pullback, tanh_pullback))

    def mlp_pullback(dh):
        dweights = {}
        for i, (affine_pullback, tanh_pullback) in reversed(list(enumerate(layers))):
            da = tanh_pullback(dh) if tanh_pullback else dh
            dh, dweights[f"W{i}"], dweights[f"b{i}"] = affine_pullback(da)
        return {name: dweights[name] for name in weights}, dh  # in the order of weights

    return h, mlp_pullback


def vae_bound(w, *, x, eps):
    """Compute L^v = L1 + (1/K) Σ_k log Binomial(x; 16, sigmoid(l(z_k))).            [S5.10, S5.13]

    w {"encoder": {W0, b0, W1, b1}, "decoder": {W0, b0, W1, b1}}: tanh networks (`mlp`) of x / 16
    and of z = mu + std · eps; the encoder's output is mu and log_var side by side, the decoder's
    the logits l.  x (N, P) counts out of 16, eps (K, N, D); returns (N,), nats, higher is better.
    """
    (K, N, D), P = eps.shape, x.shape[-1]
    heads, encoder_pullback = mlp(w["encoder"], x / 16)
    mu, log_var = heads[:, :D], heads[:, D:]
    L1, L1_pullback = neg_kl_std_normal(mu, log_var)
    z, sample_pullback = gaussian_sample(mu, log_var, eps=eps)
    logits, decoder_pullback = mlp(w["decoder"], z.reshape(K * N, D))
    log_px_z, likelihood_pullback = binomial_log_prob(logits.reshape(K, N, P), x=x, n=16)

    def vae_bound_pullback(dbound):
        dlogits = likelihood_pullback(np.broadcast_to(dbound / K, (K, N)))
        ddecoder, dz = decoder_pullback(dlogits.reshape(K * N, P))
        path_dmu, path_dlog_var = sample_pullback(dz.reshape(K, N, D))
        dmu, dlog_var = L1_pullback(dbound)  # mu and log_var are used twice: their parts add up
        dheads = np.concatenate([dmu + path_dmu, dlog_var + path_dlog_var], axis=1)
        dencoder, _ = encoder_pullback(dheads)
        return {"encoder": dencoder, "decoder": ddecoder}

    return L1 + log_px_z.mean(axis=0), vae_bound_pullback
