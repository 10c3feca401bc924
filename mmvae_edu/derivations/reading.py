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
)

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


COUNTS = ("N", "M", "K", "L")
RANGES = {"i": "N", "j": "N", "n": "N", "m": "M", "k": "K", "l": "L"}  # where nothing else says
OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
FUNCTIONS = ("log", "exp", "sqrt")
KNOWN = (*FUNCTIONS, "sum", "prod", "mean", "E", "KL", "H", "grad")
MEANT = {"ln": "log", "D_KL": "KL", "Sum": "sum", "Prod": "prod", "max": "", "min": ""}
LONGEST, HIGHEST = 200, 20  # nodes in a line, and exponents


class Expressions:
    """The reader of expressions; its subclass, of lines, knows the names and the macros."""

    # -- trees of the course

    def expression(self, tree):
        self.size = 0
        return self.node(tree, Scope(macros=self.macros))

    def node(self, tree, scope):
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
            case ast.Call(func=ast.Subscript()) if name_of(tree.func) in ("sum", "prod", "mean"):
                return self.over(tree, scope)
            case ast.Call(func=ast.Subscript()) if name_of(tree.func) == "E":
                return self.expectation(tree, scope)
            case ast.Call() if not tree.keywords:
                return self.call(tree, scope)
            case ast.BinOp(op=ast.BitOr()):
                self.fail(f"'{ast.unparse(tree)}': the bar belongs inside p(… | …)")
            case ast.Compare():
                self.fail(f"'{ast.unparse(tree)}': a relation stands between expressions")
        self.fail(f"'{ast.unparse(tree)}' is not in the grammar")

    def named(self, tree, scope):
        name = name_of(tree)
        if name == "___":
            return Blank()
        known = isinstance(tree, ast.Subscript) and name not in KNOWN
        index = self.index(tree.slice, scope) if known else None
        for macro in reversed(scope.macros.get(name, [])):
            if own := macro.bind([], [], index):
                return self.node(macro.body, own)
        if name in self.bases or name in scope.variables:
            if not self.found.gaussian:
                self.fail(f"'{ast.unparse(tree)}' is a variable: it stands inside p(…) only")
            (variable,) = self.variables(tree, scope)
            return Symbol(variable.base, variable.index)
        if not name or name in KNOWN:
            self.fail(f"'{ast.unparse(tree)}': what {name} applies to belongs in round brackets")
        return Symbol(name, index)

    def over(self, tree, scope):
        kind, inside = name_of(tree.func), tree.func.slice
        if len(tree.args) != 1:
            self.fail(f"{kind}[…](…): expected one expression in the round brackets")
        (body,) = tree.args
        name, last = name_of(inside), None
        if isinstance(inside, ast.Slice):  # prod[i:N-1]
            if not inside.lower or not inside.upper:
                self.fail(f"{kind}[…]: expected {kind}[i:N-1] or {kind}[i]")
            name, last = name_of(inside.lower), self.node(inside.upper, scope)
            if any(isinstance(part, Dist) for part in last.walk()):
                self.fail(f"{kind}[{name}:{last}]: the last index is a number")
        if isinstance(inside, ast.Name | ast.Slice) and name not in self.bases:
            used = [n for n in ast.walk(body) if isinstance(n, ast.Subscript)]
            bases = [name_of(n.value) for n in used if name_of(n.slice) == name]
            if not bases and last is None:
                self.fail(f"{kind}[{name}]: nothing in its brackets has the index {name}")
            letters = [self.found.counts[base] for base in bases if base in self.found.counts]
            last = last or Symbol([*letters, RANGES.get(name, "N")][0])
            scope = Scope(scope.variables, {**scope.indices, name: name}, scope.macros)
            return Over(kind, name, self.node(body, scope), last)
        terms = inside.elts if isinstance(inside, ast.Tuple) else [inside]
        over = tuple(v for term in terms for v in self.variables(term, scope))
        if unknown := [v for v in over if v.base not in self.bases]:
            self.fail(f"{kind}[{unknown[0]}]: no distribution has the variable {unknown[0]}")
        if kind == "mean":
            self.fail(f"mean[{name}]: a mean runs over an index; write E[…] for a variable's")
        return Over(kind, over, self.node(body, scope))

    def expectation(self, tree, scope):
        if len(tree.args) != 1:
            self.fail("E[q(z | x)](…): expected one expression in the round brackets")
        inside, text = tree.func.slice, ast.unparse(tree.func.slice)
        over, weight = self.draws(inside, scope) or (None, self.node(inside, scope))
        over = targets(weight) if over is None else over
        if not over:
            self.fail(f"E[{text}]: a distribution belongs in the square brackets")
        return Expect(over, weight, self.node(tree.args[0], scope), text)

    def draws(self, call, scope):
        """Read q(z[1:K] | x), K independent draws: their variables and the product of q's."""
        if not isinstance(call, ast.Call) or name_of(call.func) in (None, *KNOWN):
            return None
        terms = map(term_of, sides_of(call)[0])
        bases = [base for base, index in terms if isinstance(index, ast.Slice)]
        if not bases or set(bases) & self.found.families:
            return None
        left, right = self.sides(call, scope)
        one = [Var(v.base, "draw") if v.base in bases else v for v in left]
        q = self.probability(call, one, right, scope)
        return tuple(left), Over("prod", "draw", q, Symbol(self.found.counts[bases[0]]))

    def call(self, tree, scope):
        name = name_of(tree.func)
        if name == "grad":
            return self.grad(tree, scope)
        if name in KNOWN and isinstance(tree.func, ast.Name):
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
                case "sum" | "prod" | "mean" | "E":
                    self.fail(f"{name}: say over what in square brackets, as in {name}[z](…)")
            return Func(name, *self.arguments(tree, 1, scope))
        if name == "N" and isinstance(tree.func, ast.Name):
            return self.normal(tree, scope)
        return self.distribution(tree, name, scope)

    def arguments(self, tree, number, scope):
        if len(tree.args) != number:
            self.fail(f"{name_of(tree.func)}: expected {number} arguments, found {len(tree.args)}")
        return [self.node(part, scope) for part in tree.args]

    def grad(self, tree, scope):
        name, (body,) = None, self.arguments(tree, 1, scope)
        if isinstance(tree.func, ast.Subscript):
            name = name_of(tree.func.slice)
            self.grads.append((self.line, name))
        if any(isinstance(part, Grad) for part in body.walk()):
            self.fail(f"grad({body}): a gradient of a gradient is not in the grammar")
        return Grad(name, body)

    def normal(self, tree, scope):
        if len(tree.args) != 3:
            self.fail(f"'{ast.unparse(tree)}': expected N(z, mean, variance)")
        z, *moments = tree.args
        z, moments = self.variables(z, scope), [self.node(part, scope) for part in moments]
        return Normal("N", tuple(z), (), None, None, *moments)

    def distribution(self, tree, name, scope):
        if not name:
            self.fail(f"'{ast.unparse(tree)}' is not in the grammar")
        if name in MEANT or name == "independent":
            meant = f": write {MEANT[name]}" if MEANT.get(name) else ""
            self.fail(f"'{name}' is not in the grammar{meant}")
        left, right = self.sides(tree, scope)
        for v in left:
            if isinstance(v.index, tuple) and v.base not in self.found.families:
                self.fail(f"'{ast.unparse(tree)}': draws stand alone in E[q(z[1:K] | x)](…)")
        return self.probability(tree, left, right, scope)

    def probability(self, tree, left, right, scope):
        name, index = name_of(tree.func), None
        if isinstance(tree.func, ast.Subscript):
            index = self.index(tree.func.slice, scope)
        for macro in reversed(scope.macros.get(name, [])):
            if own := macro.bind(left, right, index):
                body = self.node(macro.body, own)
                if macro.is_term:
                    return body
                return Dist(name, tuple(left), tuple(right), index, body)
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

    # -- variables and indices

    def sides(self, call, scope):
        """Return the variables left of the bar, and those right of it."""
        return ([v for t in side for v in self.variables(t, scope)] for side in sides_of(call))

    def variables(self, term, scope):
        base, index = term_of(term)
        if base in PARAMETERS:
            return []
        if not base:
            self.fail(f"'{ast.unparse(term)}' is no variable")
        if index is None:
            return scope.variables.get(base) or [Var(base)]
        if isinstance(index, ast.Slice):
            return [Var(base, (1, name_of(index.upper)))]
        return [Var(base, self.index(index, scope))]

    def index(self, tree, scope):
        match tree:
            case ast.Name() if tree.id not in self.bases and tree.id not in KNOWN:
                return scope.indices.get(tree.id, tree.id)
            case ast.Constant(value=int()) if tree.value > 0:
                return tree.value
        self.fail(f"'{ast.unparse(tree)}' is no index: expected a letter or a number from 1")


