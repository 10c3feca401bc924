"""The cells of a lesson: prose in comments, and code (jupytext's percent format)."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One cell; `measured` if its outputs are times, which differ from run to run."""

    text: str  # of a cell of prose: Markdown, without the comment signs
    line: int  # the number of the text's first line in the lesson
    prose: bool
    measured: bool


def cells(source):
    """Split a lesson's text at its lines `# %%`; a title `measured times` marks such a cell."""
    found, lines = [], source.splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith("# %%")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        marker, body = lines[start], "\n".join(lines[start + 1 : end]).strip("\n")
        prose = "[markdown]" in marker
        text = re.sub(r"^# ?", "", body, flags=re.MULTILINE) if prose else body
        found.append(Cell(text, start + 2, prose, "measured times" in marker))
    return found
