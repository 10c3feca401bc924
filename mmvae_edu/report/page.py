"""Offline HTML: a page's frame and style, equations as MathML, claims, tables; no network.

The report is one page of sections; a section is a title and blocks; a block has a method `html`.
The book (`mmvae_edu.book`) has many pages in the same frame.
"""

import re
from dataclasses import dataclass
from html import escape
from importlib import resources

from latex2mathml.converter import convert
from rich.table import Table as Grid

from ..support import files

CSS = resources.files(__package__).joinpath("style.css").read_text("utf-8")


@dataclass(frozen=True)
class Paragraph:
    text: str

    def html(self):
        return f"<p>{escape(self.text)}</p>"


@dataclass(frozen=True)
class Table:
    """A header row and rows of strings; columns of numbers align right."""

    caption: str
    header: list
    rows: list

    @property
    def numeric(self):
        columns = zip(*self.rows, strict=True)
        return [all(cell[:1] in "0123456789-−+–" for cell in column) for column in columns]

    def html(self):
        def cells(row, tag):
            marks = [' class="number"' if n else "" for n in self.numeric]
            return "".join(
                f"<{tag}{mark}>{escape(cell)}</{tag}>"
                for cell, mark in zip(row, marks, strict=True)
            )

        body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in self.rows)
        return (
            f'<div class="scroll"><table><caption>{escape(self.caption)}</caption>'
            f"<thead><tr>{cells(self.header, 'th')}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def show(self, console):
        """Print the table on a terminal."""
        grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for i, name in enumerate(self.header):
            justify = "right" if self.numeric[i] else "left"
            grid.add_column(name, justify=justify, no_wrap=i > 0)  # a narrow window wraps names
        for row in self.rows:
            grid.add_row(*row)
        console.print(f"\n{self.caption}", style="bold", highlight=False)
        console.print(grid, highlight=False)


@dataclass(frozen=True)
class CheckedEquation:
    """An equation of the ledger and the results of its claims."""

    equation: object
    results: list

    def html(self):
        lines = list(map(claim_line, self.results))
        return equation(self.equation, lines, escape(self.equation.lesson))


def equation(row, claims, lesson):
    """Write an equation of the ledger with its claims' lines and its lesson, both HTML."""
    math = mathml(row.latex, "block") if row.latex else ""
    claims = "".join(f"<li>{line}</li>" for line in claims)
    claims = claims or '<li class="soft">no claim yet</li>'
    return (
        f'<h3 id="{row.id}">{row.id} · {escape(row.title)} <span class="soft">{lesson}</span></h3>'
        f'<div class="equation">{math}</div><ul class="claims">{claims}</ul>'
    )


def mathml(latex, display="inline"):
    """Convert LaTeX to MathML; a ValueError says which equation cannot be converted, and why."""
    spaced = latex  # the converter puts no spaces around functions, and leaves \Big\| as it is
    for sign, instead in (
        (r"(?<=[\w)\]}])\s*(?=\\(?:log|ln|tanh|exp)\b)", r"\\, "),
        (r"\\(log|ln|tanh|exp) ?(?=\w|\\[a-z])(?!\\left)", r"\\\1\\, "),
        (r"(\\[Bb]igg?)\\\|", r"\1‖"),
    ):
        spaced = re.sub(sign, instead, spaced)
    try:
        found = convert(spaced, display=display)
        unknown = re.search(r"\\\w*", found)
        reason = f"{unknown[0]} is unknown" if unknown else ""
    except Exception as problem:  # the converter raises many kinds
        reason = type(problem).__name__
    if latex.count("{") != latex.count("}"):
        reason = "its braces do not match"
    if reason:
        raise ValueError(f"the equation {' '.join(latex.split())} cannot be rendered: {reason}")
    return found


def scripts(text):
    """Escape prose; set `code`, the indices of one-letter symbols below, and exponents above.

    "x_i", "L_{K+1}", "w̃_k", "2^M", "e^−t", "p(z)^(N−1)", "L^MoE_K", "e^−0.4", "w̃_k²"
    """
    power = r"\^(?:\{([^{}]+)\}|\(([^()]+)\)|(−?[^\W_]+(?:\.\d+)?))"
    index = r"(\b[^\W\d_]\u0303?|</sup>)_(?:\{([^{}]+)\}|([^\W²³]+))"
    raised = re.sub(power, r"<sup>\1\2\3</sup>", escape(text))
    lowered = re.sub(index, r"\1<sub>\2\3</sub>", raised)
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", lowered)


def claim_line(result):
    """Write ✓ or ✗, the statement, and the small print: error, tolerance, oracle, exception."""
    claim = result.claim
    holds = '<span class="holds" role="img" aria-label="holds">✓</span>'
    mark = holds if result.passed else '<span class="fails">✗ fails</span>'
    note = f"; {escape(result.note)}" if result.note else ""
    return (
        f"{mark} {scripts(claim.statement)} "
        f'<span class="soft"><span class="value">{result.numbers} ({claim.tol.name})</span>; '
        f"oracle: {escape(claim.oracle)}{note}</span>"
    )


@dataclass(frozen=True)
class Section:
    title: str
    blocks: list


def document(title, body, head):
    """Write a whole page around its body; `head` brings the style."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>{head}</head>\n<body>{body}</body></html>\n"
    )


def write_report(path, title, subtitle, sections):
    """Write the report, whole or not at all."""
    links = "".join(f'<a href="#s{i}">{escape(s.title)}</a>' for i, s in enumerate(sections))
    body = "".join(
        f'<section><h2 id="s{i}">{escape(section.title)}</h2>'
        + "\n".join(block.html() for block in section.blocks)
        + "</section>\n"
        for i, section in enumerate(sections)
    )
    top = f'<h1>{escape(title)}</h1><p class="soft">{escape(subtitle)}</p><nav>{links}</nav>\n'
    files.write_text(path, document(title, top + body, f"<style>{CSS}</style>"))
