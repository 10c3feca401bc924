"""A page of the book in its frame: navigation and contents; the search's index; the links."""

import json
import posixpath
import re
from dataclasses import dataclass
from html import escape, unescape
from html.parser import HTMLParser

from ..report.page import document

HEADING = re.compile(r'<h[12](?: id="([^"]*)")?>(.*?)</h[12]>', re.DOTALL)
TOP = {
    "index.html": "Contents", "equations.html": "Equations", "results.html": "Results",
    "source.html": "Source",
}  # fmt: skip


@dataclass(frozen=True)
class Page:
    """One page: its file, its title, and its body, whose addresses start at the book's root."""

    name: str
    title: str
    body: str
    before: str = ""  # the files of the pages before and after it
    after: str = ""

    @property
    def sections(self):
        """List (id, title) of the page's second headings."""
        return [found.groups() for found in HEADING.finditer(self.body) if found[1]]


def words(html):
    """Return the text of HTML, one space between words."""
    inline = re.sub(r"</?(?:m[a-z]+|a|code|em|strong|span)\b[^>]*>", "", html)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", inline)).split())


def framed(page, titles, note):
    """Return a page's whole HTML; titles: of every page by its file, note: for the foot."""
    root = "../" * page.name.count("/")
    here = {page.name: ' aria-current="page"'}
    top = "".join(
        f'<a href="{name}"{here.get(name, "")}>{title}</a>' for name, title in TOP.items()
    )
    toc = "".join(f'<li><a href="#{id}">{title}</a></li>' for id, title in page.sections)
    steps = "".join(
        f'<a rel="{rel}" href="{name}">{arrow.format(escape(titles[name]))}</a>'
        for rel, name, arrow in (("prev", page.before, "← {}"), ("next", page.after, "{} →"))
        if name
    )
    contents = f'<nav class="toc" aria-label="On this page"><ul>{toc}</ul></nav>' if toc else ""
    body = (
        '<a class="skip" href="#content">Skip to the text</a>'
        f'<header><nav aria-label="Book">{top}</nav><div id="search"></div></header>'
        f'<div class="columns">{contents}<main id="content">{page.body}'
        f'<nav class="steps" aria-label="Lessons">{steps}</nav></main></div>'
        f'<footer class="soft">{note}</footer>'
    )
    moved = re.sub(r'\b(href|src)="(?!#|https?:)', rf'\1="{root}', body)
    head = (
        f'<link rel="stylesheet" href="{root}book.css">'
        f'<script defer src="{root}book.js" data-root="{root}"></script>'
    )
    if 'class="experts"' in page.body:
        head += f'<script defer src="{root}experts.js"></script>'
    title = "mmvae_edu" if page.name == "index.html" else f"{words(page.title)} · mmvae_edu"
    return document(title, moved, head)


def search_index(pages):
    """Return the script that holds the words of every section: file, anchor, titles, text."""
    rows = []
    for page in pages:
        marks = list(HEADING.finditer(page.body))
        for mark, end in zip(marks, [*marks[1:], None], strict=True):
            text = page.body[mark.end() : end.start() if end else None]
            title = words(mark[2]) if mark[1] else ""
            rows.append([page.name, mark[1] or "", words(page.title), title, words(text)])
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).replace("],[", "],\n[")
    return f"window.bookIndex = {text};\n"


class Links(HTMLParser):
    """The ids of a page, and its links."""

    def __init__(self, html):
        super().__init__()
        self.ids, self.links = set(), set()
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id":
                self.ids.add(value)
            elif name in ("href", "src"):
                self.links.add(value)


def dead_links(pages, others):
    """Return sentences about links that lead nowhere.

    pages: {file: HTML} of the whole book; others: the names of its other files.
    """
    found = {name: Links(html) for name, html in pages.items()}
    problems = []
    for name, page in found.items():
        for link in sorted(page.links):
            path, _, anchor = link.partition("#")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
            target = target if path else name
            known = (
                target in others or target in found and (not anchor or anchor in found[target].ids)
            )
            if not known and not link.startswith(("http:", "https:")):
                problems.append(f"{name}: its link to {link} leads nowhere")
    return problems
