"""Figures: titles state the finding, series differ by marker and dash as well as by colour.

Every function returns a Figure; `save` writes the picture, and the plotted numbers as CSV.
Colours are Okabe and Ito's, which readers with any colour vision can tell apart.
"""

import base64
import csv
import io
import struct
import textwrap
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from ..data import stroke_path
from ..support import files

INK = "#222222"
LETTERS = 10.5  # of a title, in an inch of width
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
TEN_COLOURS = (*COLOURS, "#000000", "#8A6D00", "#5B2C83", "#7A7A7A")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
STYLE = {
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 110,
    "savefig.facecolor": "white",
}


@dataclass(frozen=True)
class Picture:
    """A saved figure: its file, its alt text (what it shows, in words) and its caption."""

    path: Path
    alt: str
    caption: str

    def html(self):
        """Embed the picture in a page (`page.Section`)."""
        data = base64.b64encode(self.path.read_bytes()).decode()
        return self._figure(f"data:image/png;base64,{data}", escape(self.caption))

    def linked(self, folder, sharper):
        """Show the file in `folder`, `sharper` pixels on one of the page, and link its numbers."""
        source = f"{folder}/{escape(self.path.name)}"
        numbers = Path(source).with_suffix(".csv").as_posix()
        return self._figure(source, f'<a href="{numbers}">the plotted numbers</a>', sharper)

    def _figure(self, source, caption, sharper=1):
        with self.path.open("rb") as png:
            sizes = struct.unpack(">II", png.read(24)[16:])  # the page keeps still as it loads
        width, height = (round(size / sharper) for size in sizes)
        return (
            f'<figure><div class="scroll"><img src="{source}" width="{width}" height="{height}" '
            f'style="min-width: {0.65 * width:.0f}px" alt="{escape(self.alt)}"></div>'
            f"<figcaption>{caption}</figcaption></figure>"
        )


def save(figure, path, *, alt, caption, numbers):
    """Write `path` (PNG) and the plotted numbers beside it as CSV, the first row naming columns."""
    write_png(figure, path)
    table = io.StringIO()
    csv.writer(table).writerows(numbers)
    files.write_text(path.with_suffix(".csv"), table.getvalue())
    return Picture(path, alt, caption)


def write_png(figure, path):
    """Write a figure's picture, whole or not at all."""
    with files.writing(path) as file:
        figure.savefig(file, format="png")


def canvas(width, height, *grid, title=None, **options):
    """Make a figure and its axes, in the house style; the title states the finding."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        if title:
            lines = (textwrap.fill(line, int(LETTERS * width)) for line in title.splitlines())
            figure.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=12)
        return figure, figure.subplots(*grid, **options)


def digit_grid(rows, title):
    """Draw a row of digits for each (label, array): images (n, 64) or pen paths (n, 16)."""
    n = len(rows[0][1])
    size = 1.6 + 0.72 * n, 0.55 + 0.78 * len(rows)
    figure, axes = canvas(*size, len(rows), n, squeeze=False, title=title)
    for axes_row, (label, digits) in zip(axes, rows, strict=True):
        for axis, digit in zip(axes_row, digits, strict=True):
            draw_digit(axis, digit)
        axes_row[0].set_ylabel(label, rotation=0, ha="right", va="center", labelpad=8)
    return figure


def draw_digit(axis, digit):
    """Draw an 8×8 image of ink counts, or a pen path with a dot where the pen starts."""
    axis.set(xticks=[], yticks=[], aspect="equal")
    axis.spines[:].set_visible(False)
    if digit.size == 64:
        axis.imshow(digit.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
        return
    path = stroke_path(digit)
    curve = smooth(path)
    axis.plot(*curve.T, color=INK, linewidth=1.8, solid_capstyle="round")
    axis.plot(*path[0], marker="o", color=COLOURS[1], markersize=3.5)
    axis.set(xlim=(-12, 112), ylim=(-12, 112))


def smooth(path, steps=8):
    """Compute a Catmull-Rom curve through a pen path's points: (8, 2) → (7·steps + 1, 2)."""
    before = np.concatenate([path[:1], path[:-2]])
    after = np.concatenate([path[2:], path[-1:]])
    start, end = path[:-1], path[1:]
    t = np.linspace(0, 1, steps, endpoint=False)[:, None, None]
    curve = (
        start
        + 0.5 * t * (end - before)
        + t**2 * (before - 2.5 * start + 2 * end - 0.5 * after)
        + 0.5 * t**3 * (3 * (start - end) + after - before)
    )
    return np.concatenate([curve.swapaxes(0, 1).reshape(-1, 2), path[-1:]])


