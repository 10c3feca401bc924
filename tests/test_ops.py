"""One table of every (value, pullback) function, and one battery of laws for all of them."""

from dataclasses import dataclass, field
from functools import partial

import autograd.numpy as anp
import numpy as np
import pytest
from autograd.core import make_vjp
from hypothesis import given, settings
from hypothesis import strategies as st
from mmvae_edu.kernels import numba_cpu, reference
from numpy.testing import assert_allclose, assert_array_equal

from mmvae_edu import gaussian, laplace, likelihoods, networks, objectives, ops, posteriors
from mmvae_edu.gradcheck import check_pullback, complex_step

SIZES = {"M": 3, "K": 4, "N": 5, "D": 2, "P": 6, "H": 7}  # all distinct, so no axis is confused


@dataclass
class Op:
    """How to call an op, and the same mathematics in HIPS autograd (`twin`), if it has it."""

    op: callable
    args: callable  # (rng, sizes) → list of arguments to differentiate
    constants: callable = field(default=lambda rng, s: {})
    analytic: bool = True
    twin: callable = None  # (*args, **constants) → value


def normal(*shapes, scale=1.0):
    """Arguments of these shapes, named by letters: normal("KND", "ND")."""

    def draw(rng, s):
        return [scale * rng.standard_normal(tuple(s[letter] for letter in f)) for f in shapes]

    return draw


def constants(**shapes):
    def draw(rng, s):
        values = {}
        for name, shape in shapes.items():
            shape, kind = shape.split(":") if ":" in shape else (shape, "normal")
            shape = tuple(s[letter] for letter in shape)
            values[name] = KINDS[kind](rng, shape)
        return values

    return draw


def one_hot(rng, shape):
    return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]


def some(rng, shape):
    """A mask with at least one True in each column: (M, N)."""
    mask = rng.random(shape) < 0.5
    mask[rng.integers(0, shape[0], shape[1:]), np.arange(shape[1])] = True
    return mask


KINDS = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "binary": lambda rng, shape: rng.integers(0, 2, shape).astype(float),
    "counts": lambda rng, shape: rng.integers(0, 6, shape).astype(float),
    "one_hot": one_hot,
    "mask": lambda rng, shape: rng.random(shape) < 0.5,
    "some": some,
    "log_alpha": lambda rng, shape: posteriors.log_mixture_weights(some(rng, shape)),
}


def first_two(mu, log_var, *, mask=None):
    """The quotient's differentiable outputs."""
    (mean, joint_log_var, _), pullback = posteriors.quotient_of_experts(mu, log_var, mask=mask)
    return (mean, joint_log_var), pullback


def precise_experts(rng, s):
    """Experts more precise than the prior, so that their quotient is a density."""
    mu, log_var = normal("MND", "MND")(rng, s)
    return [mu, -np.abs(log_var) - 0.1]


def mlp_arguments(rng, s, shape="NP"):
    weights = {
        name: rng.standard_normal(size)
        for name, size in networks.mlp_shapes((s["P"], s["H"], s["D"], 3)).items()
    }
    return [weights, *normal(shape)(rng, s)]


def learnt(rng, s):
    return [{"raw_scale": rng.standard_normal(s["P"])}, *normal("KNP")(rng, s)]


def fixed(rng, s):
    return [{}, *normal("KNP")(rng, s)]


def of(likelihood, **options):
    """The log_prob of a likelihood over s["P"] features, whatever P is drawn."""

    def log_prob(weights, outputs, *, x):
        return likelihood(x.shape[-1], **options).log_prob(weights, outputs, x=x)

    return log_prob


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


def twin_quotient(mu, log_var, mask):
    return twin_product(mu, log_var, mask, prior=1.0 - mask.sum(0)[:, None])


def twin_mixture(z, mu, log_var, log_alpha):
    present = log_alpha > -np.inf
    density = anp.exp(twin_normal(z[None], mu[:, None], log_var[:, None]))
    weight = np.where(present, np.exp(log_alpha), 0.0)[:, None]
    return anp.log(anp.sum(weight * density, 0))


def twin_mixture_iwae(log_w, present):
    per_stratum = anp.log(anp.mean(anp.exp(log_w), 1))
    return anp.sum(present * per_stratum, 0) / present.sum(0)


