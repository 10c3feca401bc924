"""The pages of the book: lessons, contents, equations, results and source."""

import ast
import posixpath
import re
from html import escape
from importlib import resources
from pathlib import Path

from ..course import exercises
from ..course.cells import cells
from ..derivations import lines_of
from ..report.page import equation, scripts
from ..slides.equations import load_equations, load_items
from ..support import files
from . import code, experts
from .frame import Page
from .prose import Prose

SLIDES = range(1, 14)


def file_of(lesson):
    return f"{lesson.path.stem}.html"


def details(summary, html, kind=""):
    return f"<details{kind}><summary>{summary}</summary>{html}</details>"


class Linker:
    """The addresses of what the prose names: lessons, equations, files, functions."""

    def __init__(self, lessons):
        self.lessons = {f"L{lesson.number}": file_of(lesson) for lesson in lessons}
        self.ledger = {row.id for row in [*load_equations(), *load_items()]}
        self.functions = {
            exercise.name: exercise.of
            for exercise in exercises.exercises().values()
            if exercise.of is not None
        }

    def lesson(self, row):
        """Return a link to the lesson of a row of the ledger."""
        where = self.lessons.get(row.lesson)
        return f'<a href="{where}">{row.lesson}</a>' if where else row.lesson

    def prose(self, own="", known=()):
        """Return the renderer of a page; own: the lesson whose page it is."""
        functions = self.functions | dict(known)

        def link(words, is_code):
            if not is_code:
                if words in self.ledger:
                    return f"equations.html#{words}"
                return self.lessons.get(words) if words != own else None
            if words in code.sources():
                return code.address(words)
            return code.definition(functions[words]) if words in functions else None

        return Prose(link)


# ---- a lesson ----


def lesson_page(lesson, executed, linker, neighbours):
    """Return a lesson's page, and sentences about what cannot be rendered on it."""
    source = lesson.path.read_text("utf-8")
    known = code.imported(source)
    prose = linker.prose(f"L{lesson.number}", known)
    parts, sources, outputs = [_head(lesson, linker)], "", iter(executed.outputs)
    moving = lesson.number in experts.LESSONS
    for cell in cells(source):
        if cell.prose:
            text = re.sub(r"\A# .*\n", "", cell.text)
            if text.startswith("## Sources"):
                sources = prose.html(text)
            else:
                parts.append(prose.html(text))
            continue
        before, after = next(outputs, ("", ""))
        parts += [before, f'<pre class="code">{code.linked(cell.text, known)}</pre>']
        if after:
            note = '<p class="soft">Measured times: they differ from run to run.</p>'
            kind = ' class="measured"' if cell.measured else ""
            parts.append(f"<div{kind}>{note * cell.measured}{after}</div>")
        if moving and "<figure" in after:  # beside the lesson's first figure
            parts.append(experts.figure())
            moving = False
    parts += _exercises(lesson, linker)
    body = "\n".join([*parts, sources])
    problems = [f"{lesson.path.name}: {problem}" for problem in prose.problems]
    if executed.problem:
        problems.append(f"{lesson.path.name}: {executed.problem}")
    return Page(file_of(lesson), f"L{lesson.number} {lesson.title}", body, *neighbours), problems


def _head(lesson, linker):
    after = ", ".join(f'<a href="{linker.lessons[f"L{n}"]}">L{n}</a>' for n in lesson.after)
    slides = f"slide{'' if lesson.slides.isdigit() else 's'} {lesson.slides} · "
    slides = slides if lesson.slides != "–" else ""
    return (
        f'<h1><span class="soft">L{lesson.number}</span> {escape(lesson.title)}</h1>'
        f'<p class="soft">{slides}{lesson.minutes} minutes to read'
        f"{' · read before: ' if after else ''}{after} · "
        f"<code>mmvae-edu run {lesson.number}</code></p>"
    )


def _exercises(lesson, linker):
    mine = [e for e in exercises.exercises().values() if e.id.startswith(f"L{lesson.number}.")]
    if not mine:
        return []
    blocks = [_exercise(exercise) for exercise in mine]
    begin = "<code>mmvae-edu start</code> copies the stubs into a folder of yours."
    return [f'<h2 id="exercises">Exercises</h2><p>{begin}</p>', *blocks]


def _exercise(exercise):
    ids = ", ".join(f'<a href="equations.html#{id}">{id}</a>' for id in exercise.equations)
    hints = "".join(
        details(f"Hint {i}", f"<p>{scripts(hint)}</p>") for i, hint in enumerate(exercise.hints, 1)
    )
    text, language = exercise.stub.read_text("utf-8"), "text"
    if exercise.of is not None:
        language, tree = "python", ast.parse(text)
        (node,) = [n for n in tree.body if getattr(n, "name", "") == exercise.name]
        text = ast.get_source_segment(text, node)
        says = "".join(f"<li>{escape(mutant.says)}</li>" for mutant in exercise.mutants)
        if says:
            count = f"{len(exercise.mutants)} mistakes that the checker knows by name"
            hints += details(count, f"<ul>{says}</ul>")
        where = code.definition(exercise.of)
        hints += details("Solution", f'<p><a href="{where}">the library’s own function</a></p>')
    return (
        f'<section class="exercise"><h3 id="{exercise.name}">{exercise.name} '
        f'<span class="soft">{ids}</span></h3>'
        f'<pre class="code">{code.colour(text, language)}</pre>'
        f"<p><code>mmvae-edu check {exercise.id}</code></p>{hints}</section>"
    )


