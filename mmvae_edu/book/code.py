"""Coloured code: of a lesson, its names linked to their definitions; and of the library's files."""

import ast
import inspect
import pkgutil
import re
import types
from contextlib import suppress
from functools import cache
from html import escape
from pathlib import Path

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

import mmvae_edu
from mmvae_edu import kernels
from mmvae_edu.course import lessons

LEXERS = {".py": "python", ".cu": "cuda", ".toml": "toml", ".derive": "text"}
NAME = r'<span class="n\w*">(\w+)</span>'
DOTTED = re.compile(rf'(?<!<span class="o">\.</span>)(?:{NAME}<span class="o">\.</span>)?{NAME}')


def colour(text, language="python"):
    """Return code as HTML spans, without a box around them."""
    lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    return highlight(text, lexer, HtmlFormatter(nowrap=True)).rstrip("\n")


def folders():
    """Map the folders of the clone, as a reader names them, to where they are."""
    package = Path(mmvae_edu.__file__).parent
    where = {"kernels": Path(kernels.__file__).parent, "lessons": lessons()[0].parent}
    return {"mmvae_edu": package} | where


@cache
def sources():
    """Map every file of source, "mmvae_edu/ops.py", to its path."""
    found = {}
    for name, folder in folders().items():
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder).as_posix()
            twice = name == "mmvae_edu" and inside.startswith(("kernels/", "lessons/"))  # a wheel
            if path.suffix in LEXERS and path.is_file() and not twice:
                found[f"{name}/{inside}"] = path
    return found


@cache
def names():
    """Map paths to the files' names; the paths are those that Python knows them by."""
    return {str(path): name for name, path in sources().items()}


def address(name, line=None):
    """Return the page of a file of source, and on it a line."""
    return f"source/{name.replace('/', '.')}.html" + (f"#L{line}" if line else "")


def source_body(name):
    """Return a file's text as HTML, with an anchor for each line."""
    path = sources()[name]
    lines = colour(path.read_text("utf-8"), LEXERS[path.suffix]).split("\n")
    numbered = "\n".join(f'<span id="L{i}">{line}</span>' for i, line in enumerate(lines, 1))
    return f'<h1>{escape(name)}</h1><pre class="source">{numbered}</pre>'


def imported(source):
    """Map the names that a lesson imports to what they are."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.module.startswith("mmvae_edu"):
            for alias in node.names:
                with suppress(ImportError, AttributeError):  # then the lesson says so itself
                    thing = pkgutil.resolve_name(f"{node.module}.{alias.name}")
                    found[alias.asname or alias.name] = thing
    return found


def definition(thing):
    """Return the address of a definition of the library, else None."""
    thing = inspect.unwrap(thing) if callable(thing) else thing
    with suppress(TypeError, OSError):  # a number, a table
        if name := names().get(inspect.getsourcefile(thing)):
            whole = isinstance(thing, types.ModuleType)
            return address(name, None if whole else inspect.getsourcelines(thing)[1])
    return None


def linked(text, known):
    """Colour a lesson's code and link the names in `known`, as `imported` gives them."""

    def link(found):
        before, name = found.groups()
        thing = known.get(before or name)
        if before and thing is not None:
            thing = vars(thing).get(name) if hasattr(thing, "__dict__") else None
        where = definition(thing) if thing is not None else None
        return f'<a href="{where}">{found[0]}</a>' if where else found[0]

    return DOTTED.sub(link, colour(text))
