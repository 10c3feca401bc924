"""Derivations: wrong ones fail at the right line, right ones pass and say what they need."""

import tomllib
from pathlib import Path

import pytest

from mmvae_edu import cli
from mmvae_edu.course import derivation, progress
from mmvae_edu.course.dev import faults_of
from mmvae_edu.course.examine import NOT_ATTEMPTED, RIGHT, WRONG
from mmvae_edu.course.exercises import DerivationExercise, exercises
from mmvae_edu.derivations import Unreadable, check, checked, course, lines_of, read, text_of
from mmvae_edu.derivations.models import USUAL
from mmvae_edu.derivations.words import lines, rows
from mmvae_edu.oracles import symbolic
from mmvae_edu.slides.equations import load_equations

TABLE = tomllib.loads(Path(__file__).with_name("derivations.toml").read_text("utf-8"))


def cases(verdict):
    return [pytest.param(case, id=case.get("kind", case.get("says"))) for case in TABLE[verdict]]


@pytest.mark.parametrize("case", cases("wrong"))
def test_a_wrong_line_is_found(case):
    found = rows(check(read(case["text"].strip())))
    wrong = [row for row in found if row["holds"] is False]
    assert [row["line"] for row in wrong[:1]] == [case["line"]]
    assert wrong[0]["left"] != wrong[0]["right"] or "infinite" in case
    assert case["hint"] in " ".join(wrong[0]["hints"][:1])


@pytest.mark.parametrize("case", cases("right"))
def test_a_right_derivation_passes_and_says_what_it_needs(case):
    found = rows(check(read(case["text"].strip())))
    assert all(row["holds"] for row in found)
    assert [row["needs"] for row in found] == case["needs"]


@pytest.mark.parametrize("case", cases("unreadable"))
def test_what_cannot_be_read_is_a_sentence_with_its_line(case):
    with pytest.raises(Unreadable) as found:
        check(read(case["text"]))
    line, why = found.value.args
    assert line == case["line"]
    assert case["says"] in why


def only(text):
    """Return the one row of a derivation of one step."""
    (row,) = rows(check(read(text)))
    return row


def test_only_the_climb_refutes_a_bound_that_most_models_keep(monkeypatch):
    bounded = "KL(q(z | x) || p(z))\n<= 9"
    assert not only(bounded)["holds"]
    monkeypatch.setattr("mmvae_edu.derivations.checking.CLIMBS", 0)
    assert only(bounded)["holds"]


def test_only_densities_refute_a_likelihood_counted_twice(monkeypatch):
    twice = "E[q(z | x)](2 * log(p(x | z))) - KL(q(z | x) || p(z))\n<= log(p(x))"
    assert "probabilities, at most 1" in only(twice)["needs"]
    monkeypatch.setattr("mmvae_edu.derivations.checking.DENSITIES", USUAL)
    assert only(twice)["holds"]
    assert "probabilities, at most 1" not in only(twice)["needs"]


def test_only_without_its_assumption_does_a_line_show_that_it_needs_it():
    step = "p(z | x[1:N])\npropto p(z) * prod[i](p(x[i] | z))"
    assert only(f"assume independent(x[1:N] | z)\n{step}")["needs"] == ["independence"]
    assert not only(step)["holds"]


def test_independence_is_no_hint_for_a_bound_that_it_does_not_save():
    bounds = "let ELBO(X) = E[q(z | X)](log(p(X, z) / q(z | X)))\nsum[i](ELBO(x[i]))"
    assert only(f"{bounds}\n<= log(p(x[1:N]))")["hints"] == []


def test_proportional_gaussians_have_a_positive_ratio():
    pytest.importorskip("sympy")
    assert not only("N(z, 0, 1)\npropto -exp(-z**2 / 2)")["holds"]


def test_an_assumption_that_no_line_needs_is_named():
    text = "assume independent(x1, x2 | z)\np(x1, x2)\n= sum[z](p(x1, x2, z))"
    found = check(read(text))
    assert [a.text for a in found.idle] == ["independent(x1, x2 | z)"]


@pytest.mark.parametrize("name", course())
def test_the_slides_derivations_hold(name):
    if read(text_of(name)).gaussian and not symbolic.available():
        pytest.skip(symbolic.INSTALL)
    found = checked(name)
    assert all(outcome.holds for outcome in found.outcomes), lines(found)


@pytest.mark.parametrize("equation", load_equations(), ids=lambda equation: equation.id)
def test_every_equation_has_a_line(equation):
    """But for those of slides 8, 10 and 13, which are measured."""
    assert equation.how in ("derived", "defined", "estimated", "measured")
    found = lines_of(equation.id)
    assert bool(found) == (equation.how != "measured"), (
        f"lessons/derivations: {equation.id} {found}"
    )


