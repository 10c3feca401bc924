"""The reader of derivations: a text, line by line, becomes chains of steps and assumptions.

Python's own parser reads each expression, and a list of what may stand in it; nothing is run.
"""

import ast
import difflib
import re
from dataclasses import dataclass, field

from .syntax import (
    Blank,
    Dist,
    Divergence,
    Entropy,
    Expect,
    Func,
    Grad,
    Negative,
    Normal,
    Number,
    Op,
    Over,
    Symbol,
    Var,
    free,
    targets,
)  # fmt: skip

COUNTS = ("N", "M", "K", "L")
RANGES = {"i": "N", "j": "N", "n": "N", "m": "M", "k": "K", "l": "L"}  # where nothing else says
RELATIONS = ("<=", ">=", "=", "propto", "approx")
SIGNS = {
    "∝": " propto ", "≤": "<=", "≥": ">=", "≈": " approx ", "Σ": "sum", "Π": "prod", "−": "-",
    "·": "*", "∑": "sum", "∏": "prod", "∇": "grad", "λ": "lam", "β": "beta",
    "α": "alpha", "q̃": "qt", "½": "(1/2)",
}  # fmt: skip
OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
FUNCTIONS = ("log", "exp", "sqrt")
KNOWN = (*FUNCTIONS, "sum", "prod", "mean", "E", "KL", "H", "grad")
MEANT = {
    "ln": "log",
    "D_KL": "KL",
    "lambda": "lam",
    "Sum": "sum",
    "Prod": "prod",
    "max": "",
    "min": "",
}
PARAMETERS = {"theta", "phi", "Theta", "Phi"}  # of a distribution; no variables
LONGEST, HIGHEST = 200, 20  # nodes in a line, and exponents


class Unreadable(ValueError):
    """A line that cannot be read: args are its number and the reason."""


@dataclass(frozen=True)
class Step:
    """One relation of a line; relation None begins a chain."""

    line: int
    text: str  # of the expression
    relation: str | None
    node: object
    label: str = ""  # what stands behind `by` or `#`


@dataclass(frozen=True)
class Assumption:
    """`independent(groups | given)`, or left relation right, an equation or a sign."""

    line: int
    text: str
    name: str
    relation: str  # "independent", or one of RELATIONS, "<" and ">"
    left: object
    right: object


@dataclass
class Derivation:
    chains: list = field(default_factory=list)  # of lists of Step
    assumptions: list = field(default_factory=list)
    lets: list = field(default_factory=list)  # the texts of the definitions
    families: set = field(default_factory=set)  # x of x[1:N], variables of one distribution
    counts: dict = field(default_factory=dict)  # base → the letter that counts it
    least: dict = field(default_factory=dict)  # base → the greatest number in its brackets
    joints: set = field(default_factory=lambda: {"p"})  # names of which one table holds all
    gaussian: bool = False  # N(z, mean, var) stands in it: variables are real numbers

    @property
    def nodes(self):
        """List the expressions of all steps and assumptions."""
        found = [step.node for chain in self.chains for step in chain]
        for assumed in self.assumptions:
            found += [] if assumed.relation == "independent" else [assumed.left, assumed.right]
        return found


def logical_lines(text):
    """List (number, text, label) of the lines, joined while a bracket is open."""
    found, open_brackets, begun = [], 0, None
    for number, whole in enumerate(text.splitlines(), 1):
        line, _, comment = whole.partition("#")
        line, by, reason = line.partition(" by ")
        label = (reason if by else comment).strip()
        open_brackets += sum(map(line.count, "([{")) - sum(map(line.count, ")]}"))
        if begun:
            begun[1] += " " + line.strip()
            begun[2] = begun[2] or label
        else:
            begun = [number, line.strip(), label]
        if open_brackets < 0:
            raise Unreadable(number, "a bracket is closed that was not opened")
        if open_brackets == 0:
            found += [tuple(begun)] if begun[1] else []
            begun = None
    if begun:
        raise Unreadable(begun[0], "a bracket is not closed")
    return found


