"""Every backend computes what the reference specifies, to 4 ulp of the terms it adds up."""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mmvae_edu.kernels import memory, reference
from mmvae_edu.kernels.arguments import arguments
from mmvae_edu.kernels.table import TABLE

from mmvae_edu import kernels, training
from mmvae_edu.gradcheck import check_pullback
from mmvae_edu.likelihoods import Binomial, Categorical
from mmvae_edu.measure.kernel_accuracy import OPS
from mmvae_edu.models import IWAE, MMVAE, MVAE
from mmvae_edu.ops import swish

ABSENT = {name: why for name, why in kernels.available().items() if isinstance(why, str)}
COMPILED = ["numba_cpu"]  # the GPU backends take no NumPy arrays: test_cuda_kernels.py
PRESENT = [kernels.available()[name] for name in COMPILED if name not in ABSENT]
SIZES = (1, 31, 32, 33, 257, 1000)
EXTREME = {np.float32: 80, np.float64: 700}


@pytest.fixture(params=COMPILED)
def backend(request):
    if request.param in ABSENT:
        pytest.skip(f"{request.param}: {ABSENT[request.param]}")
    return kernels.available()[request.param]


# A case draws the arguments of one function.  Its magnitudes, one array an output, are the sums of
# |terms|, where a term eᵃ counts 1 + |a| times: that is what rounding the exponent costs.


def product_of_experts(draw, M, K, N, D):
    mu, log_var, mask = draw.normal(M, N, D), draw.log_var(M, N, D), draw.mask(M, N)

    def magnitudes(mu, log_var, mask):
        mean, joint = reference.product_of_experts(mu, log_var, mask)
        mu, log_var = reference._present(mu, log_var, mask)
        share = np.exp(joint - log_var)
        exponent = share * (1 + np.where(share > 0, abs(joint - log_var), 0))
        drift = 1 + exponent.sum(axis=0)
        return (exponent * abs(mu)).sum(axis=0) + drift * (share * abs(mu)).sum(0), drift + abs(
            joint
        )

    return (mu, log_var, mask), magnitudes


def product_of_experts_vjp(draw, M, K, N, D):
    (mu, log_var, mask), _ = product_of_experts(draw, M, K, N, D)
    joint = reference.product_of_experts(mu, log_var, mask)
    args = (draw.normal(N, D), draw.normal(N, D), mu, log_var, mask, *joint)

    def magnitudes(dmean, djoint, mu, log_var, mask, mean, joint):
        mu, log_var = reference._present(mu, log_var, mask)
        share = np.exp(joint - log_var)
        share = share * (1 + np.where(share > 0, abs(joint - log_var), 0))
        return share * abs(dmean), share * (abs(djoint) + (abs(mu) + abs(mean)) * abs(dmean))

    return args, magnitudes


def importance_weights(draw, M, K, N, D):
    log_w = draw.normal(K, N) * draw.rng.choice([1, 10, 100])
    log_w[draw.rng.random((K, N)) < 0.1] = -np.inf
    log_w[:, draw.rng.random(N) < 0.1] = -np.inf

    def magnitudes(log_w):
        bound, weights = reference.importance_weights(log_w)
        exponent = np.where(weights > 0, abs(log_w - log_w.max(axis=0)), 0)
        drift = 1 + (weights * exponent).sum(axis=0)
        return drift + np.where(bound > -np.inf, abs(bound), 0) + np.log(K), weights * (
            drift + exponent
        )

    return (log_w.astype(draw.dtype),), magnitudes


def mixture_log_prob(draw, M, K, N, D):
    mask = draw.mask(M, N)
    mask = np.ones((M, N), bool) if mask is None else mask
    z, mu, log_var = draw.normal(K, N, D), draw.normal(M, N, D), draw.log_var(M, N, D)
    log_alpha = np.where(mask, -np.log(np.maximum(mask.sum(0), 1)), -np.inf).astype(draw.dtype)
    mu[~mask] = np.nan  # must not leak

    def magnitudes(z, mu, log_var, log_alpha):
        log_q, r = reference.mixture_log_prob(z, mu, log_var, log_alpha)
        mu, log_var = np.where(mask[..., None], (mu, log_var), 0)
        squared = (z - mu[:, None]) ** 2 * np.exp(-log_var)[:, None]
        terms = squared * (1 + abs(log_var[:, None])) + abs(log_var[:, None]) + 2
        score = terms.sum(axis=-1)
        total = 1 + (r * score).sum(axis=0)
        return total + np.where(np.isfinite(log_q), abs(log_q), 0), r * (score + total)

    return (z, mu, log_var, log_alpha), magnitudes


def mixture_log_prob_vjp(draw, M, K, N, D):
    (z, mu, log_var, log_alpha), _ = mixture_log_prob(draw, M, K, N, D)
    r = draw.rng.random((M, K, N)).astype(draw.dtype) * (log_alpha > -np.inf)[:, None]

    def magnitudes(dlog_q, r, z, mu, log_var):
        present = (r != 0).any(axis=1)[..., None]
        mu, log_var = np.where(present, (mu, log_var), 0)
        inverse_std = np.exp(-0.5 * log_var)[:, None]
        s, cost = abs(z - mu[:, None]) * inverse_std, 1 + abs(log_var[:, None])
        w = abs(dlog_q * r)[..., None]
        dmu = w * s * inverse_std * cost
        return dmu.sum(axis=0), dmu.sum(axis=1), (w * (s * s * cost + 1)).sum(axis=1)

    return (draw.normal(K, N), r, z, mu, log_var), magnitudes


