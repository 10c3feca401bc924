"""The reader of derivations: a text, line by line, becomes chains of steps and assumptions."""

import ast
import re
from dataclasses import dataclass, field

from .expressions import COUNTS, KNOWN, RANGES, Expressions
from .lines import Unreadable, name_of, read_lines, sides_of, term_of
from .macros import Macro, Scope
from .syntax import Blank, Dist, Symbol


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
