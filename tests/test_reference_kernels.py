"""The reference backend at the edges: infinities, masks, huge and tiny numbers, Adam."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmvae_edu.kernels import available, best, reference
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special, stats

LARGEST = {
    np.float32: 80,
    np.float64: 700,
}  # |log_var| up to which exp neither over- nor underflows
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
shapes = st.tuples(st.integers(1, 5), st.integers(1, 4))


# ---- log-sum-exp and importance weights ----


@settings(max_examples=40)
@given(shape=shapes, seed=st.integers(0, 10**6), size=st.sampled_from([1e-3, 1.0, 1e3, 1e4]))
def test_log_sum_exp_against_scipy_and_under_shifts(shape, seed, size):
    rng = np.random.default_rng(seed)
    a = size * rng.standard_normal(shape)
    for axis in (0, 1):
        log_sum, weights = reference.log_sum_exp_and_weights(a, axis)
        expected = special.logsumexp(a, axis=axis, keepdims=True)
        assert_allclose(log_sum, expected, rtol=1e-14, atol=1e-14)
        assert_allclose(weights, special.softmax(a, axis=axis), rtol=1e-12, atol=1e-300)
        shifted, _ = reference.log_sum_exp_and_weights(a + 1234.5, axis)
        assert_allclose(shifted - 1234.5, log_sum, rtol=1e-12, atol=1e-11)


@DTYPES
def test_importance_weights_of_infinities_and_nan(dtype):
    inf, nan = np.inf, np.nan
    columns = np.array(
        [
            [-inf, -inf, -inf],  # impossible: −∞ and weights 0
            [-inf, 0, 0],  # an impossible sample weighs 0
            [inf, 0, -inf],  # +∞ takes all
            [inf, inf, 0],  # and shares it
            [nan, 0, 0],  # NaN stays NaN
            [1e4, -1e4, 0],
            [inf, np.finfo(dtype).max, inf],  # the largest number is finite
        ],
        dtype=dtype,
    )
    bound, weights = reference.importance_weights(columns.T)
    log3 = np.log(3)
    assert_allclose(bound, [-inf, np.log(2 / 3), inf, inf, nan, 1e4 - log3, inf], rtol=1e-6)
    expected = [[0, 0, 0], [0, 0.5, 0.5], [1, 0, 0], [0.5, 0.5, 0], [nan] * 3, [1, 0, 0]]
    expected += [[0.5, 0, 0.5]]
    assert_array_equal(weights.T, np.array(expected, dtype=dtype))
    assert bound.dtype == weights.dtype == dtype


@settings(max_examples=30)
@given(shape=shapes, seed=st.integers(0, 10**6))
def test_importance_weights_lie_on_the_simplex_and_ignore_order(shape, seed):
    rng = np.random.default_rng(seed)
    log_w = 5 * rng.standard_normal(shape)
    bound, weights = reference.importance_weights(log_w)
    assert (weights >= 0).all()
    assert_allclose(weights.sum(axis=0), 1, rtol=1e-13)
    order = rng.permutation(len(log_w))
    again, permuted = reference.importance_weights(log_w[order])
    assert_allclose(again, bound, rtol=1e-13)
    assert_allclose(permuted, weights[order], rtol=1e-12)
    assert (bound <= log_w.max(axis=0) + 1e-12).all()
    assert (bound >= log_w.mean(axis=0) - 1e-12).all()  # Jensen


# ---- product of experts ----


def mp_product(mu, log_var):
    """One dimension in 60 digits."""
    with mpmath.workdps(60):
        precision = [mpmath.exp(-mpmath.mpf(float(v))) for v in log_var]
        total = 1 + mpmath.fsum(precision)
        pairs = zip(precision, mu, strict=True)
        mean = mpmath.fsum(p * mpmath.mpf(float(m)) for p, m in pairs) / total
        return float(mean), float(-mpmath.log(total))


@DTYPES
def test_product_of_experts_over_the_whole_range_of_log_var(dtype):
    """±80 in float32 and ±700 in float64 against 60 digits; gradients finite too."""
    top = LARGEST[dtype]
    log_var = np.array([[-top, top, 0, -top, top], [-top, top, top, 0, -top]], dtype)
    mu = np.array([[1.5, -2, 3, 1, 1], [2.5, 7, 1e4, -3, -2]], dtype)
    mean, joint = reference.product_of_experts(mu[:, None], log_var[:, None])
    expected = np.array([mp_product(mu[:, d], log_var[:, d]) for d in range(5)])
    eps, tiny = np.finfo(dtype).eps, np.finfo(dtype).tiny
    assert_allclose(mean[0], expected[:, 0], rtol=10 * eps, atol=tiny)
    assert_allclose(joint[0], expected[:, 1], rtol=10 * eps, atol=eps)  # log(1 + e^-80) is 0
    one = np.ones_like(mean)
    gradients = reference.product_of_experts_vjp(
        one, one, mu[:, None], log_var[:, None], None, mean, joint
    )
    for gradient in gradients:
        assert gradient.dtype == dtype
        assert np.isfinite(gradient).all()


@DTYPES
def test_what_stands_under_a_mask_does_not_matter_to_a_product(dtype):
    rng = np.random.default_rng(0)
    mu, log_var = rng.standard_normal((2, 3, 4, 2)).astype(dtype)
    mask = np.array([[1, 0, 1, 0], [0, 0, 1, 0], [1, 1, 1, 0]], dtype=bool)
    mean, joint = reference.product_of_experts(mu, log_var, mask)
    dmean, djoint = rng.standard_normal((2, 4, 2)).astype(dtype)
    gradients = reference.product_of_experts_vjp(dmean, djoint, mu, log_var, mask, mean, joint)
    for junk in (np.nan, np.inf, -np.inf, 1e30):
        dirty_mu, dirty_log_var = mu.copy(), log_var.copy()
        dirty_mu[~mask] = dirty_log_var[~mask] = junk
        dirty = reference.product_of_experts(dirty_mu, dirty_log_var, mask)
        assert_array_equal(dirty, (mean, joint))
        dirty_gradients = reference.product_of_experts_vjp(
            dmean, djoint, dirty_mu, dirty_log_var, mask, mean, joint
        )
        assert_array_equal(dirty_gradients, gradients)
    for gradient in gradients:
        assert_array_equal(gradient[~mask], 0)
    assert_array_equal(mean[3], 0)  # all masked: the prior
    assert_array_equal(joint[3], 0)


# ---- mixture ----


@DTYPES
def test_mixture_where_nobody_is_present_and_under_masks(dtype):
    rng = np.random.default_rng(1)
    M, K, N, D = 3, 4, 5, 2
    z = rng.standard_normal((K, N, D)).astype(dtype)
    mu, log_var = rng.standard_normal((2, M, N, D)).astype(dtype)
    log_alpha = np.log(rng.dirichlet(np.ones(M), N).T).astype(dtype)
    log_alpha[:, 0] = -np.inf
    log_alpha[1, 1:4] = -np.inf
    log_q, r = reference.mixture_log_prob(z, mu, log_var, log_alpha)
    assert_array_equal(log_q[:, 0], -np.inf)
    assert_array_equal(r[:, :, 0], 0)
    assert_allclose(r[:, :, 1:].sum(axis=0), 1, rtol=1e-5)
    dlog_q = rng.standard_normal((K, N)).astype(dtype)
    gradients = reference.mixture_log_prob_vjp(dlog_q, r, z, mu, log_var)
    absent = np.isneginf(log_alpha)
    mu[absent] = log_var[absent] = np.nan
    again, r_again = reference.mixture_log_prob(z, mu, log_var, log_alpha)
    assert_array_equal(again, log_q)
    assert_array_equal(r_again, r)
    for dirty, clean in zip(
        reference.mixture_log_prob_vjp(dlog_q, r, z, mu, log_var), gradients, strict=True
    ):
        assert dirty.dtype == dtype
        assert_array_equal(dirty, clean)
    for gradient in gradients[1:]:
        assert_array_equal(gradient[absent], 0)


@DTYPES
def test_a_component_without_weight_has_no_gradient(dtype):
    """Each sample is the mean of one component; its squared distance to the other is infinite."""
    far = np.sqrt(np.finfo(dtype).max)
    mu = np.array([[[0, 0]], [[0, far]]], dtype)
    log_var = np.array([[[0, 0]], [[0, -60]]], dtype)
    dlog_q, r = np.ones((2, 1), dtype), np.eye(2, dtype=dtype)[..., None]
    dz, dmu, dlog_var = reference.mixture_log_prob_vjp(dlog_q, r, mu, mu, log_var)
    assert_array_equal([*dz, *dmu], 0)
    assert_array_equal(dlog_var, -0.5)


def test_mixture_against_the_direct_sum_of_densities():
    rng = np.random.default_rng(2)
    z, (mu, log_var) = rng.standard_normal((4, 5, 2)), rng.standard_normal((2, 3, 5, 2))
    alpha = rng.dirichlet(np.ones(3), 5).T
    density = stats.norm(mu[:, None], np.exp(log_var / 2)[:, None]).pdf(z).prod(axis=-1)
    log_q, r = reference.mixture_log_prob(z, mu, log_var, np.log(alpha))
    assert_allclose(log_q, np.log((alpha[:, None] * density).sum(axis=0)), rtol=1e-13)
    joint = alpha[:, None] * density
    assert_allclose(r, joint / joint.sum(axis=0), rtol=1e-12)


def test_mixture_far_from_every_expert_is_finite():
    z, mu = np.full((1, 1, 1), 200.0), np.array([[[0.0]], [[-1.0]]])
    log_q, r = reference.mixture_log_prob(z, mu, np.zeros_like(mu), np.full((2, 1), -np.log(2)))
    expected = -0.5 * 200**2 - 0.5 * np.log(2 * np.pi) - np.log(2) + np.log1p(np.exp(-200.5))
    assert_allclose(log_q[0, 0], expected, rtol=1e-14)
    assert_allclose(r[1, 0, 0], np.exp(-200.5), rtol=1e-12)


# ---- binomial ----


@DTYPES
def test_binomial_at_extreme_logits(dtype):
    """At logits ±1e4 the value is −|l| for a miss, 0 for a hit, and the gradient 0 or ±n."""
    logits = np.array([[1e4], [-1e4], [1e4], [-1e4]], dtype)
    x = np.array([[1], [0], [0], [1]], dtype)
    value = reference.binomial_log_prob(logits, x)
    gradient = reference.binomial_log_prob_vjp(np.ones_like(value), logits, x)
    assert_array_equal(value, np.array([0, 0, -1e4, -1e4], dtype))
    assert_array_equal(gradient[:, 0], np.array([0, 0, -1, 1], dtype))
    assert value.dtype == gradient.dtype == dtype


def test_binomial_is_scipys_without_its_coefficient():
    rng = np.random.default_rng(3)
    logits, x, n = 3 * rng.standard_normal((4, 5, 6)), rng.integers(0, 8, (5, 6)).astype(float), 7
    p = special.expit(logits)
    coefficient = np.log(special.comb(n, x)).sum(axis=-1)
    value = reference.binomial_log_prob(logits, x, n)
    assert_allclose(value + coefficient, stats.binom.logpmf(x, n, p).sum(axis=-1), rtol=1e-12)
    dlog_p = rng.standard_normal((4, 5))
    assert_allclose(
        reference.binomial_log_prob_vjp(dlog_p, logits, x, n),
        dlog_p[..., None] * (x - n * p),
        rtol=1e-12,
    )


def test_sigmoid_and_softplus_against_fifty_digits():
    a = np.array([-745.0, -40, -1, -1e-9, 0, 1e-9, 0.5, 37, 700])
    with mpmath.workdps(50):
        exact_sigmoid = [float(1 / (1 + mpmath.exp(-mpmath.mpf(v)))) for v in a.tolist()]
        exact_softplus = [float(mpmath.log1p(mpmath.exp(mpmath.mpf(v)))) for v in a.tolist()]
    assert_allclose(reference.sigmoid(a), exact_sigmoid, rtol=4e-16, atol=5e-324)
    assert_allclose(reference.softplus(a), exact_softplus, rtol=4e-16, atol=5e-324)


# ---- Adam ----


def adam_by_the_paper(theta, gradients, rate, beta1, beta2, epsilon):
    """Algorithm 1 of Kingma and Ba (2015) in plain Python numbers, one coordinate."""
    m = v = 0.0
    for t, g in enumerate(gradients, 1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        theta = theta - rate * m_hat / (v_hat**0.5 + epsilon)
    return theta, m, v


@pytest.mark.parametrize(
    "options", [{}, {"beta1": 0.5, "beta2": 0.9, "epsilon": 1e-3}], ids=["default", "other"]
)
def test_adam_follows_its_paper(options):
    rng = np.random.default_rng(4)
    start, gradients = rng.standard_normal(6), rng.standard_normal((9, 6))
    theta, m, v = start.copy(), np.zeros(6), np.zeros(6)
    for step, grad in enumerate(gradients, 1):
        before = grad.copy()
        reference.adam_step(theta, grad, m, v, step=step, learning_rate=0.05, **options)
        assert_array_equal(grad, before)
    full = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8} | options
    for i in range(6):
        expected = adam_by_the_paper(start[i], gradients[:, i], 0.05, *full.values())
        assert_allclose((theta[i], m[i], v[i]), expected, rtol=1e-12, atol=1e-14)


def test_adams_first_step_has_the_length_of_the_learning_rate():
    theta = np.zeros(3)
    grad = np.array([1e-3, -5.0, 1e4])
    reference.adam_step(theta, grad, np.zeros(3), np.zeros(3), step=1, learning_rate=0.1)
    assert_allclose(theta, [-0.1, 0.1, -0.1], rtol=1e-4)


# ---- the register of backends ----


def test_available_names_the_reference_and_reasons_for_the_absent():
    backends = available()
    assert backends["reference"] is reference
    for name, backend in backends.items():
        assert isinstance(backend, str) or callable(backend.product_of_experts), name
    assert callable(best(np.zeros(1)).adam_step)


def test_many_terms_lose_hardly_more_digits_than_two():
    """5,000 float32 terms against their exact sum: one after the other loses ten times as much."""
    a = np.random.default_rng(0).random((5000, 8)).astype(np.float32)
    exact = np.array([math.fsum(column) for column in a.T.tolist()])
    assert (abs(reference.pairwise_sum(a) - exact) <= np.spacing(exact.astype(np.float32))).all()
    assert (abs(np.add.accumulate(a)[-1] - exact) > 10 * np.spacing(exact.astype(np.float32))).any()
    _, weights = reference.log_sum_exp_and_weights(a, axis=0)
    exact = np.exp(a.astype(float)) / np.exp(a.astype(float)).sum(axis=0)
    assert (abs(weights - exact) <= 3 * np.finfo(np.float32).eps * exact).all()
