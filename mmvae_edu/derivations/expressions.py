"""The expressions of a derivation: Python's trees become the course's.

A list says what may stand in an expression; nothing is run.
"""

import ast
import difflib

from .lines import PARAMETERS, name_of, sides_of, term_of
from .macros import Scope
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
