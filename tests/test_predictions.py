"""Predictions: what may be typed, what is printed and kept, and that nothing waits in vain."""

import io
import json
import sys

import pytest

from mmvae_edu import cli
from mmvae_edu.course import outcome, predict, predictions, progress

TREES = "oak", "Fir", "10"


class Terminal:
    """Standard input of a terminal at which these lines are typed, then Ctrl-D."""

    def __init__(self, *typed):
        self.typed = list(typed)

    def isatty(self):
        return True

    def readline(self):
        return f"{self.typed.pop(0)}\n" if self.typed else ""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["lesson.py", "--ask"])
    monkeypatch.setattr(predictions, "_asked", {})
    progress.start(tmp_path / "mine")
    return tmp_path / "mine"


@pytest.fixture
def said(folder, monkeypatch, capsys):
    """Return what a prediction and its outcome print after these lines were typed."""

    def said(*typed, choices=TREES, answer="Fir"):
        monkeypatch.setattr(sys, "stdin", Terminal(*typed))
        predict("99-tree", "Which tree?", *choices)
        outcome("99-tree", answer)
        return capsys.readouterr().out

    return said


@pytest.mark.parametrize(
    ("typed", "answer"),
    [("2", "Fir"), ("fir", "Fir"), (" FIR ", "Fir"), ("10", "10"), ("3", "10"), ("1", "oak")],
)
def test_a_choice_by_its_number_or_its_words(typed, answer, said, folder):
    assert said(typed).endswith(f"outcome: Fir; you said: {answer}\n")
    assert progress.load(folder) == {"99-tree": progress.Prediction(answer, answer == "Fir")}


@pytest.mark.parametrize(
    ("typed", "answer", "words", "right"),
    [
        ("2", 2.0, "outcome: 2; you said: 2.0, off by 0%", True),
        ("2.1", 2, "outcome: 2; you said: 2.1, off by 5%", True),
        ("-1e3", -2000.0, "outcome: -2000; you said: -1000.0, off by 50%", False),
        ("1", 0.0, "outcome: 0; you said: 1.0", False),
        ("0", 0.0, "outcome: 0; you said: 0.0", True),
    ],
)
def test_a_number_has_its_relative_error(typed, answer, words, right, said, folder):
    assert said(typed, choices=(), answer=answer).endswith(f"{words}\n")
    assert progress.load(folder)["99-tree"].right is right


@pytest.mark.parametrize("typed", ["", "  ", "4", "0", "elm", "nan", "1.0"])
@pytest.mark.parametrize("number", [False, True])
def test_what_does_not_fit_is_one_sentence_and_asked_again(typed, number, said):
    if number and typed in ("4", "0", "1.0"):
        pytest.skip("it is a number")
    text = said(typed, "1", choices=() if number else TREES, answer=1.0 if number else "oak")
    wanted = "a number" if number else "a number from 1 to 3, or a choice's words"
    assert f"expected {wanted}, or skip; found {typed.strip()!r}\n" in text
    assert "you said" in text


@pytest.mark.parametrize("typed", [["skip"], []], ids=["skip", "Ctrl-D"])
def test_a_skipped_prediction_is_not_kept(typed, said, folder):
    assert said(*typed).endswith("outcome: Fir\n")
    assert progress.load(folder) == {}


@pytest.mark.parametrize("change", ["no --ask", "no terminal", "no stdin"])
def test_every_other_run_prints_and_never_waits(change, folder, monkeypatch, capsys):
    monkeypatch.setattr("builtins.input", lambda prompt: pytest.fail("it waits"))
    stdin = {"no terminal": io.StringIO("oak\n"), "no stdin": None}.get(change, Terminal())
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.setattr(sys, "argv", ["x"] + ["--ask"] * (change != "no --ask"))
    predict("99-tree", "Which tree?", *TREES)
    outcome("99-tree", "oak")
    expected = "\npredict: Which tree?\n  1  oak\n  2  Fir\n  3  10\noutcome: oak\n"
    assert capsys.readouterr().out == expected


def test_a_notebook_asks_and_one_that_nobody_watches_goes_on(folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    monkeypatch.setattr(sys, "argv", ["ipykernel_launcher.py"])
    monkeypatch.setattr(sys, "stdin", None)
    monkeypatch.setattr("builtins.input", lambda prompt: "oak")
    predict("99-tree", "Which tree?", *TREES)

    def input(prompt):
        raise NotImplementedError("raw_input was called, but this frontend does not support it")

    monkeypatch.setattr("builtins.input", input)
    predict("99-two", "Which tree?", *TREES)
    outcome("99-tree", "oak")
    outcome("99-two", "oak")
    assert capsys.readouterr().out.endswith("outcome: oak; you said: oak\noutcome: oak\n")


@pytest.mark.parametrize(
    ("name", "answer", "problem"),
    [
        ("99-tree", "elm", "99-tree: expected one of oak, Fir, 10, found 'elm'"),
        ("99-bush", "oak", r"99-bush: expected predict\('99-bush', …\) before its outcome"),
    ],
)
def test_an_outcome_that_does_not_fit_its_question(name, answer, problem, folder, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Terminal("1"))
    predict("99-tree", "Which tree?", *TREES)
    with pytest.raises(ValueError, match=problem):
        outcome(name, answer)


def test_without_a_folder_the_answer_is_shown_and_not_kept(said, folder, capsys):
    (folder / progress.FILE).unlink()
    assert said("oak").endswith("outcome: Fir; you said: oak\n")
    assert not (folder / progress.FILE).exists()


def test_status_counts_them_and_reset_forgets_them(said, folder, capsys):
    progress.record_prediction(folder, "98-x", "3", True)
    said("oak")
    assert cli.main(["status"]) == 0
    assert "\npredictions: 2 made, 1 right\n" in capsys.readouterr().out
    progress.reset_all(folder)
    assert cli.main(["status"]) == 0
    assert "\npredictions: 0 made, 0 right\n" in capsys.readouterr().out


@pytest.mark.parametrize("row", [{"said": 1, "right": True}, {"said": "x"}, "x", None])
def test_a_damaged_prediction_is_a_damaged_file(row, folder, capsys):
    content = {"version": progress.VERSION, "exercises": {}, "predictions": {"99-tree": row}}
    (folder / progress.FILE).write_text(json.dumps(content))
    assert progress.load(folder) == {}
    assert "was unreadable" in capsys.readouterr().err
