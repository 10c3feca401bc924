"""The figures: what is drawn is what was given, told apart without colour, and legible."""

import csv
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmvae_edu.likelihoods import Normal
from mmvae_edu.models import JMVAE, MVAE
from mmvae_edu.report import diagrams, plots

K = [1, 2, 4, 8]


def result(equations, error, limit=1e-12, passed=True):
    claim = SimpleNamespace(equations=equations, tol=SimpleNamespace(limit=limit))
    return SimpleNamespace(claim=claim, error=error, passed=passed)


def latent():
    z = np.random.default_rng(0).normal(size=(50, 4))
    z[:2] += 40  # two far out
    return plots.latent_space({"A": {"x": z, "y": -z}}, np.arange(50) % 10, "t")


def systems():
    many = {f"x{m}": Normal(1) for m in range(12)}
    two = JMVAE({"x": Normal(1), "y": Normal(1)}, hidden=(2,))
    joint = diagrams.terms(MVAE(many, hidden=(2,)))[:1]
    drawings = {
        "two": lambda axis: diagrams.System(axis, two),
        "graph": lambda axis: diagrams.GraphicalModel(axis, two),
        "many": lambda axis: diagrams.System(
            axis, MVAE(many, hidden=(2,)), only=joint, parameters=True, missing=("x1",)
        ),
    }
    return diagrams.panels(drawings, "t")[0]


