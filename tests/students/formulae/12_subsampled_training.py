import numpy as np

from mmvae_edu.networks import mlp


def sample_subsets(M, k, rng):
    subsets = np.zeros((k, M), dtype=bool)
    for row in subsets:
        size = rng.integers(2, M) if M > 2 else 1
        row[rng.choice(M, size=size, replace=False)] = True
    return subsets


def flat_direction(dtau, deta):
    return dtau - np.mean(dtau, axis=0), deta - np.mean(deta, axis=0)


def elbo(w, x, names, eps):
    """One term of S7.6, and its pullback."""
    K, N, D = eps.shape
    heads = {m: mlp(w[m]["encoder"], x[m], activation="tanh") for m in names}
    mu = np.array([heads[m][0][:, :D] for m in names])
    T = np.exp(-np.array([heads[m][0][:, D:] for m in names]))
    var = 1 / (1 + T.sum(0))
    mean = var * (T * mu).sum(0)
    noise = np.sqrt(var) * eps
    z = mean + noise
    bound = (1 + np.log(var) - mean**2 - var).sum(-1) / 2
    decoders = {}
    for m in names:
        x_hat, back = mlp(w[m]["decoder"], z.reshape(K * N, D), activation="tanh")
        residual = x[m] - x_hat.reshape(K, N, -1)
        decoders[m] = residual, back
        bound = bound - 0.5 * (np.log(2 * np.pi) + residual**2).sum(-1).mean(0)

    def elbo_pullback(d):
        d = d[:, None]
        dw, dz = {}, 0
        for m in names:
            residual, back = decoders[m]
            ddecoder, dz_m = back((residual * d / K).reshape(K * N, -1))
            dw[m] = {"decoder": ddecoder}
            dz = dz + dz_m.reshape(z.shape)
        dmean = dz.sum(0) - d * mean
        dlog_var = (dz * noise).sum(0) / 2 + d * (1 - var) / 2
        for m, mu_m, T_m in zip(names, mu, T, strict=True):
            dmu_m = var * T_m * dmean
            dlog_var_m = var * T_m * (dlog_var - (mu_m - mean) * dmean)
            dw[m]["encoder"] = heads[m][1](np.hstack([dmu_m, dlog_var_m]))[0]
        return dw

    return bound, elbo_pullback


def subsampled_bound(w, *, x, subsets, eps):
    names = list(x)
    chosen = [names, *([m] for m in names)]
    chosen += [[m for m, inside in zip(names, row, strict=True) if inside] for row in subsets]
    terms = [elbo(w, x, X, e) for X, e in zip(chosen, eps, strict=True)]

    def subsampled_bound_pullback(d):
        total = {
            m: {part: {k: np.zeros(v.shape) for k, v in w[m][part].items()} for part in w[m]}
            for m in names
        }
        for _, back in terms:
            for m, parts in back(d).items():
                for part, weights in parts.items():
                    for k, gradient in weights.items():
                        total[m][part][k] += gradient
        return total

    return sum(bound for bound, _ in terms), subsampled_bound_pullback
