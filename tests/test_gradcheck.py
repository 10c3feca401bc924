"""The gradient checker passes what is right and names what is wrong."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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
    "no rows": (linear, normal((0, 3), (3, 4), (4,))),
    "no columns": (linear, normal((5, 3), (3, 0), (0,))),
    "all empty": (softmax, [np.zeros((0, 3))]),
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


def factor(c):
    def change(grads):
        return grads[0], grads[1], c * grads[2]

    return change


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
    "factor 1.001": (linear, LINEAR, factor(1.001), r"linear: gradient of b\[[0123]\] is"),
    "factor 1.0005": (linear, LINEAR, factor(1.0005), r"linear: gradient of b\[[0123]\] is"),
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


def test_small_gradient_is_not_hidden_by_a_large_one():
    def scales(x, b):
        def scales_pullback(dy, dz):
            return 1e4 * dy, -1e-4 * dz

        return (1e4 * x, 1e-4 * b), scales_pullback

    with pytest.raises(GradientError, match=r"scales: gradient of b\["):
        check_pullback(scales, *normal((4,), (4,)), rng=default_rng(1))


def test_missing_sum_over_the_batch():
    def shift(x, b):
        def shift_pullback(dy):
            return dy, dy[0]

        return x + b, shift_pullback

    with pytest.raises(GradientError, match=r"shift: gradient of b\["):
        check_pullback(shift, *normal((5, 3), (3,)), rng=default_rng(1))


def test_transposed_cotangent_of_a_square_matrix():
    def product(A, B):
        def product_pullback(dC):
            return dC.T @ B.T, A.T @ dC

        return A @ B, product_pullback

    with pytest.raises(GradientError, match=r"product: gradient of A\["):
        check_pullback(product, *normal((4, 4), (4, 4)), rng=default_rng(1))


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
        (lambda da: (da,), "gradient of a[0] is float64 (3, 4), expected nothing"),
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


# ---- what the differences cannot tell ----------------------------------------------------------


def elementwise(f, slope):
    def op(x):
        return f(x), lambda dy: dy * slope(x)

    return op


def test_numbers_whose_norm_overflows_are_not_right():
    square = elementwise(lambda x: x * x, lambda x: 77 * x)
    for size in 1e60, 1e100:
        with (
            np.errstate(over="ignore"),
            pytest.raises(GradientError, match="gradient of|too large"),
        ):
            check_pullback(square, np.array([size, 0.1 * size]), rng=default_rng(0))


def test_a_kink_beside_the_point_is_suspected():
    relu = elementwise(lambda x: np.maximum(x, 0), lambda x: 1.0 * (x > 0))
    with pytest.raises(GradientError, match="a hundredth of the step .*: take a point away from"):
        check_pullback(relu, np.array([1e-7, 1.0]), rng=default_rng(0))
    wrong = elementwise(np.sin, lambda x: -np.cos(x))
    with pytest.raises(GradientError, match="weighed by a random cotangent") as caught:
        check_pullback(wrong, np.array([0.3, 1.0]), rng=0)
    assert "kinks" not in str(caught.value)


def test_a_value_that_ends_beside_the_point_is_said_to():
    log = elementwise(np.log, lambda x: 1 / x)
    with np.errstate(invalid="ignore"), pytest.raises(GradientError, match="a step beside the poi"):
        check_pullback(log, np.array([1e-12, 1.0]), rng=default_rng(0))


def test_complex_arguments_are_refused():
    with pytest.raises(GradientError, match="expected arguments of float64, found complex128"):
        check_pullback(elementwise(np.exp, np.exp), np.ones(3) + 1j, rng=default_rng(0))
