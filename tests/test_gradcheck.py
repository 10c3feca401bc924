"""The gradient checker passes what is right and names what is wrong."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.linalg import norm
from numpy.random import default_rng

from mmvae_edu.gradcheck import GradientError, check_pullback, complex_step

CHECKERS = [check_pullback, complex_step]


def normal(*shapes, seed=0):
    rng = default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


def linear(x, W, b):
    def linear_pullback(dy):
        return dy @ W.T, x.T @ dy, dy.sum(axis=0)

    return x @ W + b, linear_pullback


def softmax(a):
    y = np.exp(a - a.real.max(axis=-1, keepdims=True))
    y = y / y.sum(axis=-1, keepdims=True)

    def softmax_pullback(dy):
        return y * (dy - (dy * y).sum(axis=-1, keepdims=True))

    return y, softmax_pullback


def product_of_gaussians(mu, log_var):
    """Two outputs, so two cotangents."""
    prec = np.exp(-log_var)
    var = 1 / prec.sum(axis=0)
    mean = var * (prec * mu).sum(axis=0)

    def product_of_gaussians_pullback(dmean, dlog_var):
        share = var * prec
        return share * dmean, share * (dlog_var - (mu - mean) * dmean)

    return (mean, np.log(var)), product_of_gaussians_pullback


def mlp(params, x):
    """Containers of all kinds around the weights."""
    (W0, b0), head = params["hidden"], params["head"]
    h = np.tanh(x @ W0 + b0)

    def mlp_pullback(dy):
        da = (dy @ head["W"].T) * (1 - h**2)
        dhead = {"scale": dy.sum(), "W": h.T @ dy}
        return {"head": dhead, "hidden": [x.T @ da, da.sum(axis=0)]}, da @ W0.T

    return h @ head["W"] + head["scale"], mlp_pullback


def power(x, k):
    def power_pullback(dy):
        return dy * k * x ** (k - 1), dy * x**k * np.log(x)

    return x**k, power_pullback


def mlp_inputs():
    W0, b0, W1, x = normal((3, 5), (5,), (5, 2), (4, 3))
    return {"hidden": [W0, b0], "head": {"W": W1, "scale": 0.3}}, x


RIGHT = {
    "linear": (linear, normal((7, 3), (3, 4), (4,))),
    "softmax": (softmax, normal((6, 5))),
    "two outputs": (product_of_gaussians, normal((3, 4, 2), (3, 4, 2))),
    "nested": (mlp, mlp_inputs()),
    "floats": (power, (1.7, 2.5)),
    "arrays of shape ()": (power, (np.array(1.7), np.array(-2.5))),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_pullbacks_pass(name):
    op, args = RIGHT[name]
    before = repr(args)
    assert check_pullback(op, *args, rng=default_rng(1)) <= 1e-8
    assert complex_step(op, *args, rng=default_rng(1)) <= 1e-13
    assert repr(args) == before


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    shape=st.tuples(*[st.integers(1, 5)] * 3), seed=st.integers(0, 10**6), size=st.integers(-4, 4)
)
def test_no_false_alarm_over_shapes_and_sizes(shape, seed, size):
    N, P, H = shape
    x, W, b, mu, log_var = normal((N, P), (P, H), (H,), shape, shape, seed=seed)
    rng = default_rng(seed)
    check_pullback(linear, x * 10.0**size, W, b, rng=rng)
    check_pullback(product_of_gaussians, mu * 10.0**size, log_var, rng=rng)
    check_pullback(softmax, 3 * mu, rng=rng)
    complex_step(linear, x * 10.0**size, W, b, rng=rng)
    complex_step(product_of_gaussians, mu * 10.0**size, log_var, rng=rng)
    complex_step(softmax, 3 * mu, rng=rng)


def test_no_false_alarm_where_the_sum_over_coordinates_cancels():
    def wave(x):  # truncation error about 1e-8 of a term, at times more of the sum
        def wave_pullback(dy):
            return 10 * dy * np.cos(10 * x)

        return np.sin(10 * x), wave_pullback

    (x,) = normal((1000,))
    for seed in range(200):
        check_pullback(wave, x, rng=default_rng(seed))


def test_constant_function_has_zero_gradient():
    def total_probability(a):
        y, softmax_pullback = softmax(a)

        def total_probability_pullback(dy):
            return softmax_pullback(dy[:, None] * np.ones_like(a))

        return y.sum(axis=-1), total_probability_pullback

    for check in CHECKERS:
        check(total_probability, *normal((6, 5)), rng=default_rng(1))


# ---- wrong derivatives -------------------------------------------------------------------------


def with_gradients(op, change):
    """`op` with its gradients changed: the mutant keeps the op's name and signature."""

    def mutant(*args):
        value, pullback = op(*args)

        def mutant_pullback(*dvalue):
            return change(pullback(*dvalue))

        return value, mutant_pullback

    mutant.__name__, mutant.__wrapped__ = op.__name__, op
    return mutant


