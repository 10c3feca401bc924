"""The report: one offline file, everything escaped, the same bytes for the same content."""

import base64
import json
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from matplotlib.figure import Figure

from mmvae_edu.course import progress
from mmvae_edu.course.exercises import exercises
from mmvae_edu.report import page, saved_sections
from mmvae_edu.report.plots import Picture
from mmvae_edu.slides.equations import Equation, load_equations
from mmvae_edu.tour import progress as tour_progress

VOID = {"meta", "img", "br"}
NASTY = '<script>alert(\'&"x")</script>'


class Outline(HTMLParser):
    """Checks that tags nest, and keeps text and attributes."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data if self.open[-1:] != ["style"] else ""


def result(passed=True, statement="It holds.", note="", numbers="2e-16 of 1e-10"):
    tol = SimpleNamespace(name="T1")
    claim = SimpleNamespace(statement=statement, oracle="O2 quadrature", tol=tol)
    return SimpleNamespace(claim=claim, passed=passed, numbers=numbers, note=note)


@pytest.fixture
def picture(tmp_path):
    figure = Figure(figsize=(3, 2), dpi=100)
    figure.savefig(tmp_path / "x.png")
    return Picture(tmp_path / "x.png", f"alt {NASTY}", f"caption {NASTY}")


@pytest.fixture
def sections(picture):
    equation = Equation("S5.1", 5, "L03", "defined", f"title {NASTY}", r"L = \log p(x)")
    table = page.Table(f"caption {NASTY}", ["model", NASTY], [[NASTY, "−1.5"]])
    checked = page.CheckedEquation(equation, [result(statement=NASTY, note=NASTY)])
    blocks = [page.Paragraph(NASTY), table, picture, checked]
    return [page.Section(f"section {NASTY}", blocks), page.Section("empty", [])]


def written(tmp_path, sections, title=f"title {NASTY}", subtitle=f"2026-01-01 {NASTY}"):
    page.write_report(tmp_path / "r.html", title, subtitle, sections)
    return (tmp_path / "r.html").read_text(encoding="utf-8")


def test_everything_is_escaped(tmp_path, sections):
    html = written(tmp_path, sections)
    outline = Outline(html)
    assert "script" not in {tag for tag, _ in outline.tags}
    assert outline.text.count(NASTY) == html.count("&lt;script&gt;") - 1  # one is in the alt text
    image = next(attributes for tag, attributes in outline.tags if tag == "img")
    assert image["alt"] == f"alt {NASTY}"


def test_nothing_is_loaded_and_nothing_runs(tmp_path, sections):
    outline = Outline(written(tmp_path, sections))
    for tag, attributes in outline.tags:
        assert tag not in {"script", "link", "iframe", "object"}
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("href", "#").startswith("#")
    assert "url(" not in page.CSS
    assert "@import" not in page.CSS


def test_nothing_is_wider_than_a_phone():
    """No rule asks for more than the window; what numbers may not break is small there."""
    widths = re.findall(r"(?<!max-)width: ([^;}]+)", page.CSS)
    assert widths
    assert {w for w in widths if not re.fullmatch(r"0|100%|min\(100%, .*\)", w)} == set()
    assert "@media (max-width: 40rem)" in page.CSS


def test_links_lead_somewhere(tmp_path, sections):
    tags = Outline(written(tmp_path, sections)).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    links = [attributes["href"][1:] for tag, attributes in tags if tag == "a"]
    assert len(links) == 2
    assert set(links) <= set(ids)


def test_same_content_same_bytes(tmp_path, sections):
    first, second = written(tmp_path, sections), written(tmp_path, sections)
    assert first == second
    later = written(tmp_path, sections, subtitle="2026-01-02")
    assert later.replace("2026-01-02", "") != later
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.html", "x.png"]  # no leftovers


def test_picture_is_embedded_whole(picture):
    outline = Outline(picture.html())
    image = next(attributes for tag, attributes in outline.tags if tag == "img")
    data = image["src"].removeprefix("data:image/png;base64,")
    assert base64.b64decode(data, validate=True) == picture.path.read_bytes()
    assert (image["width"], image["height"]) == ("300", "200")


def test_passed_and_failed_differ_in_words():
    good = Outline(page.claim_line(result()))
    bad = page.claim_line(result(False, note="ValueError: boom"))
    assert any(attributes.get("aria-label") == "holds" for _, attributes in good.tags)
    assert "fails" not in good.text
    assert "fails" in Outline(bad).text
    assert "ValueError: boom" in bad


def test_claim_line_says_error_limit_tolerance_and_oracle():
    line = Outline(page.claim_line(result())).text
    for words in "It holds.", "2e-16 of 1e-10", "(T1)", "O2 quadrature":
        assert words in line


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("x_i and L_{K+1}", "x<sub>i</sub> and L<sub>K+1</sub>"),
        ("w̃_k = E_q w", "w̃<sub>k</sub> = E<sub>q</sub> w"),
        ("log q_Φ(z_j)", "log q<sub>Φ</sub>(z<sub>j</sub>)"),
        ("log_var, eps_k, neg_kl", "log_var, eps_k, neg_kl"),
        ("a < b_1", "a &lt; b<sub>1</sub>"),
        ("2^M, e^−30, z_m^k", "2<sup>M</sup>, e<sup>−30</sup>, z<sub>m</sub><sup>k</sup>"),
        ("e^−0.4, w̃_k² x", "e<sup>−0.4</sup>, w̃<sub>k</sub>² x"),
        ("p(z)^(N−1), L^{K-1}", "p(z)<sup>N−1</sup>, L<sup>K-1</sup>"),
        ("L^MoE_K ≤ L^MoE_2's", "L<sup>MoE</sup><sub>K</sub> ≤ L<sup>MoE</sup><sub>2</sub>&#x27;s"),
    ],
)
def test_indices_and_exponents(text, html):
    assert page.scripts(text) == html


def test_number_columns_align_right():
    table = page.Table("t", ["name", "a", "b"], [["x", "−1.5", "3"], ["y", "–", "n/a"]])
    assert table.numeric == [False, True, False]
    classes = [attributes.get("class") for tag, attributes in Outline(table.html()).tags
               if tag in {"td", "th"}]  # fmt: skip
    assert classes == [None, "number", None] * 3


@pytest.mark.parametrize("equation", load_equations(), ids=lambda equation: equation.id)
def test_every_equation_of_the_ledger(equation):
    html = page.CheckedEquation(equation, []).html()
    outline = Outline(html)
    assert outline.tags[0] == ("h3", {"id": equation.id})
    assert "\\" not in html
    assert html.count("<mi>log</mi>") == equation.latex.count("\\log")
    assert "<mi>log</mi><mi>" not in html  # "log p", not "logp"


# ---- what a tour leaves, and the learner's progress ----


def test_a_record_gives_the_same_page(tmp_path, picture):
    table = page.Table(f"caption {NASTY}", ["model", "bound"], [["MVAE", "−1.5"]])
    blocks = [page.Paragraph(NASTY), table, picture]
    sections = [page.Section("first", blocks), page.Section("second", [])]
    saved_sections.save(tmp_path / "r.json", sections)
    loaded = saved_sections.load(tmp_path / "r.json")
    assert written(tmp_path, loaded) == written(tmp_path, sections)


@pytest.mark.parametrize("damage", ["text", "version", "picture", "kind", "list"])
def test_a_damaged_record_is_one_sentence(tmp_path, picture, damage):
    path = tmp_path / "r.json"
    saved_sections.save(path, [page.Section("t", [picture])])
    content = json.loads(path.read_text("utf-8"))
    if damage == "version":
        content["mmvae_edu"] = "0.0.1"
    if damage == "picture":
        picture.path.unlink()
    if damage == "kind":
        content["sections"][0]["blocks"] = [{"kind": "Script", "text": "x"}]
    text = {"text": "{", "list": "[]"}.get(damage, json.dumps(content))
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="run `mmvae-edu tour` again") as problem:
        saved_sections.load(path)
    assert "\n" not in str(problem.value)


def test_progress_in_the_report(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tour_progress.progress_sections() == []
    progress.start(tmp_path / "mine")
    ids = "L05.neg_kl_std_normal", "L05.kl_gauss", "L03.elbo"
    right, wrong, old = (exercises()[id] for id in ids)
    rows = {}
    for exercise in right, wrong, old:
        path = tmp_path / "mine" / exercise.stub.name
        text = path.read_text("utf-8").replace(f'todo("{exercise.id}")', "None")
        path.write_text(text, encoding="utf-8")
    for exercise, code in (right, 0), (wrong, 1), (old, 0):
        hash = progress.file_hash(tmp_path / "mine", exercise)
        rows[exercise.id] = progress.Row(code, hash, progress.checker_version(exercise))
    rows[wrong.id].mistakes, rows[wrong.id].hints = [wrong.mutants[0].name], [1, 3]
    rows[old.id].hash = "of another file"
    rows["05-cost"] = progress.Prediction("higher at +2", True)
    progress.save(tmp_path / "mine", rows)
    (section,) = tour_progress.progress_sections()
    words, lessons, mistakes = section.blocks
    made = "predictions: 1 made, 1 right"
    assert words.text.startswith(f"1 of {len(exercises())} exercises are right; {made}. ")
    by_lesson = {row[0]: row[1:] for row in lessons.rows}
    assert by_lesson["L05"] == ["3", "1", "1", "–", "–", "1", "2"]
    others = str(sum(id.startswith("L03.") for id in exercises()) - 1)
    assert by_lesson["L03"] == [str(int(others) + 1), "–", "–", "1", "–", others, "–"]
    assert mistakes.rows == [[wrong.id, wrong.mutants[0].says]]
