# === L07.linear | wrong | mean for sum | The bias's gradient is the mean over the rows. | wrong at: N > 1
def linear(x, W, b):
    def back(dy):
        return dy @ W.T, x.T @ dy, dy.mean(axis=0)

    return x @ W + b, back


# === L07.linear | wrong | transposed | The weight's gradient is transposed. | wrong at: any P and H
def linear(x, W, b):
    y = x @ W
    y += b

    def back(dy):
        return dy @ W.T, dy.T @ x, dy.sum(axis=0)

    return y, back


# === L07.softplus | wrong | threshold too low | Above 15 the answer is a itself, which is 3e-7 too small there. | wrong at: a = 15.5
import numpy as np


def softplus(a):
    y = np.where(a > 15, a, np.log1p(np.exp(np.minimum(a, 15))))
    p = 1 / (1 + np.exp(-np.clip(a, -700, 700)))
    return y, lambda dy: dy * p


# === L07.softplus | wrong | overflow in the pullback only | exp(a) / (1 + exp(a)) is inf / inf = NaN at 800, while the value is right. | wrong at: a = 800
import numpy as np


def softplus(a):
    y = np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))
    return y, lambda dy: dy * np.exp(a) / (1 + np.exp(a))


# === L07.mlp | wrong | hard-coded depth | Two layers are written out, whatever the depth. | wrong at: one or three layers
import numpy as np


def mlp(weights, x):
    W0, b0, W1, b1 = (weights[k] for k in ("W0", "b0", "W1", "b1"))
    h = np.tanh(x @ W0 + b0)

    def back(dy):
        da = (dy @ W1.T) * (1 - h**2)
        grads = {"W0": x.T @ da, "b0": da.sum(0), "W1": h.T @ dy, "b1": dy.sum(0)}
        return grads, da @ W0.T

    return h @ W1 + b1, back


# === L07.mlp | wrong | derivative at the wrong point | The derivative of tanh is taken at its output and not at its input. | wrong at: two layers or more
import numpy as np


def mlp(weights, x):
    depth = len(weights) // 2
    h, seen = x, [x]
    for i in range(depth):
        h = h @ weights[f"W{i}"] + weights[f"b{i}"]
        if i < depth - 1:
            h = np.tanh(h)
            seen.append(h)

    def back(d):
        grads = {}
        for i in range(depth - 1, -1, -1):
            if i < depth - 1:
                d = d / np.cosh(seen[i + 1]) ** 2
            grads[f"W{i}"] = seen[i].T @ d
            grads[f"b{i}"] = d.sum(0)
            d = d @ weights[f"W{i}"].T
        return grads, d

    return h, back


# === L07.vae_bound | wrong | missing path in a gradient | The encoder does not get the gradient of the KL term by log_var. | wrong at: any input
import numpy as np
from mmvae_edu.networks import mlp
from scipy.special import expit, gammaln


def vae_bound(w, *, x, eps):
    K, N, D = eps.shape
    head, enc_back = mlp(w["encoder"], x / 16, activation="tanh")
    mu, log_var = head[:, :D], head[:, D:]
    std = np.exp(log_var / 2)
    z = (mu + std * eps).reshape(K * N, D)
    logits, dec_back = mlp(w["decoder"], z, activation="tanh")
    logits = logits.reshape(K, N, -1)
    coefficient = gammaln(17) - gammaln(x + 1) - gammaln(17 - x)
    rec = (coefficient + x * logits - 16 * np.logaddexp(0, logits)).sum(-1).mean(0)
    bound = rec + 0.5 * (1 + log_var - mu**2 - np.exp(log_var)).sum(-1)

    def back(d):
        dlogits = d[:, None] / K * (x - 16 * expit(logits))
        ddec, dz = dec_back(dlogits.reshape(K * N, -1))
        dz = dz.reshape(K, N, D)
        dmu = dz.sum(0) - d[:, None] * mu
        dlog_var = 0.5 * std * (dz * eps).sum(0)
        denc, _ = enc_back(np.concatenate([dmu, dlog_var], axis=1))
        return {"encoder": denc, "decoder": ddec}

    return bound, back


# === L07.vae_bound | wrong | input not scaled | The encoder sees the counts x and not x / 16. | wrong at: any input
import numpy as np
from mmvae_edu.networks import mlp
from scipy.special import expit, gammaln


def vae_bound(w, *, x, eps):
    K, N, D = eps.shape
    head, enc_back = mlp(w["encoder"], x, activation="tanh")
    mu, log_var = np.split(head, 2, axis=1)
    std = np.exp(log_var / 2)
    z = (mu + std * eps).reshape(K * N, D)
    logits, dec_back = mlp(w["decoder"], z, activation="tanh")
    logits = logits.reshape(K, N, -1)
    coefficient = gammaln(17) - gammaln(x + 1) - gammaln(17 - x)
    rec = (coefficient + x * logits - 16 * np.logaddexp(0, logits)).sum(-1).mean(0)
    bound = rec + 0.5 * (1 + log_var - mu**2 - np.exp(log_var)).sum(-1)

    def back(d):
        d = d[:, None]
        ddec, dz = dec_back((d / K * (x - 16 * expit(logits))).reshape(K * N, -1))
        dz = dz.reshape(K, N, D)
        dmu = dz.sum(0) - d * mu
        dlog_var = 0.5 * std * (dz * eps).sum(0) + 0.5 * d * (1 - std**2)
        denc, _ = enc_back(np.concatenate([dmu, dlog_var], axis=1))
        return {"encoder": denc, "decoder": ddec}

    return bound, back


# === L07.adam_step | wrong | epsilon inside the root | epsilon is added under the root. | wrong at: v near 1e-8
import numpy as np


def adam_step(theta, grad, m, v, *, step, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
    m *= beta1
    m += (1 - beta1) * grad
    v *= beta2
    v += (1 - beta2) * grad**2
    m_hat = m / (1 - beta1**step)
    v_hat = v / (1 - beta2**step)
    theta -= learning_rate * m_hat / np.sqrt(v_hat + epsilon)


# === L07.adam_step | wrong | rebound instead of changed in place | m and v are bound to new arrays, so that the caller's stay as they were. | wrong at: m, v after any call
import numpy as np


def adam_step(theta, grad, m, v, *, step, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad**2
    theta -= learning_rate * (m / (1 - beta1**step)) / (np.sqrt(v / (1 - beta2**step)) + epsilon)
