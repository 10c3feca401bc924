import math

import numpy as np


def linear(x, W, b):
    y = np.empty((len(x), len(b)))
    for n in range(len(x)):
        for h in range(len(b)):
            y[n, h] = math.fsum(x[n] * W[:, h]) + b[h]

    def back(dy):
        dx, dW, db = np.zeros(x.shape), np.zeros(W.shape), np.zeros(b.shape)
        for n in range(len(x)):
            dx[n] = W @ dy[n]
            dW += np.outer(x[n], dy[n])
            db += dy[n]
        return [dx, dW, db]

    return y, back


def softplus(a):
    y = np.array([max(v, 0) + math.log1p(math.exp(-abs(v))) for v in a.ravel()])

    def back(dy):
        slope = [1 / (1 + math.exp(-v)) if v > -700 else 0.0 for v in a.ravel()]
        return dy * np.reshape(slope, a.shape)

    return y.reshape(a.shape), back


class Tanh:
    def __init__(self, a):
        self.y = np.tanh(a)

    def back(self, dy):
        return dy * (1 - self.y**2)


def mlp(weights, x):
    depth = len(weights) // 2
    h, tape = x, []
    for i in range(depth):
        h, affine = linear(h, weights[f"W{i}"], weights[f"b{i}"])
        tape.append((i, affine))
        if i + 1 < depth:
            layer = Tanh(h)
            h = layer.y
            tape.append((None, layer.back))

    def back(dh):
        grads = {}
        for i, step in tape[::-1]:
            if i is None:
                dh = step(dh)
            else:
                dh, grads[f"W{i}"], grads[f"b{i}"] = step(dh)
        return grads, dh

    return h, back


def adam_step(theta, grad, m, v, *, step, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
    for i in range(theta.size):
        m[i] = beta1 * m[i] + (1 - beta1) * grad[i]
        v[i] = beta2 * v[i] + (1 - beta2) * grad[i] ** 2
        m_hat, v_hat = m[i] / (1 - beta1**step), v[i] / (1 - beta2**step)
        theta[i] -= learning_rate * m_hat / (math.sqrt(v_hat) + epsilon)