@dataclass(frozen=True)
class Scope:
    """The variables and indices that the parameters of a macro stand for."""

    variables: dict = field(default_factory=dict)  # name → list of Var
    indices: dict = field(default_factory=dict)
    macros: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Macro:
    """A definition by `let`, of a name alone where left is empty."""

    left: list  # of Var
    right: list
    index: str | None
    body: ast.AST
    known: dict  # the macros before it

    @property
    def is_term(self):
        """Say whether it is no distribution: its one parameter stands for any variables."""
        return not self.right and _is_list(self.left)

    def bind(self, left, right, index):
        """Return the scope in which the parameters are these variables, or None."""
        if (self.index is None) != (index is None) or bool(self.left) != bool(left or right):
            return None
        variables, indices = {}, {} if index is None else {self.index: index}
        for parameters, actual in (self.left, left), (self.right, right):
            if _is_list(parameters):
                variables[parameters[0].base] = actual
                continue
            if len(parameters) != len(actual):
                return None
            for own, v in zip(parameters, actual, strict=True):
                if own.index is None:
                    variables[own.base] = [v]
                elif (isinstance(own.index, str) and own.base == v.base
                      and not isinstance(v.index, tuple)):  # fmt: skip
                    indices[own.index] = v.index
                elif own != v:
                    return None
        return Scope(variables, indices, self.known)