def split_relations(text):
    """Split at the relations outside brackets: [(None, first), ("=", second), …]."""
    found, depth, start, relation, at = [], 0, 0, None, 0
    while at < len(text):
        depth += (text[at] in "([") - (text[at] in ")]")
        sign = next((r for r in RELATIONS if text.startswith(r, at)), None) if not depth else None
        if sign and sign.isalpha():
            around = text[max(0, at - 1) : at] + text[at + len(sign) : at + len(sign) + 1]
            sign = None if re.search(r"\w", around) else sign
        if sign:
            found.append((relation, text[start:at].strip()))
            relation, at = sign, at + len(sign)
            start = at
        else:
            at += 1
    found.append((relation, text[start:].strip()))
    return found if found[0][1] else found[1:]


def read(text):
    """Read a derivation; Unreadable with the line and the mend where that cannot be done."""
    for sign, plain in SIGNS.items():
        text = text.replace(sign, plain)
    reader = _Reader()
    lines = logical_lines(text)
    parsed = []
    for number, line, label in lines:
        reader.line = number
        word, _, rest = line.partition(" ")
        if word not in ("let", "assume"):
            word, rest = "step", line
        parsed.append((number, word, label, rest, reader.parts(word, rest)))
    for number, word, _, _, parts in parsed:  # a family, a joint table, a macro: everywhere
        reader.line = number
        reader.survey(word, parts)
    reader.found.counts = {**reader.letters, **reader.found.counts}
    for number, word, label, rest, parts in parsed:
        reader.line = number
        getattr(reader, word)(parts, rest, label)
    if not reader.found.chains:
        raise Unreadable(len(text.splitlines()) or 1, "there is no derivation: no line has a =")
    for chain in reader.found.chains:
        if len(chain) == 1:
            raise Unreadable(
                chain[0].line, "a derivation of one line: does the next one lack its = ?"
            )
    reader.demand_names()
    return reader.found


@dataclass(frozen=True)
class _Macro:
    name: str
    left: tuple  # parameters, as syntax trees
    right: tuple
    index: str | None
    body: ast.AST
    known: dict  # the macros before it


@dataclass(frozen=True)
class _Scope:
    """The variables and indices that the parameters of a macro stand for."""

    variables: dict = field(default_factory=dict)  # name → list of Var
    indices: dict = field(default_factory=dict)
    macros: dict = field(default_factory=dict)


