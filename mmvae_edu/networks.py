"""Multilayer perceptrons, their initialisation, and their gradients by hand."""

import numpy as np

from .kernels import reference
from .kernels.arrays import check_calls


def bias_relu(a, b, overwrite_a=False, slope=True):
    """Compute y = max(a + b, 0) and dy/da, taken as 0 at 0: a (N, H), b (H,) → (N, H) each."""
    y = np.maximum(a + b, 0)
    return y, (y > 0).astype(y.dtype) if slope else None


def bias_tanh(a, b, overwrite_a=False, slope=True):
    """Compute y = tanh(a + b) and dy/da: a (N, H), b (H,) → (N, H) each."""
    y = np.tanh(a + b)
    return y, 1 - y * y if slope else None


ACTIVATIONS = ("swish", "relu", "tanh")


def bias_and_activation(name, kernels=reference):
    """Return the op (a, b) → (y, dy/da) of this activation."""
    return {"swish": kernels.bias_swish, "relu": bias_relu, "tanh": bias_tanh}[name]


def mlp_shapes(sizes, *, first_bias=True):
    """List names and shapes of the weights of an MLP with these layer sizes.

    Without its first bias, the first layer on a one-hot input is an embedding.
    """
    shapes = {}
    for layer, (P, H) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        shapes[f"W{layer}"] = (P, H)
        if layer > 0 or first_bias:
            shapes[f"b{layer}"] = (H,)
    return shapes


INITIAL = ("glorot", "pytorch")


def init_mlp(weights, rng, initial="glorot"):
    """Draw initial weights into the views, in place.

    glorot    matrices (P, H) uniform between ±√(6 / (P + H)), biases 0
    pytorch   as `torch.nn`: matrices and biases uniform between ±1/√P, an embedding N(0, 1)
    """
    for name, view in weights.items():
        layer = name[1:]
        P, H = weights[f"W{layer}"].shape
        if initial == "pytorch" and f"b{layer}" not in weights:
            view[...] = rng.standard_normal(view.shape)
        elif initial == "pytorch" or name.startswith("W"):
            bound = np.sqrt(6 / (P + H)) if initial == "glorot" else 1 / np.sqrt(P)
            view[...] = rng.uniform(-bound, bound, size=view.shape)
        else:
            view[...] = 0


def mlp(
    weights, x, *, activation="swish", input_gradient=True, pullback=True, kernels=reference
):  # fmt: skip
    """Apply affine layers with an activation between them; the last layer is affine.

    weights: the arrays named by `mlp_shapes`; x (…, P); returns (…, H).  The pullback returns
    (dweights, dx); it writes dweights into `out`, a dict like weights, if given.  Without
    `input_gradient` dx is None, which saves the largest product where x is data; without
    `pullback` the pullback is None, which saves memory.
    """
    activate = bias_and_activation(activation, kernels)
    last = sum(name.startswith("W") for name in weights) - 1
    h = x.reshape(-1, x.shape[-1])
    inputs, slopes = [h], []
    for layer in range(last):
        W = weights[f"W{layer}"]
        b = weights[f"b{layer}"] if f"b{layer}" in weights else np.zeros_like(W[0])
        h, slope = activate(_product(h, W, kernels), b, overwrite_a=True, slope=pullback)
        if pullback:
            inputs.append(h)
            slopes.append(slope)
    y = kernels.matmul(h, weights[f"W{last}"])
    if f"b{last}" in weights:
        y += weights[f"b{last}"]

    def mlp_pullback(dy, out=None):
        dweights = {name: np.empty_like(w) for name, w in weights.items()} if out is None else out
        da = dy.reshape(-1, dy.shape[-1])
        db = da.sum(axis=0)
        for layer in reversed(range(last + 1)):
            kernels.matmul(inputs[layer].T, da, out=dweights[f"W{layer}"])
            if f"b{layer}" in weights:
                dweights[f"b{layer}"][...] = db
            if layer > 0:
                dh = _product(da, weights[f"W{layer}"].T, kernels)
                da, db = kernels.bias_activation_vjp(dh, slopes[layer - 1], overwrite_dy=True)
        dx = kernels.matmul(da, weights["W0"].T).reshape(x.shape) if input_gradient else None
        return dweights, dx

    return y.reshape(*x.shape[:-1], y.shape[-1]), mlp_pullback if pullback else None


def mlp_by_class(weights, x, *, kernels=reference, **options):
    """Apply `mlp` to one-hot rows x (N, V), running it once for each of the V classes.

    Each row picks the output of its class: a hundred labels of ten classes cost ten.  A row of
    zeros, which is a missing label, gets zeros.  Options as for `mlp`; dx is None.
    """
    classes = np.eye(x.shape[1], dtype=x.dtype, like=x)
    outputs, mlp_pullback = mlp(weights, classes, kernels=kernels, **options)

    def mlp_by_class_pullback(dy, out=None):
        dweights, _ = mlp_pullback(kernels.matmul(x.T, dy), out)
        return dweights, None

    return kernels.matmul(x, outputs), mlp_by_class_pullback


def _product(x, W, kernels):
    """Compute x W; on the CPU the result is stored column after column.

    OpenBLAS then multiplies it by the next matrix faster, and by a transposed one much faster.
    """
    if isinstance(x, np.ndarray):
        return kernels.matmul(W.T, x.T).T
    return kernels.matmul(x, W)


check_calls(globals())