def _is_list(parameters):
    """Say whether the parameters are one capital letter, which stands for any variables."""
    return len(parameters) == 1 and parameters[0].base.isupper()


@dataclass(frozen=True)
class Step:
    """One relation of a line; relation None begins a chain."""

    line: int
    text: str  # of the expression
    relation: str | None
    node: object
    label: str = ""  # what stands behind `by` or `#`

    @property
    def blank(self):
        """Say whether a ___ is left in it."""
        return any(isinstance(node, Blank) for node in self.node.walk())


@dataclass(frozen=True)
class Assumption:
    """`independent(groups | given)`, or left relation right, an equation or a sign."""

    line: int
    text: str
    name: str
    relation: str  # "independent", or one of RELATIONS, "<" and ">"
    left: object
    right: object

    @property
    def variables(self):
        """List the variables of an independence, and none of an equation."""
        groups = (*self.left, self.right) if self.relation == "independent" else ()
        return [v for group in groups for v in group]


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
        """List the expressions of all steps and assumptions, and all their parts."""
        found = [step.node for chain in self.chains for step in chain]
        for assumed in self.assumptions:
            found += [] if assumed.relation == "independent" else [assumed.left, assumed.right]
        return [part for node in found for part in node.walk()]


def read(text):
    """Read a derivation; Unreadable with the line and the mend where that cannot be done."""
    reader, lines = _Reader(), read_lines(text)
    for line in lines:  # a family, a joint table, a macro: everywhere
        reader.begin(line).survey(line)
    reader.found.counts = {**reader.letters, **reader.found.counts}
    for line in lines:
        getattr(reader.begin(line), line.word)(line)
    if not reader.found.chains:
        raise Unreadable(len(text.splitlines()) or 1, "there is no derivation: no line has a =")
    for chain in reader.found.chains:
        if len(chain) == 1:
            why = "a derivation of one line: does the next one lack its = ?"
            raise Unreadable(chain[0].line, why)
    reader.demand_names()
    return reader.found


