"""Planted mistakes as edits: what the tables may hold, and which gradient an edit has."""

import os
import shutil
import subprocess
import sys
import traceback
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mmvae_edu import mistakes
from mmvae_edu.claims import CLAIMS, registry
from mmvae_edu.gaussian import kl_gauss, neg_kl_std_normal
from mmvae_edu.gradcheck import GradientError, check_pullback
from mmvae_edu.mistakes.edits import mistaken
from mmvae_edu.models.one_function.iwae import log_weights
from mmvae_edu.posteriors import product_of_experts
from mmvae_edu.slides.s04_mean_field import chain_rule_logp
from mmvae_edu.support.files import read_toml

ROOT = Path(__file__).parent.parent
FUNCTIONS = dict.fromkeys(claim.of for claim in CLAIMS.values())
MU, LOG_VAR = np.random.default_rng(3).normal(size=(2, 4, 3))
HALF = ["0.5 * (log_var", "(log_var"]


def edited(of, *edit, **keys):
    return mistaken(of, "a_mistake", {"says": "…", "edit": list(edit), **keys})


def passes(op, *args, **constants):
    try:
        check_pullback(op, *args, rng=np.random.default_rng(0), **constants)
    except GradientError:
        return False
    return True


# ---- the tables -------------------------------------------------------------------------------


def test_every_row_fits_the_library():
    assert mistakes.faults(FUNCTIONS) == []


def test_few_mistakes_are_no_edits_and_say_why():
    functions = {
        mutant.f: mutant.because for some in registry.FUNCTIONS.values() for mutant in some
    }
    assert len(functions) <= 60
    assert all(functions.values())


@pytest.mark.parametrize(
    ("table", "row", "fault"),
    [
        ("neg_kl_std_normal", {"edit": ["no such text", ""]}, "0 places have 'no such text'"),
        ("neg_kl_std_normal", {"edit": ["mu", "nu"]}, "places have 'mu'"),
        ("neg_kl_std_normal", {"edit": HALF, "hints": 3}, "unknown or missing: hints"),
        ("neg_kl_std_normal", {"edit": HALF, "hint": 4}, "hint 4 is none of 1, 2, 3"),
        ("neg_kl_std_normal", {"edit": HALF, "gradient": "own"}, "gradient own is neither"),
        ("neg_kl_std_normal", {"edit": HALF[:1]}, "edit: expected [old, new, "),
        ("neg_kl_std_normal", {"edit": HALF, "with": ["_l1"]}, "KeyError: '_l1'"),
        ("neg_kl_std_normal", {}, "unknown or missing: edit"),
        ("neg_kl", {"edit": HALF}, "0 functions with claims are named neg_kl"),
        ("elbo", {"edit": ["q[q > 0]", "q"]}, "2 functions with claims are named elbo"),
    ],
)
def test_a_wrong_row_is_named(table, row, fault, monkeypatch):
    rows = {"a_mistake": {"says": "…", **row}}
    monkeypatch.setattr(mistakes, "tables", lambda: [("s05.toml", table, rows)])
    first, *_ = mistakes.faults(FUNCTIONS)
    assert first.startswith("s05.toml: ")
    assert table in first
    assert fault in first


def test_rows_that_no_longer_fit_are_left_out_and_named_once(monkeypatch, capsys):
    rows = {name: {"says": "…", "edit": [old, ""]} for name, old in [("a", "-0.5"), ("b", "gone")]}
    rows |= {"c": {"sais": "…", "edit": ["-0.5", ""]}, "d": {"says": "…", "edit": "-0.5"}}
    monkeypatch.setattr(mistakes, "tables", lambda: [("s05.toml", "neg_kl_std_normal", rows)])
    mistakes.edits_of.cache_clear()
    try:
        found = [mistakes.edits_of(neg_kl_std_normal) for _ in range(2)]
    finally:
        mistakes.edits_of.cache_clear()
    assert [name for name, _, _ in found[1]] == ["a"]
    assert capsys.readouterr().err == (
        "neg_kl_std_normal: mistake c is left out: unknown or missing: sais, says\n"
        "neg_kl_std_normal: mistake d is left out: edit: expected [old, new, old, new, …], "
        "found '-0.5'\n"
        "neg_kl_std_normal has changed: mistakes left out: b\n"
    )


def test_a_damaged_table_is_named(tmp_path):
    (tmp_path / "s05.toml").write_text("x = [")
    with pytest.raises(ValueError, match=r"s05\.toml: "):
        read_toml(tmp_path / "s05.toml")


def test_importing_the_claims_reads_no_table():
    code = "import mmvae_edu.claims, mmvae_edu.mistakes as m; print(m.tables.cache_info().misses)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8"
    )
    assert done.stdout == "0\n"


# ---- their gradients --------------------------------------------------------------------------


def test_a_wrong_value_has_the_gradient_that_belongs_to_it():
    wrong = edited(neg_kl_std_normal, *HALF)
    assert_array_equal(wrong(MU, LOG_VAR)[0], 2 * neg_kl_std_normal(MU, LOG_VAR)[0])
    assert passes(wrong, MU, LOG_VAR)


