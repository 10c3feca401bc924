# === L16.importance_weights | wrong | zeros and -inf | A column of only -inf gives NaN. | wrong at: log_w = [[-inf], [-inf]]
import numpy as np


def importance_weights(log_w):
    top = log_w.max(axis=0)
    w = np.exp(log_w - top)
    return top + np.log(w.mean(axis=0)), w / w.sum(axis=0)


# === L16.importance_weights | wrong | normalised over everything | The weights sum to 1 over samples and examples together. | wrong at: N > 1
import numpy as np
from scipy.special import logsumexp


def importance_weights(log_w):
    bound = logsumexp(log_w, axis=0) - np.log(len(log_w))
    safe = np.where(np.isfinite(bound), bound, 0)
    w = np.exp(log_w - safe)
    return bound, w / w.sum() if w.any() else w


# === L16.iwae | wrong | log K forgotten | The log of the sum and not of the mean. | wrong at: K > 1
import numpy as np


def iwae(log_w):
    value = np.logaddexp.reduce(log_w, axis=0)
    return value, lambda d: d * np.exp(log_w - value)


# === L16.iwae | wrong | returned view of a cached array | The pullback multiplies its cached weights in place and returns them: it can be called once. | wrong at: two calls of one pullback with d other than 1
import numpy as np


def iwae(log_w):
    top = log_w.max(axis=0)
    w = np.exp(log_w - top)
    total = w.sum(axis=0)
    w /= total

    def back(d):
        nonlocal w
        w *= d
        return w

    return top + np.log(total / len(log_w)), back


# === L16.effective_sample_size | wrong | extra factor | Divided by K, a fraction and not a number of samples. | wrong at: K > 1
import numpy as np
from scipy.special import softmax


def effective_sample_size(log_w):
    w = softmax(log_w, axis=0)
    return 1 / np.mean(w**2, axis=0) / len(w) ** 2


# === L16.effective_sample_size | wrong | naive exp that underflows | (sum w)^2 / sum w^2 without a shift: 0 / 0 at -6237. | wrong at: log_w = -6237
import numpy as np


def effective_sample_size(log_w):
    w = np.exp(log_w)
    return w.sum(axis=0) ** 2 / (w**2).sum(axis=0)


# === L16.log_weights | wrong | wrong axis length in a constant | The constant has D log 2 pi / 2 instead of P. | wrong at: P unequal to D
import numpy as np
from mmvae_edu.networks import mlp


def log_weights(w, *, x, eps):
    K, N, D = eps.shape
    h, enc_back = mlp(w["encoder"], x, activation="tanh")
    mu, log_var = h[:, :D], h[:, D:]
    std = np.exp(log_var / 2)
    z = mu + std * eps
    y, dec_back = mlp(w["decoder"], z.reshape(K * N, D), activation="tanh")
    r = x - y.reshape(K, N, -1)
    log_px_z = -0.5 * (r**2).sum(-1) - 0.5 * D * np.log(2 * np.pi)
    log_pz = -0.5 * (z**2).sum(-1)
    log_q = -0.5 * (log_var + eps**2).sum(-1)

    def back(d):
        d = d[..., None]
        ddec, dz = dec_back((d * r).reshape(K * N, -1))
        dz = dz.reshape(K, N, D) - d * z
        dlog_var = 0.5 * (dz * std * eps + d).sum(0)
        denc, _ = enc_back(np.hstack([dz.sum(0), dlog_var]))
        return {"encoder": denc, "decoder": ddec}

    return log_px_z + log_pz - log_q, back


# === L16.log_weights | wrong | missing path in a gradient | The derivative of -log q by log_var is left out. | wrong at: any input
import numpy as np
from mmvae_edu.networks import mlp


def log_weights(w, *, x, eps):
    K, N, D = eps.shape
    h, enc_back = mlp(w["encoder"], x, activation="tanh")
    mu, log_var = np.split(h, 2, axis=-1)
    std = np.exp(log_var / 2)
    z = mu + std * eps
    y, dec_back = mlp(w["decoder"], z.reshape(K * N, D), activation="tanh")
    r = x - y.reshape(K, N, -1)
    value = -0.5 * (r**2 + np.log(2 * np.pi)).sum(-1)
    value = value + 0.5 * (log_var + eps**2 - z**2).sum(-1)

    def back(d):
        d = d[..., None]
        ddec, dz = dec_back((d * r).reshape(K * N, -1))
        dz = dz.reshape(K, N, D) - d * z
        dlog_var = 0.5 * (dz * std * eps).sum(0)
        denc, _ = enc_back(np.hstack([dz.sum(0), dlog_var]))
        return {"encoder": denc, "decoder": ddec}

    return value, back


# === L16.iwae_exact | wrong | special case for the example | For K above 10 the limit log E w is returned. | wrong at: K = 100
import numpy as np


def iwae_exact(q, w, K):
    if K > 10:
        return float(np.log(q @ w))
    scale = w.max()
    u = w / scale
    s, step = np.linspace(-45, 75, 1201, retstep=True)
    t = np.exp(s)
    log_L = np.log1p(np.maximum(q @ np.expm1(-np.outer(u, t)), -1))
    f = np.exp(-t) - np.exp(K * log_L)
    return float(f.sum() * step - np.log(K) + np.log(scale))


# === L16.iwae_exact | wrong | quadrature too coarse | The integral is a sum over a coarse grid that ends too early. | wrong at: any q and w, by 1e-6 or more
import numpy as np


def iwae_exact(q, w, K):
    t = np.geomspace(1e-6, 50, 2000)
    L = np.exp(-np.outer(t, w)) @ q
    f = np.exp(-t) - L**K
    s = np.log(t)
    return float(np.sum((f[1:] + f[:-1]) / 2 * np.diff(s)) - np.log(K))
