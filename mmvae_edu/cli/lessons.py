"""The commands of the lessons: run, notebook and book."""

import sys
from bdb import BdbQuit
from pathlib import Path

from ..course import ClaimFails, overview, passing
from ..course.recorded import described
from ..support.terminal import say
from .arguments import filename


def add_commands(add):
    """Add the commands by `add(name, run, help, example=)`; each `run` returns an exit code."""
    run = add(
        "run", _run, "run a lesson, or list the lessons",
        "Runs a lesson as its script does, and prints its headings; without a number, lists the "
        "lessons.",
        example="run 05",
    )  # fmt: skip
    run.add_argument("lesson", nargs="?", metavar="LESSON", help="05, L05 or the lesson's file")
    run.add_argument("--fast", action="store_true", help="train for fewer steps")
    run.add_argument(
        "--ask", action="store_true", help="let you type your predictions, in a terminal"
    )
    run.add_argument(
        "--step", action="store_true", help="wait for Enter at each cell, in a terminal"
    )
    run.add_argument(
        "--table", action="store_true", help="run every lesson and print a table of them"
    )
    notebook = add(
        "notebook", _notebook, "export a lesson as a Jupyter notebook",
        "Exports a lesson as a notebook, by jupytext. An existing file is overwritten only with "
        "--force.",
        example="notebook 05 -o 05.ipynb",
    )  # fmt: skip
    notebook.add_argument("lesson", metavar="LESSON", help="05, L05 or the lesson's file")
    notebook.add_argument("-o", "--out", type=filename, metavar="FILE", help="default LESSON.ipynb")
    notebook.add_argument("--fast", action="store_true", help="let it train for fewer steps")
    notebook.add_argument("--force", action="store_true", help="overwrite an existing FILE")
    book = add(
        "book", _book, "write all lessons, executed, as an offline site",
        "Runs every lesson and writes an offline site: text, code, what it printed, figures, "
        "claims with their verdicts, exercises, equations and the source.",
        example="book -o book",
    )  # fmt: skip
    words = "folder of the site, default book"
    book.add_argument("-o", "--out", type=filename, default=Path("book"), metavar="DIR", help=words)
    book.add_argument("--fast", action="store_true", help="train for fewer steps")


def _run(arguments):
    if arguments.table:
        return _table(arguments)
    if arguments.lesson is None:
        for lesson in overview.overview():
            count = f"{lesson.exercises} exercises" if lesson.exercises else ""
            print(f"{lesson.number}  {lesson.title:52} {count}".rstrip())
        print("run one with `mmvae-edu run 05`, or its file under a debugger:")
        print(f"{lesson.path.parent}")
        return 0
    from .. import course

    lesson = overview.find(arguments.lesson)
    course.FAST = arguments.fast  # what the lesson imports
    options = {"--fast": arguments.fast, "--ask": arguments.ask}
    sys.argv = [str(lesson.path), *(option for option, given in options.items() if given)]
    say(f"read along in {lesson.path}; `mmvae-edu notebook {lesson.number}` makes a notebook of it")
    try:
        passing.run(lesson.path, step=arguments.step)
    except ClaimFails as problem:
        print(f"mmvae-edu: this claim fails: {problem}", file=sys.stderr)
    except (ImportError, OSError, BdbQuit):  # `main` has words for them; a debugger ends
        raise
    except Exception:
        found = described("raised", lesson.path, subject="the lesson")
        place = f"{lesson.path}:{found.line}" if found.line else lesson.path
        whole = f"`python {lesson.path}` shows the traceback"
        say(f"mmvae-edu: {place}: {found.says}; {whole}", file=sys.stderr)
    else:
        return 0
    return 1


def _table(arguments):
    chosen = [overview.find(arguments.lesson)] if arguments.lesson else overview.overview()
    print(f"| {' | '.join(overview.COLUMNS)} |")
    print("|" + "---|" * len(overview.COLUMNS))
    for lesson in chosen:
        seconds = overview.measure(lesson, fast=arguments.fast)
        print(overview.markdown(lesson, seconds), flush=True)
    return 0


def _notebook(arguments):
    from ..course.notebook import write_notebook

    path = overview.find(arguments.lesson).path
    out = arguments.out or Path(f"{path.stem}.ipynb")
    write_notebook(path, out, fast=arguments.fast, force=arguments.force)
    print(f"{out}: open it with Jupyter, VS Code or PyCharm")
    return 0


def _book(arguments):
    from ..book import write_book

    problems = write_book(arguments.out, fast=arguments.fast)
    for problem in problems:
        print(f"mmvae-edu: {problem}", file=sys.stderr)
    return 1 if problems else 0