def test_an_edited_pullback_leaves_the_value():
    wrong = edited(neg_kl_std_normal, "return -d * mu", "return d * mu")
    assert_array_equal(wrong(MU, LOG_VAR)[0], neg_kl_std_normal(MU, LOG_VAR)[0])
    assert_array_equal(wrong(MU, LOG_VAR)[1](np.ones(4))[0], MU)


def test_a_gradient_can_be_kept_or_as_the_edited_text_has_it():
    edit, dneg_kl = ["expm1(log_var)", "exp(log_var)"], np.arange(4.0)
    kept = edited(neg_kl_std_normal, *edit, gradient="kept")(MU, LOG_VAR)
    right = neg_kl_std_normal(MU, LOG_VAR)
    assert_array_equal(np.stack(kept[1](dneg_kl)), np.stack(right[1](dneg_kl)))
    assert np.all(kept[0] < right[0])
    written = edited(neg_kl_std_normal, *edit, gradient="edited")(MU, LOG_VAR)
    assert_array_equal(written[1](dneg_kl)[1], -0.5 * dneg_kl[:, None] * np.exp(LOG_VAR))


def test_edits_of_both_are_used_as_they_are():
    edit = [
        "0.5 * (ratio_minus_1",
        "(ratio_minus_1",
        "-0.5 * d",
        "-d",
        "0.5 * d * ratio",
        "d * ratio",
    ]
    args = MU, LOG_VAR, 0 * MU, 0.5 * LOG_VAR
    assert not passes(edited(kl_gauss, *edit), *args)  # dmu1 is not doubled
    assert passes(edited(kl_gauss, *edit, "dmu1 = d", "dmu1 = 2 * d"), *args)


def test_several_outputs_dicts_of_weights_and_helpers():
    wrong = edited(product_of_experts, "return (mean,", "return (2 * mean,")
    assert passes(wrong, *np.random.default_rng(0).normal(size=(2, 3, 4, 2)))
    rng = np.random.default_rng(1)
    w = {
        name: {"W0": rng.normal(size=shape), "b0": rng.normal(size=shape[1])}
        for name, shape in {"encoder": (2, 2), "decoder": (1, 2)}.items()
    }
    constants = {"x": rng.normal(size=(3, 2)), "eps": rng.normal(size=(4, 3, 1))}
    assert passes(edited(log_weights, "- log_qz_x", "+ log_qz_x"), w, **constants)
    helper = {"with": ["_log_marginal"]}
    wrong = edited(chain_rule_logp, "logP, _ = log_sum", "_, logP = log_sum", **helper)
    P = rng.dirichlet(np.ones(6)).reshape(2, 3)
    assert not np.allclose(wrong(np.log(P), [0, 1]), chain_rule_logp(np.log(P), [0, 1]))


def test_a_traceback_shows_the_edited_text():
    wrong = edited(neg_kl_std_normal, "expm1(log_var)", "expm1(log_varr)")
    with pytest.raises(NameError) as raised:
        wrong(MU, LOG_VAR)
    assert "np.expm1(log_varr)" in traceback.format_tb(raised.tb)[-1]


# ---- a learner edits the library --------------------------------------------------------------


@pytest.mark.slow
def test_an_edited_library_fails_a_claim_and_leaves_mistakes_out(tmp_path):
    for name in "mmvae_edu", "kernels", "lessons":
        shutil.copytree(ROOT / name, tmp_path / name)
    path = tmp_path / "mmvae_edu" / "gaussian.py"
    text = path.read_text("utf-8")
    path.write_text(text.replace("0.5 * (log_var - var", "1 * (log_var - var"), "utf-8")

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "mmvae_edu", *arguments],
            cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)},
            capture_output=True, encoding="utf-8",
        )  # fmt: skip

    tour = run("tour", "--only", "claims", "--out", "report")
    assert "FAILS l1_is_minus_the_integral" in tour.stdout
    assert "Traceback" not in tour.stdout + tour.stderr
    run("start", "mine")
    stub = tmp_path / "mine" / "05_neg_kl.py"
    stub.write_text(
        "def neg_kl_std_normal(mu, log_var):\n    return mu[:, 0], lambda d: (mu, log_var)\n"
    )
    check = run("check", "neg_kl_std_normal")
    assert check.returncode == 1
    assert check.stderr == (
        "neg_kl_std_normal has changed: mistakes left out: "
        "missing_half, l1_sign, log_var_as_log_std\n"
    )
    path.write_text(text.replace("def kl_gauss(", "def kl_gaus("), "utf-8")
    renamed = run("check", "neg_kl_std_normal")
    assert renamed.returncode == 64
    assert renamed.stderr.startswith("mmvae-edu: cannot import name 'kl_gauss'")
    assert renamed.stdout == ""
    (tmp_path / "lessons" / "lessons.toml").unlink()
    assert "lacks lessons/lessons.toml" in run("--version").stderr
