"""Multilayer perceptrons with manual backprop."""

import numpy as np

from .kernels import reference


def bias_relu(a, b):
    """y = max(a + b, 0), and its derivative, taken as 0 at 0: a (N, H), b (H,) → (N, H) each."""
    y = np.maximum(a + b, 0)
    return y, y > 0


def bias_tanh(a, b):
    """y = tanh(a + b), and its derivative: a (N, H), b (H,) → (N, H) each."""
    y = np.tanh(a + b)
    return y, 1 - y * y


ACTIVATIONS = ("swish", "relu", "tanh")


def mlp_shapes(sizes, *, first_bias=True):
    """Names and shapes of the weights of an MLP with these layer sizes.

    Without its first bias, the first layer on a one-hot input is an embedding.
    """
    shapes = {}
    for layer, (P, H) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        shapes[f"W{layer}"] = (P, H)
        if layer > 0 or first_bias:
            shapes[f"b{layer}"] = (H,)
    return shapes


def init_mlp(weights, rng):
    """Fill the views in place: Glorot-uniform matrices, zero biases."""
    for name, view in weights.items():
        if name.startswith("W"):
            P, H = view.shape
            bound = np.sqrt(6 / (P + H))
            view[...] = rng.uniform(-bound, bound, size=view.shape)
        else:
            view[...] = 0


def mlp(weights, x, *, activation="swish", input_gradient=True, kernels=reference):
    """Affine layers with an activation between them; the last layer is affine.

    weights: the arrays named by `mlp_shapes`; x (…, P); returns (…, H).  The pullback gives
    (dweights, dx); `out`, a dict like weights, names where to write dweights.  dx is None
    without `input_gradient`, which saves the largest product where x is data.
    """
    activate = {"swish": kernels.bias_swish, "relu": bias_relu, "tanh": bias_tanh}[activation]
    depth = sum(name.startswith("W") for name in weights)
    inputs, slopes = [], []
    h = x.reshape(-1, x.shape[-1])
    for layer in range(depth):
        inputs.append(h)
        W = weights[f"W{layer}"]
        b = weights[f"b{layer}"] if f"b{layer}" in weights else np.zeros_like(W[0])
        h = h @ W
        if layer < depth - 1:
            h, slope = activate(h, b)
            slopes.append(slope)
        else:
            h += b

    def mlp_pullback(dy, out=None):
        dweights = {name: np.empty_like(w) for name, w in weights.items()} if out is None else out
        dh = dy.reshape(-1, dy.shape[-1])
        for layer in reversed(range(depth)):
            if layer < depth - 1:
                dh = dh * slopes[layer]
            np.matmul(inputs[layer].T, dh, out=dweights[f"W{layer}"])
            if f"b{layer}" in weights:
                np.sum(dh, axis=0, out=dweights[f"b{layer}"])
            if layer > 0 or input_gradient:
                dh = dh @ weights[f"W{layer}"].T
        return dweights, dh.reshape(x.shape) if input_gradient else None

    return h.reshape(*x.shape[:-1], h.shape[-1]), mlp_pullback
