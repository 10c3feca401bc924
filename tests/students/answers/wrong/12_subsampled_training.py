# === L12.sample_subsets | wrong | wrong weights of a draw | All proper subsets of at least two are equally likely, not first all sizes. | wrong at: M = 4: size 2 has the probability 6/10
from itertools import combinations

import numpy as np


def sample_subsets(M, k, rng):
    sizes = range(2, M) if M > 2 else [1]
    choices = [c for size in sizes for c in combinations(range(M), size)]
    out = np.zeros((k, M), dtype=bool)
    for row, i in zip(out, rng.integers(len(choices), size=k)):
        row[list(choices[i])] = True
    return out


# === L12.sample_subsets | wrong | generator ignored | A generator with a seed of its own is used. | wrong at: two calls give the same subsets
import numpy as np


def sample_subsets(M, k, rng):
    rng = np.random.default_rng(42)
    out = np.zeros((k, M), dtype=bool)
    for j in range(k):
        size = 1 if M == 2 else rng.integers(2, M)
        out[j, rng.permutation(M)[:size]] = True
    return out


# === L12.subsampled_bound | wrong | mask ignored for the likelihoods | Every term scores all modalities, also those that its posterior has not seen. | wrong at: any input
import numpy as np
from mmvae_edu.networks import mlp


def subsampled_bound(w, *, x, subsets, eps):
    names = list(x)
    M, D = len(names), eps.shape[-1]
    K, N = eps.shape[1:3]
    enc = [mlp(w[m]["encoder"], x[m], activation="tanh") for m in names]
    mu = np.stack([h[:, :D] for h, _ in enc])
    T = np.exp(-np.stack([h[:, D:] for h, _ in enc]))
    terms = np.vstack([np.ones((1, M), bool), np.eye(M, dtype=bool), subsets])
    bound, tape = np.zeros(N), []
    for inside, e in zip(terms, eps):
        t = T * inside[:, None, None]
        var = 1 / (1 + t.sum(0))
        mean = var * (t * mu).sum(0)
        noise = np.sqrt(var) * e
        z = mean + noise
        bound = bound + 0.5 * (1 + np.log(var) - mean**2 - var).sum(-1)
        decs = []
        for m in names:
            y, back = mlp(w[m]["decoder"], z.reshape(-1, D), activation="tanh")
            res = x[m] - y.reshape(K, N, -1)
            bound = bound - 0.5 * (res**2 + np.log(2 * np.pi)).sum(-1).mean(0)
            decs.append((res, back))
        tape.append((t, var, mean, noise, decs))

    def pullback(d):
        d = d[:, None]
        ddec = {m: {k: np.zeros_like(v) for k, v in w[m]["decoder"].items()} for m in names}
        dmu, dlv = np.zeros_like(mu), np.zeros_like(mu)
        for t, var, mean, noise, decs in tape:
            dz = np.zeros_like(noise)
            for m, (res, back) in zip(names, decs):
                dw, dz_m = back((d / K * res).reshape(K * N, -1))
                dz += dz_m.reshape(dz.shape)
                for k in dw:
                    ddec[m][k] += dw[k]
            dmean = dz.sum(0) - d * mean
            dlog = 0.5 * (dz * noise).sum(0) + 0.5 * d * (1 - var)
            dmu += var * t * dmean
            dlv += var * t * (dlog - (mu - mean) * dmean)
        return {
            m: {"encoder": enc[i][1](np.hstack([dmu[i], dlv[i]]))[0], "decoder": ddec[m]}
            for i, m in enumerate(names)
        }

    return bound, pullback


# === L12.subsampled_bound | wrong | counted once | A subset drawn twice counts once. | wrong at: subsets with two equal rows
import numpy as np
from mmvae_edu.networks import mlp


def subsampled_bound(w, *, x, subsets, eps):
    names = list(x)
    M, D = len(names), eps.shape[-1]
    K, N = eps.shape[1:3]
    enc = [mlp(w[m]["encoder"], x[m], activation="tanh") for m in names]
    mu = np.stack([h[:, :D] for h, _ in enc])
    T = np.exp(-np.stack([h[:, D:] for h, _ in enc]))
    terms = [np.ones(M, bool), *np.eye(M, dtype=bool), *subsets]
    bound, tape, done = np.zeros(N), [], set()
    for i, (inside, e) in enumerate(zip(terms, eps)):
        if i > M and tuple(inside) in done:
            continue
        if i > M:
            done.add(tuple(inside))
        t = T * inside[:, None, None]
        var = 1 / (1 + t.sum(0))
        mean = var * (t * mu).sum(0)
        noise = np.sqrt(var) * e
        z = mean + noise
        bound = bound + 0.5 * (1 + np.log(var) - mean**2 - var).sum(-1)
        decs = {}
        for m in (m for m, there in zip(names, inside) if there):
            y, back = mlp(w[m]["decoder"], z.reshape(-1, D), activation="tanh")
            res = x[m] - y.reshape(K, N, -1)
            bound = bound - 0.5 * (res**2 + np.log(2 * np.pi)).sum(-1).mean(0)
            decs[m] = res, back
        tape.append((t, var, mean, noise, decs))

    def pullback(d):
        d = d[:, None]
        ddec = {m: {k: np.zeros_like(v) for k, v in w[m]["decoder"].items()} for m in names}
        dmu, dlv = np.zeros_like(mu), np.zeros_like(mu)
        for t, var, mean, noise, decs in tape:
            dz = np.zeros_like(noise)
            for m, (res, back) in decs.items():
                dw, dz_m = back((d / K * res).reshape(K * N, -1))
                dz += dz_m.reshape(dz.shape)
                for k in dw:
                    ddec[m][k] += dw[k]
            dmean = dz.sum(0) - d * mean
            dlog = 0.5 * (dz * noise).sum(0) + 0.5 * d * (1 - var)
            dmu += var * t * dmean
            dlv += var * t * (dlog - (mu - mean) * dmean)
        return {
            m: {"encoder": enc[i][1](np.hstack([dmu[i], dlv[i]]))[0], "decoder": ddec[m]}
            for i, m in enumerate(names)
        }

    return bound, pullback


# === L12.flat_direction | wrong | mean over the wrong axis | The mean over the examples is subtracted and not that over the experts. | wrong at: any input
def flat_direction(dtau, deta):
    return dtau - dtau.mean(axis=1, keepdims=True), deta - deta.mean(axis=1, keepdims=True)


# === L12.flat_direction | wrong | special case for the example | The last step is set to minus the sum of the others: flat, but not nearest. | wrong at: any input whose sum is not 0
import numpy as np


def flat_direction(dtau, deta):
    out = []
    for step in (dtau, deta):
        flat = step.copy()
        flat[-1] = -step[:-1].sum(axis=0)
        out.append(flat)
    return tuple(out)
