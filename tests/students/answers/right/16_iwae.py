# === L16.importance_weights | right | accumulate | The last of the running sums.
import numpy as np


def importance_weights(log_w):
    log_total = np.logaddexp.accumulate(log_w, axis=0)[-1]
    some = log_total > -np.inf
    weights = np.zeros(log_w.shape)
    weights[:, some] = np.exp(log_w[:, some] - log_total[some])
    return log_total - np.log(log_w.shape[0]), weights


# === L16.effective_sample_size | right | in logs | exp(2 lse(a) - lse(2 a)).
import numpy as np
from scipy.special import logsumexp


def effective_sample_size(log_w):
    return np.exp(2 * logsumexp(log_w, axis=0) - logsumexp(2 * log_w, axis=0))


# === L16.log_weights | right | sample by sample | A loop over K with one pass of the decoder each.
import numpy as np
from mmvae_edu.networks import mlp as net


def log_weights(w, *, x, eps):
    h, encoder_back = net(w["encoder"], x, activation="tanh")
    D = h.shape[1] // 2
    mu, rho = h[:, :D], h[:, D:] / 2
    rows, tape = [], []
    for e in eps:
        z = mu + np.exp(rho) * e
        y, decoder_back = net(w["decoder"], z, activation="tanh")
        terms = [(e**2 - z**2).sum(1) / 2, rho.sum(1), -((x - y) ** 2).sum(1) / 2]
        rows.append(sum(terms) - x.shape[1] * np.log(2 * np.pi) / 2)
        tape.append((e, z, y, decoder_back))

    def back(d):
        dmu, drho = np.zeros(mu.shape), np.zeros(mu.shape)
        ddecoder = {name: np.zeros(v.shape) for name, v in w["decoder"].items()}
        for d_k, (e, z, y, decoder_back) in zip(d[..., None], tape):
            grads, dz = decoder_back(d_k * (x - y))
            dz = dz - d_k * z
            dmu += dz
            drho += dz * e * np.exp(rho) + d_k
            for name in grads:
                ddecoder[name] += grads[name]
        return {"decoder": ddecoder, "encoder": encoder_back(np.hstack([dmu, drho / 2]))[0]}

    return np.array(rows), back
