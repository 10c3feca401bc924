"""Laws that every (value, pullback) function obeys, at the inputs of `claims.examples`."""

import ast
import math
import re
from inspect import signature
from pathlib import Path

import autograd.numpy as anp
import numpy as np
import pytest
from autograd.core import make_vjp
from hypothesis import given, settings
from hypothesis import strategies as st
from mmvae_edu.kernels import numba_cpu, reference
from numpy.testing import assert_allclose, assert_array_equal

import mmvae_edu
from mmvae_edu import gaussian, laplace, likelihoods, networks, objectives, ops, posteriors
from mmvae_edu.claims.examples import (
    AXES,
    EXAMPLES,
    NOT_ANALYTIC,
    Example,
    differentiable,
)
from mmvae_edu.claims.inputs import EXTREMES, KERNELS, VALUES, axes
from mmvae_edu.course.trees import leaves, mapped
from mmvae_edu.gradcheck import check_pullback, complex_step
from mmvae_edu.models.base import without_negligible

ROWS = [(op, draw) for op, draws in EXAMPLES.items() for draw in draws]
ROWS += [  # more axes than the exercises ask for
    (gaussian.gaussian_log_prob, Example("NP", "KNP", "P")),
    (gaussian.gaussian_sample, Example("MND", "MND", eps="MKND")),
]
PACKAGE = Path(mmvae_edu.__file__).parent


def rows(wanted):
    chosen = [row for row in ROWS if wanted(row[0])]
    return pytest.mark.parametrize(
        ("op", "draw"), chosen, ids=[op.__qualname__ for op, _ in chosen]
    )


def owner(op):
    """The op, or the likelihood whose method it is."""
    return getattr(op, "__self__", op)


def twin_lse(a, axis):
    top = anp.max(a, axis=axis, keepdims=True)
    return anp.squeeze(top, axis) + anp.log(anp.sum(anp.exp(a - top), axis=axis))


def twin_normal(z, mu, log_var):
    return anp.sum(
        -0.5 * anp.log(2 * anp.pi) - 0.5 * log_var - 0.5 * (z - mu) ** 2 / anp.exp(log_var), -1
    )


def twin_laplace(z, mu, log_scale):
    return anp.sum(-anp.log(2.0) - log_scale - anp.abs(z - mu) / anp.exp(log_scale), -1)


def twin_product(mu, log_var, mask=None, prior=1.0):
    precision = anp.exp(-log_var) * (1.0 if mask is None else mask[..., None])
    total = prior + anp.sum(precision, 0)
    return anp.sum(precision * mu, 0) / total, -anp.log(total)


def twin_subsets(mu, log_var, subsets):
    pairs = [twin_product(mu, log_var, mask) for mask in subsets]
    return anp.stack([mean for mean, _ in pairs]), anp.stack([v for _, v in pairs])


def twin_quotient(mu, log_var, mask=None):
    here = np.ones(mu.shape[:2]) if mask is None else mask
    return twin_product(mu, log_var, here, prior=1.0 - here.sum(0)[:, None])


def twin_mixture(z, mu, log_var, log_alpha):
    present = log_alpha > -np.inf
    density = anp.exp(twin_normal(z[None], mu[:, None], log_var[:, None]))
    weight = np.where(present, np.exp(log_alpha), 0.0)[:, None]
    return anp.log(anp.sum(weight * density, 0))


def twin_mean(strata, present):
    here = np.ones(strata.shape) if present is None else present
    return anp.sum(here * strata, 0) / here.sum(0)


def twin_mixture_elbo(log_w, present=None):
    return twin_mean(anp.mean(log_w, 1), present)


def twin_mixture_iwae(log_w, present=None):
    return twin_mean(anp.log(anp.mean(anp.exp(log_w), 1)), present)


def twin_stratified(log_w, present=None):
    return anp.log(twin_mean(anp.mean(anp.exp(log_w), 1), present))


def twin_ratio(z, mu, log_var, closed_form=False):
    if closed_form:
        neg_kl = 0.5 * anp.sum(1 + log_var - mu**2 - anp.exp(log_var), -1)
        return anp.broadcast_to(neg_kl[..., None, :], z.shape[:-1]) + 0 * anp.sum(z)
    zero = anp.zeros(z.shape[-1])
    q = twin_normal(z, mu[..., None, :, :], log_var[..., None, :, :])
    return twin_normal(z, zero, zero) - q