def binomial_log_prob(draw, M, K, N, D):
    n = int(draw.rng.choice([1, 16]))
    logits = draw.normal(K, N, D) * draw.rng.choice([1, 30, EXTREME[draw.dtype]])
    x = draw.rng.integers(0, n + 1, (N, D)).astype(draw.dtype)

    def magnitudes(logits, x, n):
        return (abs(x * logits) + n * reference.softplus(logits)).sum(axis=-1)

    return (logits.astype(draw.dtype), x, n), magnitudes


def binomial_log_prob_vjp(draw, M, K, N, D):
    args, _ = binomial_log_prob(draw, M, K, N, D)

    def magnitudes(dlog_p, logits, x, n):
        return abs(dlog_p)[..., None] * (n * reference.sigmoid(logits) + x)

    return (draw.normal(K, N), *args), magnitudes


def bias_activation_vjp(draw, M, K, N, D):
    def magnitudes(dy, slope):
        return abs(dy * slope), abs(dy * slope).sum(axis=(0, 1))

    return (draw.normal(K, N, D), draw.normal(K, N, D)), magnitudes


CASES = {
    case.__name__: case
    for case in (
        product_of_experts, product_of_experts_vjp, importance_weights, mixture_log_prob,
        mixture_log_prob_vjp, binomial_log_prob, binomial_log_prob_vjp, bias_activation_vjp,
    )
}  # fmt: skip


class Draw:
    """Random arguments of one dtype, with absent rows, extreme and subnormal variances."""

    def __init__(self, seed, dtype, masked=True, extreme=False):
        self.rng, self.dtype = np.random.default_rng(seed), dtype
        self.masked, self.extreme = masked, extreme

    def normal(self, *shape):
        return self.rng.standard_normal(shape).astype(self.dtype)

    def log_var(self, *shape):
        log_var = self.normal(*shape)
        if self.extreme:
            log_var = self.rng.choice([-1, 1], size=shape) * EXTREME[self.dtype]
        return log_var.astype(self.dtype)

    def mask(self, M, N):
        if not self.masked:
            return None
        mask = self.rng.random((M, N)) < 0.7
        mask[:, self.rng.random(N) < 0.2] = False
        return mask


def wide(args):
    """Floats in the longest arithmetic that NumPy has here; masks and counts as they are."""
    real = [isinstance(a, np.ndarray) and a.dtype.kind == "f" for a in args]
    return [a.astype(np.longdouble) if r else a for a, r in zip(args, real, strict=True)]


def outputs(backend, name, args):
    """The outputs of a kernel, always a tuple."""
    found = getattr(backend, name)(*args)
    return found if isinstance(found, tuple) else (found,)


def check_parity(backend, name, draw, shape):
    """got = the reference in longer arithmetic, to 4 ulp of the magnitudes of the terms."""
    args, magnitudes = CASES[name](draw, *shape)
    limits = np.finfo(draw.dtype)
    outputs = getattr(backend, name)(*args)
    with np.errstate(all="ignore"):
        expected, allowed = getattr(reference, name)(*wide(args)), magnitudes(*wide(args))
    if not isinstance(outputs, tuple):
        outputs, expected, allowed = (outputs,), (expected,), (allowed,)
    for got, want, size in zip(outputs, expected, allowed, strict=True):
        assert got.dtype == draw.dtype
        assert got.shape == want.shape
        beyond = abs(want) > limits.max  # overflows in this dtype
        finite = np.isfinite(want) & ~beyond
        np.testing.assert_array_equal(got[~finite & ~beyond], want[~finite & ~beyond])
        error = abs(got - np.where(finite, want, 0))[finite]
        subnormal = (
            32 * shape[-1] * limits.tiny
        )  # such an exponential may become 0; it counts n times
        assert (error <= (4 * limits.eps * size)[finite] + subnormal).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