class _Reader(Expressions):
    def __init__(self):
        self.found, self.macros, self.line, self.bases = Derivation(), {}, None, set()
        self.size, self.letters = 0, {}  # letters: base → count, where no slice says
        self.grads = []  # (line, name) of each grad[name]

    def begin(self, line):
        self.line, self.fail = line, line.fail
        return self

    # -- names that mean the same on every line

    def survey(self, line):
        head = line.parts[0][1] if line.word == "let" else None
        for _, tree, _ in line.parts:
            drawn = {
                node for outer in ast.walk(tree)
                if isinstance(outer, ast.Subscript) and name_of(outer.value) == "E"
                for node in ast.walk(outer.slice)
            }  # fmt: skip
            for call in ast.walk(tree):
                name = name_of(call.func) if isinstance(call, ast.Call) else None
                if not name or name in KNOWN:
                    continue
                if name == "N":
                    self.found.gaussian = True
                    self.bases |= {term_of(term)[0] for term in call.args[:1]}
                    continue
                left, right = sides_of(call)
                for term in left:
                    self.survey_term(term, call in drawn)
                for term in right:
                    self.survey_term(term, False)
                if tree is not head and not right and name != "independent":
                    self.found.joints.add(name)
        if head:
            self.found.joints.discard(name_of(head.func if isinstance(head, ast.Call) else head))

    def survey_term(self, term, drawn):
        base, index = term_of(term)
        self.bases.add(base)
        if isinstance(index, ast.Slice):
            letter = getattr(index.upper, "id", None)
            if letter not in COUNTS:
                self.fail(f"{base}[1:…]: the last index is one of {', '.join(COUNTS)}")
            if getattr(index.lower, "value", None) != 1 or index.step:
                self.fail(f"'{ast.unparse(term)}': write {base}[1:{letter}]")
            other = self.found.counts.setdefault(base, letter)
            if other != letter:
                self.fail(f"{base}[1:{letter}]: {base} runs to {other} elsewhere")
            self.found.families |= set() if drawn else {base}
        elif isinstance(index, ast.Constant):
            self.found.families.add(base)
            self.found.least[base] = max(index.value, self.found.least.get(base, 1))
        elif isinstance(index, ast.Name) and index.id in RANGES:
            self.letters.setdefault(base, RANGES[index.id])

    def demand_names(self):
        """Refuse grad[name] where no table has that name: it would be 0."""
        nodes = self.found.nodes
        names = {node.name for node in nodes if isinstance(node, Dist) and not node.body}
        for line, name in self.grads:
            if name not in names:
                there = ", ".join(sorted(names))
                line.fail(f"grad[{name}]: no table of that name; there are {there}")

    # -- the kinds of lines

    def let(self, line):
        (_, head, _), (_, body, _) = line.parts
        call = head if isinstance(head, ast.Call) else None
        head, index = call.func if call else head, None
        if isinstance(head, ast.Subscript):
            index, head = name_of(head.slice), head.value
        name = name_of(head)
        if not name or name in KNOWN or name in COUNTS:
            self.fail("let: expected a new name, as in `let Lv = …` or `let q(z | x) = …`")
        left, right = self.sides(call, Scope()) if call else ([], [])
        macro = Macro(left, right, index, body, dict(self.macros))
        self.macros = {**self.macros, name: [*self.macros.get(name, []), macro]}
        self.found.lets.append(line.text)

    def assume(self, line):
        if len(line.parts) == 1:
            call = line.parts[0][1]
            terms, given = sides_of(call) if isinstance(call, ast.Call) else ((), ())
            left = [self.variables(term, Scope()) for term in terms]
            right = [v for term in given for v in self.variables(term, Scope())]
            if not left:
                self.fail("independent: name the variables, as in independent(x1, x2 | z)")
            assumed = "independence", "independent", left, right
        else:
            (_, left, _), (relation, right, _) = line.parts
            left, right = self.expression(left), self.expression(right)
            if relation in ("<", ">", "<=", ">=") and not isinstance(left, Symbol):
                self.fail("a name stands on the left, a number on the right, as in beta >= 1")
            slide = re.match(r"S\d+\.\d+", line.label)
            assumed = slide[0] if slide else line.text, relation, left, right
        self.found.assumptions.append(Assumption(line.number, line.text, *assumed))

    def step(self, line):
        for relation, tree, text in line.parts:
            step = Step(line.number, text, relation, self.expression(tree), line.label)
            if relation is None:
                self.found.chains.append([step])
            elif not self.found.chains:
                self.fail(f"'{relation}' has no left side: the line before it is missing")
            else:
                self.found.chains[-1].append(step)