def twin_kl(mu1, log_var1, mu2, log_var2):
    ratio = anp.exp(log_var1 - log_var2)
    terms = log_var2 - log_var1 + ratio + (mu1 - mu2) ** 2 / anp.exp(log_var2) - 1
    return 0.5 * anp.sum(terms, -1)


def twin_kl_laplace(mu1, s1, mu2, s2):
    delta = anp.abs(mu1 - mu2)
    terms = s2 - s1 + (anp.exp(s1 - delta / anp.exp(s1)) + delta) / anp.exp(s2) - 1
    return anp.sum(terms, -1)


def twin_binomial(logits, x, n=1):
    p = 1 / (1 + anp.exp(-logits))
    kernel = anp.sum(x * anp.log(p) + (n - x) * anp.log(1 - p), -1)
    return kernel + np.vectorize(lambda k: np.log(math.comb(n, int(k))))(x).sum(-1)


def twin_swish(a):
    return a / (1 + anp.exp(-a))


def twin_relu(a):
    return anp.maximum(a, 0)


def twin_mlp(weights, x, activation="swish"):
    act = {"tanh": anp.tanh, "swish": twin_swish, "relu": twin_relu}[activation]
    h = act(anp.dot(x, weights["W0"]) + weights["b0"])
    h = act(anp.dot(h, weights["W1"]) + weights["b1"])
    return anp.dot(h, weights["W2"]) + weights["b2"]


def twin_learnt(density, factor):
    def twin(weights, outputs, x):
        gate = 1 / (1 + anp.exp(-weights["raw_scale"]))
        log_scale = anp.log(0.02) + anp.log(5 / 0.02) * gate
        return density(x, outputs, factor * log_scale)

    return twin


TWINS = {  # the same mathematics in HIPS autograd
    ops.linear: lambda x, W, b: anp.dot(x, W) + b,
    ops.relu: twin_relu,
    ops.tanh: anp.tanh,
    ops.sigmoid: lambda a: 1 / (1 + anp.exp(-a)),
    ops.softplus: lambda a: anp.log(1 + anp.exp(a)),
    ops.swish: twin_swish,
    ops.log_sum_exp: twin_lse,
    ops.log_mean_exp: lambda a, axis: twin_lse(a, axis) - anp.log(a.shape[axis]),
    gaussian.gaussian_log_prob: twin_normal,
    gaussian.standard_normal_log_prob: lambda z: twin_normal(z, 0.0, anp.zeros(z.shape[-1])),
    gaussian.gaussian_sample: lambda mu, log_var, eps: (
        mu[..., None, :, :] + anp.exp(log_var / 2)[..., None, :, :] * eps
    ),
    gaussian.neg_kl_std_normal: lambda mu, v: 0.5 * anp.sum(1 + v - mu**2 - anp.exp(v), -1),
    gaussian.kl_gauss: twin_kl,
    laplace.laplace_log_prob: twin_laplace,
    laplace.laplace_sample: lambda mu, s, eps: mu + anp.exp(s) * eps,
    laplace.kl_laplace: twin_kl_laplace,
    likelihoods.binomial_log_prob: twin_binomial,
    likelihoods.categorical_log_prob: lambda l, x: anp.sum(x * l, -1) - twin_lse(l, -1),
    likelihoods.Normal(1, "learnt"): twin_learnt(twin_normal, 2),
    likelihoods.Laplace(1, "learnt"): twin_learnt(twin_laplace, 1),
    posteriors.product_of_experts: twin_product,
    posteriors.product_of_subsets: twin_subsets,
    posteriors.quotient_of_experts: twin_quotient,
    posteriors.mixture_log_prob: twin_mixture,
    objectives.elbo: lambda w: anp.mean(w, 0),
    objectives.iwae: lambda w: twin_lse(w, 0) - anp.log(w.shape[0]),
    objectives.mixture_elbo: twin_mixture_elbo,
    objectives.mixture_iwae: twin_mixture_iwae,
    objectives.stratified_iwae: twin_stratified,
    objectives.log_prior_ratio: twin_ratio,
    networks.mlp: twin_mlp,
}


def ops_in(text):
    """The public functions of a module that return (value, pullback), and those that call them."""
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    found = set()
    for _ in functions:  # each time those as well that return the result of another
        found |= {f.name for f in functions if any(_is_pair(n, found) for n in ast.walk(f))}
    return {name for name in found if not name.startswith("_")}