@given(
    seed=st.integers(0, 2**32 - 1), M=st.integers(1, 19), K=st.integers(1, 40),
    N=st.sampled_from(SIZES), D=st.sampled_from((1, 3, 16, 33)), masked=st.booleans(),
)  # fmt: skip
@example(seed=0, M=1, K=5000, N=33, D=1, masked=True)
@example(seed=0, M=1, K=2, N=31, D=300, masked=True)
@example(seed=1, M=1, K=2, N=3, D=7000, masked=False)
@settings(max_examples=12, deadline=None, derandomize=True)
def test_parity(name, dtype, seed, M, K, N, D, masked):
    if M * K * N * D > 2_000_000:
        K = 1
    for backend in PRESENT:
        check_parity(backend, name, Draw(seed, dtype, masked), (M, K, N, D))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_parity_at_extremes(backend, name, dtype):
    """log_var of ±80 in float32 and ±700 in float64, and rows without an expert."""
    for seed in range(3):
        check_parity(backend, name, Draw(seed, dtype, seed < 2, extreme=True), (5, 7, 33, 16))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_strides_do_not_matter(backend, name, dtype):
    args, _ = CASES[name](Draw(5, dtype), 3, 4, 31, 5)
    strided = [np.repeat(a, 2, axis=-1)[..., ::2] if isinstance(a, np.ndarray) else a for a in args]
    f = getattr(backend, name)
    both = [out if isinstance(out, tuple) else (out,) for out in (f(*strided), f(*args))]
    for got, want in zip(*both, strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinities_and_nan_as_the_reference(backend, dtype):
    inf, nan, tiny = np.inf, np.nan, np.finfo(dtype).smallest_subnormal
    values = np.array([inf, -inf, nan, 0, 1, tiny, -tiny, np.finfo(dtype).max], dtype)
    log_w = np.stack(np.meshgrid(values, values)).reshape(2, -1)
    log_var = np.array([inf, -inf, nan, 0, 1, tiny], dtype)
    log_var = np.stack(np.meshgrid(log_var, log_var))
    mu = np.full_like(log_var, 2)
    z, ones = mu[:1], np.ones((8, 1), dtype)
    close = {"rtol": 4 * np.finfo(dtype).eps, "atol": 4 * np.finfo(dtype).tiny}
    with np.errstate(all="ignore"):
        for name, args in (
            ("importance_weights", (log_w,)),
            ("product_of_experts", (mu, log_var)),
            ("mixture_log_prob", (z, mu, log_var, np.zeros((2, 6), dtype))),
            ("binomial_log_prob", (values[:, None], ones)),
            ("binomial_log_prob_vjp", (ones[:, 0], values[:, None], ones)),
        ):
            both = zip(outputs(backend, name, args), outputs(reference, name, args), strict=True)
            for got, want in both:
                np.testing.assert_allclose(got, want, **close, err_msg=name)


@pytest.mark.parametrize("large", [1e5, 1e30])
@pytest.mark.parametrize("P", [9, 63, 64, 255, 256, 300, 7000])
def test_a_large_logit_that_is_right_leaves_the_others(backend, P, large):
    """x·l − n·max(l, 0) is 0 there: added one by one, the two would round all else away."""
    logits, n = np.zeros((2, P), np.float32), 3.0
    logits[0, ::5], logits[1, ::5] = large, -large
    x = np.where(logits > 0, n, 0).astype(np.float32)
    expected = -n * np.log(2) * (logits == 0).sum(axis=-1)
    for module in backend, reference:
        found = module.binomial_log_prob(logits, x, n)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(("dtype", "P"), [(np.float32, 20_000), (np.float64, 150_000)])
def test_even_chances_do_not_overflow_a_product(backend, dtype, P):
    """One logarithm serves many factors, which are 2 here: too many of them would be ∞."""
    logits, x = np.zeros((2, 1, P), dtype)
    np.testing.assert_allclose(backend.binomial_log_prob(logits, x), -P * np.log(2), rtol=1e-5)


@pytest.mark.parametrize("junk", [np.nan, np.inf, -np.inf])
def test_what_stands_under_a_mask_does_not_matter(backend, junk):
    rng = np.random.default_rng(3)
    mu, log_var, z = rng.standard_normal((3, 3, 19, 4))
    mask = rng.random((3, 19)) < 0.5
    mask[:, 2] = False
    log_alpha, dy = np.where(mask, -1.0, -np.inf), rng.standard_normal((2, 19, 4))
    results = []
    for hidden in (0.0, junk):
        mu_, log_var_ = (np.where(mask[..., None], a, hidden) for a in (mu, log_var))
        value = backend.product_of_experts(mu_, log_var_, mask)
        vjp = backend.product_of_experts_vjp(*dy, mu_, log_var_, mask, *value)
        mixture = backend.mixture_log_prob(z, mu_, log_var_, log_alpha)
        mixture_vjp = backend.mixture_log_prob_vjp(z[..., 0], mixture[1], z, mu_, log_var_)
        assert (np.array([*vjp, *mixture_vjp[1:]])[:, ~mask] == 0).all()
        assert (np.array(value)[:, 2] == 0).all()  # all masked: the prior
        assert (mixture[0][:, 2] == -np.inf).all()
        results.append((*value, *vjp, *mixture, *mixture_vjp))
    for seen, unseen in zip(*results, strict=True):
        np.testing.assert_array_equal(seen, unseen)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bias_swish_is_swish_and_its_derivative(backend, dtype):
    draw = Draw(8, dtype)
    a, b = draw.normal(7, 33, 5) * 20, draw.normal(5)
    y, slope = backend.bias_swish(a, b)
    with np.errstate(under="ignore"):
        want, swish_pullback = swish((a + b).astype(np.longdouble))
        dy = swish_pullback(np.ones_like(want))
    eps = np.finfo(dtype).eps
    assert y.dtype == slope.dtype == dtype
    assert (abs(y - want) <= 4 * eps * (1 + abs(want))).all()
    assert (abs(slope - dy) <= 4 * eps * (1 + abs(want))).all()
    for order in "CF":
        rows = np.asarray(a.reshape(-1, 5), order=order)
        alone, nothing = backend.bias_swish(rows, b, slope=False)
        assert nothing is None
        np.testing.assert_array_equal(alone.reshape(a.shape), y)
        np.testing.assert_array_equal(rows, a.reshape(-1, 5))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_adam_step_over_many_steps(backend, dtype):
    states = [[np.ones(257, dtype), np.zeros(257, dtype), np.zeros(257, dtype)] for _ in range(2)]
    rng = np.random.default_rng(0)
    for step in range(1, 51):
        grad = rng.standard_normal(257).astype(dtype)
        for module, (theta, m, v) in zip((backend, reference), states, strict=True):
            module.adam_step(theta, grad, m, v, step=step, learning_rate=0.01)
    for got, want in zip(*states, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=20 * np.finfo(dtype).eps)
    assert not np.allclose(states[0][0], 1, atol=0.01)


# ---- the table, and the functions without checks ----

FOLDER = Path(kernels.__file__).parent
PLACES = {  # files → how a kernel begins there
    "reference.py": r"^def ([a-z]\w*)\(",
    "_numba_*.py": r"^def (\w+)\(\s*start, stop",
    "*.cu": r"__global__ void (?:__launch_bounds__\(.*\) )?(\w+)\(",
    "_cuda_*.py": r"^@cuda\.jit\ndef (\w+)\(",
}
VARIANT = r"_v\d+(_[a-z]+)?$|_(naive|tiled)$|(_value)?_by_columns$|_(of_blocks|joined|scaled)$"
HELPERS = {"log_sum_exp_and_weights", "pairwise_sum", "sigmoid", "softplus", "matmul"}
TESTED_ALONE = {"adam_step"}


def differences(table):
    """A sentence for each kernel that a backend or the table lacks."""
    for place, pattern in PLACES.items():
        text = "".join(path.read_text("utf-8") for path in sorted(FOLDER.glob(place)))
        names = re.findall(pattern, text, re.MULTILINE)
        found = {re.sub(VARIANT, "", name) for name in names} - HELPERS
        wanted = {name for name, row in table.items() if row.grid or "cu" not in place}
        yield from (f"{name}: no kernel in {place}" for name in sorted(wanted - found))
        yield from (f"{name}: in {place}, but not in the table" for name in sorted(found - wanted))


def test_every_backend_and_the_table_have_the_same_kernels():
    assert not list(differences(TABLE)), "; ".join(differences(TABLE))
    fewer = {name: row for name, row in TABLE.items() if name != "adam_step"}
    assert list(differences(fewer)) == [f"adam_step: in {p}, but not in the table" for p in PLACES]
    more = TABLE | {"another": TABLE["adam_step"]}
    assert list(differences(more)) == [f"another: no kernel in {p}" for p in PLACES]
    for backend in PRESENT:
        for name in [*TABLE, "matmul"]:
            assert callable(getattr(backend, name)), name
            assert callable(getattr(backend.unchecked, name)), name


def test_every_kernel_is_compared_with_the_reference_or_with_50_digits():
    missing = set(TABLE) - set(CASES) - set(OPS) - TESTED_ALONE
    assert not missing, f"neither in oracles/fifty_digits.py nor in CASES: {sorted(missing)}"


def models():
    image, label = Binomial(6, n=16), Categorical(3)
    options = {"latent": 3, "hidden": (5,)}
    pair = {"image": image, "label": label}
    yield MVAE(pair, **options), True
    yield MMVAE(pair, **options), True
    yield MMVAE(pair, objective="stratified", **options), True
    yield IWAE({"image": image}, **options), False


EVERY_MODEL = pytest.mark.parametrize(("model", "masked"), list(models()))


def setting(model, masked, dtype=np.float64):
    """Parameters, data, a mask and noise for a model."""
    rng = np.random.default_rng(2)
    N, K, M = 9, 4, len(model.modalities)
    x = {"image": rng.integers(0, 17, (N, 6)), "label": np.eye(3)[rng.integers(0, 3, N)]}
    x = {name: x[name].astype(dtype) for name in model.modalities}
    mask = np.ones((M, N), bool)
    mask[0, :3] = mask[-1, 3:5] = not masked
    theta = model.init(rng, np.float64)
    theta += 0.1 * rng.standard_normal(theta.shape)
    noise = model.draw_noise(rng, N, K, np.float64)
    return theta.astype(dtype), x, mask, {name: a.astype(dtype) for name, a in noise.items()}


@EVERY_MODEL
def test_a_model_has_the_same_bound_and_a_right_gradient(backend, model, masked):
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 2e-5)):
        bounds, gradients = [], []
        theta, x, mask, noise = setting(model, masked, dtype)
        for model.kernels in (reference, backend):
            bound, pullback = model.bound(theta, x, mask=mask, **noise)
            bounds.append(bound)
            gradients.append(pullback(np.ones_like(bound)))
        np.testing.assert_allclose(*bounds, rtol=tolerance)
        np.testing.assert_allclose(*gradients, rtol=0, atol=tolerance * abs(gradients[0]).max())

    def bound(theta, *, x, mask, **noise):
        return model.bound(theta, x, mask=mask, **noise)

    theta, x, mask, noise = setting(model, masked)
    check_pullback(bound, theta, rng=np.random.default_rng(2), x=x, mask=mask, **noise)


