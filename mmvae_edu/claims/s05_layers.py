"""Claims about the parts of slide 5's networks: layers, softplus, and layers in a row."""

import math

import mpmath
import numpy as np

from ..gradcheck import check_pullback
from ..models.one_function.vae import mlp
from ..ops import linear, sigmoid, softplus, tanh
from .registry import T0, T2, claim, mutant

# ---- y = x W + b ------------------------------------------------------------------------------


@claim("S5.12", "S5.13", of=linear, tol=T0, oracle="plain loops")
def a_layer_is_a_sum_of_products(f, rng):
    """A layer's output is y_nh = Σ_p x_np W_ph + b_h."""
    x, W, b = _layer(rng)
    exact = np.array([[math.fsum(row * column) for column in W.T] for row in x])
    return f(x, W, b)[0], exact + b


@claim("S5.12", "S5.13", of=linear, tol=T2, oracle="central differences")
def a_layers_gradient(f, rng):
    """A layer's pullback is its derivative in input, weights and bias."""
    return check_pullback(f, *_layer(rng), rng=rng), 0.0


def _layer(rng):
    return rng.normal(size=(4, 3)), rng.normal(size=(3, 5)), rng.normal(size=5)


@mutant(linear, says="the gradient of W is transposed: x^T dy, not dy^T x", hint=3)
def weight_gradient_transposed(x, W, b):
    def transposed_pullback(dy):
        return dy @ W.T, dy.T @ x, dy.sum(axis=0)

    return x @ W + b, transposed_pullback


@mutant(linear, says="the gradient of b is not summed: all N rows share the bias", hint=3)
def bias_gradient_not_summed(x, W, b):
    def not_summed_pullback(dy):
        return dy @ W.T, x.T @ dy, dy

    return x @ W + b, not_summed_pullback


@mutant(
    linear, says="the gradients of W and b are means over the rows: a row adds its part", hint=2
)
def layer_gradient_averaged(x, W, b):
    def averaged_pullback(dy):
        return dy @ W.T, x.T @ dy / len(x), dy.mean(axis=0)

    return x @ W + b, averaged_pullback


@mutant(linear, says="the bias is missing in y, though it has a gradient")
def bias_not_added(x, W, b):
    return x @ W, linear(x, W, b)[1]


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


@mutant(
    softplus, says="exp(a) overflows above 709.78: take the larger of 0 and a out first", hint=2
)
def softplus_overflows(a):
    def overflows_pullback(dy):
        return dy * np.exp(a) / (1 + np.exp(a))

    return np.log(1 + np.exp(a)), overflows_pullback


@mutant(softplus, says="the slope is sigmoid(−a): that of log(1 + exp(−a))")
def softplus_slope_mirrored(a):
    def mirrored_pullback(dy):
        return dy * sigmoid(-a)[0]

    return softplus(a)[0], mirrored_pullback


@mutant(softplus, says="the pullback returns the slope: times the cotangent dy", hint=3)
def softplus_cotangent_ignored(a):
    def cotangent_ignored_pullback(dy):
        return sigmoid(a)[0]

    return softplus(a)[0], cotangent_ignored_pullback


@mutant(softplus, says="a itself above 20: log(1 + exp(−a)) is 2e-9 there, not yet 0")
def softplus_cut(a):
    value, pullback = softplus(a)
    return np.where(a > 20, a, value), pullback


@mutant(softplus, says="this is max(a, 0), which softplus is only far from 0", hint=1)
def softplus_is_relu(a):
    def relu_pullback(dy):
        return dy * (a > 0)

    return np.maximum(a, 0), relu_pullback


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


@claim("S5.12", "S5.13", of=mlp, tol=T2, oracle="central differences")
def a_networks_gradient(f, rng):
    """A network's pullback is its derivative in every weight and in its input, at any depth."""
    networks = [_network(rng, 3, 2), _network(rng, 3, 5, 2), _network(rng, 2, 5, 3, 6)]
    return max(check_pullback(f, *network, rng=rng) for network in networks), 0.0


def _tanh_network(weights, x, *, slope, activate_last=False):
    """`mlp` layer by layer, with the slope(a, y) of tanh that a mistake has."""
    depth, h, layers = len(weights) // 2, x, []
    for i in range(depth):
        a, affine_pullback = linear(h, weights[f"W{i}"], weights[f"b{i}"])
        active = activate_last or i < depth - 1
        h = tanh(a)[0] if active else a
        layers.append((affine_pullback, slope(a, h) if active else 1.0))

    def layers_pullback(dh):
        dweights = {}
        for i, (affine_pullback, factor) in reversed(list(enumerate(layers))):
            dh, dweights[f"W{i}"], dweights[f"b{i}"] = affine_pullback(dh * factor)
        return dweights, dh

    return h, layers_pullback


def _right(a, y):
    return 1 - y * y


def _without(a, y):
    return 1.0


def _of_preactivation(a, y):
    return 1 - a * a


@mutant(mlp, says="tanh after the last layer too: mu and the logits can be any number", hint=2)
def last_layer_activated(weights, x):
    return _tanh_network(weights, x, slope=_right, activate_last=True)


@mutant(mlp, says="the slope of tanh, 1 − y², is missing on the way back", hint=3)
def tanh_slope_missing(weights, x):
    return _tanh_network(weights, x, slope=_without)


@mutant(mlp, says="the slope of tanh is 1 − a² with a before tanh: it is 1 − tanh(a)²", hint=3)
def tanh_slope_of_preactivation(weights, x):
    return _tanh_network(weights, x, slope=_of_preactivation)


@mutant(mlp, says="dx is 0: nothing upstream of this network learns")
def network_input_detached(weights, x):
    y, pullback = mlp(weights, x)

    def input_detached_pullback(dy):
        return pullback(dy)[0], np.zeros_like(x)

    return y, input_detached_pullback
