"""A lesson's run by `mmvae-edu run`: its script, which prints the headings that it passes."""

import ast
import sys
import types

from ..support.terminal import at_terminal, say
from .cells import cells


def run(path, *, step=False):
    """Execute a lesson (its path) as Python would; print each heading before its first code.

    step: wait for Enter before each cell of code, if somebody sits at a terminal.
    """
    step = step and at_terminal()

    def passing(headings, line):
        nonlocal step
        for heading in headings:
            say(f"\n{heading}")
        if step:
            try:
                input(f"{path.name}:{line}, Enter goes on ")
            except EOFError:  # Ctrl-D
                print()
                step = False

    module, before = types.ModuleType("__main__"), sys.modules["__main__"]
    vars(module).update(__file__=str(path), __passing__=passing)
    sys.modules["__main__"] = module
    try:
        exec(compile(_with_headings(path), str(path), "exec"), vars(module))
    finally:
        sys.modules["__main__"] = before


def _with_headings(path):
    """Parse a lesson and put a call of `passing` before the first statement of each cell.

    The call has the statement's line, so a debugger steps from line to line of the file.
    """
    text = path.read_text("utf-8")
    tree, found = ast.parse(text, str(path)), cells(text)
    body, last = [], 0
    for statement in tree.body:
        above = [cell for cell in found if last < cell.line <= statement.lineno]
        if not all(cell.prose for cell in above):
            prose = [line for cell in above if cell.prose for line in cell.text.splitlines()]
            headings = [line for line in prose if line.startswith("#")]
            call = ast.parse(f"__passing__({headings}, {statement.lineno})")
            body += ast.increment_lineno(call, statement.lineno - 1).body
        body.append(statement)
        last = statement.end_lineno
    tree.body = body
    return tree