@EVERY_MODEL
def test_a_training_step_calls_no_check(backend, model, masked):
    theta, x, mask, noise = setting(model, masked)
    batch, model.kernels = model.checked_batch(theta, x, mask)[0], None
    state = training.State(theta, np.zeros_like(theta), np.zeros_like(theta), np.arange(batch.size))
    gradient, files = training.gradient_of(model.bound, theta, batch.size), Counter()

    def count(frame, event, _):
        files[Path(frame.f_code.co_filename).name] += event == "call"

    for profile in None, count:  # the first step compiles
        sys.setprofile(profile)
        try:
            training.ascend(model, gradient, state, batch, 0.01, beta=1.0, **noise)
        finally:
            sys.setprofile(None)
    assert files["numba_cpu.py"] > 0
    assert files["_inputs.py"] == 0


@EVERY_MODEL
def test_what_the_library_makes_would_pass_the_checks(backend, model, masked):
    """It calls a backend without `unchecked`, as a user's own may be, with the same arrays."""
    theta, x, mask, noise = setting(model, masked)
    checked = SimpleNamespace(**{name: getattr(backend, name) for name in [*TABLE, "matmul"]})
    for objective in "bound", "doubly_reparameterised":
        found = []
        for model.kernels in backend, checked:
            if hasattr(model, objective):
                bound, pullback = getattr(model, objective)(theta, x, mask=mask, **noise)
                found += [bound, pullback(np.ones_like(bound))]
        for once, again in zip(found[:2], found[2:], strict=True):
            np.testing.assert_array_equal(once, again)


