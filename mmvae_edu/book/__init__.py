"""The book: an offline site of the lessons as they ran, their exercises, and the source."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from importlib import resources
from pathlib import Path

from ..course import overview
from ..report.page import CSS
from ..support import files
from ..support.terminal import say
from ..version import __version__
from . import pages
from .execute import execute
from .frame import dead_links, framed, search_index
from .ideas import ideas_of

AT_ONCE = 2  # lessons that run at the same time


def write_book(out, *, fast=False):
    """Write the book into a folder and return sentences about what is wrong with it."""
    out, start = files.folder(out), time.perf_counter()
    figures, _ = files.folder(out / "figures"), files.folder(out / "source")
    lessons = overview.overview()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            runs = [pool.submit(execute, row.path, figures, fast=fast) for row in lessons]
            executed = []
            for row, run in zip(lessons, runs, strict=True):
                executed.append(run.result())
                say(f"{row.number}  {row.title}")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    problems = build(out, lessons, executed, fast)
    say(f"book: {out / 'index.html'}   ({time.perf_counter() - start:.0f} s)")
    return problems


def build(out, lessons, executed, fast=False):
    """Write every page from what the lessons gave; returns sentences about what is wrong."""
    linker, problems, made = pages.Linker(lessons), [], []
    names = ["index.html", *map(pages.file_of, lessons), ""]
    for i, (row, run) in enumerate(zip(lessons, executed, strict=True)):
        page, found = pages.lesson_page(row, run, linker, (names[i], names[i + 2]))
        made.append(page)
        problems += found
    results, found = pages.results_page(linker, out / "figures")
    ideas, missing = ideas_of(lessons, made)
    made = [pages.index_page(lessons, linker, ideas), *made]
    made += [pages.equations_page(lessons, executed, linker), results]
    source = pages.source_pages()
    titles = {page.name: page.title for page in made}
    note = f"mmvae_edu {__version__} · {date.today().isoformat()}{' · --fast' if fast else ''}"
    html = {page.name: framed(page, titles, note) for page in [*made, *source]}
    for name, text in html.items():
        files.write_text(out / name, text)
    files.write_text(out / "search.js", search_index(made))
    own = resources.files(__package__)
    for name in "book.js", "experts.js":
        files.write_text(out / name, own.joinpath(name).read_text("utf-8"))
    files.write_text(out / "book.css", CSS + own.joinpath("book.css").read_text("utf-8"))
    others = {path.relative_to(out).as_posix() for path in Path(out).rglob("*.*")} - html.keys()
    return [*problems, *found, *missing, *dead_links(html, others)]
