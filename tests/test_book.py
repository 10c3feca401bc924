"""The book: its prose, its failures in one sentence each, and its pages in a real browser."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from browser import Browser

from mmvae_edu import book, cli
from mmvae_edu.book import frame, pages, prose
from mmvae_edu.course import overview
from mmvae_edu.course.cells import cells
from mmvae_edu.course.overview import Lesson
from mmvae_edu.support import files

# ---- without a browser ----


def render(text, link=lambda words, is_code: None):
    found = prose.Prose(link)
    return found.html(text), found


def test_a_lesson_is_split_into_its_cells():
    text = (
        "# %% [markdown]\n# # L99  Title\n#\n# Text.\n\n# %% measured times\nx = 1\n\n# %%\ny = 2\n"
    )
    found = [(cell.text, cell.line, cell.prose, cell.measured) for cell in cells(text)]
    assert found == [
        ("# L99  Title\n\nText.", 2, True, False),
        ("x = 1", 7, False, True),
        ("y = 2", 10, False, False),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$a_1 * b$ and $c * d_1$", "<mo>&#x0002A;</mo>"),  # no emphasis
        ("| a | b |\n|---|---|\n| $p(x|z)$ | 2 |", "<td>2</td>"),  # no cell ends inside
        ("costs `$x` and `$y`", "<code>$x</code> and <code>$y</code>"),
        ("$$a$$  (S7.4)", '<a class="id" href="equations.html#S7.4">S7.4</a>'),
        (r"$D(P\,\Big\|\,Q)$", "‖"),
        (r"$q\log p$", '<mi>q</mi><mspace width="0.167em" /><mi>log</mi><mspace'),
        ("## One\n\n## One", '<h2 id="one">One</h2>\n<h2 id="one-2">One</h2>'),
        ("see L11, (S7.4), L98", '<a href="L11.html">L11</a>, (<a href="S7.4.html">S7.4</a>), L98'),
    ],
)
def test_prose(text, expected):
    def link(words, is_code):
        if text.startswith("$$"):
            return f"equations.html#{words}"
        return f"{words}.html" if words in ("L11", "S7.4") else None

    html, found = render(text, link)
    assert expected in html
    assert not found.problems


@pytest.mark.parametrize(
    ("latex", "reason"),
    [
        (r"\nosuch{x}", r"\nosuch is unknown"),
        (r"\frac{1", "its braces do not match"),
        (r"\left( a", "ExtraLeftOrMissingRightError"),
    ],
)
def test_an_equation_that_cannot_be_rendered_is_one_sentence(latex, reason):
    html, found = render(f"Text ${latex}$.")
    assert found.problems == [f"the equation {latex} cannot be rendered: {reason}"]
    assert f'<code class="fails">{latex}</code>' in html


def test_a_link_to_nowhere_is_one_sentence():
    html = {
        "a.html": '<h2 id="here"></h2><a href="#here"></a><a href="b/c.html#L2"></a>',
        "b/c.html": '<a href="../a.html#here"></a><img src="../p.png"><a href="../gone.html"></a>',
    }
    assert frame.dead_links(html, {"p.png"}) == [
        "a.html: its link to b/c.html#L2 leads nowhere",
        "b/c.html: its link to ../gone.html leads nowhere",
    ]


def test_an_idea_that_the_lesson_does_not_speak_of_is_one_sentence():
    lesson = Lesson(Path("99_a.py"), "A", "7", "?", [], 1, 0, ideas=["veto", "Bayes"])
    page = frame.Page("99_a.html", "L99 A", '<h1>A</h1><h2 id="one">One</h2><p>A veto</p>')
    found, missing = book.ideas_of([lesson], [page])
    assert found == {"veto": ['<a href="99_a.html#one">L99</a>']}
    assert missing == ["lessons.toml: L99 does not speak of 'Bayes'"]


LESSON = """# %% [markdown]
# # L99  Fails
#
# Text, and $\\nosuch$.

# %% measured times
import time
from mmvae_edu.course import holds, keep, outcome, predict
from mmvae_edu.report import plots
print("seconds", time.perf_counter())

# %% [markdown]
# ## Predict, then run

# %%
predict("99-a", "Is it?", "yes", "no")
figure = plots.lines({"a": ([1, 2], [3, 4])}, "A rises", "x", "y")
keep(figure, "99-a", alt="A rises", numbers=[["x"], [1]])
outcome("99-a", "yes")
holds("evidence_sums_the_joint")

# %%
raise ValueError("of <course>")

# %%
print("never reached")
"""


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Write a book of one lesson, whose path this is, into a folder; returns the problems."""
    path = tmp_path / "99_fails.py"
    path.write_text(LESSON)
    lesson = Lesson(path, "Fails", "7", "Why?", [], 1, 0)
    monkeypatch.setattr(overview, "overview", lambda: [lesson])
    monkeypatch.setattr(pages, "source_pages", list)  # dead links then

    def write(name):
        assert cli.main(["book", "-o", str(tmp_path / name)]) == 1
        return tmp_path / name

    return write


@pytest.mark.slow
def test_a_lesson_that_raises_is_shown_and_fails_the_command(small, capsys):
    page = (small("book") / "99_fails.html").read_text("utf-8")
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "mmvae-edu: 99_fails.py: the equation \\nosuch cannot be rendered: " + (
        "\\nosuch is unknown"
    )
    assert said[1] == "mmvae-edu: 99_fails.py: the cell at line 23 raises ValueError: of <course>"
    assert "ValueError: of &lt;course&gt;" in page
    assert "never reached</pre>" not in page
    assert '<div class="measured">' in page
    question, code, answer = map(
        page.index, ("<strong>Predict.</strong> Is it?", "predict", "outcome: yes")
    )
    assert question < page.index("<details>") < answer, code
    assert '<img src="figures/99-a.png" width="792" height="462"' in page
    assert 'aria-label="holds"' in page


