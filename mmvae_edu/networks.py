"""Multilayer perceptrons with manual backprop."""

import numpy as np

from .ops import relu, swish, tanh

ACTIVATIONS = {"swish": swish, "relu": relu, "tanh": tanh}


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


def mlp(weights, x, *, activation="swish", input_gradient=True):
    """Affine layers with an activation between them; the last layer is affine.

    weights: the arrays named by `mlp_shapes`; x (…, P); returns (…, H).  The pullback gives
    (dweights, dx); `out`, a dict like weights, names where to write dweights.  dx is None
    without `input_gradient`, which saves the largest product where x is data.
    """
    activate = ACTIVATIONS[activation]
    depth = sum(name.startswith("W") for name in weights)
    inputs, activation_pullbacks = [], []
    h = x.reshape(-1, x.shape[-1])
    for layer in range(depth):
        inputs.append(h)
        h = h @ weights[f"W{layer}"]
        if f"b{layer}" in weights:
            h = h + weights[f"b{layer}"]
        if layer < depth - 1:
            h, activation_pullback = activate(h)
            activation_pullbacks.append(activation_pullback)

    def mlp_pullback(dy, out=None):
        dweights = {name: np.empty_like(w) for name, w in weights.items()} if out is None else out
        dh = dy.reshape(-1, dy.shape[-1])
        for layer in reversed(range(depth)):
            if layer < depth - 1:
                dh = activation_pullbacks[layer](dh)
            np.matmul(inputs[layer].T, dh, out=dweights[f"W{layer}"])
            if f"b{layer}" in weights:
                np.sum(dh, axis=0, out=dweights[f"b{layer}"])
            if layer > 0 or input_gradient:
                dh = dh @ weights[f"W{layer}"].T
        return dweights, dh.reshape(x.shape) if input_gradient else None

    return h.reshape(*x.shape[:-1], h.shape[-1]), mlp_pullback