ASKED = [e for e in exercises().values() if isinstance(e, DerivationExercise)]


def test_no_derivation_takes_the_name_of_a_function():
    functions = {e.name for e in exercises().values() if e.of}
    assert not functions & {e.name for e in ASKED}
    assert len(ASKED) == len(list(exercises()["L05.kl_gauss"].stub.parent.glob("*.derive"))) == 17


@pytest.mark.parametrize("exercise", ASKED, ids=lambda exercise: exercise.id)
def test_an_exercise_is_open_until_its_solution_stands_there(exercise):
    stub = exercise.stub.read_text("utf-8")
    assert derivation.judge(exercise, stub).code == NOT_ATTEMPTED
    assert faults_of(exercise, seeds=1) == []
    begun = derivation.judge(exercise, stub + "\n# begun")
    assert begun.code == (NOT_ATTEMPTED if "___" in stub else WRONG)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("= log(E[q", "= log(1 * E[q", ""),
        ("= log(E[q(z | x)](p(x, z) / q(z | x)))\n", "", "uses log(E[q(z | x)](…)"),
        ("E[q(z | x)](p(x, z) / q(z | x))", "sum[z](p(z, x) * q(z | x) / q(z | x))", ""),
        ("= log(E[q", "= 1 * log(sum[z](p(x, z))) + 0 * H(p(z))\n= log(E[q", "line 5 repeats"),
        ("= log(E[q(z | x)](p(x, z)", "= log(E[q(z | x)](p(x | z)", "line 5 does not follow"),
        ("= log(E[q", "<= log(E[q", "not related as the exercise asks"),
        ("= log(E[q(z | x)](p(x, z) / q(z | x)))", "= log(sum[z](p(x, z)))", "line 5 repeats"),
        ("log(p(x))   ", "log(p(x, z))   ", "line 4 does not follow"),
        ("= log(sum", "assume q(z | x) = p(z | x)\n= log(sum", "what may be assumed"),
        (">= E[q", ">= -1 + E[q", "the last line is given"),
        ("= log(E[q", "= log(E(q", "line 5 cannot be read"),
        ("= log(E[q", "p(x)\n= p(x)\n= log(E[q", "line 7 does not follow"),
    ],
)
def test_an_answer_is_judged_by_its_lines(old, new, says):
    exercise = exercises()["L03.evidence_by_jensen"]
    text = derivation.solved(exercise)
    assert old in text
    verdict = derivation.judge(exercise, text.replace(old, new, 1))
    assert verdict.code == (WRONG if says else RIGHT), verdict
    assert says in verdict.says


@pytest.mark.parametrize("exercise", ASKED, ids=lambda exercise: exercise.id)
@pytest.mark.parametrize("padded", ["", "1 * ({0}) + 0 * {1}", "({0}) + {1} - {1}"])
def test_no_empty_line_is_an_answer(exercise, padded):
    """Neither nothing between the first line and the last, nor one of them with a part twice."""
    text = derivation.solved(exercise)
    (chain,) = read(text).chains
    lines = text.splitlines()
    part = exercise.uses[0][0].replace("), p", ") || p")
    part = "p(z)" if part.endswith("(") else f"prod[i]({part})" if "[i]" in part else part
    for given, relation in (chain[0], "="), (chain[-1], chain[-1].relation):
        line = padded.format(given.text, part)
        between = [f"{relation} {line}"] if line else []
        answer = [*lines[: chain[0].line], *between, lines[-1]]
        assert derivation.judge(exercise, "\n".join(answer)).code == WRONG


def test_commands_treat_it_like_any_other(tmp_path, monkeypatch, capsys):
    def run(*arguments):
        code = cli.main(list(arguments))
        return code, capsys.readouterr().out

    monkeypatch.chdir(tmp_path)
    run("start")
    name = "03_evidence_by_jensen.derive"
    exercise, path = exercises()["L03.evidence_by_jensen"], tmp_path / progress.DEFAULT / name
    assert run("check", name)[0] == NOT_ATTEMPTED
    path.write_text(derivation.solved(exercise).replace("log(E[q", "2 * log(E[q"), "utf-8")
    code, out = run("check", "evidence_by_jensen")
    assert code == WRONG
    assert "the right side is 2 times the left" in out
    assert f"{name}:5" in out
    assert run("hint", "evidence_by_jensen")[1].startswith("2/3")
    path.write_text(derivation.solved(exercise), "utf-8")
    assert run("check", "evidence_by_jensen")[0] == RIGHT
    assert exercise.solution[0][1] in run("solution", "evidence_by_jensen")[1]
    assert "right" in run("status")[1]
    run("reset", "evidence_by_jensen")
    assert path.read_bytes() == exercise.stub.read_bytes()
