"""Proofs by SymPy: pullbacks as expressions, Gaussian integrals, derivations about Gaussians."""

import inspect

import numpy as np
import pytest
from numpy.testing import assert_allclose
from rich.console import Console

from mmvae_edu import mistakes
from mmvae_edu.claims.examples import EXAMPLES
from mmvae_edu.claims.proofs import NOT_PROVED, SYSTEMS, TWO, entries, label, single_ops
from mmvae_edu.cli import main
from mmvae_edu.course.trees import leaves
from mmvae_edu.derivations import Unreadable, check, read
from mmvae_edu.derivations.words import rows
from mmvae_edu.objectives import elbo, iwae
from mmvae_edu.ops import relu
from mmvae_edu.oracles import symbolic
from mmvae_edu.oracles.symbolic import moment
from mmvae_edu.oracles.symbolic_pullbacks import Symbolic, exact, gradient_entries
from mmvae_edu.posteriors import mixture_log_prob
from mmvae_edu.tour.proofs import check_pullbacks

pytestmark = pytest.mark.symbolic

# ---- pullbacks ----


@pytest.mark.parametrize("op", [
    pytest.param(op, id=label(op), marks=[pytest.mark.slow] if op in SYSTEMS else [])
    for op in EXAMPLES if op not in NOT_PROVED
])  # fmt: skip
def test_a_pullback_is_the_derivative_as_an_expression(op):
    found = entries(op)
    assert found
    assert [(entry.name, entry.difference) for entry in found if not entry.proved] == []


def same(found, expected):
    pairs = zip(leaves(found), leaves(expected), strict=True)
    return all(np.shape(a) == np.shape(b) and np.allclose(a, b, equal_nan=True) for a, b in pairs)


def has_a_wrong_gradient_only(f, op):
    """Tell by floats whether f has op's value and another gradient."""
    differs = False
    for draw in EXAMPLES[op]:
        args, constants = draw(np.random.default_rng(0), TWO)
        (found, f_pullback), (value, pullback) = f(*args, **constants), op(*args, **constants)
        if not same(found, value):
            return False
        floats = [part for part in leaves(value) if part.dtype.kind == "f"]
        cotangents = [np.random.default_rng(1).standard_normal(part.shape) for part in floats]
        differs = differs or not same(f_pullback(*cotangents), pullback(*cotangents))
    return differs


def wrong_gradients(op):
    """List the planted mistakes of an op that change its gradient only."""
    rows = mistakes.edits_of(op) if inspect.isfunction(op) else []
    return [(name, f) for name, row, f in rows
            if row.get("gradient") != "kept" and has_a_wrong_gradient_only(f, op)]  # fmt: skip


@pytest.mark.slow
def test_planted_wrong_pullbacks_stay_open():
    found = [(op, name, f) for op in single_ops() for name, f in wrong_gradients(op)]
    assert len(found) >= 25
    for op, name, f in found:
        try:
            assert not all(entry.proved for entry in entries(op, f)), name
        except ValueError as problem:
            refused = "expected shape", "neither a fraction nor the logarithm"
            assert any(words in str(problem) for words in refused)  # noqa: PT017


def off_by_a_thousandth(log_w):
    value, pullback = elbo(log_w)

    def off_pullback(dbound):
        return pullback(dbound) * 1.001

    return value, off_pullback


def test_a_gradient_that_is_nearly_right_stays_open():
    log_w = np.random.default_rng(0).normal(size=(2, 1))
    found = gradient_entries(off_by_a_thousandth, [log_w], {}, np.random.default_rng(0))
    assert not any(entry.proved for entry in found)


def test_the_expressions_have_the_values_of_the_floats():
    args, constants = EXAMPLES[mixture_log_prob][0](np.random.default_rng(0), TWO)
    named = [Symbolic.symbols(f"a{i}", arg) for i, arg in enumerate(args)]
    at = {e: v for s in named for e, v in zip(s.expressions.flat, s.values.flat, strict=True)}
    value, _ = mixture_log_prob(*named, **constants | {"log_alpha": np.log(np.full((2, 2), 0.5))})
    floats = [float(e.subs(at)) for e in value.expressions.flat]
    assert_allclose(floats, value.values.ravel(), rtol=1e-12)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.5, "1/2"), (1 / 3, "1/3"), (-2.0, "-2"), (float(np.log(2 * np.pi)), "log(2*pi)"),
     (float(np.log(7)), "log(7)"), (float(np.log(0.02)), "-log(50)"), (-np.inf, "-oo")],
)  # fmt: skip
def test_constants_have_names(number, text):
    assert str(exact(number)) == text


@pytest.mark.parametrize("number", [np.sqrt(2), 0.1234567890123, np.pi, np.log(2) + 1e-9])
def test_other_constants_are_refused(number):
    with pytest.raises(ValueError, match="neither a fraction nor the logarithm of one"):
        exact(float(number))


def test_a_point_on_a_boundary_proves_nothing():
    with pytest.raises(ValueError, match="a comparison of equal numbers"):
        gradient_entries(relu, [np.zeros(2)], {}, np.random.default_rng(0))
    with pytest.raises(ValueError, match="a comparison of equal numbers"):
        gradient_entries(iwae, [np.zeros((2, 1)) + 0.3], {}, np.random.default_rng(0))


# ---- Gaussian integrals ----