def sign_flip(grads):
    return grads[0], -grads[1], grads[2]


def longer_b(grads):
    return grads[0], grads[1], 1.0005 * grads[2]


def bad_leaf(grads):
    grads[0]["head"]["W"][2, 1] *= 1.0005
    return grads


def bad_float(grads):
    grads[0]["head"]["scale"] *= 1.0005
    return grads


def second_expert(grads):
    grads[1][1] *= 1.001
    return grads


LINEAR = normal((7, 3), (3, 4), (4,))
WRONG = {
    "sign flip": (linear, LINEAR, sign_flip, r"linear: gradient of W\[[012], [0123]\] is"),
    "factor 1.0005": (linear, LINEAR, longer_b, r"linear: gradient of b\[[0123]\] is"),
    "nested leaf": (
        mlp,
        mlp_inputs(),
        bad_leaf,
        r"mlp: gradient of params\['head'\]\['W'\]\[2, 1\] is",
    ),
    "nested float": (
        mlp,
        mlp_inputs(),
        bad_float,
        r"mlp: gradient of params\['head'\]\['scale'\] is",
    ),
    "two outputs": (
        product_of_gaussians,
        normal((3, 4, 2), (3, 4, 2)),
        second_expert,
        r"product_of_gaussians: gradient of log_var\[1, [0123], [01]\] is",
    ),
}


@pytest.mark.parametrize("check", CHECKERS)
@pytest.mark.parametrize("name", WRONG)
def test_wrong_gradient_is_named(name, check):
    op, args, change, message = WRONG[name]
    for seed in range(5):
        with pytest.raises(GradientError, match=message):
            check(with_gradients(op, change), *args, rng=default_rng(seed))


def test_message_states_both_numbers():
    cotangents = []

    def scale(theta):
        def scale_pullback(dy):
            cotangents.append(dy)
            return np.array([dy, 2.5 * dy])

        return 1.0 * theta[0] + 2.0 * theta[1], scale_pullback

    with pytest.raises(GradientError) as caught:
        check_pullback(scale, np.array([0.3, -7.0]), rng=default_rng(2))
    first, second = str(caught.value).splitlines()
    found = re.fullmatch(r"scale: gradient of theta\[1\] is (\S+), by central .* (\S+)", first)
    assert float(found[1]) == pytest.approx(2.5 * cotangents[-1], rel=1e-8)
    assert float(found[2]) == pytest.approx(2.0 * cotangents[-1], rel=1e-8)
    assert re.search(r"error \d\.\de-01, tolerance 1e-07$", second)


