# === L07.linear | right | augmented matrices | A column of ones and the bias as a last row.
import numpy as np


def linear(x, W, b):
    X = np.column_stack([x, np.ones(len(x))])
    Wb = np.vstack([W, b])

    def back(dy):
        dWb = X.T @ dy
        return (dy @ Wb.T)[:, :-1], dWb[:-1], dWb[-1]

    return X @ Wb, back


# === L07.softplus | right | log sigmoid | -log sigmoid(-a).
import scipy.special


def softplus(a):
    return -scipy.special.log_expit(-a), lambda dy: scipy.special.expit(a) * dy


# === L07.mlp | right | recursion over layers | A layer asks the rest of the network, forward and backward.
import numpy as np


def apply(weights, i, x):
    W, b = weights[f"W{i}"], weights[f"b{i}"]
    a = x @ W + b
    if f"W{i + 1}" not in weights:
        return a, lambda da: ({f"W{i}": x.T @ da, f"b{i}": da.sum(0)}, da @ W.T)
    y, rest = apply(weights, i + 1, np.tanh(a))

    def back(dy):
        grads, dh = rest(dy)
        da = dh / np.cosh(a) ** 2
        return {**grads, f"W{i}": x.T @ da, f"b{i}": da.sum(0)}, da @ W.T

    return y, back


def mlp(weights, x):
    return apply(weights, 0, x)


# === L07.vae_bound | right | the library's parts | Pullbacks of the library called in reverse.
import numpy as np
from mmvae_edu.networks import mlp as network
from scipy.special import binom, expit, log_expit


def vae_bound(w, *, x, eps):
    K, N, D = eps.shape
    h, encode_back = network(w["encoder"], x / 16, activation="tanh")
    mu, log_var = h.T[:D].T, h.T[D:].T
    std, steps = np.exp(log_var / 2), []
    bound = np.log(binom(16, x)).sum(1)
    bound = bound - (mu**2 + np.expm1(log_var) - log_var).sum(1) / 2
    for e in eps:
        l, decode_back = network(w["decoder"], mu + std * e, activation="tanh")
        bound = bound + (x * log_expit(l) + (16 - x) * log_expit(-l)).sum(1) / K
        steps.append((e, l, decode_back))

    def back(d):
        d = d[:, None]
        dmu, dlog_var, ddecoder = -d * mu, -d * np.expm1(log_var) / 2, {}
        for e, l, decode_back in steps:
            grads, dz = decode_back(d * (x - 16 * expit(l)) / K)
            for name, g in grads.items():
                ddecoder[name] = ddecoder.get(name, 0) + g
            dmu = dmu + dz
            dlog_var = dlog_var + dz * e * std / 2
        return {"encoder": encode_back(np.c_[dmu, dlog_var])[0], "decoder": ddecoder}

    return bound, back


# === L07.adam_step | right | ufuncs with out | In place by lerp-like updates.
import numpy as np


def adam_step(theta, grad, m, v, *, step, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
    np.add(m, (1 - beta1) * (grad - m), out=m)
    np.add(v, (1 - beta2) * (np.square(grad) - v), out=v)
    first = np.divide(m, -np.expm1(step * np.log(beta1)))
    second = np.divide(v, -np.expm1(step * np.log(beta2)))
    np.subtract(theta, learning_rate * first / (np.sqrt(second) + epsilon), out=theta)