@EVERY_MODEL
def test_numbers_of_numpy_do_not_widen_a_step(backend, model, masked):
    theta, x, mask, noise = setting(model, masked, np.float32)
    model.kernels, gradients = backend, []
    for beta in 0.5, np.float64(0.5), np.array(0.5):
        bound, pullback = model.bound(theta, x, mask=mask, beta=beta, **noise)
        gradients += [pullback(np.ones(9)), pullback(np.ones(()))]
        assert bound.dtype == np.float32
    for gradient in gradients:
        np.testing.assert_array_equal(gradient, gradients[0])
    with pytest.raises(ValueError, match="broadcast"):
        pullback(np.ones(8))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("importance_weights", {0: np.ones((3, 2), int)}, "log_w: expected float32 or float64"),
        ("importance_weights", {0: np.ones(3)}, "expected shape .K, N., found .3,."),
        ("importance_weights", {0: np.ones((0, 3))}, "at least one sample"),
        ("importance_weights", {0: np.ones((3, 2), complex)}, "kernels.reference"),
        ("importance_weights", {0: [[1.0]]}, "takes (numpy|cupy) arrays, found builtins.list"),
        ("product_of_experts", {1: np.ones((3, 31, 4))}, "log_var: expected shape .3, 31, 5."),
        ("product_of_experts", {1: np.ones((3, 31, 5), np.float32)}, "expected float64, found"),
        ("product_of_experts", {2: np.ones((31, 3), bool)}, "mask: expected shape .3, 31."),
        ("product_of_experts", {2: np.ones((3, 31), int)}, "mask: expected bool, found int64"),
        ("mixture_log_prob", {3: np.ones((31, 3))}, "log_alpha: expected shape"),
        ("mixture_log_prob", {1: np.ones((0, 31, 5))}, "at least one expert, found M = 0"),
        (
            "binomial_log_prob",
            {1: np.ones((30, 5))},
            "shape .…, 30, 5. as x, found",
        ),
        ("binomial_log_prob_vjp", {0: np.ones((3, 31))}, "dlog_p: expected shape .4, 31., found"),
        ("binomial_log_prob", {2: None}, "n: expected a positive number, found None"),
        ("binomial_log_prob", {2: -1}, "n: expected a positive number, found -1"),
    ],
)
def test_bad_input_gets_one_sentence(backend, name, change, message):
    args, _ = CASES[name](Draw(0, np.float64), 3, 4, 31, 5)
    args = [change.get(i, arg) for i, arg in enumerate(args)]
    with pytest.raises((TypeError, ValueError), match=message) as problem:
        getattr(backend, name)(*args)
    assert "\n" not in str(problem.value)


WITH_OUTPUTS = [name for name, row in TABLE.items() if row.outputs]


def call_and_outputs(name, dtype=np.float64):
    """Arguments of a kernel, and arrays of NaN for its outputs, in order."""
    args = arguments(
        name, dict(zip("KLMNDPH", range(2, 9), strict=True)), Draw(6, dtype).rng, dtype
    )
    found = getattr(reference, name)(*args)
    found = found if isinstance(found, tuple) else (found,)
    return args, [np.full_like(array, np.nan) for array in found]


