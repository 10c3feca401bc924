"""A lesson executed in a process of its own: what each of its cells prints and shows, as HTML."""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from ..course.cells import cells
from ..course.process import SURROUNDINGS
from ..course.recorded import described
from ..support import files
from ..support.clones import python

SHARPER = 1.5  # pixels of a figure for one of the page
SETTINGS = {**SURROUNDINGS, "PYTHONHASHSEED": "0", "COLUMNS": "88", "NO_COLOR": "1"}


@dataclass
class Executed:
    """The output of every code cell, before and after its code, as HTML, and what went wrong."""

    outputs: list = field(default_factory=list)  # [before, after]
    claims: list = field(default_factory=list)  # [equations, the claim's line as HTML]
    problem: str = ""


def execute(path, figures, *, fast):
    """Run a lesson, its path, and return Executed; its figures go to the folder `figures`."""
    call = "from mmvae_edu.book.execute import main; main(*sys.argv[1:])"
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        command = python(call, str(path), str(result), "fast" if fast else "")
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, **SETTINGS}, capture_output=True
        )
        for picture in Path(folder).glob("mmvae_edu_out/lessons/*"):
            files.write_bytes(figures / picture.name, picture.read_bytes())
        if result.exists():
            return Executed(**json.loads(result.read_text("utf-8")))
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    reason = f"its process ended with code {done.returncode}: {''.join(said[-1:])}"
    return Executed([["", error(reason)]], problem=reason)


def error(text):
    return f'<pre class="output error">{escape(text)}</pre>'


def main(path, result, fast):
    """Run a lesson's cells one after another, in this process, and write the result as JSON."""
    import matplotlib

    from .. import course

    matplotlib.rcParams["savefig.dpi"] = 110 * SHARPER
    sys.argv = [path, *(["--fast"] if fast else [])]
    course.FAST = bool(fast)
    done, screen = Executed(), Screen()
    names = vars(sys.modules["__main__"])
    names["__file__"] = path
    for cell in cells(Path(path).read_text("utf-8")):
        if not cell.prose:
            done.problem = run(cell, path, names, screen)
            done.outputs.append(screen.take())
        if done.problem:
            break
    done.claims = screen.claims
    files.write_text(result, json.dumps(vars(done)))


def run(cell, path, names, screen):
    """Run a cell; returns a sentence about what it raises, shown on the screen too, or ""."""
    source = "\n" * (cell.line - 1) + cell.text
    with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(screen):
        try:
            exec(compile(source, path, "exec"), names)
        except BaseException:  # a lesson may end itself, too
            found = described("raised", path, subject=f"the cell at line {cell.line}")
        else:
            return ""
    screen.show(error(found.traceback.replace(f"{Path(path).parent}{os.sep}", "")))
    return found.says


class Screen(io.StringIO):
    """Standard output of a cell: its text, and the results that lessons `tell`, in order."""

    def __init__(self):
        super().__init__()
        self.questions, self.blocks, self.claims = [], [], []

    def show(self, *blocks):
        """Append blocks of HTML, after the text printed before them."""
        if text := self.getvalue().rstrip():
            self.blocks.append(f'<pre class="output">{escape(text)}</pre>')
        self.seek(0)
        self.truncate()
        self.blocks += blocks

    def take(self):
        """Return the questions and the rest since the last call, each as HTML."""
        self.show()
        html = "\n".join(self.blocks).replace('</ul>\n<ul class="claims">', "\n")
        if self.questions:  # the learner answers before the result is unfolded
            html = f"<details><summary>What comes out</summary>\n{html}</details>"
        taken = "\n".join(self.questions), html
        self.questions, self.blocks = [], []
        return taken

    def show_result(
        self, text, *, claim=None, derivation=None, figure=None, question=None, answer=None
    ):
        """Show a result in its own form."""
        from ..report.page import claim_line
        from ..tour.derivations import derivation_blocks

        if claim:
            line = claim_line(claim)
            self.claims.append([claim.claim.equations, line])
            self.show(f'<ul class="claims"><li>{line}</li></ul>')
        elif derivation:
            self.show(*(block.html() for block in derivation_blocks(derivation)))
        elif figure:
            self.show(figure.linked("figures", SHARPER))
        elif answer:
            self.show(f"<p><strong>{escape(answer)}</strong></p>")
        elif question:
            words, choices = question
            items = "".join(f"<li>{escape(choice)}</li>" for choice in choices)
            box = f"<p><strong>Predict.</strong> {escape(words)}</p><ol>{items}</ol>"
            self.questions.append(f'<div class="predict">{box}</div>')
