"""Claims about the parts of slide 5's networks: layers, softplus, and layers in a row."""

import math

import mpmath
import numpy as np

from ..models.one_function.vae import mlp
from ..ops import linear, softplus
from .registry import T0, claim

# ---- y = x W + b ------------------------------------------------------------------------------


@claim("S5.12", "S5.13", of=linear, tol=T0, oracle="plain loops")
def a_layer_is_a_sum_of_products(f, rng):
    """A layer's output is y_nh = Σ_p x_np W_ph + b_h."""
    x, W, b = _layer(rng)
    exact = np.array([[math.fsum(row * column) for column in W.T] for row in x])
    return f(x, W, b)[0], exact + b


def _layer(rng):
    return rng.normal(size=(4, 3)), rng.normal(size=(3, 5)), rng.normal(size=5)


# ---- softplus ---------------------------------------------------------------------------------


@claim("S5.13", of=softplus, tol=T0, oracle="O5 mpmath, 50 digits")
def softplus_to_fifty_digits(f, rng):
    """softplus(a) = log(1 + exp(a)) from −800 to 800."""
    a = np.append(rng.normal(size=(3, 2)), [[-800, 800], [-40, 30], [16, 21]], axis=0)
    with mpmath.workdps(50):
        exact = [float(mpmath.log1p(mpmath.exp(mpmath.mpf(float(v))))) for v in a.ravel()]
    return f(a)[0], np.reshape(exact, a.shape)


@claim("S5.13", of=softplus, tol=T0, oracle="O5 mpmath, 50 digits")
def softplus_has_the_slope_sigmoid(f, rng):
    """The slope of softplus is 1 / (1 + exp(−a)), from −800 to 800."""
    a = np.append(3 * rng.normal(size=(3, 2)), [[-800, 800], [-40, 30], [16, 21]], axis=0)
    dy = rng.normal(size=a.shape)
    with mpmath.workdps(50):
        slope = [float(1 / (1 + mpmath.exp(-mpmath.mpf(float(v))))) for v in a.ravel()]
    return f(a)[1](dy), dy * np.reshape(slope, a.shape)


# ---- networks ---------------------------------------------------------------------------------


def _network(rng, *sizes):
    """Random weights of a tanh network with these layer sizes, and four inputs."""
    weights = {}
    for i, (P, H) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        weights |= {f"W{i}": rng.normal(size=(P, H)) / np.sqrt(P), f"b{i}": rng.normal(size=H)}
    return weights, rng.normal(size=(4, sizes[0]))


@claim("S5.12", "S5.13", of=mlp, tol=T0, oracle="plain loops")
def a_network_is_layers_with_tanh_between(f, rng):
    """A network is affine layers with tanh between them, and none after the last."""
    weights, x = _network(rng, 3, 5, 2, 6)
    outputs = []
    for h in x:
        for i in range(3):
            h = np.tanh(h) if i else h
            columns = zip(weights[f"W{i}"].T, weights[f"b{i}"], strict=True)
            h = np.array([math.fsum([*(h * column), bias]) for column, bias in columns])
        outputs.append(h)
    return f(weights, x)[0], np.array(outputs)
