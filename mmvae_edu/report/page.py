"""One offline HTML page: equations as MathML, claims, tables, figures; no network, no JavaScript.

A page is a title and sections; a section is a title and blocks; a block has a method `html`.
"""

import re
from dataclasses import dataclass
from html import escape

from latex2mathml.converter import convert
from rich.table import Table as Grid

from ..support import files

CSS = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #fcfcfa; --soft: #6a6a6a;
        --line: #d8d8d2; --good: #00664a; --bad: #a33c00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9e9e4; --paper: #17181a; --soft: #a3a39c;
        --line: #3a3b3d; --good: #5fd0a8; --bad: #ff9c66; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1.2rem 4rem; max-width: 62rem; color: var(--ink);
       background: var(--paper); font: 17px/1.55 Charter, Georgia, serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0.5rem 0; }
h2 { font-size: 1.35rem; margin: 2.6rem 0 0.6rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.6rem 0 0.2rem; }
p { max-width: 44rem; margin: 0.5rem 0; }
.soft, figcaption { color: var(--soft); font-size: 0.9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.92rem; margin: 0.8rem 0;
        min-width: min(100%, 26rem); }
caption { text-align: left; padding-bottom: 0.4rem; }
th, td { padding: 0.3rem 0.9rem 0.3rem 0; text-align: left; vertical-align: top;
         border-bottom: 1px solid var(--line); }
th { white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 1.4rem 0; }
figure img { max-width: 100%; height: auto; border-radius: 4px; }
math { font-size: 1.05em; font-family: "STIX Two Math", "Latin Modern Math", "Cambria Math",
       "DejaVu Math TeX Gyre", math; }
.equation { overflow-x: auto; overflow-y: hidden; padding: 0.4rem 0; }
ul.claims { list-style: none; padding: 0; margin: 0.2rem 0; }
ul.claims li { padding-left: 1.2rem; text-indent: -1.2rem; margin: 0.25rem 0; }
.value { white-space: nowrap; }
sub, sup { font-size: 0.75em; line-height: 0; }
.holds { color: var(--good); } .fails { color: var(--bad); font-weight: bold; }
nav { margin: 1rem 0; } nav a { display: inline-block; margin-right: 1.2rem; color: inherit; }
@media (max-width: 40rem) {
  body { padding: 1rem 0.7rem 3rem; } table { width: 100%; min-width: 0; font-size: 0.8rem; }
  th, td { padding-right: 0.25rem; overflow-wrap: anywhere; }
  th { white-space: normal; overflow-wrap: normal; font-size: 0.7rem; }
  td.number { white-space: nowrap; }
}
@media print {
  :root { color-scheme: light; --ink: black; --paper: white; --soft: #444; --line: #bbb;
          --good: #00664a; --bad: #a33c00; }
  body { max-width: none; padding: 0; font-size: 10pt; } nav { display: none; }
  figure, li, tr { break-inside: avoid; } h2, h3, .equation { break-after: avoid; }
}
"""


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
        equation = self.equation
        spaced = equation.latex.replace(r"\log ", r"\log\, ")  # MathML puts no space after log
        math = convert(spaced, display="block") if spaced else ""
        claims = "".join(f"<li>{claim_line(result)}</li>" for result in self.results)
        claims = claims or '<li class="soft">no claim yet</li>'
        return (
            f'<h3 id="{equation.id}">{equation.id} · {escape(equation.title)} '
            f'<span class="soft">{equation.lesson}</span></h3>'
            f'<div class="equation">{math}</div><ul class="claims">{claims}</ul>'
        )


def scripts(text):
    """Escape prose, and set the indices of one-letter symbols below, and exponents above.

    "x_i", "L_{K+1}", "w̃_k", "2^M", "e^−t", "p(z)^(N−1)", "L^MoE_K", "e^−0.4", "w̃_k²"
    """
    power = r"\^(?:\{([^{}]+)\}|\(([^()]+)\)|(−?[^\W_]+(?:\.\d+)?))"
    index = r"(\b[^\W\d_]\u0303?|</sup>)_(?:\{([^{}]+)\}|([^\W²³]+))"
    return re.sub(index, r"\1<sub>\2\3</sub>", re.sub(power, r"<sup>\1\2\3</sup>", escape(text)))


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


def write_report(path, title, subtitle, sections):
    """Write the page, whole or not at all."""
    links = "".join(f'<a href="#s{i}">{escape(s.title)}</a>' for i, s in enumerate(sections))
    body = "".join(
        f'<section><h2 id="s{i}">{escape(section.title)}</h2>'
        + "\n".join(block.html() for block in section.blocks)
        + "</section>\n"
        for i, section in enumerate(sections)
    )
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{CSS}</style></head>\n<body>"
        f'<h1>{escape(title)}</h1><p class="soft">{escape(subtitle)}</p><nav>{links}</nav>\n'
        f"{body}</body></html>\n"
    )
    files.write_text(path, page)
