import numpy as np

from mmvae_edu.networks import mlp


def iwae(log_w):
    total = np.logaddexp.reduce(log_w, axis=0)

    def back(d):
        return d * np.exp(log_w - total)

    return total - np.log(log_w.shape[0]), back


def effective_sample_size(log_w):
    w = np.exp(log_w - log_w.max(axis=0))
    return w.sum(axis=0) ** 2 / (w**2).sum(axis=0)


def log_weights(w, *, x, eps):
    K, N, D = eps.shape
    heads, encoder_back = mlp(w["encoder"], x, activation="tanh")
    mu, log_var = heads[:, :D], heads[:, D:]
    z = mu + np.exp(log_var / 2) * eps
    x_hat, decoder_back = mlp(w["decoder"], z.reshape(K * N, D), activation="tanh")
    residual = x - x_hat.reshape(K, N, -1)
    P = x.shape[1]
    log_w = (eps**2 - z**2 + log_var).sum(-1) / 2 - (residual**2).sum(-1) / 2
    log_w = log_w - P / 2 * np.log(2 * np.pi)  # log q at its own sample is a function of eps

    def back(d):
        d = d[:, :, None]
        ddecoder, dz = decoder_back((d * residual).reshape(K * N, P))
        dz = dz.reshape(z.shape) - d * z
        dlog_var = ((dz * (z - mu)).sum(0) + d.sum(0)) / 2
        dencoder, _ = encoder_back(np.concatenate([dz.sum(0), dlog_var], axis=1))
        return {"encoder": dencoder, "decoder": ddecoder}

    return log_w, back
