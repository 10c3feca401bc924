"""Random finite models in which every expression of a derivation has a value.

`p`, and any name that is used without a bar, is one joint table, from which every marginal and
conditional is computed.  Other names are networks: a table of their own for each signature.
Variables have 2 to 4 states, counts are 2 or 3, and K draws are enumerated.  Every array has one
axis for each variable, of length 1 where it does not depend on it.
"""

import itertools
import math
from dataclasses import dataclass
from functools import reduce

import numpy as np

from .reading import COUNTS, RANGES, Unreadable
from .syntax import (
    Dist,
    Divergence,
    Entropy,
    Expect,
    Func,
    Grad,
    Negative,
    Number,
    Op,
    Over,
    Symbol,
)  # fmt: skip

UNMET = "no model satisfies this assumption"
STEP = 1e-30  # of the complex step behind grad
LARGEST, MOST = 300_000, 50  # numbers in an array, and terms of a sum over an index


@dataclass(frozen=True)
class Law:
    """The law of the random models: what is switched off, or drawn otherwise.

    off       lines whose assumptions do not hold
    scaled    a name whose tables do not sum to 1
    zeros     a name whose tables have zeros
    cells     states have sizes, so that tables are densities, which may exceed 1
    plain     2 states, and tables of whole numbers from 1 to 9 before they are normalised
    """

    off: tuple = ()
    scaled: str = ""
    zeros: str = ""
    cells: bool = False
    plain: bool = False


USUAL = Law()