class _Reader:
    def __init__(self):
        self.found, self.macros, self.line, self.bases = Derivation(), {}, 1, set()
        self.size, self.letters = 0, {}  # letters: base → count, where no slice says
        self.grads = []  # (line, name) of each grad[name]

    def fail(self, why):
        raise Unreadable(self.line, why)

    # -- the text becomes Python's trees

    def parts(self, word, text):
        """Return [(relation, tree, text)] of a line."""
        if re.search(r"(?<![<>=])==", text):
            self.fail("'==': write = for one step, nothing is assigned")
        if word == "assume" and text.startswith("independent"):
            return [self.part(None, text)]
        if word == "assume" and (sign := re.fullmatch(r"([^=<>]+)([<>])([^=<>]+)", text)):
            return [self.part(None, sign[1]), self.part(sign[2], sign[3])]
        split = split_relations(text)
        if word != "step" and (len(split) != 2 or split[0][0]):
            self.fail(f"{word}: expected one relation between two sides, as in `let a = b`")
        if word == "let" and split[1][0] != "=":
            self.fail("let: a name is defined by =")
        if word == "step" and any(not part for _, part in split):
            self.fail("a relation needs an expression on its right")
        return [self.part(relation, part) for relation, part in split]

    def part(self, relation, text):
        return relation, self.tree(text), " ".join(text.split())

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

    # -- names that mean the same on every line

    def survey(self, word, parts):
        for _, tree, _ in parts:
            for node in ast.walk(tree):
                if not isinstance(node, ast.Call):
                    continue
                name = _name(node.func)
                outer = isinstance(node.func, ast.Subscript) and _name(node.func) in KNOWN
                if outer or name in KNOWN or not name:
                    continue
                if name == "N":
                    self.found.gaussian = True
                    self.bases |= {_term(term)[0] for term in node.args[:1]}
                    continue
                left, right = _sides(node)
                drawn = any(
                    isinstance(parent, ast.Subscript)
                    and _name(parent.value) == "E"
                    and node in list(ast.walk(parent.slice))
                    for parent in ast.walk(tree)
                )
                for term in [*left, *right]:
                    base, index = _term(term)
                    if isinstance(index, ast.Slice):
                        letter = getattr(index.upper, "id", None)
                        if letter not in COUNTS:
                            self.fail(f"{base}[1:…]: the last index is one of {', '.join(COUNTS)}")
                        if getattr(index.lower, "value", None) != 1 or index.step:
                            self.fail(f"'{ast.unparse(term)}': write {base}[1:{letter}]")
                        other = self.found.counts.setdefault(base, letter)
                        if other != letter:
                            self.fail(f"{base}[1:{letter}]: {base} runs to {other} elsewhere")
                        if not drawn or term in right:
                            self.found.families.add(base)
                    elif isinstance(index, ast.Constant):
                        self.found.families.add(base)
                        self.found.least[base] = max(index.value, self.found.least.get(base, 1))
                    elif isinstance(index, ast.Name) and index.id in RANGES:
                        self.letters.setdefault(base, RANGES[index.id])
                    self.bases.add(base)
                macro = word == "let" and tree is parts[0][1]
                if not macro and not right and name != "independent":
                    self.found.joints.add(name)
        if word == "let":
            head = parts[0][1]
            head = head.func if isinstance(head, ast.Call) else head
            self.found.joints.discard(_name(head))

    # -- the kinds of lines

    def let(self, parts, text, label):
        head, body = parts[0][1], parts[1][1]
        left, right, index = (), (), None
        if isinstance(head, ast.Call):
            left, right = _sides(head)
            head = head.func
        if isinstance(head, ast.Subscript):
            index, head = _name(head.slice), head.value
        self.found.lets.append(text)
        name = _name(head)
        if not name or name in KNOWN or name in COUNTS:
            self.fail("let: expected a new name, as in `let Lv = …` or `let q(z | x) = …`")
        macro = _Macro(name, tuple(left), tuple(right), index, body, dict(self.macros))
        self.macros = {**self.macros, name: [*self.macros.get(name, []), macro]}

    def assume(self, parts, text, label):
        if len(parts) == 1:
            left, right = _sides(parts[0][1])
            groups = [self.variables(term, _Scope()) for term in left]
            given = [v for term in right for v in self.variables(term, _Scope())]
            if not groups:
                self.fail("independent: name the variables, as in independent(x1, x2 | z)")
            self._assumed(text, "independence", "independent", groups, given)
            return
        (_, left, _), (relation, right, _) = parts
        left, right = self.node(left), self.node(right)
        if relation in ("<", ">", "<=", ">=") and not isinstance(left, Symbol):
            self.fail("a name stands on the left, a number on the right, as in beta >= 1")
        slide = re.match(r"S\d+\.\d+", label)
        self._assumed(text, slide[0] if slide else text, relation, left, right)

    def _assumed(self, text, name, *rest):
        self.found.assumptions.append(Assumption(self.line, text, name, *rest))

    def step(self, parts, text, label):
        for relation, tree, written in parts:
            self.size = 0
            step = Step(self.line, written, relation, self.node(tree), label)
            if relation is None:
                self.found.chains.append([step])
            elif not self.found.chains:
                self.fail(f"'{relation}' has no left side: the line before it is missing")
            else:
                self.found.chains[-1].append(step)

    # -- trees of the course

    def node(self, tree, scope=None):
        scope = scope or _Scope(macros=self.macros)
        self.size += 1
        if self.size > LONGEST:
            self.fail(f"more than {LONGEST} parts: shorten the line by `let`")
        match tree:
            case ast.Constant(value=int() | float()) if not isinstance(tree.value, bool):
                return Number(float(tree.value))
            case ast.BinOp(op=op) if type(op) in OPERATORS:
                a, b = self.node(tree.left, scope), self.node(tree.right, scope)
                if isinstance(b, Number) and isinstance(op, ast.Pow) and abs(b.value) > HIGHEST:
                    self.fail(f"exponents are at most {HIGHEST}")
                return Op(OPERATORS[type(op)], a, b)
            case ast.UnaryOp(op=ast.USub()):
                return Negative(self.node(tree.operand, scope))
            case ast.Name() | ast.Subscript():
                return self.named(tree, scope)
            case ast.Call(func=ast.Subscript()) if _name(tree.func) in ("sum", "prod", "mean"):
                return self.over(tree, scope)
            case ast.Call(func=ast.Subscript()) if _name(tree.func) == "E":
                return self.expectation(tree, scope)
            case ast.Call() if not tree.keywords:
                return self.call(tree, scope)
            case ast.BinOp(op=ast.BitOr()):
                self.fail(f"'{ast.unparse(tree)}': the bar belongs inside p(… | …)")
            case ast.Compare():
                self.fail(f"'{ast.unparse(tree)}': a relation stands between expressions")
        self.fail(f"'{ast.unparse(tree)}' is not in the grammar")

    def named(self, tree, scope):
        name = _name(tree)
        if name == "___":
            return Blank()
        known = isinstance(tree, ast.Subscript) and name not in KNOWN
        index = self.index(tree.slice, scope) if known else None
        for macro in reversed(scope.macros.get(name, [])):
            if not macro.left and (macro.index is None) == (index is None):
                indices = {} if index is None else {macro.index: index}
                return self.node(macro.body, _Scope({}, indices, macro.known))
        if self.found.gaussian and (name in self.bases or name in scope.variables):
            (variable,) = self.variables(tree, scope)
            return Symbol(variable.base, variable.index)
        if name in self.bases or name in scope.variables:
            self.fail(f"'{ast.unparse(tree)}' is a variable: it stands inside p(…) only")
        if not name or name in KNOWN:
            self.fail(f"'{ast.unparse(tree)}': what {name} applies to belongs in round brackets")
        return Symbol(name, index)

    def arguments(self, tree, number, scope):
        if len(tree.args) != number:
            self.fail(f"{_name(tree.func)}: expected {number} arguments, found {len(tree.args)}")
        return [self.node(part, scope) for part in tree.args]

    def over(self, tree, scope):
        kind, inside = _name(tree.func), tree.func.slice
        if len(tree.args) != 1:
            self.fail(f"{kind}[…](…): expected one expression in the round brackets")
        body = tree.args[0]
        name, last = _name(inside), None
        if isinstance(inside, ast.Slice):  # prod[i:N-1]
            if not inside.lower or not inside.upper:
                self.fail(f"{kind}[…]: expected {kind}[i:N-1] or {kind}[i]")
            name, last = _name(inside.lower), self.node(inside.upper, scope)
            if any(isinstance(part, Dist) for part in last.walk()):
                self.fail(f"{kind}[{name}:{last}]: the last index is a number")
        if isinstance(inside, ast.Name | ast.Slice) and name not in self.bases:
            used = [n for n in ast.walk(body) if isinstance(n, ast.Subscript)]
            letters = [self.letter(n) for n in used if _name(n.slice) == name]
            if not letters and last is None:
                self.fail(f"{kind}[{name}]: nothing in its brackets has the index {name}")
            letter = next(filter(None, letters), RANGES.get(name, "N"))
            last = last or Symbol(letter)
            scope = _Scope(scope.variables, {**scope.indices, name: name}, scope.macros)
            return Over(kind, name, self.node(body, scope), last)
        terms = inside.elts if isinstance(inside, ast.Tuple) else [inside]
        over = tuple(v for term in terms for v in self.variables(term, scope))
        if unknown := [v for v in over if v.base not in self.bases]:
            self.fail(f"{kind}[{unknown[0]}]: no distribution has the variable {unknown[0]}")
        if kind == "mean":
            self.fail(f"mean[{name}]: a mean runs over an index; write E[…] for a variable's")
        return Over(kind, over, self.node(body, scope))

    def letter(self, tree):
        return self.found.counts.get(_name(tree.value))

    def expectation(self, tree, scope):
        if len(tree.args) != 1:
            self.fail("E[q(z | x)](…): expected one expression in the round brackets")
        inside, text = tree.func.slice, ast.unparse(tree.func.slice)
        weight = self.draws(inside, scope)
        if weight:
            over, weight = weight
        else:
            weight = self.node(inside, scope)
            over = targets(weight)
        if not over:
            self.fail(f"E[{text}]: a distribution belongs in the square brackets")
        return Expect(over, weight, self.node(tree.args[0], scope), text)

    def draws(self, call, scope):
        """Read q(z[1:K] | x), K independent draws: their variables and the product of q's."""
        if not isinstance(call, ast.Call):
            return None
        left, right = _sides(call)
        bases = [_term(term)[0] for term in left if isinstance(_term(term)[1], ast.Slice)]
        if not bases or set(bases) & self.found.families:
            return None
        letter, index = self.found.counts[bases[0]], "draw"
        one = [_at(term, index) if _term(term)[0] in bases else term for term in left]
        args = _joined(one, right)
        scope = _Scope(scope.variables, {**scope.indices, index: index}, scope.macros)
        q = self.node(ast.Call(call.func, args, []), scope)
        over = tuple(v for term in left for v in self.variables(term, scope))
        return over, Over("prod", index, q, Symbol(letter))

    def call(self, tree, scope):
        name = _name(tree.func)
        if isinstance(tree.func, ast.Subscript) and name == "grad":
            self.grads.append((self.line, _name(tree.func.slice)))
            return self.grad(_name(tree.func.slice), *self.arguments(tree, 1, scope))
        if isinstance(tree.func, ast.Name) and name in KNOWN:
            match name:
                case "KL":
                    a, b = self.arguments(tree, 2, scope)
                    if not targets(a) or not set(targets(a)) <= set(free(b)):
                        self.fail(f"KL({a} || {b}): expected two distributions of one variable")
                    return Divergence(targets(a), a, b)
                case "H":
                    (a,) = self.arguments(tree, 1, scope)
                    if not targets(a):
                        self.fail(f"H({a}): expected a distribution")
                    return Entropy(targets(a), a)
                case "grad":
                    return self.grad(None, *self.arguments(tree, 1, scope))
                case "sum" | "prod" | "mean" | "E":
                    self.fail(f"{name}: say over what in square brackets, as in {name}[z](…)")
            return Func(name, *self.arguments(tree, 1, scope))
        if name == "N" and isinstance(tree.func, ast.Name):
            return self.normal(tree, scope)
        return self.distribution(tree, name, scope)

    def grad(self, name, body):
        if any(isinstance(part, Grad) for part in body.walk()):
            self.fail(f"grad({body}): a gradient of a gradient is not in the grammar")
        return Grad(name, body)

    def demand_names(self):
        """Refuse grad[name] where no table has that name: it would be 0."""
        parts = [part for node in self.found.nodes for part in node.walk()]
        names = {part.name for part in parts if isinstance(part, Dist) and not part.body}
        for line, name in self.grads:
            if name not in names:
                self.line = line
                self.fail(
                    f"grad[{name}]: no table of that name; there are {', '.join(sorted(names))}"
                )

    def normal(self, tree, scope):
        if len(tree.args) != 3:
            self.fail(f"'{ast.unparse(tree)}': expected N(z, mean, variance)")
        z = self.variables(tree.args[0], scope)
        return Normal("N", tuple(z), (), None, None, *(self.node(t, scope) for t in tree.args[1:]))

    def distribution(self, tree, name, scope):
        if not name:
            self.fail(f"'{ast.unparse(tree)}' is not in the grammar")
        if name in MEANT or name == "independent":
            meant = f": write {MEANT[name]}" if MEANT.get(name) else ""
            self.fail(f"'{name}' is not in the grammar{meant}")
        left, right = ([v for t in side for v in self.variables(t, scope)] for side in _sides(tree))
        for v in left:
            if isinstance(v.index, tuple) and v.base not in self.found.families:
                self.fail(f"'{ast.unparse(tree)}': draws stand alone in E[q(z[1:K] | x)](…)")
        index = None
        if isinstance(tree.func, ast.Subscript):
            index = self.index(tree.func.slice, scope)
        for macro in reversed(scope.macros.get(name, [])):
            if (bound := self.bind(macro, left, right, index)) is not None:
                body = self.node(macro.body, bound)
                if macro.left and (macro.right or not _is_list(macro.left)):
                    return Dist(name, tuple(left), tuple(right), index, body)
                return body
        if not left:
            self.fail(f"'{ast.unparse(tree)}': a variable belongs before the bar")
        twice = [v for v in dict.fromkeys(left + right) if (left + right).count(v) > 1]
        if twice:
            self.fail(f"'{ast.unparse(tree)}': {twice[0]} stands there twice")
        if not right and name not in self.found.joints:
            close = difflib.get_close_matches(name, [*KNOWN, *scope.macros], 1)
            meant = f"; did you mean {close[0]}?" if close else ""
            self.fail(f"'{name}' is unknown{meant}")
        return Dist(name, tuple(left), tuple(right), index)

    def bind(self, macro, left, right, index):
        """Return the scope in which a macro's parameters are these variables, or None."""
        if (macro.index is None) != (index is None) or not (left or right) or not macro.left:
            return None
        variables, indices = {}, {} if index is None else {macro.index: index}
        for parameters, actual in (macro.left, left), (macro.right, right):
            if _is_list(parameters):
                variables[_name(parameters[0])] = actual
                continue
            if len(parameters) != len(actual):
                return None
            for parameter, variable in zip(parameters, actual, strict=True):
                base, at = _term(parameter)
                if at is None:
                    variables[base] = [variable]
                elif isinstance(at, ast.Slice):
                    if variable != self.variables(parameter, _Scope())[0]:
                        return None
                elif variable.base != base or isinstance(variable.index, tuple):
                    return None
                elif isinstance(at, ast.Name):
                    indices[at.id] = variable.index
                elif variable.index != at.value:
                    return None
        return _Scope(variables, indices, macro.known)

    def variables(self, term, scope):
        base, index = _term(term)
        if base in PARAMETERS:
            return []
        if not base:
            self.fail(f"'{ast.unparse(term)}' is no variable")
        if index is None:
            return scope.variables.get(base) or [Var(base)]
        if isinstance(index, ast.Slice):
            return [Var(base, (1, _name(index.upper)))]
        return [Var(base, self.index(index, scope))]

    def index(self, tree, scope):
        match tree:
            case ast.Name() if tree.id not in self.bases and tree.id not in KNOWN:
                return scope.indices.get(tree.id, tree.id)
            case ast.Constant(value=int()) if tree.value > 0:
                return tree.value
        self.fail(f"'{ast.unparse(tree)}' is no index: expected a letter or a number from 1")