def _is_pair(node, found):
    match node:
        case ast.Return(ast.Tuple([_, ast.Name(name) | ast.IfExp(body=ast.Name(name))])):
            return name.endswith("_pullback")
        case ast.Return(ast.Call(ast.Name(name))):
            return name in found
    return False


def test_every_op_has_an_example():
    listed = {(op.__module__, op.__name__) for op in EXAMPLES}
    listed.add(("mmvae_edu.networks", "mlp_by_class"))  # x is data: test_models compares it to mlp
    folders = (PACKAGE, PACKAGE / "slides", PACKAGE / "models", PACKAGE / "models/one_function")
    for path in [path for folder in folders for path in folder.glob("*.py")]:
        module = ".".join(["mmvae_edu", *path.relative_to(PACKAGE).with_suffix("").parts])
        for name in ops_in(path.read_text("utf-8")):
            assert (module, name) in listed, f"{module}.{name} has no row in claims/examples.py"


def test_an_op_is_known_by_what_it_returns():
    text = """
def whole(a):
    def whole_pullback(dy):
        return dy
    return a, whole_pullback

def by_another(a):
    return whole(a)

def perhaps(a, pullback=True):
    _, whole_pullback = whole(a)
    return a, whole_pullback if pullback else None

def no_op(a):
    return a, whole(a)[0]

def _private(a):
    return whole(a)
"""
    assert ops_in(text) == {"whole", "by_another", "perhaps"}


def test_axes_are_those_of_arguments():
    assert axes(posteriors.product_of_experts) == {"mu": "MND", "log_var": "MND", "mask": "MN"}
    for f in [*VALUES, *EXTREMES, *KERNELS]:
        assert axes(f).keys() <= signature(f).parameters.keys(), f.__qualname__


def test_every_likelihood_has_an_example():
    kinds = {kind for kind in vars(likelihoods).values() if hasattr(kind, "log_prob")}
    assert kinds == {type(owner(op)) for op in EXAMPLES if op.__name__ == "log_prob"}


@rows(lambda op: True)
@settings(max_examples=8)
@given(sizes=st.tuples(*[st.integers(1, 4)] * len(AXES)), seed=st.integers(0, 10**6))
def test_pullback_is_the_derivative(op, draw, sizes, seed):
    """Also: linear in the cotangent, callable twice, inputs untouched, shapes and dtype kept."""
    rng = np.random.default_rng(seed)
    args, constants = draw(rng, dict(zip(AXES, sizes, strict=True)))
    check_pullback(differentiable(op), *args, rng=rng, **constants)
    if op not in NOT_ANALYTIC:
        complex_step(differentiable(op), *args, rng=rng, **constants)


@rows(lambda op: owner(op) in TWINS)
def test_agrees_with_another_librarys_gradient(op, draw):
    rng = np.random.default_rng(0)
    args, constants = draw(rng)
    value, pullback = differentiable(op)(*args, **constants)
    several = isinstance(value, tuple)

    def twin(packed):
        out = TWINS[owner(op)](*packed, **constants)
        return anp.concatenate([anp.ravel(v) for v in out]) if several else out

    twin_vjp, twin_value = make_vjp(twin, args)
    values = value if several else (value,)
    dvalues = [rng.standard_normal(v.shape) for v in values]
    assert_allclose(np.concatenate([v.ravel() for v in values]), twin_value.ravel(), rtol=1e-12)
    gradient = pullback(*dvalues)
    gradient = gradient if isinstance(gradient, tuple) else (gradient,)
    flat = np.concatenate([d.ravel() for d in dvalues])
    expected = twin_vjp(flat if several else dvalues[0])
    for ours, theirs in zip(leaves(gradient), leaves(expected), strict=True):
        assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10 * max(1, np.abs(theirs).max()))


def to_float32(tree):
    def narrow(leaf):
        return leaf.astype(np.float32) if getattr(leaf, "dtype", None) == np.float64 else leaf

    return mapped(narrow, tree)


@rows(lambda op: not re.search("one_function|hunt", op.__module__))  # written for float64
def test_float32_stays_float32_and_close_to_float64(op, draw):
    rng = np.random.default_rng(0)
    args, constants = draw(rng)
    value, pullback = differentiable(op)(*args, **constants)
    narrow, narrow_pullback = differentiable(op)(*to_float32(args), **to_float32(constants))
    cotangents = [rng.standard_normal(v.shape) for v in leaves(value)]
    wide = leaves(value) + leaves(pullback(*cotangents))
    thin = leaves(narrow) + leaves(narrow_pullback(*to_float32(cotangents)))
    for a, b in zip(wide, thin, strict=True):
        assert b.dtype == np.float32
        assert a.shape == b.shape
        assert_allclose(b, a, atol=2e-5 * max(1, np.abs(a).max()))