@pytest.mark.parametrize("check", CHECKERS)
@pytest.mark.parametrize("index", [(0, 0), (37, 81), (99, 99)])
def test_one_wrong_coordinate_in_ten_thousand_is_found(check, index):
    def sinh(x):
        def sinh_pullback(dy):
            dx = dy * np.cosh(x)
            dx[index] *= 1.001
            return dx

        return np.sinh(x), sinh_pullback

    (x,) = normal((100, 100))
    with pytest.raises(GradientError, match=rf"sinh: gradient of x\[{index[0]}, {index[1]}\] is"):
        check(sinh, x, rng=default_rng(1))


def test_softmax_wrong_by_seventeen_passes_only_for_a_cotangent_of_ones():
    mutant = with_gradients(softmax, lambda da: 17 * da)
    (a,) = normal((3, 4))
    assert np.allclose(mutant(a)[1](np.ones((3, 4))), 0)
    with pytest.raises(GradientError, match=r"softmax: gradient of a\["):
        check_pullback(mutant, a, rng=default_rng(1))


# ---- broken conventions ------------------------------------------------------------------------


def product(x, W):
    def product_pullback(dy):
        return dy @ W.T, x.T @ dy

    return x @ W, product_pullback


def changes_argument(x, W):
    x -= x.mean()
    return product(x, W)


def pullback_changes_argument(x, W):
    def pullback_changes_argument_pullback(dy):
        gradients = product(x, W)[1](dy)
        W[...] = 0
        return gradients

    return x @ W, pullback_changes_argument_pullback


def changes_cotangent(x, W):
    def changes_cotangent_pullback(dy):
        dy *= 2
        return product(x, W)[1](dy)

    return x @ W, changes_cotangent_pullback


def accumulates(x, W):
    total = np.zeros_like(W)

    def accumulates_pullback(dy):
        total[...] += x.T @ dy
        return dy @ W.T, total.copy()

    return x @ W, accumulates_pullback


cache = {}


def shares_a_cache(x, W):
    cache["x"] = x

    def shares_a_cache_pullback(dy):
        return product(cache["x"], W)[1](dy)

    return x @ W, shares_a_cache_pullback


def fresh_noise(x, W, rng=default_rng(0)):  # noqa: B008
    y, pullback = product(x, W)
    return y + rng.standard_normal(y.shape), pullback


def changes_the_value(x, W):
    y, pullback = product(x, W)

    def changes_the_value_pullback(dy):
        gradients = pullback(dy)
        y[...] = 0
        return gradients

    return y, changes_the_value_pullback


def returns_one_array_again(x, W):
    dx = np.empty_like(x)

    def returns_one_array_again_pullback(dy):
        dx[...] = dy @ W.T
        return dx, x.T @ dy

    return x @ W, returns_one_array_again_pullback


def empty_value(x, W):
    return (x @ W)[:0], product(x, W)[1]


def no_value(x, W):
    return (), product(x, W)[1]


def infinite_value(x, W):
    y, pullback = product(x, W)
    y[2, 1] = -np.inf
    return y, pullback


def bare_value(x, W):
    return x @ W


def nan_gradient(gradients):
    gradients[1][1, 0] = np.nan
    return gradients


BROKEN = [
    (changes_argument, "the op changes x in place"),
    (pullback_changes_argument, "the pullback changes W in place"),
    (changes_cotangent, "the pullback changes dvalue in place"),
    (accumulates, "the pullback gives another result when called again"),
    (shares_a_cache, "the pullback gives another result when called again"),
    (fresh_noise, "the value changes when called again; pass its noise as a constant"),
    (changes_the_value, "the pullback changes value in place"),
    (returns_one_array_again, "the pullback changes its earlier gradient of x in place"),
    (empty_value, "value is empty, (0, 2): it has no gradient"),
    (no_value, "the value holds no array"),
    (infinite_value, "value[2, 1] is -inf"),
    (bare_value, "must return a pair (value, pullback)"),
]
BROKEN_GRADIENTS = [  # of the product
    (lambda g: (g[0] + 1, g[1]), "the pullback is not linear in its cotangent"),
    (lambda g: (g[0], g[1].T), "gradient of W is float64 (2, 3), expected float64 (3, 2)"),
    (
        lambda g: (g[0], g[1].astype(np.float32)),
        "gradient of W is float32 (3, 2), expected float64 (3, 2)",
    ),
    (lambda g: (g[0], None), "gradient of W is nothing, expected float64 (3, 2)"),
    (lambda g: g[0], "the pullback must return a tuple, one for each of ['x', 'W']"),
    (lambda g: g[:1], "the pullback must return a tuple, one for each of ['x', 'W']"),
    (nan_gradient, "gradient of W[1, 0] is nan"),
]
BROKEN += [(with_gradients(product, change), words) for change, words in BROKEN_GRADIENTS]


