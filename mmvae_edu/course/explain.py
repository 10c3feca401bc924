"""The explanation of `check --explain`: equation, hints seen, what must hold, numbers."""

import re
import shutil
import textwrap

from ..slides.equations import load_equations
from .examine import WRONG

LONGEST = 100  # letters of a line, also on a wider terminal
SYMBOLS = {
    "log": "log", "dots": "…", "cdots": "⋯", "sum": "Σ", "prod": "Π", "sim": "~", "phi": "φ",
    "Phi": "Φ", "theta": "θ", "Theta": "Θ", "sigma": "σ", "mu": "μ", "lambda": "λ", "beta": "β",
    "alpha": "α", "nabla": "∇", "approx": "≈", "triangleq": "≜", "propto": "∝", "leq": "≤",
    "equiv": "≡", "cdot": "·", "in": "∈", "quad": "  ", "qquad": "  ", "left": "", "right": "",
    "limits": "", ",": " ", ";": " ", "|": "‖",
}  # fmt: skip
ACCENTS = {"tilde": "\u0303", "hat": "\u0302"}
PLAIN = ("mathbf", "mathrm", "mathbb", "mathcal", "text")
GROUP = r"\{([^{}]*)\}"
CALL = r"\w+(\([^()]*\))?"  # needs no parentheses above or below a bar


def plain(latex):
    r"""Write a LaTeX equation on one line of text: \frac{1}{2} \sum_j is 1/2 Σ_j."""
    text, before = latex, None
    while text != before:  # from the innermost braces outwards
        before = text
        for name in PLAIN:
            text = re.sub(rf"\\{name}{GROUP}", r"\1", text)
        for name, accent in ACCENTS.items():
            text = re.sub(rf"\\{name}{GROUP}", rf"\1{accent}", text)
        text = re.sub(rf"\\frac{GROUP}{GROUP}", _fraction, text)
        text = re.sub(rf"([_^]){GROUP}", _script, text)
    text = re.sub(r"\\([A-Za-z]+|[,;|])", lambda found: SYMBOLS.get(found[1], found[1]), text)
    return re.sub(r" +", " ", re.sub(r"([(\[]) | (?=[)\]])", r"\1", text)).strip()


def _fraction(found):
    above, below = (part.strip() for part in found.groups())
    return "/".join(part if re.fullmatch(CALL, part) else f"({part})" for part in (above, below))


def _script(found):
    mark, inside = found[1], found[2].strip()
    return f"{mark}{inside}" if re.fullmatch(r"\\?\w+", inside) else f"{mark}({inside})"


def explanation(exercise, verdict, hints):
    """List the lines that follow a result when the learner asks for the reason.

    hints: the numbers of those that the learner has seen.
    """
    lines = []
    for equation in load_equations():
        if equation.id in exercise.equations:
            lines += _wrapped(f"{equation.id}  {equation.title}:  {plain(equation.latex)}")
    for number in hints:
        lines += _wrapped(f"hint {number}/3: {exercise.hints[number - 1]}")
    for claim in exercise.claims:
        lines += _wrapped(f"must hold: {claim.statement} ({claim.oracle}, {claim.tol.meaning})")
    if verdict.code == WRONG and verdict.example:
        lines += [line for text in verdict.example for line in _wrapped(text)]
    return lines


def _wrapped(text):
    width = min(LONGEST, shutil.get_terminal_size((LONGEST, 0)).columns)
    return textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="      ")