@pytest.mark.slow
def test_two_builds_differ_in_measured_times_alone(small):
    first, second = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
        for folder in (small("one"), small("two"))
    )
    assert first.keys() == second.keys()
    times = re.compile(rb'<div class="measured">.*?</pre>|seconds [\d.]+', re.DOTALL)
    for name, content in first.items():
        assert times.sub(b"", content) == times.sub(b"", second[name]), name


# ---- in a browser ----

MEASURE = r"""(() => {
  const seen = (e) => e.getClientRects().length > 0;
  const text = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
  const light = (colour) => channels(colour).slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if ((channels(colour)[3] ?? 1) > 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const faint = [], latex = [];
  while (text.nextNode()) {
    const e = text.currentNode.parentElement;
    const words = text.currentNode.data.trim();
    if (!words || !seen(e) || e.closest("script")) continue;
    if (!e.closest("pre, code") && /\\[a-z]|\$/i.test(words)) latex.push(words);
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) faint.push(words.slice(0, 40));
  }
  const maths = [...document.querySelectorAll("math")].filter((e) => !e.closest("details"));
  const images = [...document.images].filter((e) => !e.closest("details"));
  return {
    faint, latex, math: maths.length, failed: document.querySelectorAll(".fails, .error").length,
    wide: document.documentElement.scrollWidth - innerWidth,
    empty: maths.filter((e) => e.getBoundingClientRect().width < 3).length,
    lost: images.filter((e) => !e.naturalWidth || !e.alt).map((e) => e.src),
    tiny: images.filter((e) => e.width < 0.6 * e.getAttribute("width")).map((e) => e.src),
  };
})()"""


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The book of all lessons, built once for all processes of the tests."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if folder.name.startswith("popen-") else folder
    with files.locked(folder):
        if not (folder / "built").exists():
            command = [sys.executable, "-m", "mmvae_edu", "book", "--fast", "-o", folder / "book"]
            done = subprocess.run(command, capture_output=True, text=True)
            (folder / "built").write_text(f"{done.returncode} {done.stderr}")
    assert (folder / "built").read_text() == "0 "
    return folder / "book"


@pytest.fixture
def browser(tmp_path):
    browser = Browser(tmp_path)
    yield browser
    browser.close()


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark"), [(1200, False), (390, False), (390, True)])
def test_every_page(site, browser, width, dark):
    equations = 0
    files_of_source = sorted((site / "source").glob("*.html"))[::40]
    for path in [*sorted(site.glob("*.html")), *files_of_source]:
        browser.open(path, width=width, dark=dark)
        found = browser.value(MEASURE)
        assert not browser.errors, path.name
        equations += found.pop("math")
        wanted = dict(faint=[], latex=[], failed=0, wide=0, empty=0, lost=[], tiny=[])
        assert found == wanted, path.name
    assert equations > 500


@pytest.mark.browser
def test_sizes(site):
    assert sum(path.stat().st_size for path in site.rglob("*.*")) < 30e6
    first = ["index.html", "book.css", "book.js"]
    assert sum((site / name).stat().st_size for name in first) < 300e3


@pytest.mark.browser
@pytest.mark.parametrize("name", ["11_product_of_experts", "19_why_a_mixture"])
def test_the_figure_of_two_experts_moves(site, browser, name):
    browser.open(site / f"{name}.html")
    static = re.findall(
        r"<li class=\"\w+\"><svg.*?<span[^>]*>(.*?)</span>", (site / f"{name}.html").read_text()
    )
    listed = "[...document.querySelectorAll('.experts li span')].map((e) => e.textContent)"
    assert browser.value(listed) == static  # the script begins where the static figure stands
    place = """(() => {
      const handle = document.querySelector(".experts circle");
      handle.scrollIntoView({block: "center"});
      const box = handle.getBoundingClientRect();
      return [box.x + box.width / 2, box.y + box.height / 2];
    })()"""
    x, y = browser.value(place)
    browser.drag((x, y), (x + 80, y))
    moved = browser.value(listed)
    assert moved[0] == static[0]  # the prior stays
    assert all(
        new != old for new, old in zip(moved[1:], static[1:], strict=True) if new != static[2]
    )
    sliders = "document.querySelectorAll('.experts input')"
    browser.value(f"{sliders}[1].focus()")
    browser.press("ArrowRight")
    assert browser.value(listed)[1] != moved[1]
    widen = f"for (const i of [1, 3]) {{ const s = {sliders}[i]; s.value = 4;"
    browser.value(widen + " s.dispatchEvent(new Event('input')); }")
    assert "no density: the precisions sum to 0.50" in browser.value(listed)[4]
    assert browser.value("document.querySelector('.experts path.quotient').getAttribute('d')") == ""
    assert not browser.errors


@pytest.mark.browser
def test_search_and_keyboard(site, browser):
    browser.open(site / "index.html")
    browser.value("document.querySelector('#search input').focus()")
    browser.value(
        "new Promise((done) => { const look = () => window.bookIndex ? done() : "
        "setTimeout(look, 20); look(); })"
    )
    browser.value(
        "(() => { const input = document.querySelector('#search input'); input.value = "
        "'quotient density'; input.dispatchEvent(new Event('input')); })()"
    )
    links = browser.value("[...document.querySelectorAll('#search li a')].map((e) => e.href)")
    assert any("11_product_of_experts.html#" in link for link in links)
    browser.press("Tab")
    style = "getComputedStyle(document.activeElement)"
    assert browser.value(f"{style}.outlineStyle") == "solid"
    assert not browser.errors
