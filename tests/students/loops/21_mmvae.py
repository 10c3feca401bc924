import numpy as np

from mmvae_edu.networks import mlp


def log_normal(z, mu, log_var):
    return -0.5 * (np.log(2 * np.pi) + log_var + (z - mu) ** 2 / np.exp(log_var)).sum(-1)


def mmvae_bound(w, *, x, eps):
    M, K, N, D = eps.shape
    names = list(x)
    heads = [mlp(w[m]["encoder"], x[m], activation="tanh") for m in names]
    mu, log_var = [h[:, :D] for h, _ in heads], [h[:, D:] for h, _ in heads]
    bound, tapes = 0, []
    for m in range(M):
        z = mu[m] + np.exp(log_var[m] / 2) * eps[m]
        log_w = log_normal(z, 0, 0)
        scores = np.array([log_normal(z, mu[j], log_var[j]) for j in range(M)])
        log_q = np.logaddexp.reduce(scores)
        log_w = log_w - log_q + np.log(M)
        decoded = []
        for name in names:
            x_hat, back = mlp(w[name]["decoder"], z.reshape(K * N, D), activation="tanh")
            x_hat = x_hat.reshape(K, N, -1)
            log_w = log_w + log_normal(x[name], x_hat, np.zeros(x_hat.shape[-1]))
            decoded.append((x[name] - x_hat, back))
        total = np.logaddexp.reduce(log_w)
        bound = bound + (total - np.log(K)) / M
        tapes.append((z, np.exp(scores - log_q), np.exp(log_w - total) / M, decoded))

    def back(dbound):
        dmu, dlog_var = [np.zeros((N, D)) for _ in names], [np.zeros((N, D)) for _ in names]
        ddecoders = [{k: 0 for k in w[name]["decoder"]} for name in names]
        for m, (z, r, share, decoded) in enumerate(tapes):
            d = (share * dbound)[..., None]
            dz = -d * z
            for i, (residual, decoder_back) in enumerate(decoded):
                dweights, dz_i = decoder_back((d * residual).reshape(K * N, -1))
                dz = dz + dz_i.reshape(z.shape)
                ddecoders[i] = {k: ddecoders[i][k] + dweights[k] for k in dweights}
            for j in range(M):
                slope = -d * r[j][..., None] * (z - mu[j]) / np.exp(log_var[j])
                dz = dz - slope
                dmu[j] += slope.sum(0)
                dlog_var[j] += (slope * (z - mu[j]) + d * r[j][..., None]).sum(0) / 2
            dmu[m] += dz.sum(0)
            dlog_var[m] += (dz * (z - mu[m])).sum(0) / 2
        return {
            name: {
                "encoder": heads[i][1](np.hstack([dmu[i], dlog_var[i]]))[0],
                "decoder": ddecoders[i],
            }
            for i, name in enumerate(names)
        }

    return bound, back


def cross_generate(w, x, *, source, target, eps):
    means = []
    for e in eps:
        h, _ = mlp(w[source]["encoder"], x, activation="tanh")
        z = h[:, : e.shape[1]] + np.exp(h[:, e.shape[1] :] / 2) * e
        means.append(mlp(w[target]["decoder"], z, activation="tanh")[0])
    return np.array(means)
