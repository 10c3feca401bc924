"""The trees of a derivation's expressions.

`sum[z](q(z | x) * log(p(z, x)))` is Over("sum", (z,), Op("*", Dist("q", …), Func("log", …))).
A variable is a base and an index: x is Var("x"), x[i] is Var("x", "i"), x[1:N] is
Var("x", (1, "N")).
"""

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True)
class Var:
    """A random variable, one of a numbered family, or (1, "N") for the whole family."""

    base: str
    index: object = None

    def __str__(self):
        return self.base + _brackets(self.index)


@dataclass(frozen=True)
class Node:
    """A part of an expression; its fields that are nodes are its children."""

    def _nodes(self):
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: part for name, part in parts.items() if isinstance(part, Node)}

    def children(self):
        return list(self._nodes().values())

    def mapped(self, change):
        """Return this node with change(child) for each child."""
        return replace(self, **{name: change(child) for name, child in self._nodes().items()})

    def walk(self):
        """Yield this node and all below it."""
        yield self
        for child in self.children():
            yield from child.walk()

    def edits(self, edit):
        """Yield (tree, old, new) of each tree in which one node becomes one of edit(node)."""
        for new in edit(self):
            yield new, self, new
        for name, child in self._nodes().items():
            for changed, old, new in child.edits(edit):
                yield replace(self, **{name: changed}), old, new

    def replaced(self, new):
        """Return this tree with new(node) for each node where that is not None."""
        other = new(self)
        return self.mapped(lambda child: child.replaced(new)) if other is None else other


@dataclass(frozen=True)
class Number(Node):
    value: float

    def __str__(self):
        return f"{self.value:g}"


@dataclass(frozen=True)
class Symbol(Node):
    """A real number that has a name, beta or lam[i]; N, M, K and L are counts."""

    name: str
    index: object = None

    def __str__(self):
        return self.name + _brackets(self.index)


@dataclass(frozen=True)
class Blank(Node):
    """The ___ of an exercise."""

    def __str__(self):
        return "___"


@dataclass(frozen=True)
class Dist(Node):
    """A probability: name[index](left | right); body is its definition by a `let`, if any."""

    name: str
    left: tuple
    right: tuple = ()
    index: object = None
    body: Node | None = None

    @property
    def variables(self):
        return (*self.left, *self.right)

    def __str__(self):
        bar = " | " + ", ".join(map(str, self.right)) if self.right else ""
        return f"{self.name}{_brackets(self.index)}({', '.join(map(str, self.left))}{bar})"


@dataclass(frozen=True)
class Normal(Dist):
    """A Gaussian density N(z, mean, var) of the variable `left`; its children: mean and var."""

    mean: Node | None = None
    var: Node | None = None

    def __str__(self):
        return f"N({self.left[0]}, {self.mean}, {self.var})"


@dataclass(frozen=True)
class Over(Node):
    """kind "sum", "prod" or "mean" of body, over variables or over one index of a range."""

    kind: str
    over: tuple | str  # of Var, or the name of an index
    body: Node
    last: Node | None = None  # of an index: it runs from 1 to this count

    def __str__(self):
        over = self.over if isinstance(self.over, str) else ", ".join(map(str, self.over))
        return f"{self.kind}[{over}]({self.body})"


@dataclass(frozen=True)
class Expect(Node):
    """The expectation of body under weight, whose variables `over` are summed out."""

    over: tuple
    weight: Node
    body: Node
    text: str  # the weight as it was written

    def __str__(self):
        return f"E[{self.text}]({self.body})"


@dataclass(frozen=True)
class Divergence(Node):
    """KL(a, b), summed over the variables `over` of a."""

    over: tuple
    a: Node
    b: Node

    def __str__(self):
        return f"KL({self.a}, {self.b})"


@dataclass(frozen=True)
class Entropy(Node):
    over: tuple
    a: Node

    def __str__(self):
        return f"H({self.a})"