def twin_stratified(log_w, present):
    K = log_w.shape[1]
    return anp.log(anp.sum(present[:, None] * anp.exp(log_w), (0, 1)) / (K * present.sum(0)))


def twin_ratio(z, mu, log_var):
    zero = anp.zeros(z.shape[-1])
    q = twin_normal(z, mu[..., None, :, :], log_var[..., None, :, :])
    return twin_normal(z, zero, zero) - q


def twin_closed(z, mu, log_var, closed_form):
    neg_kl = 0.5 * anp.sum(1 + log_var - mu**2 - anp.exp(log_var), -1)
    return anp.broadcast_to(neg_kl[..., None, :], z.shape[:-1]) + 0 * anp.sum(z)


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
    return kernel + np.vectorize(lambda k: np.log(likelihoods.comb(n, int(k))))(x).sum(-1)


def twin_mlp(weights, x, activation):
    act = {"tanh": anp.tanh, "swish": lambda a: a / (1 + anp.exp(-a))}[activation]
    h = act(anp.dot(x, weights["W0"]) + weights["b0"])
    h = act(anp.dot(h, weights["W1"]) + weights["b1"])
    return anp.dot(h, weights["W2"]) + weights["b2"]


def twin_learnt(density, factor):
    def twin(weights, outputs, x):
        gate = 1 / (1 + anp.exp(-weights["raw_scale"]))
        log_scale = anp.log(0.02) + anp.log(5 / 0.02) * gate
        return density(x, outputs, factor * log_scale)

    return twin


def log_weights(*shape):
    return normal(*shape, scale=3.0)


