# === L21.mmvae_bound | wrong | own expert for the mixture | The density in the weight is q_m, from which z came, and not q_Phi. | wrong at: M > 1
import numpy as np
from mmvae_edu.networks import mlp


def log_n(r):
    return -0.5 * (r**2 + np.log(2 * np.pi)).sum(-1)


def mmvae_bound(w, *, x, eps):
    M, K, N, D = eps.shape
    names = list(x)
    bound, tape = np.zeros(N), []
    for m, name in enumerate(names):
        h, enc_back = mlp(w[name]["encoder"], x[name], activation="tanh")
        mu, log_var = h[:, :D], h[:, D:]
        std = np.exp(log_var / 2)
        z = mu + std * eps[m]
        log_w = log_n(z) - log_n(eps[m]) + 0.5 * log_var.sum(-1)
        decs = []
        for other in names:
            y, back = mlp(w[other]["decoder"], z.reshape(-1, D), activation="tanh")
            r = x[other] - y.reshape(K, N, -1)
            log_w = log_w + log_n(r)
            decs.append((r, back))
        total = np.logaddexp.reduce(log_w)
        bound = bound + (total - np.log(K)) / M
        tape.append((z, std, np.exp(log_w - total) / M, decs, enc_back))

    def pullback(d):
        out = {n: {"decoder": {k: 0 for k in w[n]["decoder"]}} for n in names}
        for m, (z, std, share, decs, enc_back) in enumerate(tape):
            a = (share * d)[..., None]
            dz = -a * z
            for n, (r, back) in zip(names, decs):
                dw, dz_n = back((a * r).reshape(K * N, -1))
                dz = dz + dz_n.reshape(z.shape)
                for k in dw:
                    out[n]["decoder"][k] = out[n]["decoder"][k] + dw[k]
            dlog_var = 0.5 * (dz * std * eps[m] + a).sum(0)
            out[names[m]]["encoder"] = enc_back(np.hstack([dz.sum(0), dlog_var]))[0]
        return out

    return bound, pullback


# === L21.mmvae_bound | wrong | missing path in a gradient | The encoders get no gradient through the mixture's density at fixed z: only z moves. | wrong at: any input
import numpy as np
from mmvae_edu.networks import mlp
from scipy.special import logsumexp, softmax


def log_normal(z, mu, log_var):
    return -0.5 * (np.log(2 * np.pi) + log_var + (z - mu) ** 2 * np.exp(-log_var)).sum(-1)


def mmvae_bound(w, *, x, eps):
    M, K, N, D = eps.shape
    names = list(x)
    enc = [mlp(w[n]["encoder"], x[n], activation="tanh") for n in names]
    mu = np.stack([h[:, :D] for h, _ in enc])
    log_var = np.stack([h[:, D:] for h, _ in enc])
    std = np.exp(log_var / 2)
    z = mu[:, None] + std[:, None] * eps
    each = log_normal(z, mu[:, None, None], log_var[:, None, None])
    log_q = logsumexp(each, axis=0) - np.log(M)
    r = softmax(each, axis=0)[..., None]
    log_w = log_normal(z, 0.0, np.zeros(D)) - log_q
    decs = []
    for n in names:
        y, back = mlp(w[n]["decoder"], z.reshape(-1, D), activation="tanh")
        res = x[n] - y.reshape(M, K, N, -1)
        log_w = log_w - 0.5 * (res**2 + np.log(2 * np.pi)).sum(-1)
        decs.append((res, back))
    bound = (logsumexp(log_w, axis=1) - np.log(K)).mean(0)
    share = softmax(log_w, axis=1) / M

    def pullback(d):
        a = (share * d)[..., None]
        slope = (r * (z - mu[:, None, None]) * np.exp(-log_var)[:, None, None]).sum(0)
        dz = a * (slope - z)
        out = {}
        for n, (res, back) in zip(names, decs):
            dw, dz_n = back((a * res).reshape(M * K * N, -1))
            dz = dz + dz_n.reshape(z.shape)
            out[n] = {"decoder": dw}
        for m, n in enumerate(names):
            dlog_var = 0.5 * (dz[m] * eps[m] * std[m]).sum(0)
            out[n]["encoder"] = enc[m][1](np.hstack([dz[m].sum(0), dlog_var]))[0]
        return out

    return bound, pullback


# === L21.cross_generate | wrong | order of outputs of a network | The encoder's halves are swapped: log_var first. | wrong at: any input
import numpy as np
from mmvae_edu.networks import mlp


def cross_generate(w, x, *, source, target, eps):
    K, N, D = eps.shape
    h, _ = mlp(w[source]["encoder"], x, activation="tanh")
    log_var, mu = h[:, :D], h[:, D:]
    z = mu + np.exp(log_var / 2) * eps
    y, _ = mlp(w[target]["decoder"], z.reshape(K * N, D), activation="tanh")
    return y.reshape(K, N, -1)


# === L21.cross_generate | wrong | samples and examples mixed up | The samples are made as (N, K, D) and reshaped to (K, N, P) without turning the axes. | wrong at: K > 1 and N > 1
import numpy as np
from mmvae_edu.networks import mlp


def cross_generate(w, x, *, source, target, eps):
    K, N, D = eps.shape
    h, _ = mlp(w[source]["encoder"], x, activation="tanh")
    z = h[:, None, :D] + np.exp(h[:, None, D:] / 2) * eps.transpose(1, 0, 2)
    y, _ = mlp(w[target]["decoder"], z.reshape(N * K, D), activation="tanh")
    return y.reshape(K, N, -1)
