"""The text of one function in a learner's file, found by the file's syntax tree."""

import ast
import io
import re
from functools import lru_cache

from ..support.files import read_source


def is_stub(path, name):
    """Does a module's function only call todo, whatever its docstring?"""
    node = next(iter(ast.parse(function_source(path, name) or "").body), None)
    if not isinstance(node, ast.FunctionDef):
        return False
    body = node.body[ast.get_docstring(node) is not None :]
    return re.fullmatch(r"return todo\([^()]*\)", "\n".join(map(ast.unparse, body))) is not None


def function_source(path, name):
    """Return the text of a module's function, decorators included; None if there is none.

    Of a lambda, an import or a `def` under a condition it is the whole statement.
    """
    lines = lines_of(path)
    node = _binding(lines, name) if lines is not None else None
    return "".join(lines[slice(*_span(node))]) if node else None


def lines_of(path):
    """Return the lines of a file of Python; None if it cannot be read or does not parse."""
    try:
        text = read_source(path)
        _statements(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return io.StringIO(text).readlines()


def with_function(lines, name, text):
    """Return a module's text with another text for its function, at the end if it has none."""
    node = _binding(lines, name)
    if isinstance(node, ast.FunctionDef | ast.Assign):
        first, end = _span(node)
        return "".join([*lines[:first], text, *lines[end:]])
    return "".join([*lines, "\n\n\n", text])  # it may come with others, as by an import


def _binding(lines, name):
    """Return the statement of a module that counts, the last that binds `name`; or None."""
    body = _statements("".join(lines))
    return next((node for node in reversed(body) if _binds(node, name)), None)


@lru_cache(maxsize=32)
def _statements(text):
    """Parse a module, which is asked for all of its functions one after the other."""
    return ast.parse(text).body


def _binds(node, name):
    """Tell whether a definition, import or assignment outside functions binds the name."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name == name
    if isinstance(node, ast.alias):
        return (node.asname or node.name) in (name, "*")
    if isinstance(node, ast.Name):
        return node.id == name and isinstance(node.ctx, ast.Store)
    return any(_binds(child, name) for child in ast.iter_child_nodes(node))


def _span(node):
    """Return (first, end) of a statement's lines, its decorators among them."""
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
    return first - 1, node.end_lineno