OPS = {
    "linear": Op(ops.linear, normal("NP", "PH", "H"), twin=lambda x, W, b: anp.dot(x, W) + b),
    "relu": Op(ops.relu, normal("NP"), analytic=False, twin=lambda a: anp.maximum(a, 0)),
    "tanh": Op(ops.tanh, normal("NP"), twin=anp.tanh),
    "sigmoid": Op(ops.sigmoid, normal("NP"), twin=lambda a: 1 / (1 + anp.exp(-a))),
    "softplus": Op(ops.softplus, normal("NP"), twin=lambda a: anp.log(1 + anp.exp(a))),
    "swish": Op(ops.swish, normal("NP"), twin=lambda a: a / (1 + anp.exp(-a))),
    **{
        f"{op.__name__} over axis {axis}": Op(
            partial(op, axis=axis),
            log_weights("MKN"),
            twin=(
                lambda a, axis=axis, shift=shift: twin_lse(a, axis) - shift * anp.log(a.shape[axis])
            ),
        )
        for op, shift in ((ops.log_sum_exp, 0), (ops.log_mean_exp, 1))
        for axis in (0, 1, -1)
    },
    "gaussian_log_prob": Op(
        gaussian.gaussian_log_prob, normal("KND", "ND", "ND"), twin=twin_normal
    ),
    "gaussian_log_prob, shared spread": Op(
        gaussian.gaussian_log_prob, normal("NP", "KNP", "P"), twin=twin_normal
    ),
    "standard_normal_log_prob": Op(
        gaussian.standard_normal_log_prob,
        normal("KND"),
        twin=lambda z: twin_normal(z, 0.0, anp.zeros(z.shape[-1])),
    ),
    "gaussian_sample": Op(
        gaussian.gaussian_sample,
        normal("ND", "ND"),
        constants(eps="KND"),
        twin=lambda mu, log_var, eps: mu + anp.exp(log_var / 2) * eps,
    ),
    "gaussian_sample of stacked terms": Op(
        gaussian.gaussian_sample, normal("MND", "MND"), constants(eps="MKND")
    ),
    "neg_kl_std_normal": Op(
        gaussian.neg_kl_std_normal,
        normal("ND", "ND"),
        twin=lambda mu, v: 0.5 * anp.sum(1 + v - mu**2 - anp.exp(v), -1),
    ),
    "kl_gauss": Op(gaussian.kl_gauss, normal("ND", "ND", "ND", "ND"), twin=twin_kl),
    "laplace_log_prob": Op(
        laplace.laplace_log_prob, normal("KND", "ND", "ND"), analytic=False, twin=twin_laplace
    ),
    "laplace_sample": Op(
        laplace.laplace_sample,
        normal("ND", "ND"),
        constants(eps="KND"),
        twin=lambda mu, s, eps: mu + anp.exp(s) * eps,
    ),
    "kl_laplace": Op(
        laplace.kl_laplace, normal("ND", "ND", "ND", "ND"), analytic=False, twin=twin_kl_laplace
    ),
    "bernoulli": Op(
        likelihoods.binomial_log_prob, normal("KNP"), constants(x="NP:binary"), twin=twin_binomial
    ),
    "binomial of 5": Op(
        partial(likelihoods.binomial_log_prob, n=5),
        normal("KNP"),
        constants(x="NP:counts"),
        twin=partial(twin_binomial, n=5),
    ),
    "categorical": Op(
        likelihoods.categorical_log_prob,
        normal("KNP"),
        constants(x="NP:one_hot"),
        twin=lambda l, x: anp.sum(x * l, -1) - twin_lse(l, -1),
    ),
    "Binomial.log_prob": Op(of(likelihoods.Binomial, n=5), fixed, constants(x="NP:counts")),
    "Categorical.log_prob": Op(of(likelihoods.Categorical), fixed, constants(x="NP:one_hot")),
    "Normal.log_prob": Op(of(likelihoods.Normal, scale=0.7), fixed, constants(x="NP")),
    "Normal.log_prob, learnt": Op(
        of(likelihoods.Normal, scale="learnt"),
        learnt,
        constants(x="NP"),
        twin=twin_learnt(twin_normal, 2),
    ),
    "Laplace.log_prob, learnt": Op(
        of(likelihoods.Laplace, scale="learnt"),
        learnt,
        constants(x="NP"),
        analytic=False,
        twin=twin_learnt(twin_laplace, 1),
    ),
    "product_of_experts": Op(
        posteriors.product_of_experts, normal("MND", "MND"), twin=twin_product
    ),
    "product_of_experts, masked": Op(
        posteriors.product_of_experts,
        normal("MND", "MND"),
        constants(mask="MN:mask"),
        twin=twin_product,
    ),
    "product_of_subsets": Op(
        posteriors.product_of_subsets,
        normal("MND", "MND"),
        constants(subsets="KMN:mask"),
        twin=twin_subsets,
    ),
    "quotient_of_experts": Op(
        first_two, precise_experts, constants(mask="MN:some"), twin=twin_quotient
    ),
    "mixture_log_prob": Op(
        posteriors.mixture_log_prob,
        normal("KND", "MND", "MND"),
        constants(log_alpha="MN:log_alpha"),
        twin=twin_mixture,
    ),
    "elbo": Op(objectives.elbo, log_weights("KN"), twin=lambda w: anp.mean(w, 0)),
    "iwae": Op(
        objectives.iwae,
        log_weights("KN"),
        twin=lambda w: twin_lse(w, 0) - anp.log(w.shape[0]),
    ),
    "mixture_elbo": Op(
        objectives.mixture_elbo,
        log_weights("MKN"),
        constants(present="MN:some"),
        twin=lambda w, present: anp.sum(present * anp.mean(w, 1), 0) / present.sum(0),
    ),
    "mixture_iwae": Op(
        objectives.mixture_iwae,
        log_weights("MKN"),
        constants(present="MN:some"),
        twin=twin_mixture_iwae,
    ),
    "mixture_iwae, all present": Op(objectives.mixture_iwae, log_weights("MKN")),
    "stratified_iwae": Op(
        objectives.stratified_iwae,
        log_weights("MKN"),
        constants(present="MN:some"),
        twin=twin_stratified,
    ),
    "stratified_iwae, all present": Op(objectives.stratified_iwae, log_weights("MKN")),
    "log_prior_ratio": Op(
        objectives.log_prior_ratio, normal("MKND", "MND", "MND"), twin=twin_ratio
    ),
    "log_prior_ratio, closed form": Op(
        objectives.log_prior_ratio,
        normal("MKND", "MND", "MND"),
        lambda rng, s: {"closed_form": True},
        twin=twin_closed,
    ),
    "mlp, tanh": Op(
        partial(networks.mlp, activation="tanh"),
        mlp_arguments,
        twin=partial(twin_mlp, activation="tanh"),
    ),
    "mlp, swish, stacked": Op(
        networks.mlp,
        partial(mlp_arguments, shape="MKNP"),
        twin=partial(twin_mlp, activation="swish"),
    ),
    "mlp, relu": Op(partial(networks.mlp, activation="relu"), mlp_arguments, analytic=False),
}
TWINS = [name for name, entry in OPS.items() if entry.twin]
OPS_BY_NAME = pytest.mark.parametrize("name", OPS)


