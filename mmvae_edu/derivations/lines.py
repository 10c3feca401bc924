"""The lines of a derivation's text: relations, and Python's trees of what stands between them.

Python's own parser reads each expression; nothing is run.
"""

import ast
import re

RELATIONS = ("<=", ">=", "=", "propto", "approx")
SIGNS = {
    "∝": " propto ", "≤": "<=", "≥": ">=", "≈": " approx ", "Σ": "sum", "Π": "prod", "−": "-",
    "·": "*", "∑": "sum", "∏": "prod", "∇": "grad", "λ": "lam", "β": "beta",
    "α": "alpha", "q̃": "qt", "½": "(1/2)",
}  # fmt: skip
PARAMETERS = {"theta", "phi", "Theta", "Phi"}  # of a distribution; no variables


class Unreadable(ValueError):
    """A line that cannot be read: args are its number and the reason."""


class Line:
    """A line: its parts are (relation, tree, text), and relation None begins a chain."""

    def __init__(self, number, text, label):
        self.number, self.label = number, label  # label: what stands behind `by` or `#`
        self.word, _, self.text = text.partition(" ")
        if self.word not in ("let", "assume"):
            self.word, self.text = "step", text
        self.parts = [(r, self.tree(part), " ".join(part.split())) for r, part in self.split()]

    def fail(self, why):
        raise Unreadable(self.number, why)

    def split(self):
        """Return [(relation, text)]."""
        word, text = self.word, self.text
        if re.search(r"(?<![<>=])==", text):
            self.fail("'==': write = for one step, nothing is assigned")
        if word == "assume" and text.startswith("independent"):
            return [(None, text)]
        if word == "assume" and (sign := re.fullmatch(r"([^=<>]+)([<>])([^=<>]+)", text)):
            return [(None, sign[1]), (sign[2], sign[3])]
        found = split_relations(text)
        if word != "step" and (len(found) != 2 or found[0][0]):
            self.fail(f"{word}: expected one relation between two sides, as in `let a = b`")
        if word == "let" and found[1][0] != "=":
            self.fail("let: a name is defined by =")
        if word == "step" and any(not part for _, part in found):
            self.fail("a relation needs an expression on its right")
        return found

    def tree(self, text):
        text = text.strip().replace("||", ",").replace("^", "**")
        if "lambda" in text.split("[")[0] or re.search(r"\blambda\b", text):
            self.fail("'lambda' is a word of Python: write lam")
        if re.fullmatch(r"_{3,}", text):
            return ast.Name("___")
        try:
            return ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            if near := re.search(r"(?<![\w.])(\d+)\s*[A-Za-z(]|(\))\s*[\w(]", text):
                self.fail(f"write * between factors, after '{near[1] or near[2]}' in '{text}'")
            if word := re.search(r"\b(log|exp|sqrt|KL|H)\s+\w", text):
                self.fail(f"'{text}': write {word[1]}(…)")
            if text[:1] in "<>":
                self.fail(f"'{text}': the relations are {', '.join(RELATIONS)}")
            self.fail(f"'{text}' is no expression")


def read_lines(text):
    """List the Lines of a text, joined while a bracket is open."""
    for sign, plain in SIGNS.items():
        text = text.replace(sign, plain)
    found, open_brackets, begun = [], 0, None
    for number, whole in enumerate(text.splitlines(), 1):
        line, _, comment = whole.partition("#")
        line, by, reason = line.partition(" by ")
        label = (reason if by else comment).strip()
        open_brackets += sum(map(line.count, "([{")) - sum(map(line.count, ")]}"))
        if begun:
            begun = begun[0], f"{begun[1]} {line.strip()}", begun[2] or label
        else:
            begun = number, line.strip(), label
        if open_brackets < 0:
            raise Unreadable(number, "a bracket is closed that was not opened")
        if open_brackets == 0:
            found += [begun] if begun[1] else []
            begun = None
    if begun:
        raise Unreadable(begun[0], "a bracket is not closed")
    return [Line(*line) for line in found]


def split_relations(text):
    """Split at the relations outside brackets: [(None, first), ("=", second), …]."""
    found, relation, own = [], None, ""
    for piece in re.split(r"(<=|>=|=|\bpropto\b|\bapprox\b)", text):
        depth = sum(map(own.count, "([")) - sum(map(own.count, ")]"))
        if piece in RELATIONS and depth == 0:
            found.append((relation, own.strip()))
            relation, own = piece, ""
        else:
            own += piece
    found.append((relation, own.strip()))
    return found if found[0][1] else found[1:]


def name_of(tree):
    while isinstance(tree, ast.Subscript):
        tree = tree.value
    return getattr(tree, "id", None)


def sides_of(call):
    """Split the arguments of p(a, b | c, d) at the bar: two lists, without theta and phi."""
    left, right, side = [], [], 0
    for argument in call.args:
        if isinstance(argument, ast.BinOp) and isinstance(argument.op, ast.BitOr):
            left.append(argument.left)
            right.append(argument.right)
            side = 1
        else:
            (left, right)[side].append(argument)
    kept = ([t for t in terms if name_of(t) not in PARAMETERS] for terms in (left, right))
    return tuple(kept)


def term_of(tree):
    """Return the base and the index, a tree or None, of a variable's name."""
    if isinstance(tree, ast.Subscript) and isinstance(tree.value, ast.Name):
        return tree.value.id, tree.slice
    return (tree.id if isinstance(tree, ast.Name) else None), None
