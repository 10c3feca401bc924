import numpy as np
from scipy.special import gammaln


def linear(x, W, b):
    def back(dy):
        return dy.dot(W.T), np.einsum("np,nh->ph", x, dy), np.ones(len(dy)) @ dy

    return np.einsum("np,ph->nh", x, W) + b, back


def softplus(a):
    y = np.logaddexp(0, a)
    return y, lambda dy: dy * np.exp(a - y)


def mlp(weights, x):
    names = sorted(name for name in weights if name.startswith("W"))
    inputs = [x]
    for name in names[:-1]:
        inputs.append(np.tanh(inputs[-1] @ weights[name] + weights["b" + name[1:]]))
    last = names[-1]

    def back(dh):
        grads = {}
        for name, h in zip(reversed(names), reversed(inputs), strict=True):
            grads[name], grads["b" + name[1:]] = h.T @ dh, dh.sum(0)
            dh = dh @ weights[name].T
            if name != names[0]:
                dh = dh * (1 - h * h)
        return grads, dh

    return inputs[-1] @ weights[last] + weights["b" + last[1:]], back


def vae_bound(w, *, x, eps):
    K, N, D = eps.shape
    heads, encoder_back = mlp(w["encoder"], x / 16)
    mu, log_var = heads[:, :D], heads[:, D:]
    noise = np.exp(log_var / 2) * eps
    z = mu + noise
    l, decoder_back = mlp(w["decoder"], z.reshape(-1, D))
    l = l.reshape(K, N, -1)
    choices = (gammaln(17) - gammaln(x + 1) - gammaln(17 - x)).sum(-1)
    rec = (x * l - 16 * np.logaddexp(0, l)).sum(-1).mean(0) + choices
    neg_kl = (1 + log_var - mu**2 - np.exp(log_var)).sum(-1) / 2

    def back(d):
        dl = (x - 16 / (1 + np.exp(-l))) * d[:, None] / K
        ddecoder, dz = decoder_back(dl.reshape(K * N, -1))
        dz = dz.reshape(z.shape)
        dmu = dz.sum(0) - d[:, None] * mu
        dlog_var = (dz * noise).sum(0) / 2 + d[:, None] * (1 - np.exp(log_var)) / 2
        dencoder, _ = encoder_back(np.hstack([dmu, dlog_var]))
        return {"decoder": ddecoder, "encoder": dencoder}

    return neg_kl + rec, back


def adam_step(theta, grad, m, v, *, step, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
    m[:] = beta1 * m + (1 - beta1) * grad
    v[:] = beta2 * v + (1 - beta2) * grad**2
    rate = learning_rate * np.sqrt(1 - beta2**step) / (1 - beta1**step)
    theta -= rate * m / (np.sqrt(v) + epsilon * np.sqrt(1 - beta2**step))