# ---- the other pages ----


def equations_page(lessons, executed, linker):
    """Return the page of all equations by slide, each with its claims and where it is derived."""
    claims = {}
    for lesson, done in zip(lessons, executed, strict=True):
        for ids, line in done.claims:
            where = f'<a href="{file_of(lesson)}">L{lesson.number}</a>'
            for id in ids:
                claims.setdefault(id, {}).setdefault(line, where)
    parts, slide = ["<h1>The equations, by slide</h1>"], 0
    for row in load_equations():
        while slide < row.slide:
            slide += 1
            parts += [f'<h2 id="slide-{slide}">Slide {slide}</h2>', _items(slide, linker)]
        lines = [f"{line} {where}" for line, where in claims.get(row.id, {}).items()]
        derived = ", ".join(
            f'<a href="{code.address(f"lessons/derivations/{name}.derive", line)}">'
            f"{name}, line {line}</a>"
            for name, line in lines_of(row.id)
        )
        parts.append(equation(row, lines, linker.lesson(row)))
        if derived:
            parts.append(f'<p class="soft">derived: {derived}</p>')
    return Page("equations.html", "The equations, by slide", "\n".join(parts))


def _items(slide, linker):
    """List what else stands on a slide: figures, questions, remarks."""
    rows = "".join(
        f'<li id="{row.id}">{row.id} · {escape(row.title)}: {row.how} in {linker.lesson(row)}</li>'
        for row in load_items()
        if row.slide == slide
    )
    return f"<ul>{rows}</ul>" if rows else ""


def results_page(linker, figures):
    """Return the page of measured tables, and sentences about what cannot be rendered on it.

    figures: the folder into which its pictures are copied.
    """
    folder = Path(str(resources.files("mmvae_edu.lessons"))) / "results"
    text = (folder / "README.md").read_text("utf-8")
    for picture in folder.glob("*.png"):
        files.write_bytes(figures / picture.name, picture.read_bytes())

    def link(found):
        if found[1].endswith(".png"):
            return f"](figures/{found[1]})"
        path = posixpath.normpath(posixpath.join("lessons/results", found[1]))
        return f"]({code.address(path)})"

    prose = linker.prose()
    html = prose.html(re.sub(r"\]\(([^)#:]+)\)", link, text))
    problems = [f"results/README.md: {problem}" for problem in prose.problems]
    return Page("results.html", "Measured, and read critically", html), problems


def source_pages():
    """Return the contents of the source, then one page a file."""
    items = "".join(
        f'<li><a href="{code.address(name)}">{name}</a></li>' for name in code.sources()
    )
    first = f'<h1>Source</h1><ul class="files">{items}</ul>'
    pages = [Page(code.address(name), name, code.source_body(name)) for name in code.sources()]
    return [Page("source.html", "Source", first), *pages]


def index_page(lessons, linker, ideas):
    """Return the contents: by lesson, by slide and by idea."""
    rows = "".join(
        f'<li><a href="{file_of(row)}"><span class="soft">{row.number}</span> {escape(row.title)}'
        f"</a><p>{escape(row.question)}</p></li>"
        for row in lessons
    )
    slides = "".join(_slide(n, lessons, linker) for n in SLIDES)
    index = "".join(
        f"<li>{escape(idea)} {', '.join(places)}</li>"
        for idea, places in sorted(ideas.items(), key=lambda row: row[0].lower())
    )
    body = (
        "<h1>Incomplete multimodal learning, executed</h1>"
        "<p>Multimodal variational autoencoders in NumPy, every gradient written by hand, every "
        "equation of the slides <cite>Incomplete Multimodal Learning</cite> (Li Xiaolou, 2023) "
        "checked against an exact oracle. Each page is a lesson’s script as it ran: its text, its "
        "code, what it printed, its figures, and its claims with their verdicts.</p>"
        f'<h2 id="lessons">By lesson</h2><ol class="lessons">{rows}</ol>'
        f'<h2 id="slides">By slide</h2><ul class="slides">{slides}</ul>'
        f'<h2 id="ideas">By idea</h2><ul class="ideas">{index}</ul>'
    )
    return Page("index.html", "Contents", body)


def _slide(number, lessons, linker):
    about = [row for row in lessons if number in _range(row.slides)]
    links = ", ".join(f'<a href="{file_of(row)}">L{row.number}</a>' for row in about)
    equations = ", ".join(
        f'<a href="equations.html#{row.id}">{row.id}</a> {escape(row.title)}'
        for row in load_equations()
        if row.slide == number
    )
    return f"<li>Slide {number}: {links}{f'<p>{equations}</p>' if equations else ''}</li>"


def _range(slides):
    """Return the numbers that "5", "1–3" or "6, 8" means; "all" and "–" mean none."""
    parts = [list(map(int, re.findall(r"\d+", part))) for part in slides.split(",")]
    return [n for ends in parts if ends for n in range(ends[0], ends[-1] + 1)]
