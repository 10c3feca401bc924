"""The bug hunt (L23) for a learner: the twelve files, and checks written with assert."""

from functools import wraps

from ..claims.hunt.versions import close, files, gradient_agrees, load
from .exercises import NotAttempted

__all__ = ["close", "files", "gradient_agrees", "load", "report", "verdict"]


def verdict(check):
    """Wrap a check so that a failed assert counts as False, and None as True."""

    @wraps(check)
    def judged(file):
        try:
            answer = check(file)
        except AssertionError:
            return False
        return True if answer is None else bool(answer)

    return judged


def report(namespace):
    """Print what each check_NN of a module's namespace says about its file, and the file's path."""
    for number, path in enumerate(files(), start=1):
        print(f"{_opinion(namespace[f'check_{number:02}'], number):20} {path}")


def _opinion(check, number):
    try:
        return "passes" if check(load(number)) else "fails"
    except NotAttempted:
        return "no check yet"
    except Exception as problem:
        return f"raises {type(problem).__name__}"
