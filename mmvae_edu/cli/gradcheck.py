"""The command gradcheck: the gradient checker on a function of one's own."""

from ..course.checker import WORDS
from ..course.examine import FAULT, USAGE
from ..course.process import judge
from ..support.files import read_source
from ..support.terminal import say
from .arguments import whole

HELP = (
    "Compares the pullback of FUNCTION in FILE with central differences, in every argument. A "
    "function that has the name of an exercise or of one of the library's ops gets the inputs of "
    "that; for any other the file defines example(rng), which returns (args, constants). Exit "
    "code: 0 right, 1 wrong, 2 not attempted, 64 usage."
)


def add_commands(add):
    """Add the command by `add(name, run, help, example=)`; its `run` returns an exit code."""
    command = add(
        "gradcheck", run, "check the gradient of a function of your own", HELP,
        example="gradcheck mine.py:my_bound",
    )  # fmt: skip
    command.add_argument("target", metavar="FILE:FUNCTION")
    command.add_argument(
        "--terms", action="store_true", help="print the coefficient of every term in your gradient"
    )
    command.add_argument(
        "--seed", type=whole(0), default=0, metavar="N", help="other random inputs"
    )


def run(arguments):
    """Check the function in a process of its own and print the result; return the exit code."""
    path, _, name = arguments.target.rpartition(":")
    if not path or not name:
        raise ValueError(f"{arguments.target}: expected FILE:FUNCTION, such as mine.py:my_bound")
    read_source(path)  # or why that is impossible
    request = {"path": path, "function": name, "seed": arguments.seed, "terms": arguments.terms}
    verdict = judge(request)
    if verdict.code == USAGE:
        raise ValueError(verdict.says)
    say(f"{WORDS[verdict.code]:5}  {verdict.says}")
    if verdict.evidence:
        say(f"  evidence: {verdict.evidence}")
    if verdict.line:
        say(f"  look at:  {path}:{verdict.line}")
    for line in verdict.example:
        say(line)
    if verdict.code == FAULT:
        say(verdict.traceback.rstrip())
    if verdict.printed:
        say(f"printed:\n{verdict.printed.rstrip()}")
    return verdict.code