def _name(tree):
    while isinstance(tree, ast.Subscript):
        tree = tree.value
    return getattr(tree, "id", None)


def _sides(call):
    """Split the arguments of p(a, b | c, d) at the bar: two lists, without theta and phi."""
    left, right, side = [], [], 0
    for argument in call.args:
        if isinstance(argument, ast.BinOp) and isinstance(argument.op, ast.BitOr):
            left.append(argument.left)
            right.append(argument.right)
            side = 1
        else:
            (left, right)[side].append(argument)
    kept = ([t for t in terms if _name(t) not in PARAMETERS] for terms in (left, right))
    return tuple(kept)


def _joined(left, right):
    """Write the arguments of a call again, with the bar between the sides."""
    if not right:
        return left
    return [*left[:-1], ast.BinOp(left[-1], ast.BitOr(), right[0]), *right[1:]]


def _term(tree):
    """Return the base and the index, a tree or None, of a variable's name."""
    if isinstance(tree, ast.Subscript) and isinstance(tree.value, ast.Name):
        return tree.value.id, tree.slice
    return (tree.id if isinstance(tree, ast.Name) else None), None


def _at(term, index):
    return ast.Subscript(term.value, ast.Name(index))


def _is_list(parameters):
    """Say whether the parameters are one capital letter, which stands for any variables."""
    return len(parameters) == 1 and (_name(parameters[0]) or "").isupper()