@pytest.mark.parametrize(("op", "words"), BROKEN)
def test_broken_convention_is_named(op, words):
    x, W = normal((5, 3), (3, 2))
    for check in CHECKERS:
        with pytest.raises(GradientError) as caught:
            check(op, x, W, rng=default_rng(1))
        assert str(caught.value) == f"{op.__name__}: {words}"


def test_a_constant_must_not_change():
    def weighted(x, *, w):
        w["a"] /= w["a"].sum()

        def weighted_pullback(dy):
            return dy * w["a"]

        return x * w["a"], weighted_pullback

    x, a = normal((3,), (3,))
    with pytest.raises(GradientError, match=r"the op changes w\['a'\] in place"):
        check_pullback(weighted, x, w={"a": a}, rng=default_rng(1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda da: (da,), "the pullback returns a tuple for a: return it bare"),
        (lambda da: [da], "the pullback returns a list for a: return it bare"),
        (lambda da: None, "gradient of a is nothing, expected float64 (3, 4)"),
        (lambda da: {"a": da}, "gradient of a['a'] is float64 (3, 4), expected nothing"),
    ],
)
def test_one_argument_has_a_bare_gradient(change, message):
    with pytest.raises(GradientError, match=re.escape(message)):
        check_pullback(with_gradients(softmax, change), *normal((3, 4)), rng=default_rng(1))


def test_missing_leaf_is_named():
    def lost(grads):
        del grads[0]["hidden"][1]
        return grads

    with pytest.raises(GradientError, match=r"gradient of params\['hidden'\]\[1\] is nothing"):
        check_pullback(with_gradients(mlp, lost), *mlp_inputs(), rng=default_rng(1))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.arange(3), r"square: x is int64 \(3,\), expected float64"),
        (np.ones(3, np.float32), r"square: x is float32 \(3,\), expected float64"),
        (np.array([1.0, np.nan]), r"square: x\[1\] is nan"),
        ({}, "square: no positional argument"),
        (np.ones((0, 3)), r"square: x is empty, \(0, 3\): it has no gradient"),
        ({"W": np.ones(2), "b": np.ones(0)}, r"square: x\['b'\] is empty, \(0,\): it has no gradi"),
    ],
)
def test_arguments_are_finite_float64(x, message):
    def square(x):
        raise AssertionError("is not reached")

    with pytest.raises(GradientError, match=message):
        check_pullback(square, x, rng=default_rng(1))


def test_variadic_arguments_are_numbered():
    def add(first, *rest):
        def add_pullback(dy):
            return (dy, *[2 * dy for _ in rest])

        return sum(rest, first), add_pullback

    with pytest.raises(GradientError, match=r"add: gradient of rest\[0\]\[[012]\] is"):
        check_pullback(add, *normal((3,), (3,), (3,)), rng=default_rng(1))


def test_constants_may_be_anything_and_nan():
    def masked(x, *, mask, label, f):
        def masked_pullback(dy):
            return np.where(np.isnan(mask), 0.0, dy * f(2))

        return np.where(np.isnan(mask), 0.0, x * f(2)), masked_pullback

    check_pullback(
        masked,
        *normal((3,)),
        mask=np.array([0, np.nan, 1]),
        label=None,
        f=float,
        rng=default_rng(1),
    )