def call(name, seed=0, sizes=SIZES):
    entry, rng = OPS[name], np.random.default_rng(seed)
    return entry, entry.args(rng, sizes), entry.constants(rng, sizes), rng


@OPS_BY_NAME
@settings(max_examples=8)
@given(sizes=st.tuples(*[st.integers(1, 4)] * len(SIZES)), seed=st.integers(0, 10**6))
def test_pullback_is_the_derivative(name, sizes, seed):
    """Also: linear in the cotangent, callable twice, inputs untouched, shapes and dtype kept."""
    entry, args, fixed, rng = call(name, seed, dict(zip(SIZES, sizes, strict=True)))
    check_pullback(entry.op, *args, rng=rng, **fixed)
    if entry.analytic:
        complex_step(entry.op, *args, rng=rng, **fixed)


@pytest.mark.parametrize("name", TWINS)
def test_agrees_with_another_librarys_gradient(name):
    entry, args, fixed, rng = call(name)
    value, pullback = entry.op(*args, **fixed)
    several = isinstance(value, tuple)

    def twin(packed):
        out = entry.twin(*packed, **fixed)
        return anp.concatenate([anp.ravel(v) for v in out]) if several else out

    twin_vjp, twin_value = make_vjp(twin, tuple(args))
    values = value if several else (value,)
    dvalues = [rng.standard_normal(v.shape) for v in values]
    assert_allclose(np.concatenate([v.ravel() for v in values]), twin_value.ravel(), rtol=1e-12)
    gradient = pullback(*dvalues)
    gradient = gradient if isinstance(gradient, tuple) else (gradient,)
    flat = np.concatenate([d.ravel() for d in dvalues])
    expected = twin_vjp(flat if several else dvalues[0])
    for ours, theirs in zip(leaves(gradient), leaves(expected), strict=True):
        assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10 * max(1, np.abs(theirs).max()))


def leaves(tree):
    if isinstance(tree, dict):
        return [leaf for name in sorted(tree) for leaf in leaves(tree[name])]
    if isinstance(tree, list | tuple):
        return [leaf for branch in tree for leaf in leaves(branch)]
    return [tree]


def to_float32(tree):
    if isinstance(tree, dict):
        return {name: to_float32(branch) for name, branch in tree.items()}
    if isinstance(tree, list | tuple):
        return [to_float32(branch) for branch in tree]
    is_float = getattr(tree, "dtype", None) == np.float64
    return tree.astype(np.float32) if is_float else tree


@OPS_BY_NAME
def test_float32_stays_float32_and_close_to_float64(name):
    entry, args, fixed, rng = call(name)
    value, pullback = entry.op(*args, **fixed)
    narrow, narrow_pullback = entry.op(*to_float32(args), **to_float32(fixed))
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
    _, (weights, x), _, rng = call("mlp, tanh")
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
    kept = ops.without_negligible(d)
    assert kept.dtype == dtype
    assert_array_equal(kept, np.where([[1, 0, 0], [1, 1, 1]], d, 0))
    small = d * dtype(np.sqrt(tiny))  # all as small: nothing is negligible beside 0.1
    assert_array_equal(ops.without_negligible(small) == 0, kept == 0)
    assert_array_equal(ops.without_negligible(d[:0]), d[:0])
    assert_array_equal(ops.without_negligible(np.zeros(3)), np.zeros(3))
    lost = np.array([np.nan, 1e-300, np.inf])  # a training that has diverged has to show
    assert_array_equal(np.isfinite(ops.without_negligible(lost)), [False, True, False])
