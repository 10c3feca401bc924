"""The check of derivations about Gaussians, N(z, mean, variance), line by line, by SymPy.

Variables are real numbers and sums over them integrals.  A line that holds is proved, and a wrong
one is refuted by numbers.  Expressions are built from the course's trees, never from the text.
"""

import operator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial

import numpy as np
import sympy

from ..oracles import symbolic
from .checking import Failure, Outcome, check_lines
from .lines import Unreadable
from .syntax import (
    Dist,
    Divergence,
    Entropy,
    Expect,
    Func,
    Negative,
    Normal,
    Number,
    Op,
    Over,
    Symbol,
    written_out,
)

OPERATIONS = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
    "**": operator.pow,
}  # fmt: skip

POINTS, STEEPEST = 12, 30  # at which a line is tried, and the degree of an expression
REAL, POSITIVE = (-3, -2, "-3/2", -1, "-1/2", "1/2", 1, "3/2", 2, 3), ("1/2", 1, "3/2", 2, 3)


@dataclass
class Point:
    """The numbers in which a line fails, in the place of a finite model."""

    numbers: dict  # (name, None) → value
    counts: dict = field(default_factory=dict)
    keys: dict = field(default_factory=dict)


class Algebra:
    """The expressions of a derivation: symbols with their signs, and SymPy's form of a tree."""

    def __init__(self, derivation):
        self.signed, self.symbols = set(), {}
        for assumed in derivation.assumptions:
            if assumed.relation != ">" or assumed.right != Number(0.0):
                raise Unreadable(assumed.line, "among Gaussians expected a sign, as in `v > 0`")
            if not isinstance(assumed.left, Symbol):
                raise Unreadable(assumed.line, "expected the sign of one name, as in `v > 0`")
            self.signed.add(str(assumed.left))

    def symbol(self, name):
        sign = {"positive": True} if name in self.signed else {"real": True}
        return self.symbols.setdefault(name, sympy.Symbol(name, **sign))

    def expression(self, step):
        """Return SymPy's form of a line; Unreadable where it has none."""
        try:
            if degree(step.node) > STEEPEST:
                raise symbolic.Unknown("too many factors: shorten the line")
            return self.value(step.node)
        except symbolic.Unknown as problem:
            raise Unreadable(step.line, str(problem)) from None

    def value(self, node):
        match node:
            case Number(value):
                return sympy.Rational(*Fraction(repr(value)).as_integer_ratio())
            case Symbol("pi", None):
                return sympy.pi
            case Symbol():
                return self.symbol(str(node))
            case Normal():
                z, mean, var = self.symbol(str(node.left[0])), *map(self.value, node.children())
                if not symbolic.positive(var):
                    raise symbolic.Unknown(f"{node}: `assume … > 0` for its variance is missing")
                return symbolic.normal(z, mean, var)
            case Dist(body=body) if body:
                return self.value(body)
            case Dist():
                raise symbolic.Unknown(f"{node} is no Gaussian: define it by `let`")
            case Over("sum", tuple(variables), body):
                return self.integral(self.value(body), variables)
            case Expect() | Divergence() | Entropy():
                return self.value(written_out(node))
            case Func(name, body):
                return getattr(sympy, name)(self.value(body))
            case Negative(body):
                return -self.value(body)
            case Op(sign, a, b):
                return OPERATIONS[sign](self.value(a), self.value(b))
        raise symbolic.Unknown(f"{node} is not in the grammar of Gaussians")

    def integral(self, f, variables):
        for variable in variables:
            f = symbolic.integral(f, self.symbol(str(variable)))
        return f


def degree(node):
    """Bound the number of factors of an expression that is multiplied out."""
    inner = [degree(child) for child in node.children()]
    match node:
        case Number():
            return 0
        case Op(sign="*" | "/") | Expect() | Divergence():
            return sum(inner)
        case Op(sign="**", b=b):
            power = b.body if isinstance(b, Negative) else b
            if isinstance(power, Number):
                return inner[0] * max(1, abs(power.value))
            raise symbolic.Unknown(f"{node}: an exponent is a number among Gaussians")
    return max(inner, default=1)


