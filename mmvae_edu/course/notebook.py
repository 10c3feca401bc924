"""A lesson as a Jupyter notebook, by jupytext (the extra `notebook`)."""

from pathlib import Path

from ..support import files

FIRST = "%matplotlib inline"  # shows figures; lessons draw without pyplot, which would ask for it
FAST = 'import sys\n\nsys.argv.append("--fast")  # train for fewer steps'
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def write_notebook(lesson, out, *, fast=False, force=False):
    """Write a lesson (its path) as .ipynb, whole or not at all; an existing file only by force."""
    try:
        import jupytext
        import nbformat
    except ImportError:
        wanted = "notebooks need jupytext: `pip install 'mmvae_edu[notebook]'`"
        raise ValueError(wanted) from None
    out = Path(out)
    if out.suffix != ".ipynb":
        raise ValueError(f"{out}: a notebook's name ends in .ipynb")
    if out.exists() and not force:
        raise ValueError(f"{out} exists and may hold your work; --force overwrites it")
    notebook = jupytext.read(lesson)
    setup = "\n\n".join([FIRST, *([FAST] if fast else [])])
    notebook.cells.insert(1, nbformat.v4.new_code_cell(setup))
    for i, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{i}"  # in place of random ones: the same lesson gives the same bytes
    notebook.metadata = {"kernelspec": KERNEL}
    files.prepare(out)
    files.write_text(out, jupytext.writes(notebook, fmt="ipynb"))
