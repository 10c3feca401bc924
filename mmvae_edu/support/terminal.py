"""Text of others on its way to a terminal, which would obey the control characters in it."""

import re
import shutil
import sys
import textwrap

CONTROLS = re.compile(r"[\0-\b\v-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def visible(text):
    r"""Return the text with control characters as escapes, such as \x1b; only \n and \t stay."""
    return CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text.replace("\r\n", "\n"))


def fitted(line, width):
    """Break a line at spaces so that it fits a width, each further line indented by 4 more."""
    indent = line[: len(line) - len(line.lstrip())]
    parts = textwrap.wrap(
        line,
        width,
        subsequent_indent=f"{indent}    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(parts) if len(line) > width else line


def say(text="", *, file=None, flush=False):
    """Print text in which a learner's own may stand: names, messages, lines of a file.

    Lines that are too long for a terminal are broken at spaces.
    """
    text, file = visible(str(text)), file or sys.stdout
    if file is not None and file.isatty():
        width = shutil.get_terminal_size().columns
        text = "\n".join(fitted(line, width) for line in text.split("\n"))
    print(text, file=file, flush=flush)


def at_terminal():
    """Is standard input a terminal, at which somebody can type?"""
    return sys.stdin is not None and sys.stdin.isatty()


def tell(text, **result):
    """Print a result of a lesson; a standard output that can show results, the book's, does so."""
    getattr(sys.stdout, "show_result", lambda text, **_: say(text))(text, **result)
