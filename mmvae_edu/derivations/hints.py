"""Hints: by which factor, term, assumption or edit a wrong line is wrong."""

from dataclasses import replace

from .checking import BOUND, Tester, climb
from .lines import Unreadable
from .reading import Assumption
from .syntax import (
    Dist,
    Divergence,
    Entropy,
    Func,
    Negative,
    Number,
    Op,
    Over,
    Symbol,
    Var,
    free,
    renamed,
    targets,
    unbound,
)

OPPOSITE = {"<=": ">=", ">=": "<="}
EXCHANGED = {"+": "-", "-": "+", "*": "/", "/": "*"}


def hints(derivation, left, right, relation, over):
    """Yield sentences about the line `left relation right`, the most telling first."""
    tester = Tester(derivation)

    def holds(u, v, sign="="):
        try:
            return not tester.fails(u, v, sign, over)
        except (KeyError, Unreadable):  # a network that the derivation lacks, say
            return False

    nodes = derivation.nodes
    before = {v.base for v in free(left)}
    if new := [v for v in free(right) if v.base not in before]:
        yield (
            f"this line depends on {new[0]}, the one before does not: "
            f"is sum[{new[0].base}] or E[...] missing?"
        )
    factors = [Number(-1.0), Number(2.0), Number(0.5)]
    for name in map(Symbol, sorted({node.name for node in nodes if isinstance(node, Symbol)})):
        factors += [name, Op("/", Number(1.0), name), Op("-", name, Number(1.0))]
    for factor in factors if relation == "=" else ():
        if holds(Op("*", factor, left), right):
            yield f"the right side is {factor} times the left"
            break
    for term in _terms(nodes) if relation != "propto" else ():
        if holds(Op("+", right, term), left):
            yield f"the right side is too small by {term}"
            break
        if holds(right, Op("+", left, term)):
            yield f"the right side is too large by {term}"
            break
    if relation == "=" and over and holds(left, right, "propto"):
        yield f"the sides are proportional only: they differ by a factor without {over[0]}"
    for tree, old, new in _renamed(right, nodes):
        if holds(left, tree, relation):
            yield f"write {new} for {old}, which is another variable of p"
            break
    whole = _variables(derivation, nodes)
    for assumed in _independences(whole, nodes):
        other = Tester(replace(derivation, assumptions=[*derivation.assumptions, assumed]))
        line = left, right, relation, over
        if not other.fails(*line, count=BOUND) and not (
            relation in OPPOSITE and climb(other, *line)
        ):
            yield f"right if you assume {assumed.text}"
            break
    if relation in ("=", "propto"):
        edits = list(right.edits(lambda node: _edits(node, derivation.joints, whole)))
        stood = set(map(str, left.walk()))
        for tree, old, new in sorted(edits, key=lambda edit: str(edit[2]) not in stood):
            if set(free(tree)) == set(free(right)) and holds(left, tree, relation):
                if isinstance(old, Op) and (old.a, old.b) == (new.a, new.b):
                    old, new = f"'{old.sign}'", f"'{new.sign}'"
                yield f"it holds with {new} in the place of {old}"
                break
    for sign in ("=", OPPOSITE[relation]) if relation in OPPOSITE else ():
        if holds(left, right, sign):
            yield f"{sign} holds in all models that were tried"
            break


def _terms(nodes):
    """List what may have been forgotten: logs, divergences, entropies, logs of counts."""
    dists = [node for node in nodes if isinstance(node, Dist) and not unbound(node)]
    dists = list(dict.fromkeys(dists + [part for d in dists for part in _parts(d)]))
    found = [Func("log", dist) for dist in dists]
    for a in dists:
        found += [Divergence(a.left, a, b) for b in dists if a != b and set(a.left) == set(b.left)]
    found += [Entropy(dist.left, dist) for dist in dists]
    counts = sorted({n.name for n in nodes if isinstance(n, Symbol) and n.index is None})
    return found + [Func("log", Symbol(name)) for name in counts]


def _renamed(right, nodes):
    """Yield (tree, old, new) where a summed variable of the line has another's name."""
    known, own = _named(nodes), _named(right.walk())
    for old in sorted(own - set(free(right)), key=str):
        for new in sorted(known - own, key=str):
            if new.index == old.index:
                yield renamed(right, old, new), old, new


def _named(nodes):
    return {v for node in nodes if isinstance(node, Dist) for v in node.variables}


def _parts(dist):
    """List the marginals and conditionals of what a joint distribution is about."""
    if dist.name != "p" or len(dist.variables) > 3:
        return []
    return [
        Dist("p", left, right)
        for v in dist.variables if (others := _less(dist.variables, v))
        for left, right in (((v,), ()), ((v,), others), (others, (v,)))
    ]  # fmt: skip


def _less(variables, v):
    return tuple(w for w in variables if w != v)


def _variables(derivation, nodes):
    """List the variables of p, families as a whole."""
    counts, families = derivation.counts, derivation.families
    own = [v for n in nodes if isinstance(n, Dist) and n.name == "p" for v in n.variables]
    whole = [Var(v.base, (1, counts[v.base])) if v.base in families and v.base in counts
             else v for v in own]  # fmt: skip
    return [v for v in dict.fromkeys(whole) if not isinstance(v.index, str)]


def _independences(whole, nodes):
    """Propose that all variables of p are independent given one of them, or given nothing."""
    dists = [node for node in nodes if isinstance(node, Dist)]
    asked = {(a.base, b.base) for dist in dists for a in dist.left for b in dist.right}
    for given in [*((v,) for v in whole), ()]:
        rest = [v for v in whole if v not in given]
        pointless = any((a.base, b.base) in asked for a in rest for b in rest)  # p(z | x) is used
        if not pointless and (len(rest) > 1 or any(isinstance(v.index, tuple) for v in rest)):
            bar = f" | {given[0]}" if given else ""
            text = f"independent({', '.join(map(str, rest))}{bar})"
            groups = [[v] for v in rest]
            yield Assumption(0, text, "independence", "independent", groups, list(given))


def _edits(node, joints, variables):
    """List what a slip of the pen may have turned into this node."""
    match node:
        case Divergence():
            return [Divergence(targets(node.b), node.b, node.a)]
        case Dist(body=None) if node.name in joints and node.right:
            left, right = node.left, node.right
            rest = [(v, _less(right, v)) for v in right]
            moved = [replace(node, left=(*left, v), right=others) for v, others in rest]
            dropped = [replace(node, right=others) for _, others in rest]
            return [replace(node, left=right, right=left), *moved, *dropped]
        case Dist(body=None) if node.name in joints:
            others = [v for v in variables if v not in node.left]
            return [replace(node, right=(v,)) for v in others] + [
                replace(node, left=_less(node.left, v), right=(v,) * given)
                for v in node.left for given in (1, 0) if len(node.left) > 1
            ]  # fmt: skip
        case Over(kind="sum" | "mean", over=str()):
            return [replace(node, kind="mean" if node.kind == "sum" else "sum")]
        case Op(sign="+" | "-" | "*" | "/"):
            swapped = [Op(node.sign, node.b, node.a)] if node.sign in "-/" else []
            return [Op(EXCHANGED[node.sign], node.a, node.b), *swapped]
        case Negative():
            return [node.body]
    return []
