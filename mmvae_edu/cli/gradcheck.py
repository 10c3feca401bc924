"""The command gradcheck: the gradient checker on a function of one's own."""

from ..course.gradient import run

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
    command.add_argument("--seed", type=int, default=0, metavar="N", help="other random inputs")