@dataclass(frozen=True)
class Grad(Node):
    """The derivative with respect to all tables' logits, or to those named `name`."""

    name: str | None
    body: Node

    def __str__(self):
        return f"grad{_brackets(self.name)}({self.body})"


@dataclass(frozen=True)
class Func(Node):
    name: str  # "log", "exp", "sqrt"
    body: Node

    def __str__(self):
        return f"{self.name}({self.body})"


@dataclass(frozen=True)
class Op(Node):
    sign: str  # "+", "-", "*", "/", "**"
    a: Node
    b: Node

    def __str__(self):
        strength = {"+": 1, "-": 1, "*": 2, "/": 2, "**": 3}
        here = strength[self.sign]

        def part(node, right):
            weak = isinstance(node, Op) and strength[node.sign] < here + right
            return f"({node})" if weak or (isinstance(node, Negative) and right) else f"{node}"

        gap = "" if self.sign == "**" else " "
        after = self.sign in "-/**"
        return f"{part(self.a, self.sign == '**')}{gap}{self.sign}{gap}{part(self.b, after)}"


@dataclass(frozen=True)
class Negative(Node):
    body: Node

    def __str__(self):
        simple = not isinstance(self.body, Op) or self.body.sign not in "+-"
        return f"-{self.body}" if simple else f"-({self.body})"


def _brackets(index):
    if index is None:
        return ""
    return f"[{index[0]}:{index[1]}]" if isinstance(index, tuple) else f"[{index}]"


def written_out(node):
    """Write an expectation, a divergence or an entropy as the sum that it is."""
    match node:
        case Expect(over, weight, body):
            term = Op("*", weight, body)
        case Divergence(over, a, b):
            term = Op("*", a, Func("log", Op("/", a, b)))
        case Entropy(over, a):
            term = Negative(Op("*", a, Func("log", a)))
    return Over("sum", over, term)


def free(node):
    """List the variables that node depends on, in order, once each."""
    if isinstance(node, Dist):
        return list(dict.fromkeys(node.variables))
    over = getattr(node, "over", ())
    bound = () if isinstance(over, str) else over
    whole = {v.base for v in bound if isinstance(v.index, tuple)}  # x[1:N] binds each x[i]
    inside = dict.fromkeys(v for child in node.children() for v in free(child))
    return [v for v in inside if v not in bound and v.base not in whole]


def unbound(node):
    """Collect the letters of indices that no sum, product or mean in node binds."""
    match node:
        case Over(over=str()):
            return (unbound(node.body) | unbound(node.last)) - {node.over}
        case Dist():
            own = {v.index for v in node.variables} | {node.index}
            inside = unbound(node.body) if node.body else set()
            return {i for i in own if isinstance(i, str)} | inside
        case Symbol():
            return {node.index} if isinstance(node.index, str) else set()
    return {i for child in node.children() for i in unbound(child)}


def targets(node):
    """List the variables of which node is a distribution: those left of a bar, and never right."""
    left, right = [], set()
    for part in _outer(node):
        left += part.left
        right.update(part.right)
    return tuple(dict.fromkeys(v for v in left if v not in right))


def _outer(node):
    """Yield the probabilities in node, without what is summed out inside it."""
    if isinstance(node, Dist):
        yield node
    elif not isinstance(node, Over) or isinstance(node.over, str):
        for child in node.children():
            yield from _outer(child)


def renamed(node, old, new):
    """Write the variable `new` for `old` everywhere in node."""
    parts = {f.name: getattr(node, f.name) for f in fields(node)}
    own = {
        name: tuple(new if v == old else v for v in part)
        for name, part in parts.items() if isinstance(part, tuple)
    }  # fmt: skip
    return replace(node, **own).mapped(lambda child: renamed(child, old, new))


def without(node, part):
    """Replace a factor of node by 1; None where it is no factor."""
    if node is part:
        return Number(1.0)
    if isinstance(node, Op) and node.sign in "*/":
        if (a := without(node.a, part)) is not None:
            return Op(node.sign, a, node.b)
        if node.sign == "*" and (b := without(node.b, part)) is not None:
            return Op("*", node.a, b)
    return None