# ---- two tables: every wrong gradient fails, every right one passes or is refused --------------


def elementwise(f, slope):
    def op(x):
        return f(x), lambda dy: dy * slope(x)

    return op


def two_outputs(first, second, slopes):
    def op(x):
        return (first(x), second(x)), lambda da, db: da * slopes[0](x) + db * slopes[1](x)

    return op


def two_arguments(f, by_x, by_w):
    def op(x, w):
        return f(x, w), lambda dy: (by_x(dy, x, w), by_w(dy, x, w))

    return op


def neg_kl(mu, log_var, factor=1.0):
    def neg_kl_pullback(d):
        d = d[:, None]
        return -factor * d * mu, 0.5 * d * (1 - np.exp(log_var))

    return 0.5 * (1 + log_var - mu**2 - np.exp(log_var)).sum(axis=-1), neg_kl_pullback


def neg_kl_off(mu, log_var):
    return neg_kl(mu, log_var, factor=1.01)


X, POSITIVE, ZEROS = normal((6,))[0], np.array([0.3, 0.5, 1.1, 2.0]), np.zeros(4)
A, B = normal((4, 3), (4, 3), seed=1)
SMOOTH = {
    "sin": (np.sin, np.cos, X),
    "exp": (np.exp, np.exp, X),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2, X),
    "square": (np.square, lambda x: 2 * x, X),
    "cube": (lambda x: x**3, lambda x: 3 * x**2, X),
    "softplus": (lambda x: np.log1p(np.exp(x)), lambda x: 1 / (1 + np.exp(-x)), X),
    "log": (np.log, lambda x: 1 / x, POSITIVE),
    "sqrt": (np.sqrt, lambda x: 0.5 / np.sqrt(x), POSITIVE),
    "reciprocal": (lambda x: 1 / x, lambda x: -1 / x**2, POSITIVE),
}
RELU = lambda x: np.maximum(x, 0), lambda x: 1.0 * (x > 0)
HARD = {  # curved, flat, or of extreme size
    "sin 100x": (lambda x: np.sin(100 * x), lambda x: 100 * np.cos(100 * x), X),
    "sin 1e5 x": (lambda x: np.sin(1e5 * x), lambda x: 1e5 * np.cos(1e5 * x), 0.1 * X),
    "exp 20x": (lambda x: np.exp(20 * x), lambda x: 20 * np.exp(20 * x), X),
    "log near 0": (np.log, lambda x: 1 / x, np.array([1e-4, 1.0, 2.0])),
    "x log x near 0": (lambda x: x * np.log(x), lambda x: 1 + np.log(x), np.array([1e-5, 0.3])),
    "cbrt near 0": (np.cbrt, lambda x: np.cbrt(x) ** -2 / 3, np.array([1e-3, 2.0])),
    "square at 0": (np.square, lambda x: 2 * x, ZEROS),
    "cos at 0": (np.cos, lambda x: -np.sin(x), ZEROS),
    "fourth power at 0": (lambda x: x**4, lambda x: 4 * x**3, ZEROS),
    "x |x| at 0": (lambda x: x * abs(x), lambda x: 2 * abs(x), ZEROS),
    "a float": (lambda x: x * x, lambda x: 2 * x, 0.0),
    "tiny": (lambda x: 1e-200 * np.sin(x), lambda x: 1e-200 * np.cos(x), X),
    "huge": (lambda x: 1e200 * np.sin(x), lambda x: 1e200 * np.cos(x), X),
    "at huge x": (np.square, lambda x: 2 * x, 1e80 * X),
    "at tiny x": (np.sin, np.cos, 1e-80 * X),
    "on 1e4": (lambda x: 1e4 + np.sin(x), np.cos, X),
    "relu": (*RELU, X),
    "abs": (abs, np.sign, X),
    "relu near its kink": (*RELU, np.array([3e-6, 1.0])),
    "where": (lambda x: np.where(x > 0, x, x**2), lambda x: np.where(x > 0, 1, 2 * x), X),
}
CHANGES = {
    "factor 1.01": lambda slope, x: 1.01 * slope,
    "factor 1.0001": lambda slope, x: 1.0001 * slope,
    "factor -1": lambda slope, x: -slope,
    "mean for sum": lambda slope, x: slope / (1 + np.size(x)),
}
MORE_CHANGES = {  # that change a slope which may be 0
    "factor 1.00001": lambda slope, x: 1.00001 * slope,
    "0": lambda slope, x: 0 * slope,
    "off by 0.01": lambda slope, x: slope + 0.01,
    "one entry": lambda slope, x: slope * np.where(np.arange(x.size) == 2, 1.01, 1),
    "the smallest arguments": lambda slope, x: slope * np.where(x > np.median(x), 1, 1.01),
    "float16": lambda slope, x: slope.astype(np.float16).astype(np.float64),
}
WRONG_GRADIENTS = {
    f"{name}: {change}": (elementwise(f, lambda x, s=s, c=c: c(s(x), x)), x)
    for table, changes in ((SMOOTH, CHANGES | MORE_CHANGES), (HARD, CHANGES))
    for name, (f, s, x) in table.items()
    for change, c in changes.items()
} | {
    "norm near 0": (elementwise(norm, lambda x: 1.001 * x / norm(x)), 1e-3 * X),
    "hidden by a larger output": (
        two_outputs(lambda x: 1e9 * x, np.sin, [lambda x: 1e9, lambda x: 1.05 * np.cos(x)]),
        X,
    ),
    "hidden by a smaller output": (
        two_outputs(lambda x: 1e9 * x, np.sin, [lambda x: 1.05e9, np.cos]),
        X,
    ),
    "output that is forgotten": (two_outputs(np.exp, np.sin, [np.exp, np.zeros_like]), X),
    "outputs exchanged": (two_outputs(np.exp, np.sin, [np.cos, np.exp]), X),
    "small output on a constant": (
        two_outputs(np.exp, lambda x: 1e8 + np.sin(x), [np.exp, lambda x: 1.01 * np.cos(x)]),
        X,
    ),
    "hidden by a larger argument": (
        two_arguments(
            lambda x, w: 1e6 * x + w, lambda dy, x, w: 1e6 * dy, lambda dy, x, w: 1.01 * dy
        ),
        A,
        B,
    ),
    "no sum over a broadcast axis": (
        two_arguments(np.multiply, lambda dy, x, w: dy * w, lambda dy, x, w: (dy * x)[0]),
        A,
        B[0],
    ),
    "sum over the wrong axis": (
        two_arguments(np.multiply, lambda dy, x, w: dy * w, lambda dy, x, w: (dy * x).sum(axis=1)),
        normal((4, 4))[0],
        B[:, 0],
    ),
    "right only at axis 0": (
        elementwise(np.sin, lambda x: np.cos(x) * [[1.0, 1.0, 1.001]] * np.ones_like(x)),
        A,
    ),
    "missing term": (
        two_arguments(lambda x, w: x * w + w**2, lambda dy, x, w: dy * w, lambda dy, x, w: dy * x),
        A,
        B,
    ),
    "arguments exchanged": (
        two_arguments(np.multiply, lambda dy, x, w: dy * x, lambda dy, x, w: dy * w),
        A,
        B,
    ),
    "affine in its cotangent": (with_gradients(softmax, lambda da: da + 1e-3 * A), A),
    "softmax without its mean": (lambda a: (softmax(a)[0], lambda dy: softmax(a)[0] * dy), A),
    "constant of gradient 1": (elementwise(np.ones_like, np.ones_like), X),
    "identity of gradient 0": (elementwise(lambda x: 1.0 * x, np.zeros_like), X),
    "transpose": (
        lambda x: (x.T.copy(), lambda dy: dy),
        normal((3, 3))[0],
    ),
    "cumulative sum": (lambda x: (np.cumsum(x), lambda dy: np.cumsum(dy)), X),
    "sort": (lambda x: (np.sort(x), lambda dy: dy), X[::-1].copy()),
    "not linear": (lambda x: (np.sin(x), lambda dy: abs(dy) * np.cos(x)), X),
    "cotangent ignored": (lambda x: (np.sin(x), lambda dy: np.cos(x)), X),
    "cotangent's mean": (lambda x: (np.sin(x), lambda dy: dy.mean() * np.cos(x)), X),
    "float32": (elementwise(np.sin, lambda x: np.cos(x.astype(np.float32))), np.float32(X)),
    "kl at zeros": (neg_kl_off, np.zeros((3, 2)), np.zeros((3, 2))),
    **{
        f"factor {factor} on {size:.0e}": (
            elementwise(lambda x, size=size: size + np.sin(x), lambda x, f=factor: f * np.cos(x)),
            X,
        )
        for size in (1e8, 1e10, 1e12, 1e14, 1e15, 1e16, 1e17, 1e20)
        for factor in (1.01, 0)
    },
}