def as_out(outputs):
    return tuple(outputs) if len(outputs) > 1 else outputs[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", WITH_OUTPUTS)
def test_outputs_are_written_to_out(backend, name, dtype):
    args, outputs = call_and_outputs(name, dtype)
    for functions in backend, backend.unchecked:
        expected = getattr(functions, name)(*args)
        returned = getattr(functions, name)(*args, out=as_out(outputs))
        returned, expected = (v if isinstance(v, tuple) else (v,) for v in (returned, expected))
        for got, want, array in zip(returned, expected, outputs, strict=True):
            assert got is array
            np.testing.assert_array_equal(got, want)
            array[:] = np.nan


def read_only(array):
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda array: array.astype(np.float32),
            "expected float64 of shape .*, found float32",
        ),
        (lambda array: array[..., :-1], "expected float64 of shape .*, found float64 of"),
        (lambda array: np.repeat(array, 2, axis=-1)[..., ::2], "contiguous.*, found strides"),
        (lambda array: read_only(array), "writable.*, found a read-only"),
        (lambda array: array.tolist(), "takes numpy arrays, found builtins.list"),
    ],
)
@pytest.mark.parametrize("name", WITH_OUTPUTS)
def test_a_bad_out_gets_one_sentence(backend, name, change, message):
    args, outputs = call_and_outputs(name)
    outputs[-1] = change(outputs[-1])
    with pytest.raises((TypeError, ValueError), match=f"^out, .*{message}") as problem:
        getattr(backend, name)(*args, out=as_out(outputs))
    assert "\n" not in str(problem.value)
    assert all(np.isnan(array).all() for array in outputs[:-1])


@pytest.mark.parametrize("name", WITH_OUTPUTS)
def test_out_has_memory_of_its_own(backend, name):
    args, outputs = call_and_outputs(name)
    shared = np.zeros(max(array.size for array in [*args, *outputs] if array is not None) + 1)
    i = next(i for i, array in enumerate(args) if array is not None)
    args[i] = shared[: args[i].size].reshape(args[i].shape)
    outputs[0] = shared[1 : outputs[0].size + 1].reshape(outputs[0].shape)
    with pytest.raises(ValueError, match="memory of its own, found that of the input"):
        getattr(backend, name)(*args, out=as_out(outputs))


@pytest.mark.parametrize(
    ("name", "out", "message"),
    [
        (
            "importance_weights",
            (np.ones(3),),
            "a tuple of 2 arrays, bound, weights, found a",
        ),
        ("importance_weights", np.ones(3), "a tuple of 2 arrays, .*, found ndarray"),
        ("binomial_log_prob", (np.ones(3),), "one array, found a tuple of 1"),
        ("adam_step", np.ones(3), "none, found ndarray"),
    ],
)
def test_as_many_outs_as_outputs(backend, name, out, message):
    lengths = dict.fromkeys([*"KLNP", "size"], 3)
    args = arguments(name, lengths, np.random.default_rng(6), np.float64)
    options = {"step": 1, "learning_rate": 0.1} if name == "adam_step" else {}
    with pytest.raises(ValueError, match=f"^out: {name} expected {message}"):
        getattr(backend, name)(*args, out=out, **options)


def test_adam_refuses_a_view_it_cannot_update():
    theta = np.ones(8)[::2]
    with pytest.raises(ValueError, match="theta: .*contiguous"):
        kernels.best(np.ones(1)).adam_step(*[theta] * 4, step=1, learning_rate=0.1)


@pytest.mark.parametrize("step", [0, -1, np.int64(0)])
def test_adam_counts_from_1(backend, step):
    for module in backend, reference:
        arrays = [np.ones(3) for _ in range(4)]
        with pytest.raises(ValueError, match="step: expected a count from 1 on, found"):
            module.adam_step(*arrays, step=step, learning_rate=0.1)
        assert all((array == 1).all() for array in arrays)


def test_no_expert_and_no_feature(backend):
    mean, log_var = np.ones((0, 4, 3)), np.ones((0, 4, 3))
    for module in backend, reference:
        for output in module.product_of_experts(mean, log_var):
            np.testing.assert_array_equal(output, np.zeros((4, 3)))
        nothing = np.ones((2, 4, 0)), np.ones((4, 0))
        value = module.binomial_log_prob(*nothing)
        assert module.binomial_log_prob_vjp(value, *nothing).shape == (2, 4, 0)
        np.testing.assert_array_equal(value, np.zeros((2, 4)))


def test_a_numpy_count_keeps_the_dtype(backend):
    logits, x = np.zeros((4, 3), np.float32), np.ones((4, 3), np.float32)
    for module in backend, reference:
        assert module.binomial_log_prob(logits, x, np.int64(7)).dtype == np.float32


@pytest.mark.skipif("numba_cpu" in ABSENT, reason="needs numba_cpu")
def test_a_thread_may_outlive_the_script():
    """Python starts no threads by then, so that the work is done by the one that is there."""
    code = (
        "import threading, time, numpy as np\n"
        "from mmvae_edu.kernels import numba_cpu, reference\n"
        "log_w = np.random.default_rng(0).normal(size=(50, 40_000))\n"
        "def late():\n"
        "    threading.main_thread().join()\n"
        "    bound, _ = numba_cpu.importance_weights(log_w)\n"
        "    print(np.allclose(bound, reference.importance_weights(log_w)[0]))\n"
        "threading.Thread(target=late).start()\n"
    )
    assert run(code) == "True\n"