def check(derivation):
    """Check every line of a derivation about Gaussians; returns Checked."""
    return check_lines(derivation, partial(_outcome, derivation))


def _outcome(derivation, before, step, over):
    relation = Relation(derivation, before, step, over)
    if not relation.proved():
        if failure := relation.failure():
            return Outcome(step, False, failure=failure)
        return Outcome(step, None, note="neither proved nor refuted")
    needs = [a.name for a in derivation.assumptions if _needed(derivation, a, before, step, over)]
    return Outcome(step, True, needs, note="proved")


def _needed(derivation, assumed, before, step, over):
    """Tell whether a line has no meaning, or no proof, without a sign."""
    nodes = [*before.node.walk(), *step.node.walk()]
    if not any(node == assumed.left for node in nodes):
        return False
    others = replace(derivation, assumptions=[a for a in derivation.assumptions if a != assumed])
    try:
        return not Relation(others, before, step, over).proved()
    except Unreadable:
        return True


class Relation:
    """A line and the one before as expressions u and v, and what is 0 where it holds."""

    def __init__(self, derivation, before, step, over):
        algebra = Algebra(derivation)
        self.sign, self.line = step.relation, step.line
        self.u, self.v = algebra.expression(before), algebra.expression(step)
        self.symbols = sorted(self.u.free_symbols | self.v.free_symbols, key=str)
        self.gap = self.u - self.v
        if self.sign == "propto":  # the derivatives of the ratio's logarithm, all in one
            ratio = symbolic.logarithms_split(sympy.log(self.u / self.v))
            along = [algebra.symbol(str(z)) for z in over] or self.symbols
            self.gap = sympy.Add(*(sympy.Dummy(real=True) * ratio.diff(z) for z in along))

    def proved(self):
        if self.sign == "=":
            return symbolic.equal(self.u, self.v)
        if self.sign == "propto":
            return symbolic.is_zero(self.gap) and self.positive()
        return sympy.factor(self.gap if self.sign == ">=" else -self.gap).is_nonnegative

    def positive(self):
        """Say whether both sides have one sign, at the first point where they are finite."""
        rng = np.random.default_rng(0)
        for _ in range(POINTS):
            at = {s: _drawn(rng, s) for s in self.symbols}
            left, right = (_number(side.xreplace(at)) for side in (self.u, self.v))
            if np.isfinite([left, right]).all() and (left or right):
                return left * right > 0
        return False

    def failure(self):
        """Return a Failure at a point where the relation does not hold, or None."""
        rng, finite = np.random.default_rng(0), False
        for _ in range(POINTS):
            at = {s: _drawn(rng, s) for s in self.symbols}
            slopes = {s: _drawn(rng, s) for s in self.gap.free_symbols - at.keys()}
            left, right, gap = (_number(e.subs(at | slopes)) for e in (self.u, self.v, self.gap))
            if not np.isfinite([left, right, gap]).all():
                continue
            finite = True
            gap = {"<=": max(gap, 0), ">=": min(gap, 0)}.get(self.sign, gap)
            gap = 1 if self.sign == "propto" and left * right <= 0 else gap
            if abs(gap) > 1e-9 * (1 + abs(left) + abs(right)):
                point = Point({(s.name, None): float(value) for s, value in at.items()})
                return Failure(point, {}, {}, left, right, abs(gap), hints=self.hints())
        if not finite:
            raise Unreadable(self.line, "this has no finite value: a division by 0, a log of ≤ 0")
        return None

    def hints(self):
        if self.sign == "propto":
            return ["the ratio of the two sides is no positive constant"]
        gap = sympy.simplify(symbolic.logarithms_split(self.gap))
        return [f"the right side is too small by {gap}"] if self.sign == "=" else []


def _drawn(rng, symbol):
    values = POSITIVE if symbol.is_positive else REAL
    return sympy.Rational(values[rng.integers(len(values))])


def _number(expression):
    value = complex(expression.evalf())
    return value.real if abs(value.imag) <= 1e-12 * (1 + abs(value)) else np.nan