@pytest.mark.parametrize("name", WRONG_GRADIENTS)
def test_wrong_gradients_fail(name):
    op, *args = WRONG_GRADIENTS[name]
    for seed in range(3):
        with pytest.raises(GradientError):
            check_pullback(op, *args, rng=seed)


CONSTANT, NOT_SMOOTH, KINK = "its gradient: subtract a constant", "too curved or noisy", "kink"
RIGHT_GRADIENTS = {  # with the bound on the error that is returned, or the word of the refusal
    **{name: (elementwise(f, s), x, 1e-7) for name, (f, s, x) in (SMOOTH | HARD).items()},
    "norm near 0": (elementwise(norm, lambda x: x / norm(x)), 1e-3 * X, 1e-7),
    "log very near 0": (elementwise(np.log, lambda x: 1 / x), np.array([1e-6, 1.0]), 1e-4),
    "sin 1e9 x": (
        elementwise(lambda x: np.sin(1e9 * x), lambda x: 1e9 * np.cos(1e9 * x)),
        X,
        NOT_SMOOTH,
    ),
    "sin at 1e12": (elementwise(np.sin, np.cos), 1e12 * X, NOT_SMOOTH),
    "rounding inside": (elementwise(lambda x: (1e8 + np.sin(x)) - 1e8, np.cos), X, NOT_SMOOTH),
    "float32 inside": (
        elementwise(lambda x: np.sin(np.float32(x)).astype(float), np.cos),
        X,
        NOT_SMOOTH,
    ),
    "a staircase": (elementwise(lambda x: np.round(x * x, 6), lambda x: 2 * x), X, NOT_SMOOTH),
    "a stair of 1e-6": (
        elementwise(lambda x: (x * x + 1e10) - 1e10, lambda x: 2 * x),
        X,
        NOT_SMOOTH,
    ),
    "kl at zeros": (neg_kl, np.zeros((3, 2)), np.zeros((3, 2)), 1e-7),
    "outputs of two sizes": (
        two_outputs(lambda x: 1e9 * x, np.sin, [lambda x: 1e9, np.cos]),
        X,
        1e-7,
    ),
    "an output without x": (
        two_outputs(np.exp, np.ones_like, [np.exp, np.zeros_like]),
        X,
        1e-7,
    ),
    "constant": (elementwise(np.ones_like, np.zeros_like), X, 0),
    "floor": (elementwise(np.floor, np.zeros_like), X, 0),
    "floor at 0": (elementwise(np.floor, np.zeros_like), ZEROS, NOT_SMOOTH),
    "units without slope": (elementwise(lambda x: np.maximum(x - 5, 0), lambda x: 0 * x), X, 0),
    "broadcast": (
        two_arguments(np.multiply, lambda dy, x, w: dy * w, lambda dy, x, w: (dy * x).sum(axis=0)),
        A,
        B[0],
        1e-7,
    ),
    "maximum of all": (elementwise(np.max, lambda x: 1.0 * (x == x.max())), X, 1e-7),
    "integers": (elementwise(np.square, lambda x: 2 * x), np.arange(3), "int64"),
    "an integer": (elementwise(np.square, lambda x: 2 * x), 3, "int64"),
    "on 1e6": (elementwise(lambda x: 1e6 + np.sin(x), np.cos), X, 1e-5),
    "on 1e8": (elementwise(lambda x: 1e8 + np.sin(x), np.cos), X, 1e-3),
    **{
        f"on {size:.0e}": (elementwise(lambda x, s=size: s + np.sin(x), np.cos), X, CONSTANT)
        for size in (1e10, 1e14, 1e16, 1e20)
    },
    **{
        f"{f.__name__} at {x}": (elementwise(*pair), np.array(x), KINK)
        for x in ([0.0], [0.0, 0.0], [1.0, 1e-9], [1.0, 1e-8])
        for f, pair in [
            (np.maximum, RELU),
            (np.abs, (np.abs, np.sign)),
        ]
    },
    "maximum of equals": (elementwise(np.max, lambda x: np.eye(3)[0]), np.ones(3), KINK),
    "norm at 0": (elementwise(norm, np.zeros_like), np.zeros(3), KINK),
}