def test_two_python_threads_at_once(backend):
    draw = Draw(0, np.float32)
    cases = {name: CASES[name](draw, 3, 50, 1000, 8)[0] for name in CASES}
    expected = {name: getattr(backend, name)(*args) for name, args in cases.items()}
    problems = []

    def hammer():
        for name, args in 5 * list(cases.items()):
            same = np.array_equal(
                np.ravel(getattr(backend, name)(*args)[0]), np.ravel(expected[name][0]), True
            )
            problems.extend([] if same else [name])

    threads = [threading.Thread(target=hammer) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


@pytest.mark.skipif("numba_cpu" in ABSENT, reason="needs numba_cpu")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exp_is_as_accurate_as_it_says(dtype):
    """Both within 1.1 ulp, wherever the result is normal and `exp_low` is for."""
    from mmvae_edu.kernels._numba_arithmetic import compiled, exp, exp_low

    @compiled()
    def both(x, high, low):
        for i in range(len(x)):
            high[i], low[i] = exp(x[i]), exp_low(x[i])

    least, most = np.log(np.finfo(dtype).tiny), {np.float32: 88, np.float64: 709}[dtype]
    x = np.random.default_rng(0).uniform(0.999 * least, most, 300_000).astype(dtype)
    exact = np.exp(x.astype(np.longdouble))
    for found in both_of(both, x):
        assert (abs(found - exact) / np.spacing(exact.astype(dtype))).max() <= 1.1


def both_of(both, x):
    high, low = np.empty_like(x), np.empty_like(x)
    both(x, high, low)
    return high, low


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120
    ).stdout


def test_best_backend_and_what_importing_brings():
    assert kernels.best(np.ones(2)).__name__.endswith("numba_cpu")
    assert kernels.best(np.ones(2, np.float32)).__name__.endswith("numba_cpu")
    for array in (np.ones(2, complex), np.ones(2, int), [1.0]):
        assert kernels.best(array) is reference
    code = "import sys, mmvae_edu.models; print({'numba', 'cupy', 'torch'} & set(sys.modules))"
    assert run(code) == "set()\n"


@pytest.mark.slow
def test_without_a_folder_for_the_cache():
    run(
        "from numba.core.caching import CacheImpl\n"
        "CacheImpl._locator_classes = []\n"
        "import numpy as np\n"
        "from mmvae_edu.kernels import numba_cpu\n"
        "assert numba_cpu.importance_weights(np.zeros((4, 3)))[1][0, 0] == 0.25\n"
    )


@pytest.fixture
def cached_swish(tmp_path):
    """A copy of the kernels, and code that prints its cache hits as it compiles one function."""
    copy = shutil.copytree(os.path.dirname(kernels.__file__), tmp_path / "copied")
    shutil.rmtree(copy / "__pycache__", ignore_errors=True)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from copied._numba_loops import swish\n"
        "swish(1.0, 1.0)\n"
        "print(sum(swish.stats.cache_hits.values()))\n"
    )
    assert [run(code), run(code)] == ["0\n", "1\n"]
    return copy, code


@pytest.mark.slow
def test_a_damaged_cache_is_compiled_anew(cached_swish):
    copy, code = cached_swish
    (path,) = copy.glob("__pycache__/*swish*.nbc")
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for damaged in b"", whole[:-1], bytes(flipped):
        path.write_bytes(damaged)
        assert [run(code), run(code)] == ["0\n", "1\n"], len(damaged)
    path.unlink()
    path.mkdir()
    assert [run(code), run(code)] == ["0\n", "0\n"]


