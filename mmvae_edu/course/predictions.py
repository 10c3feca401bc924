"""Predictions: a question before a result, the answer that a learner types, and the outcome.

`--ask` in a terminal, or a notebook, lets the learner type; every other run prints and goes on.
"""

import math
import sys
from contextlib import suppress

from ..support.terminal import at_terminal, say, tell

NEAR = 0.1  # the relative error up to which a predicted number is right
_asked = {}  # name → (choices, what the learner said or None)


def predict(name, question, *choices):
    """Print a question whose answer is one of the choices (texts) or, without any, a number.

    name: the lesson's number and a word, "05-cost"; `outcome` needs it.
    """
    lines = [f"\npredict: {question}"]
    lines += [f"  {number}  {choice}" for number, choice in enumerate(choices, 1)]
    tell("\n".join(lines), question=(question, choices))
    _asked[name] = choices, _typed(choices) if _can_type() else None


def outcome(name, answer):
    """Print what the lesson has computed beside what was predicted, and keep the prediction.

    answer: one of the choices of `predict`, or a number.
    """
    if name not in _asked:
        raise ValueError(f"{name}: expected predict({name!r}, …) before its outcome, found none")
    choices, said = _asked[name]
    if choices and answer not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(choices)}, found {answer!r}")
    text = f"outcome: {answer}" if choices else f"outcome: {answer:.4g}"
    if said is None:
        tell(text, answer=text)
        return
    right, off = said == answer, ""
    if not choices:
        right = math.isclose(said, answer, rel_tol=NEAR)
        off = f", off by {abs(said / answer - 1):.0%}" if answer else ""
    say(f"{text}; you said: {said}{off}")
    _keep(name, str(said), right)


def _can_type():
    return ("--ask" in sys.argv and at_terminal()) or "ipykernel" in sys.modules


def _typed(choices):
    """Ask until the answer fits; return a choice or a number, or None if it is skipped."""
    wanted = f"a number from 1 to {len(choices)}, or a choice's words" if choices else "a number"
    while True:
        try:
            text = input("your answer, or skip: ").strip()
        except (EOFError, NotImplementedError):  # Ctrl-D; a notebook that nobody watches
            print()
            return None
        if text == "skip":
            return None
        answer = _understood(text, choices)
        if answer is not None:
            return answer
        say(f"expected {wanted}, or skip; found {text!r}")


def _understood(text, choices):
    named = {str(number): choice for number, choice in enumerate(choices, 1)}
    named |= {choice.casefold(): choice for choice in choices}
    if choices:
        return named.get(text.casefold())
    with suppress(ValueError):
        return number if math.isfinite(number := float(text)) else None


def _keep(name, said, right):
    from . import progress  # here, since progress needs the package that holds this module

    try:
        progress.record_prediction(progress.find_folder(), name, said, right)
    except ValueError as problem:
        say(f"the prediction was not kept: {problem}", file=sys.stderr)
