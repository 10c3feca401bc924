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

    def children(self):
        return [part for f in fields(self) if isinstance(part := getattr(self, f.name), Node)]

    def walk(self):
        """Yield this node and all below it."""
        yield self
        for child in self.children():
            yield from child.walk()

    def edits(self, edit):
        """Yield (tree, old, new) of each tree in which one node becomes one of edit(node)."""
        for new in edit(self):
            yield new, self, new
        for f in fields(self):
            if isinstance(child := getattr(self, f.name), Node):
                for changed, old, new in child.edits(edit):
                    yield replace(self, **{f.name: changed}), old, new

    def replaced(self, new):
        """Return this tree with new(node) for each node where that is not None."""
        if (other := new(self)) is not None:
            return other
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(
            self, **{k: v.replaced(new) for k, v in parts.items() if isinstance(v, Node)}
        )


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


def free(node):
    """List the variables that node depends on, in order, once each."""
    match node:
        case Dist():
            found = [*node.left, *node.right]
        case Over() | Expect() | Divergence() | Entropy():
            inside = [v for child in node.children() for v in free(child)]
            bound = () if isinstance(node.over, str) else node.over
            whole = {v.base for v in bound if isinstance(v.index, tuple)}  # x[1:N] binds each x[i]
            found = [v for v in inside if v not in bound and v.base not in whole]
        case _:
            found = [v for child in node.children() for v in free(child)]
    return list(dict.fromkeys(found))


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
    changed = {}
    for f in fields(node):
        part = getattr(node, f.name)
        if isinstance(part, Node):
            changed[f.name] = renamed(part, old, new)
        elif isinstance(part, tuple):
            changed[f.name] = tuple(new if v == old else v for v in part)
    return replace(node, **changed)


def plain(node):
    """Leave out what changes nothing: factors 1, terms 0, and what is multiplied by 0."""
    parts = {f.name: getattr(node, f.name) for f in fields(node)}
    node = replace(node, **{k: plain(v) for k, v in parts.items() if isinstance(v, Node)})
    match node:
        case Op(sign="*", a=Number(1.0), b=kept) | Op(sign="*" | "/" | "**", a=kept, b=Number(1.0)):
            return kept
        case (
            Op(sign="*", a=Number(0.0))
            | Op(sign="*", b=Number(0.0))
            | Op(sign="/", a=Number(0.0))
            | Negative(Number(0.0))
        ):
            return Number(0.0)
        case Op(sign="+", a=Number(0.0), b=kept) | Op(sign="+" | "-", a=kept, b=Number(0.0)):
            return kept
        case Op(sign="-", a=Number(0.0), b=kept):
            return plain(Negative(kept))
        case Negative(Negative(kept)):
            return kept
    return node
