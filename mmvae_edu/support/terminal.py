"""Text of others on its way to a terminal, which would obey the control characters in it."""

import re

CONTROLS = re.compile(r"[\0-\b\v-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def visible(text):
    r"""Return the text with control characters as escapes, such as \x1b; only \n and \t stay."""
    return CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text.replace("\r\n", "\n"))


def say(text="", **options):
    """Print text in which a learner's own may stand: names, messages, lines of a file."""
    print(visible(str(text)), **options)