@pytest.mark.parametrize("op", [ops.relu, ops.tanh, ops.sigmoid, ops.softplus, ops.swish])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activations_at_the_extremes(op, dtype):
    """Finite and on their asymptotes at ±1e4 and at subnormal numbers, without a warning."""
    tiny = np.finfo(dtype).smallest_subnormal
    a = np.array([-1e4, -100, -tiny, 0, tiny, 100, 1e4], dtype=dtype)
    y, pullback = op(a)
    da = pullback(np.ones_like(a))
    for array in (y, da):
        assert array.dtype == dtype
        assert np.isfinite(array).all()
    left, right = {"tanh": (-1, 1), "sigmoid": (0, 1)}.get(op.__name__, (0, 1e4))
    assert_array_equal(y[[0, -1]], np.array([left, right], dtype=dtype))
    slope = 0 if op.__name__ in ("tanh", "sigmoid") else 1
    assert_array_equal(da[[0, -1]], np.array([0, slope], dtype=dtype))


def test_unbroadcast_is_the_transpose_of_broadcasting():
    rng = np.random.default_rng(0)
    for shape, wide in [((3,), (2, 4, 3)), ((4, 1), (2, 4, 3)), ((1, 1), (5, 3)), ((), (2, 3))]:
        a, dy = rng.standard_normal(shape), rng.standard_normal(wide)
        da = ops.unbroadcast(dy, shape)
        assert da.shape == shape
        assert_allclose((da * a).sum(), (dy * np.broadcast_to(a, wide)).sum(), rtol=1e-12)


def test_embedding_of_a_one_hot_row_is_a_row_of_the_matrix():
    W = np.random.default_rng(0).standard_normal((4, 3))
    y, _ = networks.mlp({"W0": W}, np.eye(4)[[2, 0]])
    assert_array_equal(y, W[[2, 0]])


@pytest.mark.parametrize("activation", networks.ACTIVATIONS)
@pytest.mark.parametrize("kernels", [reference, numba_cpu])
def test_mlp_without_its_pullback_has_the_same_value(activation, kernels):
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(size=s) for name, s in networks.mlp_shapes((3, 5, 4, 2)).items()}
    x = rng.normal(size=(2, 6, 3))
    options = {"activation": activation, "kernels": kernels}
    y, nothing = networks.mlp(weights, x, pullback=False, **options)
    assert nothing is None
    assert_array_equal(y, networks.mlp(weights, x, **options)[0])


def test_mlp_writes_its_gradient_where_it_is_told():
    rng = np.random.default_rng(0)
    (weights, x), _ = EXAMPLES[networks.mlp][0](rng)
    y, pullback = networks.mlp(weights, x, activation="tanh")
    out = {name: np.full_like(w, np.nan) for name, w in weights.items()}
    dy = rng.standard_normal(y.shape)
    returned, _ = pullback(dy, out=out)
    assert returned is out
    for name, gradient in pullback(dy)[0].items():
        assert_array_equal(out[name], gradient)
    assert networks.mlp(weights, x, activation="tanh", input_gradient=False)[1](dy)[1] is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_negligible_beside_the_greatest_becomes_0(dtype):
    tiny = np.finfo(dtype).tiny
    cut = np.sqrt(tiny)
    d = np.array([[1, 0.9 * cut, -0.9 * cut], [1.1 * cut, -1.1 * cut, -0.5]], dtype)
    kept = without_negligible(d)
    assert kept.dtype == dtype
    assert_array_equal(kept, np.where([[1, 0, 0], [1, 1, 1]], d, 0))
    small = d * dtype(np.sqrt(tiny))  # all as small: nothing is negligible beside 0.1
    assert_array_equal(without_negligible(small) == 0, kept == 0)
    assert_array_equal(without_negligible(d[:0]), d[:0])
    assert_array_equal(without_negligible(np.zeros(3)), np.zeros(3))
    lost = np.array([np.nan, 1e-300, np.inf])  # a training that has diverged has to show
    assert_array_equal(np.isfinite(without_negligible(lost)), [False, True, False])