def latent_space(systems, labels, title):
    """Draw latents as their digits: a row for each system, a column for each given modality.

    systems: name → dict modality → z (n, D).  A row's panels share one plane, the first two
    principal directions of all its draws; the outermost 1% in either direction are left out.
    """
    columns = len(next(iter(systems.values())))
    size = 4.4 * columns, 4.2 * len(systems)
    figure, axes = canvas(*size, len(systems), columns, squeeze=False, title=title)
    for row, (name, draws) in zip(axes, systems.items(), strict=True):
        z = np.concatenate(list(draws.values()))
        centre = z.mean(axis=0)
        _, _, directions = np.linalg.svd(z - centre, full_matrices=False)
        low, high = np.percentile((z - centre) @ directions[:2].T, [0.5, 99.5], axis=0)
        margin = 0.03 * (high - low)
        for axis, (modality, points) in zip(row, draws.items(), strict=True):
            points = (points - centre) @ directions[:2].T
            inside = ((points > low) & (points < high)).all(axis=1)
            write_labels(axis, points[inside], labels[inside])
            (x0, y0), (x1, y1) = low - margin, high + margin
            axis.set(xlim=(x0, x1), ylim=(y0, y1), xticks=[], yticks=[])
            axis.set(title=f"{name}, z ~ q(z|{modality})")
            axis.set(xlabel="first direction", ylabel="second direction")
    return figure


def write_labels(axis, points, labels):
    """Write each label, a digit, at its point of the plane: points (n, 2), labels (n,)."""
    for point, label in zip(points, labels, strict=True):
        text = axis.text(*point, str(label), color=TEN_COLOURS[label], fontsize=10)
        text.set(ha="center", va="center", clip_on=True)


def code_plane(axis, codes, labels, title):
    """Draw codes (n, 2) as their digits, and dashed the circle that holds 95% of N(0, I)."""
    write_labels(axis, codes, labels)
    angle = np.linspace(0, 2 * np.pi, 100)
    circle = np.sqrt(-2 * np.log(0.05)) * np.array([np.cos(angle), np.sin(angle)])
    axis.plot(*circle, color=INK, linestyle="--")
    centre = np.median(codes, axis=0)
    reach = 1.05 * np.abs(codes - centre).max()
    axis.set(title=title, xlabel="first number of the code", ylabel="second", aspect="equal")
    axis.set(xlim=centre[0] + [-reach, reach], ylim=centre[1] + [-reach, reach])


def training_curves(histories, title):
    """Draw the bound over the steps, a panel for each system: the bounds are not comparable."""
    columns = min(3, len(histories))
    rows = -(-len(histories) // columns)
    size = 3.6 * columns, 2.7 * rows + 0.3
    figure, axes = canvas(*size, rows, columns, squeeze=False, title=title)
    for axis in axes.flat[len(histories) :]:
        axis.set_visible(False)
    for i, (name, history) in enumerate(histories.items()):
        axis, last = axes.flat[i], history[-1]["bound"]
        steps, bounds = [h["step"] for h in history], [h["bound"] for h in history]
        axis.plot(steps, bounds, color=COLOURS[0], marker="o", markersize=3)
        axis.set(title=f"{name}: {last:.1f}".replace("-", "−"), xlabel="step", ylabel="bound, nats")
    return figure


def lines(series, title, xlabel, ylabel, *, log_x=False, log_y=False):
    """Draw curves that differ by colour, marker and dash; series: label → (x, y)."""
    figure, axis = canvas(7.2, 4.2, title=title)
    for i, (label, (x, y)) in enumerate(series.items()):
        style = {"color": COLOURS[i], "marker": MARKERS[i], "linestyle": DASHES[i]}
        axis.plot(x, y, label=label, markersize=5, **style)
    axis.set(xlabel=xlabel, ylabel=ylabel)
    if log_x:
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(ScalarFormatter())
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_xticks(next(iter(series.values()))[0])
    if log_y:
        axis.set_yscale("log")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def claims_overview(results, ids, title):
    """Draw each claim's error as a fraction of its tolerance, a row for each equation id.

    A claim about no equation stands in the last row.
    """
    figure, axis = canvas(7.6, 1.2 + 0.23 * len(ids), title=title)
    floor, failed = 1e-6, any(not result.passed for result in results)
    for result in results:
        ratio = max(result.error / result.claim.tol.limit, floor)
        colour, marker = (COLOURS[0], "o") if result.passed else (COLOURS[1], "X")
        for equation in result.claim.equations or ids[-1:]:
            y = ids.index(equation)
            axis.plot(min(ratio, 1e3), y, color=colour, marker=marker, alpha=0.7, markersize=6)
    axis.axvline(1, color=INK, linestyle="--", linewidth=1)
    axis.set(xscale="log", yticks=range(len(ids)), yticklabels=ids)
    axis.set(xlabel="achieved error / tolerance (dashed: the limit; leftmost: 10⁻⁶ or less)")
    axis.set_xlim(floor / 2, 2e3 if failed else 5)
    axis.tick_params(axis="y", labelsize=9)
    axis.grid(axis="y", color="#E4E4E4", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.invert_yaxis()
    return figure
