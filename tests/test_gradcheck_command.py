"""`mmvae-edu gradcheck` on functions of one's own, and on those that have an exercise's name."""

from textwrap import dedent

import pytest

from mmvae_edu import cli

MINE = """
import numpy as np
from mmvae_edu.course import todo

def cube(x, *, k):
    def back(dy):
        return {slope} * k * x**2 * dy
    return k * x**3, back

def none(x, *, k):
    return x

def broken(x, *, k):
    return x[99]

def later(x, *, k):
    return todo("later")
"""
L1 = """
    import numpy as np

    def neg_kl_std_normal(mu, log_var):
        def back(d):
            d = d[:, None]
            return -d * mu, d - 0.5 * d * np.exp(log_var)
        return 0.5 * (1 + log_var - mu**2 - np.exp(log_var)).sum(-1), back
"""
SWISH = """
import numpy as np

def swish(a):
    gate = 1 / (1 + np.exp(-a))
    def back(dy):
        return dy * ({slope})
    return a * gate, back
"""
EXAMPLE = """
def example(rng):
    return (rng.normal(size=(3, 2)),), {"k": 1.5}
"""


@pytest.mark.parametrize(
    ("name", "slope", "code", "words"),
    [
        ("cube", 3, 0, "RIGHT  the pullback of cube is its derivative"),
        ("cube", 2, 1, "WRONG  cube: gradient of x["),
        ("none", 3, 1, "must return a pair (value, pullback)"),
        ("broken", 3, 1, "raises IndexError"),
        ("later", 3, 2, "TODO   later: not attempted yet"),
    ],
)
def test_gradcheck_of_ones_own_function(name, slope, code, words, tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(MINE.format(slope=slope) + EXAMPLE)
    assert cli.main(["gradcheck", f"{path}:{name}"]) == code
    assert words in capsys.readouterr().out


def test_an_example_of_integers_is_not_the_functions_fault(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(
        MINE.format(slope=3) + EXAMPLE.replace("rng.normal(size=(3, 2))", "np.arange(3)")
    )
    assert cli.main(["gradcheck", f"{path}:cube"]) == 64
    assert "argument 1 is int64, expected float64" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("example", "words"),
    [
        ("example(): return (np.ones(3),), {}", "example cannot be called with a generator: exam"),
        ("example(rng): return (np.ma.ones(3),), {}", "args[0]: expected a plain array"),
        ("example(rng): return ({'w': np.arange(3)},), {}", "args[0]['w']: expected an array of"),
        ("example(rng): return (np.ones(3),), {'a': np.ma.ones(3)}", "a: expected a plain array"),
        ("example(rng): return (np.ones(3),), {'a': np.array(['b'])}", "a: expected an array of"),
    ],
)
def test_an_example_that_cannot_be_checked_is_said(example, words, tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(f"import numpy as np\ndef {example}\ndef f(x, a=1): return x, lambda d: d\n")
    assert cli.main(["gradcheck", f"{path}:f"]) == 64
    assert words in capsys.readouterr().err


def test_an_exercises_name_has_its_inputs_whatever_the_examples(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(dedent(L1) + EXAMPLE)
    assert cli.main(["gradcheck", f"{path}:neg_kl_std_normal"]) == 1
    assert "gradient of log_var" in capsys.readouterr().out


@pytest.mark.parametrize(("slope", "code"), [("gate + a * gate * (1 - gate)", 0), ("gate", 1)])
def test_an_ops_name_has_its_examples(slope, code, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(SWISH.format(slope=slope))
    assert cli.main(["gradcheck", f"{path}:swish"]) == code


def test_an_output_that_is_no_float_has_no_gradient(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("from mmvae_edu.posteriors import quotient_of_experts\n")
    assert cli.main(["gradcheck", f"{path}:quotient_of_experts"]) == 0


def test_gradcheck_knows_the_inputs_and_terms_of_exercises(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(dedent(L1))
    assert cli.main(["gradcheck", f"{path}:neg_kl_std_normal", "--terms"]) == 1
    out = capsys.readouterr().out
    assert "gradient of log_var[" in out
    rows = [line.split() for line in out.splitlines() if "KL" in line]
    assert "KL: log σ² 2.000000 expected 1".split() in rows
    assert "KL: σ² 1.000000".split() in rows


def test_gradcheck_refuses_a_syntax_error_in_one_line(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text("def f(:\n")
    assert cli.main(["gradcheck", f"{path}:f"]) == 1
    assert "mine.py:1: syntax error" in capsys.readouterr().out
