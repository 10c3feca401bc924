"""A VAE by manual backprop: layers, the bound, and the optimiser's step."""

import numpy as np

from mmvae_edu.course import todo


def linear(x, W, b):
    """y = x W + b for each row, the layer that ends in mu, log_var or the logits.      [S5.12]

    (N, P), (P, H), (H,) -> y (N, H), and its pullback: (N, H) -> (N, P), (P, H), (H,)
    """
    return todo("L07.linear")


def softplus(a):
    """log(1 + exp(a)), elementwise, the part of log p(x|z) that is no product.         [S5.13]

    any shape, any size: 800 gives 800, -40 gives 4.2e-18.  Its pullback takes and gives that shape.
    """
    return todo("L07.softplus")


def mlp(weights, x):
    """Apply affine layers with tanh between them, none after the last.          [S5.12, S5.13]

    weights {"W0": (P, H), "b0": (H,), "W1": ..., "b1": ...} of any depth, x (N, P) -> (N, last),
    and its pullback: (N, last) -> (dweights, a dict like weights; dx (N, P)).
    """
    return todo("L07.mlp")


def vae_bound(w, *, x, eps):
    """L^v = L1(mu, log_var) + (1/K) sum_k log p(x|z_k), one number an example.        [S5.10]

    w {"encoder": {W0, b0, W1, b1}, "decoder": {W0, b0, W1, b1}}: two networks as in `mlp`; the
    encoder sees x / 16 and gives mu and log_var side by side; z_k = mu + std eps_k; the decoder
    gives the logits of Binomial(16).  x (N, P) counts, eps (K, N, D) -> the bound (N,), and its
    pullback: (N,) -> dw, a dict like w.  Of the library you may use all but this function.
    """
    return todo("L07.vae_bound")


def adam_step(theta, grad, m, v, *, step, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """Take one step of Adam down the gradient of minus the bound, IN PLACE on theta, m and v.

    all (size,); step counts from 1.  The one function here that changes its arguments: a training
    loop owns these three arrays.  It returns nothing.
    """
    return todo("L07.adam_step")
