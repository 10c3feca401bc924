"""ASCII spellings of mathematical signs, for consoles and files without UTF-8."""

import codecs
import re
import unicodedata

SIGNS = {
    "−": "-", "–": "-", "·": "*", "⊙": "*", "×": "x", "±": "+/-", "√": "sqrt", "‖": "||",
    "→": "->", "←": "<-", "↔": "<->", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "≡": "=",
    "≜": ":=", "∝": "proportional to", "∈": "in", "∞": "inf", "∂": "d", "∇": "grad",
    "∫": "integral", "Σ": "sum", "Π": "product", "µ": "mu", "λ": "lambda", "½": "1/2",
    "\N{COMBINING TILDE}": "~", "\N{COMBINING CIRCUMFLEX ACCENT}": "^", "…": "...", "⋯": "...",
    "⋮": "...", "₁": "_1", "₂": "_2", "∑": "sum",
    "∏": "product", "’": "'", "“": '"', "”": '"', "✓": "yes", "✗": "no",
}  # fmt: skip
GREEK = {"GREEK SMALL LETTER": str.lower, "GREEK CAPITAL LETTER": str.capitalize}


def spell_out(*streams):
    """Let these output streams spell out the signs that their encoding lacks."""
    codecs.register_error("spelled", _spelled)
    for stream in streams:
        if hasattr(stream, "reconfigure"):  # not a notebook's, nor one that the shell has closed
            stream.reconfigure(errors="spelled")


def _spelled(problem):
    """Spell out some signs of a text, words apart from their neighbours: an error handler."""
    text, start, end = problem.object, problem.start, problem.end
    spelling, before = "", text[start - 1 : start] if start else ""
    for sign in text[start:end]:
        word = spelled(sign)
        apart = len(word) > 1 and word[0].isalnum() and before.isalnum()
        spelling += f" {word}" if apart else word
        before = word[-1] if len(word) > 1 else ""  # the d of a derivative joins its variable
    apart = before.isalnum() and text[end : end + 1].isalpha()
    return re.sub(r"(?<=\^\S)\^", "", spelling) + " " * apart, end  # ^-1 for ^-^1


def spelled(sign):
    """Return one sign in ASCII: by the table, a Greek letter's name, ^2 for ²; else "?"."""
    if sign in SIGNS:
        return SIGNS[sign]
    kind, _, raised = unicodedata.decomposition(sign).partition(" ")
    if kind == "<super>":
        plain = chr(int(raised, 16))
        return f"^{SIGNS.get(plain, plain)}"
    alphabet, _, name = unicodedata.name(sign, "").rpartition(" ")
    return GREEK[alphabet](name) if alphabet in GREEK else "?"