class Model:
    """One random model of a derivation; `value` computes an expression in it."""

    def __init__(self, derivation, rng, law=USUAL):
        self.derivation, self.law, self.cache = derivation, law, {}
        self.counts = {c: 2 if law.plain else int(rng.integers(2, 4)) for c in COUNTS}
        self._lay_out(rng)
        self.scales = {name: _scale(rng) for name in [law.scaled] if name}
        self.logits = {key: self._logits(rng, key) for key in self.keys}
        self.masks = {key: self._mask(rng, key) for key in self.keys if key[0] == law.zeros}
        self.constants = rng.uniform(0.3, 3, 64)
        self.numbers = self._numbers(rng)
        self.direction = {key: rng.normal(size=self.logits[key].shape) for key in self.keys}
        with np.errstate(all="ignore"):
            self.build()

    # -- variables, their axes, and the tables that there are

    def _lay_out(self, rng):
        nodes = [part for node in self.derivation.nodes for part in node.walk()]
        dists = [part for part in nodes if isinstance(part, Dist)]
        variables = {v for d in dists for v in (*d.left, *d.right)}
        for assumed in self.derivation.assumptions:
            if assumed.relation == "independent":
                variables |= {v for group in (*assumed.left, assumed.right) for v in group}
        axes = {axis for v in variables for axis in self._all(v)}
        self.axes = sorted(axes, key=lambda a: (a[0], a[1] or 0))
        self.at = {axis: position for position, axis in enumerate(self.axes)}
        roles = list(dict.fromkeys(self.role(axis) for axis in self.axes))
        states = {role: 2 if self.law.plain else int(rng.integers(2, 5)) for role in roles}
        while math.prod(states[self.role(a)] for a in self.axes) > LARGEST:
            if (most := max(states, key=states.get)) and states[most] == 2:
                raise Unreadable(1, f"{len(self.axes)} variables are too many to enumerate")
            states[most] -= 1
        self.states = {axis: states[self.role(axis)] for axis in self.axes}
        sizes = {
            role: 10 ** rng.uniform(-3, 1, n) if self.law.cells else np.ones(n)
            for role, n in states.items()
        }
        self.sizes = {axis: self._along(sizes[self.role(axis)], axis) for axis in self.axes}
        for role in roles:  # of a variable that has only its numbered draws
            if role not in self.at:
                self._add_axis(role, states[role], sizes[role])
        self.keys = {}  # of each table: (roles left, roles right)
        for d in dists:
            if d.body is None and d.name not in self.derivation.joints:
                for env in self.environments(d):
                    key = self.key(d, env)
                    self.keys[key] = key[2:]
        for name in self.derivation.joints:
            own = [v for d in dists if d.name == name and not d.body for v in (*d.left, *d.right)]
            if name == "p":
                for assumed in self.derivation.assumptions:
                    if assumed.relation == "independent":
                        own += [v for group in (*assumed.left, assumed.right) for v in group]
            own = sorted({self.role(a) for v in own for a in self._all(v)}, key=self.at.get)
            if own:
                self.keys[name,] = (tuple(own), ())
        self.keys = dict(sorted(self.keys.items(), key=str))

    def _add_axis(self, role, n, size):
        self.at[role] = len(self.axes)
        self.axes.append(role)
        self.states[role] = n
        self.sizes = {a: s[..., None] for a, s in self.sizes.items()}
        self.sizes[role] = self._along(size, role)

    def _all(self, v):
        """List all axes (base, number) that a variable may stand for."""
        if v.index is None:
            return [(v.base, None)]
        if isinstance(v.index, int):
            return [(v.base, v.index)]
        return [(v.base, i) for i in range(1, self.length(v.base, v.index) + 1)]

    def length(self, base, index=None):
        letter = self.derivation.counts.get(base)
        if letter is None:
            letter = index[1] if isinstance(index, tuple) else _letter(index)
        if base in self.derivation.least and base not in self.derivation.counts:
            return self.derivation.least[base]
        return max(self.counts[letter], self.derivation.least.get(base, 1))

    def role(self, axis):
        """Return the variable of a distribution: that of the draw z[2] is z."""
        return axis if axis[0] in self.derivation.families else (axis[0], None)

    def _along(self, array, axis):
        shape = [1] * len(self.axes)
        shape[self.at[axis]] = len(array)
        return np.asarray(array).reshape(shape)

    def concrete(self, v, env):
        """List the axes of a variable, with its index looked up in env."""
        if v.index is None or isinstance(v.index, int | tuple):
            return self._all(v)
        return [(v.base, env[v.index])]

    def key(self, d, env):
        left, right = ([self.role(a) for v in side for a in self.concrete(v, env)]
                       for side in (d.left, d.right))  # fmt: skip
        index = env.get(d.index, d.index)
        return (d.name, index, tuple(left), tuple(right))

    def environments(self, *nodes):
        """List the values of the indices that are free in nodes, or in a probability's."""
        letters = sorted({letter for node in nodes for letter in unbound(node)})
        used = {
            v.index: self.length(v.base, v.index)
            for node in nodes for part in node.walk() if isinstance(part, Dist)
            for v in (*part.left, *part.right) if isinstance(v.index, str)
        }  # fmt: skip
        ranges = [range(1, used.get(i, self.counts[_letter(i)]) + 1) for i in letters]
        return [dict(zip(letters, at, strict=True)) for at in itertools.product(*ranges)]

    # -- the tables

    def _logits(self, rng, key):
        shape = [1] * len(self.axes)
        for role in itertools.chain(*self.keys[key]):
            shape[self.at[role]] = self.states[role]
        if self.law.plain:
            return np.log(rng.integers(1, 10, shape))
        return rng.normal(size=shape) * rng.uniform(0.5, 2)

    def _mask(self, rng, key):
        """Draw where a table is 0: at one state of two variables, one of them left of the bar."""
        left, right = self.keys[key]
        first = left[rng.integers(len(left))]
        others = [role for role in (*left, *right) if role != first]
        zero = np.array(True)
        for axis in [first, *rng.permutation(len(others))[:1]]:
            axis = axis if isinstance(axis, tuple) else others[axis]
            state = rng.integers(self.states[axis])
            zero = zero & self._along(np.arange(self.states[axis]) == state, axis)
        return ~np.broadcast_to(zero, self.logits[key].shape)

    def _numbers(self, rng):
        """Draw every named number, of either sign unless an assumption says otherwise."""
        signs = [a for a in self.derivation.assumptions
                 if isinstance(a.left, Symbol) and a.relation in ("<=", ">=", "<", ">")
                 and a.line not in self.law.off]  # fmt: skip
        numbers, last = {}, max(4, *self.derivation.least.values(), 0)
        for node in self.derivation.nodes:
            for part in node.walk():
                if not isinstance(part, Symbol) or part.name in COUNTS:
                    continue
                for index in [None] if part.index is None else range(1, last + 1):
                    limits = [
                        a for a in signs if a.left.name == part.name
                        and (isinstance(a.left.index, str) or a.left.index == index)
                    ]  # fmt: skip
                    numbers.setdefault((part.name, index), self._number(rng, limits))
        return numbers

    def _number(self, rng, limits):
        bounds = [(a.relation, float(self._constant(a))) for a in limits]
        for scale in np.geomspace(0.1, 10, 400):
            found = rng.normal(0, 20 * scale if not limits else 1 + scale)
            found = rng.integers(-5, 6) + found % 1 if not limits else found
            if all(found >= b if r[0] == ">" else found <= b for r, b in bounds):
                return found if found else 0.5
        raise Unreadable(limits[0].line, "no number satisfies this assumption")

    def _constant(self, assumed):
        if any(isinstance(part, Dist) for part in assumed.right.walk()):
            raise Unreadable(assumed.line, "a number is compared with a number")
        return self.value(assumed.right).item()

    def build(self):
        """Compute the tables from the logits, under every assumption that is on."""
        self.cache, self.tables = {}, {}
        for key, (left, _) in self.keys.items():
            table = np.exp(self.logits[key])
            table = table * self.masks[key] if key in self.masks else table
            table = table / self._sum(table, left)
            for role in left if not self.law.plain else ():
                table = table / self.sizes[role]
            self.tables[key] = table * self.scales.get(key[0], 1.0)
        on = [a for a in self.derivation.assumptions if a.line not in self.law.off]
        equations = [a for a in on if a.relation in ("=", "propto")]
        for assumed in on:
            if assumed.relation == "independent":
                self._make_independent(assumed)
        for assumed in equations:
            for env in self.environments(assumed.left, assumed.right):
                self.cache = {}
                self._satisfy(assumed, env)
        self.cache = {}

    def _sum(self, table, roles):
        return table.sum(axis=tuple(self.at[role] for role in roles), keepdims=True)

    def marginal(self, name, roles):
        """Sum the joint table of name over all variables but these roles."""
        key = ("marginal", name, frozenset(roles))
        if key not in self.cache:
            table = self.tables[name,]
            for role in self.keys[name,][0]:
                if role not in roles:
                    table = (table * self.sizes[role]).sum(axis=self.at[role], keepdims=True)
            self.cache[key] = table
        return self.cache[key]

    def _make_independent(self, assumed):
        given = [self.role(a) for v in assumed.right for a in self._all(v)]
        groups = [[self.role(a) for v in group for a in self._all(v)] for group in assumed.left]
        if len(groups) == 1:  # independent(x[1:N] | z)
            groups = [[role] for role in groups[0]]
        among = [*itertools.chain(*groups), *given]
        product = self.marginal("p", given)
        for group in groups:
            product = times(product, over(self.marginal("p", [*group, *given]),
                                          self.marginal("p", given)))  # fmt: skip
        self.tables["p",] = times(product, self._given("p", among))
        self.cache = {}

    def _given(self, name, roles):
        """Compute the distribution of all other variables of a joint table, given these."""
        others = [role for role in self.keys[name,][0] if role not in roles]
        together = self.marginal(name, roles)
        uniform = 1 / self._cells_sum(np.ones_like(self.tables[name,].real), others)
        return np.where(together == 0, uniform, over(self.tables[name,], together))

    def _satisfy(self, assumed, env):
        """Change one table such that an assumed equation holds."""
        sides = [(assumed.left, assumed.right), (assumed.right, assumed.left)]
        for own, other in sides:  # q(z | x) = …
            if isinstance(own, Symbol):
                at = own.index if own.index is None else env[own.index]
                self.numbers[own.name, at] = self.value(other, env).real.item()
                return
            if self._is_network(own):
                table = self.value(other, env)
                key = self.key(own, env)
                if assumed.relation == "propto":
                    table = over(table, self._cells_sum(table, key[2]))
                self._set(key, table)
                return
        for own, other in sides:  # … = q(z | x) * …
            for part in own.walk():
                if self._is_network(part) and (rest := without(own, part)):
                    table = over(self.value(other, env), self.value(rest, env))
                    key = self.key(part, env)
                    if assumed.relation == "propto":  # of any size, for each condition
                        shape = [self.states[a] if a in key[3] else 1 for a in self.axes]
                        table = table * np.resize(self.constants, shape)
                    self._set(key, table)
                    return
        for own, other in sides:  # p(x1, x2 | z) = …
            if isinstance(own, Dist) and own.body is None:
                _, _, left, right = self.key(own, env)
                table = self.value(other, env)
                if assumed.relation == "propto":
                    table = over(table, self._cells_sum(table, left))
                rest = self._given(own.name, [*left, *right])
                joint = times(times(self.marginal(own.name, right), table), rest)
                self.tables[own.name,] = joint / self._cells_sum(joint, self.keys[own.name,][0])
                return
        raise Unreadable(assumed.line, f"{UNMET}: write one side as one distribution")

    def _is_network(self, node):
        joints = self.derivation.joints
        return isinstance(node, Dist) and node.body is None and node.name not in joints

    def _cells_sum(self, table, roles):
        for role in roles:
            table = (table * self.sizes[role]).sum(axis=self.at[role], keepdims=True)
        return table

    def _set(self, key, table):
        self.tables[key] = np.broadcast_to(table, np.broadcast_shapes(
            table.shape, self.logits[key].shape))  # fmt: skip

    # -- values

    def shifted(self, name=None):
        """Return this model a small imaginary step away, in the logits of name or of all."""
        model = object.__new__(Model)
        model.__dict__.update(self.__dict__)
        model.numbers = dict(self.numbers)
        moved = [key for key in self.keys if name in (None, key[0])]
        model.logits = {
            key: logits + (1j * STEP * self.direction[key] if key in moved else 0)
            for key, logits in self.logits.items()
        }
        model.build()
        return model

    def moved(self, rng, size):
        """Return a model whose logits and numbers are a random step away."""
        model = object.__new__(Model)
        model.__dict__.update(self.__dict__)
        model.logits = {
            key: logits + size * rng.normal(size=logits.shape) * (rng.random(logits.shape) < 0.5)
            for key, logits in self.logits.items()
        }
        model.numbers = self._numbers(rng) if rng.random() < 0.3 else dict(self.numbers)
        with np.errstate(all="ignore"):
            model.build()
        return model

    def value(self, node, env=None):
        """Compute an expression: an array with one axis for each variable."""
        env = env or {}
        key = (id(node), tuple(sorted(env.items())))
        if key not in self.cache:
            with np.errstate(all="ignore"):
                self.cache[key] = node, np.asarray(self._value(node, env))
        return self.cache[key][1]

    def _value(self, node, env):
        match node:
            case Number(value):
                return np.full([1] * len(self.axes), value)
            case Symbol(name, index):
                number = self.counts.get(name) if index is None else None
                if number is None:
                    number = self.numbers[name, env.get(index, index)]
                return np.full([1] * len(self.axes), float(number))
            case Dist(body=None):
                return self._probability(node, env)
            case Dist():
                return self.value(node.body, env)
            case Over(over=str()):
                last = self.value(node.last, env).real.item()
                if not last < MOST:
                    raise Unreadable(1, f"{node.kind}[{node.over}:{node.last}] has {last:g} terms")
                values = [
                    self.value(node.body, {**env, node.over: i}) for i in range(1, round(last) + 1)
                ]
                if node.kind == "prod":
                    return reduce(times, values, np.ones([1] * len(self.axes)))
                total = reduce(np.add, values, np.zeros([1] * len(self.axes)))
                return total / len(values) if node.kind == "mean" else total
            case Over():
                return self._over(node.kind, node.over, self.value(node.body, env), env)
            case Expect():
                product = times(self.value(node.weight, env), self.value(node.body, env))
                return self._over("sum", node.over, product, env)
            case Divergence():
                a, b = self.value(node.a, env), self.value(node.b, env)
                return self._over("sum", node.over, times(a, np.log(over(a, b))), env)
            case Entropy():
                a = self.value(node.a, env)
                return self._over("sum", node.over, -times(a, np.log(a)), env)
            case Grad():
                return self.shifted(node.name).value(node.body, env).imag / STEP
            case Func():
                return getattr(np, node.name)(self.value(node.body, env))
            case Negative():
                return -self.value(node.body, env)
            case Op():
                return self._operation(node, env)
        raise TypeError(node)

    def _operation(self, node, env):
        a, b = self.value(node.a, env), self.value(node.b, env)
        match node.sign:
            case "+":
                return a + b
            case "-":
                return a - b
            case "*":
                return times(a, b)
            case "/":
                return over(a, b)
        return a**b

    def _probability(self, d, env):
        left, right = (
            [a for v in side for a in self.concrete(v, env)] for side in (d.left, d.right)
        )
        roles = [self.role(a) for a in (*left, *right)]
        if d.name in self.derivation.joints:
            if beyond := set(roles) - set(self.keys[d.name,][0]):
                raise KeyError(min(beyond))
            table = self.marginal(d.name, roles)
            if right:
                table = over(table, self.marginal(d.name, roles[len(left) :]))
        else:
            table = self.tables[self.key(d, env)]
        for role, axis in zip(roles, (*left, *right), strict=True):
            if role != axis:
                table = np.swapaxes(table, self.at[role], self.at[axis])
        return table

    def _over(self, kind, variables, value, env):
        for axis in [a for v in variables for a in self.concrete(v, env)]:
            if kind == "prod":
                shape = list(value.shape)
                shape[self.at[axis]] = self.states[axis]
                value = np.broadcast_to(value, shape).prod(axis=self.at[axis], keepdims=True)
            else:
                value = (value * self.sizes[axis]).sum(axis=self.at[axis], keepdims=True)
        return value

    def positions(self, variables):
        """List the positions of variables' axes."""
        return tuple(self.at[a] for v in variables for a in self._all(v))


def times(a, b):
    """Multiply; a factor 0 makes the product 0, whatever the other is."""
    product = a * b
    zero = (a == 0) | (b == 0)
    return np.where(zero, 0, product) if zero.any() else product


def over(a, b):
    """Divide; 0 divided by anything is 0."""
    quotient = a / b
    return np.where(a == 0, 0, quotient) if (a == 0).any() else quotient


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


def unbound(node):
    """Collect the letters of indices that no sum, product or mean in node binds."""
    match node:
        case Over(over=str()):
            return (unbound(node.body) | unbound(node.last)) - {node.over}
        case Dist():
            own = {v.index for v in (*node.left, *node.right)} | {node.index}
            inside = unbound(node.body) if node.body else set()
            return {i for i in own if isinstance(i, str)} | inside
        case Symbol():
            return {node.index} if isinstance(node.index, str) else set()
    return {i for child in node.children() for i in unbound(child)}


def _letter(index):
    return RANGES.get(index, "N") if isinstance(index, str) else "N"


def _scale(rng):
    return float(np.exp(rng.choice([-1, 1]) * rng.uniform(0.3, 1)))
