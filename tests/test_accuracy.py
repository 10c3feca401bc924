"""The accuracy table: its ruler measures right, and our kernels pass it."""

import io
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmvae_edu.kernels import reference
from mmvae_edu.kernels.table import TABLE
from numpy.testing import assert_allclose
from rich.console import Console

from mmvae_edu import kernels
from mmvae_edu.measure import kernel_accuracy as accuracy
from mmvae_edu.oracles import fifty_digits

OURS = [name for name, backend in kernels.available().items() if not isinstance(backend, str)]
DTYPES = [np.float32, np.float64]


@pytest.mark.parametrize("name", OURS)
def test_no_kernel_is_off_by_more_than_4_ulp(name):
    backends = {name: kernels.available()[name]}
    for seed in range(2):
        for row in accuracy.accuracy_rows(seed, backends=backends, N=4):
            assert row.max_ulp <= 4, row


def test_every_row_is_there_once():
    backends = accuracy.contenders()[0]
    rows = accuracy.accuracy_rows(backends=backends, N=1)
    keys = [(r.op, r.output, r.backend, r.dtype, r.inputs) for r in rows]
    assert len(set(keys)) == len(keys)
    outputs = sum(len(TABLE[op].outputs) for op in accuracy.OPS)
    assert sum(row.backend == "reference" for row in rows) == 4 * outputs
    assert all(0 <= row.mean_ulp <= row.max_ulp for row in rows if row.backend in OURS)


# ---- the ruler ----


@pytest.mark.parametrize("op", accuracy.OPS)
@pytest.mark.parametrize("extreme", [False, True])
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=3, deadline=None, derandomize=True)
def test_a_sum_is_never_larger_than_its_terms(op, extreme, seed):
    rng = np.random.default_rng(seed)
    arrays = accuracy.without_mask(accuracy.inputs(op, np.float64, extreme, 1, rng))
    for value, size in getattr(fifty_digits, op)(*arrays):
        assert value.shape == size.shape
        assert (abs(value) <= size).all()


def test_fifty_digits_by_another_route():
    """The product of Gaussians and the mixture as densities, integrated or summed by mpmath."""
    rng = np.random.default_rng(1)
    mu, log_var, z = rng.standard_normal((3, 2, 1, 1))
    with mpmath.workdps(30):

        def normal(t, m, v):
            return mpmath.exp(-((t - m) ** 2) / (2 * v)) / mpmath.sqrt(2 * mpmath.pi * v)

        experts = [
            (mpmath.mpf(float(m)), mpmath.exp(float(v)))
            for m, v in zip(mu.flat, log_var.flat, strict=True)
        ]

        def moment(power):
            def integrand(t):
                return t**power * normal(t, 0, 1) * normal(t, *experts[0]) * normal(t, *experts[1])

            return mpmath.quad(integrand, np.linspace(-12, 12, 13).tolist())

        mean = moment(1) / moment(0)
        log_variance = mpmath.log(moment(2) / moment(0) - mean**2)
        densities = [normal(float(z[0, 0, 0]), *expert) for expert in experts]
        log_q = mpmath.log(sum(densities) / 2)
    (found_mean, _), (found_log_var, _) = fifty_digits.product_of_experts(mu, log_var)
    log_alpha = np.full((2, 1), np.log(0.5))
    (found_log_q, _), (r, _) = fifty_digits.mixture_log_prob(z[:1], mu, log_var, log_alpha)
    assert abs(found_mean.item() - mean) < 1e-20
    assert abs(found_log_var.item() - log_variance) < 1e-20
    assert abs(found_log_q.item() - log_q) < 1e-15  # log ½ was rounded
    assert abs(r[0].item() - densities[0] / sum(densities)) < 1e-15


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_error_is_counted_in_ulp_of_the_size(dtype):
    limits = np.finfo(dtype)
    eps, tiny = float(limits.eps), float(limits.tiny)
    value = np.array([1, 1, 1, 1, 0, 0, 1], dtype)
    found = value + np.array([0, eps, 2 * eps, 0, tiny, np.inf, np.nan], dtype)
    size = np.array([1, 1, 2, 1, tiny, tiny, 1])
    value = value + np.array([0, 0, 0, eps / 4, 0, 0, 0])
    got = accuracy.errors(found, fifty_digits.number(value), fifty_digits.number(size), dtype)
    quarter = 0.25 if dtype == np.float32 else 0  # 1 + ε/4 is 1 in float64
    assert_allclose(got, [0, 1, 1, quarter, 0, np.inf, np.nan])
    with pytest.raises(TypeError, match="found int64"):
        accuracy.errors(np.ones(1, np.int64), value, size, dtype)


def test_a_kernel_with_a_worse_exp_is_seen():
    """e^a wrong by 6 ulp; a bound that lacks its last digits."""

    def weights(log_w):
        bound, weights = reference.importance_weights(log_w)
        return bound, weights * (1 + 6 * np.finfo(log_w.dtype).eps)

    worse = SimpleNamespace(importance_weights=weights)
    rows = accuracy.accuracy_rows(backends={"worse": worse}, N=4)
    assert {row.output for row in rows if row.max_ulp > 4} == {"weights"}
    assert {row.output for row in rows if row.max_ulp <= 4} == {"bound"}


# ---- the table ----


def test_the_table_says_which_peers_are_absent(monkeypatch):
    monkeypatch.setitem(accuracy.PEERS, "nobody", "pip install nobody[else]")
    rows = accuracy.accuracy_rows(backends={"reference": reference}, N=1)
    monkeypatch.setattr(accuracy, "accuracy_rows", lambda seed, backends: rows)
    out = io.StringIO()
    accuracy.print_accuracy(Console(file=out, width=80))
    text = out.getvalue()
    assert "nobody: absent; pip install nobody[else]" in text
    assert "…" not in text  # nothing is cut off
    assert text.count("extreme") == text.count("ordinary") == len(rows) / 2