FIGURES = {
    "systems": systems,
    "digits": lambda: plots.digit_grid([("a", np.ones((3, 64))), ("b", np.zeros((3, 16)))], "t"),
    "latent": latent,
    "training": lambda: plots.training_curves(
        {n: [{"step": 1, "bound": -5.0}, {"step": 2, "bound": -3.0}] for n in "ABCD"}, "t"
    ),
    "lines": lambda: plots.lines({n: (K, [1, 2, 3, 4]) for n in "ABCDEF"}, "t", "x", "y"),
    "claims": lambda: plots.claims_overview([result(["S4.1"], 1e-15)], ["S4.1"], "t"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_type_is_legible_and_inside(name, tmp_path):
    figure = FIGURES[name]()
    figure.savefig(tmp_path / "x.png")
    width, height = figure.canvas.get_width_height()
    texts = figure.findobj(matplotlib.text.Text)
    assert min(text.get_fontsize() for text in texts) >= 9
    assert "t" in {text.get_text() for text in texts}  # the title
    ticks = {label for axis in figure.axes for a in (axis.xaxis, axis.yaxis)
             for label in a.get_ticklabels(which="both")}  # fmt: skip
    for text in set(texts) - ticks:  # a tick beyond the limits has a place, but is not drawn
        box = text.get_window_extent()
        if text.get_text().strip() and text.get_visible():
            assert min(box.x0, box.y0) >= -1, text
            assert box.x1 <= width + 1, text
            assert box.y1 <= height + 1, text


@pytest.mark.parametrize("name", FIGURES)
def test_global_style_is_left_alone(name):
    before = dict(matplotlib.rcParams)
    FIGURES[name]()
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("name", FIGURES)
def test_same_input_same_bytes(name, tmp_path):
    for path in tmp_path / "1.png", tmp_path / "2.png":
        FIGURES[name]().savefig(path)
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()


def test_save_writes_picture_and_numbers(tmp_path):
    path = tmp_path / "lines.png"
    figure = FIGURES["lines"]()
    picture = plots.save(figure, path, alt="alt", caption="c", numbers=[["k", "v"], ["a, b", 0.1]])
    assert (picture.path, picture.alt, picture.caption) == (path, "alt", "c")
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    with (tmp_path / "lines.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["k", "v"], ["a, b", "0.1"]]


def test_lines_differ_without_colour():
    drawn = FIGURES["lines"]().axes[0].lines
    assert len({line.get_marker() for line in drawn}) == len(drawn) == 6
    assert len({str(line._dash_pattern) for line in drawn}) == 6
    assert len({line.get_color() for line in drawn}) == 6


def test_lines_show_the_numbers_given():
    series = {"a": (K, [4.0, 3.0, 2.0, 1.0]), "b": (K, [1.0, 2.0, 3.0, 5.0])}
    axis = plots.lines(series, "t", "K", "nats", log_x=True, log_y=True).axes[0]
    for line, (label, (x, y)) in zip(axis.lines, series.items(), strict=True):
        assert line.get_label() == label
        np.testing.assert_array_equal(line.get_xydata(), np.column_stack([x, y]))
    assert (axis.get_xscale(), axis.get_yscale()) == ("log", "log")


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12))
def test_the_pen_passes_through_every_point(seed, steps):
    path = np.random.default_rng(seed).normal(size=(8, 2))
    curve = plots.smooth(path, steps)
    assert curve.shape == (7 * steps + 1, 2)
    np.testing.assert_allclose(curve[::steps], path, atol=1e-12)


def test_a_straight_pen_stays_straight():
    path = np.column_stack([np.arange(8.0), 2 * np.arange(8.0) + 1])
    curve = plots.smooth(path)
    np.testing.assert_allclose(curve[:, 1], 2 * curve[:, 0] + 1, atol=1e-12)
    assert (np.diff(curve[:, 0]) > 0).all()


def test_digits_are_upright():
    image, strokes = np.arange(64.0) / 4, np.linspace(-1, 1, 16)
    axes = plots.digit_grid([("i", image[None]), ("s", strokes[None])], "t").axes
    np.testing.assert_array_equal(axes[0].images[0].get_array(), image.reshape(8, 8))
    assert axes[0].images[0].get_clim() == (0, 16)  # one grey scale for all cells
    curve, start = axes[1].lines
    assert axes[1].get_ylim()[0] < axes[1].get_ylim()[1]  # the pen's y points up
    np.testing.assert_allclose(start.get_xydata()[0], 50 * (strokes[:2] + 1))
    np.testing.assert_allclose(curve.get_xydata()[-1], 50 * (strokes[-2:] + 1))


def test_latent_panels_of_a_row_share_one_plane():
    first, second = latent().axes
    assert first.get_xlim() == second.get_xlim()
    assert first.get_ylim() == second.get_ylim()
    assert {text.get_text() for text in first.texts} <= set("0123456789")
    for axis in first, second:
        for text in axis.texts:
            x, y = text.get_position()
            assert axis.get_xlim()[0] < x < axis.get_xlim()[1]
            assert axis.get_ylim()[0] < y < axis.get_ylim()[1]


def test_claims_stand_in_the_rows_of_their_equations():
    results = [result(["S11.1", "S5.10"], 0.0), result(["S5.9", "S4.2"], 1e-14)]
    ids = ["S4.2", "S5.9", "S5.10", "S11.1"]
    axis = plots.claims_overview(results, ids, "t").axes[0]
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert labels == ids
    assert axis.yaxis_inverted()  # the first slide on top
    places = {labels[int(line.get_ydata()[0])]: line.get_xdata()[0] for line in axis.lines[:4]}
    assert places["S11.1"] == places["S5.10"] == 1e-6
    assert places["S5.9"] == places["S4.2"] == pytest.approx(1e-2)


def test_a_failed_claim_stands_right_of_the_limit_with_its_own_marker():
    results = [result(["S4.1"], 0.0), result(["S4.2"], np.inf, passed=False)]
    axis = plots.claims_overview(results, ["S4.1", "S4.2"], "t").axes[0]
    good, bad = axis.lines[:2]
    assert good.get_marker() != bad.get_marker()
    assert 1 < bad.get_xdata()[0] < axis.get_xlim()[1]


def test_a_title_is_wrapped_to_its_figure():
    title = "For half of the test digits the nearest other code has the same label"
    figure, _ = plots.canvas(4.4, 3, title=f"{title}\nand a line of its own")
    first, *_, last = figure.get_suptitle().split("\n")
    assert len(first) < len(title)
    assert last == "and a line of its own"