@pytest.mark.parametrize("name", RIGHT_GRADIENTS)
def test_right_gradients_pass_or_are_refused_with_the_reason(name):
    op, *args, expected = RIGHT_GRADIENTS[name]
    for seed in range(3):
        if isinstance(expected, str):
            with pytest.raises(GradientError, match=expected):
                check_pullback(op, *args, rng=seed)
        else:
            assert check_pullback(op, *args, rng=seed) <= expected


def test_a_kink_is_named():
    relu = elementwise(*RELU)
    with pytest.raises(GradientError, match=r"op: x\[2, 0\] is at a kink, where the slopes before"):
        check_pullback(relu, np.array([[1.0, 2.0], [-1.0, 3.0], [0.0, 1.0]]), rng=0)


@pytest.mark.parametrize(("size", "largest"), [(1, 1e-13), (1e4, 1e-10), (1e8, 1e-6), (1e12, 0)])
def test_a_complex_step_returns_what_it_cannot_see(size, largest):
    op = elementwise(lambda x: size + np.sin(x), np.cos)
    if largest:
        assert largest / 1e3 < complex_step(op, X, rng=0) < largest
    else:
        with pytest.raises(GradientError, match=CONSTANT):
            complex_step(op, X, rng=0)


def test_numbers_whose_norm_overflows_are_not_right():
    square = elementwise(lambda x: x * x, lambda x: 77 * x)
    for size in 1e60, 1e100:
        with (
            np.errstate(over="ignore"),
            pytest.raises(GradientError, match="gradient of|too large"),
        ):
            check_pullback(square, np.array([size, 0.1 * size]), rng=default_rng(0))


def test_a_value_that_ends_beside_the_point_is_said_to():
    log = elementwise(np.log, lambda x: 1 / x)
    with np.errstate(invalid="ignore"), pytest.raises(GradientError, match="a step beside the poi"):
        check_pullback(log, np.array([1e-12, 1.0]), rng=default_rng(0))


def test_complex_arguments_are_refused():
    with pytest.raises(GradientError, match="expected arguments of float64, found complex128"):
        check_pullback(elementwise(np.exp, np.exp), np.ones(3) + 1j, rng=default_rng(0))