@pytest.mark.parametrize("n", range(7))
def test_each_moment_by_integration(n):
    import sympy

    y, a = sympy.Symbol("y", real=True), sympy.Symbol("a", positive=True)
    integral = sympy.integrate(y**n * sympy.exp(-a * y**2), (y, -sympy.oo, sympy.oo))
    assert sympy.simplify(integral - moment(n, a)) == 0


# ---- derivations about Gaussians ----

SIGNS = "assume v > 0\nassume v1 > 0\n"


def outcome(text):
    (row,) = rows(check(read(SIGNS + text)))
    return row


@pytest.mark.parametrize("step", [
    "-KL(N(z, mu, v) || N(z, 0, 1))\n= 1/2 * (1 + log(v) - mu**2 - v)",
    "KL(N(z, mu, v) || N(z, m, v1))\n= (v / v1 - 1 - log(v / v1) + (mu - m)**2 / v1) / 2",
    "H(N(z, mu, v))\n= log(2 * pi * v) / 2 + 1/2",
    "E[N(z, mu, v)](z**4)\n= mu**4 + 6 * mu**2 * v + 3 * v**2",
    "sum[z](N(z, 0, v) * N(x, w * z + b, v1))\n= N(x, b, w**2 * v + v1)",
    "N(z, mu, v) * N(z, m, v1)\npropto N(z, (mu * v1 + m * v) / (v + v1), v * v1 / (v + v1))",
])  # fmt: skip
def test_right_lines_are_proved(step):
    row = outcome(step)
    assert (row["holds"], row["note"]) == (True, "proved")


@pytest.mark.parametrize(("step", "hint"), [
    ("-KL(N(z, mu, v) || N(z, 0, 1))\n= 1 + log(v) - mu**2 - v", "too small by mu**2/2"),
    ("-KL(N(z, mu, v) || N(z, 0, 1))\n= 1/2 * (1 + log(v) - mu - v)", "too small by mu*(1 - mu)/2"),
    ("-KL(N(z, mu, v) || N(z, 0, 1))\n= 1/2 * (1 + log(v) - mu**2 - v**2)", "too small by v*"),
    ("KL(N(z, mu, v) || N(z, m, v1))\n= KL(N(z, m, v1) || N(z, mu, v))", "too small by"),
    ("sum[z](N(z, 0, v) * N(x, z, v1))\n= N(x, 0, v1)", "too small by"),
    ("N(z, mu, v) * N(z, 0, 1)\npropto N(z, mu / (1 + v), 1 / (1 + v))", "no positive constant"),
    ("N(z, mu, v) * N(z, 0, 1)\n= N(z, mu / (1 + v), v / (1 + v))", "too small by"),
    ("KL(N(z, mu, v) || N(z, 0, 1))\n<= 1", ""),
])  # fmt: skip
def test_wrong_lines_are_refuted(step, hint):
    row = outcome(step)
    assert row["holds"] is False
    assert hint in " ".join(row["hints"])
    assert "v = " in row["at"]


def test_a_line_says_which_signs_it_needs():
    assert outcome("E[N(z, mu, v)](z)\n= mu + 0 * v1")["needs"] == ["v > 0"]


def test_an_inequality_that_no_number_refutes_is_open():
    row = outcome("KL(N(z, mu, v) || N(z, 0, 1))\n>= 0")
    assert (row["holds"], row["note"]) == (None, "neither proved nor refuted")


@pytest.mark.parametrize(("text", "line", "why"), [
    ("N(z, mu, v)\n= 1", 1, "`assume … > 0` for its variance is missing"),
    ("assume v < 0\nN(z, 0, v)\n= 1", 1, "expected a sign"),
    ("N(z, mu)\n= 1", 1, "expected N(z, mean, variance)"),
    ("N(2, 0, 1)\n= 1", 1, "'2' is no variable"),
    ("p(z) * N(z, 0, 1)\n= 1", 1, "p(z) is no Gaussian"),
    ("assume v > 0\nsum[z](1 / N(z, 0, v))\n= 1", 2, "is not known to be finite"),
    ("E[N(z, 0, 1)](1 / (1 + z))\n= 1", 1, "no rule integrates"),
    ("prod[i](N(z[i], 0, 1))\n= 1", 1, "not in the grammar of Gaussians"),
    ("log(-N(z, 0, 1))\n= 1", 2, "this has no finite value"),
    ("N(z, 0, 1) * (1 + z)**20 * (2 + z)**20\n= 1", 1, "too many factors"),
])  # fmt: skip
def test_what_is_no_line_about_gaussians_is_a_sentence(text, line, why):
    with pytest.raises(Unreadable) as found:
        check(read(text))
    assert found.value.args[0] == line
    assert why in found.value.args[1]


# ---- without SymPy ----


def test_without_sympy_nothing_fails_and_the_command_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(symbolic, "available", lambda: False)
    path = tmp_path / "own.derive"
    path.write_text("N(z, 0, 1)\n= 1\n")
    assert main(["derive", str(path)]) == 0
    assert "not tested: pip install 'mmvae_edu[symbolic]'" in capsys.readouterr().out
    section, proved = check_pullbacks(Console())
    assert proved
    assert "not run: pip install" in section.blocks[0].text


def test_a_blank_among_gaussians_is_still_to_do(tmp_path):
    path = tmp_path / "own.derive"
    path.write_text("N(z, 0, 1)\n= ___\n")
    assert main(["derive", str(path)]) == 2
