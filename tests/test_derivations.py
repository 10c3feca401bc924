"""Derivations: wrong ones fail at the right line, right ones pass and say what they need."""

import tomllib
from pathlib import Path

import pytest

from mmvae_edu.derivations import Unreadable, check, read
from mmvae_edu.derivations.words import rows

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
