"""The ledger: complete, in order, cited by its lessons, and readable as MathML."""

import re
import tomllib
import xml.etree.ElementTree as ElementTree

import pytest
from latex2mathml.converter import convert

from mmvae_edu.course import lessons
from mmvae_edu.slides.equations import load_equations, load_items

EQUATIONS, ITEMS = load_equations(), load_items()
LESSONS = sorted({item.lesson for item in ITEMS})
COUNTS = {4: 4, 6: 3, 7: 6, 9: 5, 11: 4, 12: 3}
TABLES = {8: ["T2"], 10: list("abcd"), 13: ["T1", "T2", "T3"]}


def test_every_id_once_and_in_order():
    parts = {slide: range(1, count + 1) for slide, count in COUNTS.items()} | TABLES
    parts[5] = range(14)  # S5.0 is the task that slide 5 sets before its first line
    ids = [f"S{slide}.{part}" for slide in sorted(parts) for part in parts[slide]]
    assert [equation.id for equation in EQUATIONS] == ids
    assert len(ids) == 47


def test_fields():
    for equation in EQUATIONS:
        assert equation.id.startswith(f"S{equation.slide}.")
        assert 0 < len(equation.title) <= 45
        assert equation.lesson in {f"L{n:02}" for n in range(2, 23)}
    lessons = [equation.lesson for equation in EQUATIONS]
    assert lessons == sorted(lessons)  # the course follows the slides
    assert len({equation.latex for equation in EQUATIONS}) == len(EQUATIONS)


def test_every_row_is_an_equation_or_an_item():
    rows = tomllib.loads((lessons()[0].parent / "equations.toml").read_text("utf-8"))
    assert sorted(row.id for row in EQUATIONS + ITEMS) == sorted(rows)
    assert {item.slide for item in ITEMS} == set(range(1, 14))


def test_items_are_in_order_and_speak():
    assert [item.slide for item in ITEMS] == sorted(item.slide for item in ITEMS)
    for item in ITEMS:
        assert re.fullmatch(rf"S{item.slide}\.[a-z][a-z0-9-]+", item.id)
        assert item.how in ("drawn", "answered", "derived", "told")
        assert 0 < len(item.title) <= 45


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_cites_its_items(lesson):
    texts = [path.read_text("utf-8") for path in lessons() if path.stem.startswith(lesson[1:])]
    assert texts, f"there is no {lesson}"
    lost = [i.id for i in ITEMS if i.lesson == lesson and f"({i.id})" not in texts[0]]
    assert not lost, f"{lesson} does not cite {', '.join(lost)}"


@pytest.mark.parametrize("equation", EQUATIONS, ids=[equation.id for equation in EQUATIONS])
def test_latex_becomes_mathml(equation):
    mathml = convert(equation.latex)
    assert "\\" not in mathml
    tree = ElementTree.fromstring(mathml)
    assert not any(element.tag.endswith("merror") for element in tree.iter())
    text = "".join(tree.itertext())
    assert "operatorname" not in text
    assert text.count("(") == text.count(")")
    assert text.count("[") == text.count("]")