@pytest.mark.slow
def test_the_process_that_compiles_and_those_that_read_the_cache_give_the_same_bits(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    code = (
        "import numpy as np\n"
        "from mmvae_edu.kernels import numba_cpu\n"
        "z, mu, log_var = np.random.default_rng(0).normal(size=(3, 9, 37, 37))\n"
        "log_q, r = numba_cpu.mixture_log_prob(z, mu, log_var, np.zeros((9, 37)))\n"
        "print(log_q.tobytes().hex(), r.tobytes().hex())\n"
    )
    assert run(code) == run(code)


@pytest.mark.slow
def test_the_cache_notices_a_change_of_any_file_that_is_compiled(cached_swish):
    copy, code = cached_swish
    for file in copy.glob("_numba_*.py"):
        file.write_text(file.read_text() + "# changed\n")
        assert [run(code), run(code)] == ["0\n", "1\n"], file.name


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_gets_threads_of_its_own():
    run(
        "import os, numpy as np\n"
        "from mmvae_edu.kernels import numba_cpu\n"
        "log_w = np.zeros((1000, 1000), np.float32)\n"
        "numba_cpu.importance_weights(log_w)\n"
        "child = os.fork()\n"
        "numba_cpu.importance_weights(log_w)\n"
        "child or os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
    )


# ---- what only numba_cpu does ----


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("overwrite", [False, True])
def test_matrices_stored_by_columns_stay_so(backend, dtype, overwrite):
    draw = Draw(9, dtype)
    a, dy, b = draw.normal(33, 7), draw.normal(33, 7), draw.normal(7)
    (y, slope), (da, db) = backend.bias_swish(a, b), reference.bias_activation_vjp(dy, a)
    turned, turned_dy = np.asfortranarray(a), np.asfortranarray(dy)
    found = backend.bias_swish(turned.copy("F"), b, overwrite_a=overwrite)
    for got, want in zip(found, (y, slope), strict=True):
        assert got.flags.fnc
        np.testing.assert_array_equal(got, want)
    for order in "CF":
        args = dy.copy(order), np.asarray(a, order=order)
        got_da, got_db = backend.bias_activation_vjp(*args, overwrite_dy=overwrite)
        np.testing.assert_array_equal(got_da, da)
        size = abs(da).sum(axis=0)
        assert (abs(got_db - db) <= 4 * np.finfo(dtype).eps * size).all()
        assert overwrite or (args[0] == dy).all()
    assert (turned == a).all()
    assert (turned_dy == dy).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_mean_gradient_of_a_dead_unit_becomes_0_and_not_subnormal(backend, dtype):
    """A training that has diverged still shows: NaN stays."""
    tiny = np.finfo(dtype).tiny
    theta, grad, v = (np.zeros(4, dtype) for _ in range(3))
    m, grad[3] = np.array([0.5 * tiny, -tiny, 2 * tiny, 1], dtype), np.nan
    v[:2] = 1.0005 * tiny, 1.5 * tiny
    backend.adam_step(theta, grad, m, v, step=5, learning_rate=0.1)
    np.testing.assert_allclose(v, np.array([0, 1.4985 * tiny, 0, np.nan], dtype), rtol=1e-6)
    np.testing.assert_allclose(m, np.array([0, 0, 1.8 * tiny, np.nan], dtype), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_log_weights_give_that_very_bound(backend, dtype):
    """With the exact posterior every log-weight is log p(x), and so is the bound."""
    for K in (1, 2, 3, 4, 5, 64):
        log_w = np.full((K, 5), -123.456, dtype)
        bound, weights = backend.importance_weights(log_w)
        np.testing.assert_allclose(bound, log_w[0], rtol=2 * np.finfo(dtype).eps)
        np.testing.assert_array_equal(weights, dtype(1) / dtype(K))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rise", [1e-4, 0.24, 0.26, 3.0])
def test_rising_log_weights_lose_no_digits(backend, dtype, rise):
    """The worst order for sums whose shift follows the greatest entry so far."""
    log_w = (rise * np.arange(5000, dtype=dtype)[:, None] * np.ones(3, dtype)).astype(dtype)
    bound, weights = backend.importance_weights(log_w)
    want, want_weights = reference.importance_weights(log_w.astype(np.longdouble))
    eps, exponent = np.finfo(dtype).eps, abs(log_w - log_w.max())
    drift = 1 + (want_weights * exponent).sum(axis=0)
    assert (abs(bound - want) <= 4 * eps * (drift + abs(want) + np.log(5000))).all()
    tiny = np.finfo(dtype).tiny
    assert (abs(weights - want_weights) <= 4 * eps * want_weights * (drift + exponent) + tiny).all()


@pytest.mark.skipif(not hasattr(memory._glibc(), "mallopt"), reason="needs glibc")
def test_kept_pages_are_not_cleared_again_and_are_given_back():
    faults, kept = run(
        "import resource, numpy as np\n"
        "from mmvae_edu.kernels.memory import kept_pages\n"
        "def faults():\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "def resident():\n"
        "    return int(open('/proc/self/statm').read().split()[1])\n"
        "def use():\n"
        "    arrays = [np.ones(n) for n in (10_000_000, 200_000, 3_000_000)]\n"
        "before = resident()\n"
        "with kept_pages():\n"
        "    use()\n"
        "    start = faults()\n"
        "    for _ in range(3): use()\n"
        "    print(faults() - start)\n"
        "print(resident() - before)\n"
    ).split()
    assert int(faults) < 100
    assert int(kept) < 2000  # of 25,000 pages


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", "CF")
def test_what_a_saturated_unit_passes_on_is_0_and_not_almost_subnormal(backend, dtype, order):
    """Products of matrices with such numbers take a CPU a hundred times as long."""
    least = np.finfo(dtype).tiny / np.finfo(dtype).eps
    dy = np.array([[1, 1, 1, np.nan], [1, -1, 1, 1]], dtype, order=order)
    slope = np.array([[0.9, 1.1, 0, 1], [-0.9, 1.1, 0.5, 1]], order=order) * least
    da, db = backend.bias_activation_vjp(dy, slope.astype(dtype))
    want = np.array([[0, 1.1, 0, np.nan], [0, -1.1, 0, 1]]) * least
    np.testing.assert_allclose(da, want.astype(dtype), rtol=1e-6)
    np.testing.assert_allclose(db, want.sum(axis=0).astype(dtype), rtol=1e-6)
