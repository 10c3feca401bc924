"""Random finite models in which every expression of a derivation has a value.

`p`, and any name that is used without a bar, is one joint table, from which every marginal and
conditional is computed.  Other names are networks: a table of their own for each signature.
Variables have 2 to 4 states, counts are 2 or 3, and K draws are enumerated.
"""

import itertools
from copy import copy
from functools import reduce

import numpy as np

from .arithmetic import OPERATIONS, over, times
from .expressions import COUNTS
from .layout import Law, Layout
from .lines import Unreadable
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
    without,
    written_out,
)

UNMET = "no model satisfies this assumption"
STEP = 1e-30  # of the complex step behind grad
MOST = 50  # terms of a sum over an index
USUAL = Law()


class Model(Layout):
    """One random model of a derivation; `value` computes an expression in it."""

    def __init__(self, derivation, rng, law=USUAL):
        super().__init__(derivation, rng, law)
        self.law, self.cache = law, {}
        self.assumed = [a for a in derivation.assumptions if a.line not in law.off]
        self.scales = {}
        if law.scaled:
            self.scales[law.scaled] = float(np.exp(rng.choice([-1, 1]) * rng.uniform(0.3, 1)))
        self.logits = {key: self._logits(rng, key) for key in self.keys}
        self.masks = {key: self._mask(rng, key) for key in self.keys if key[0] == law.zeros}
        self.constants = rng.uniform(0.3, 3, 64)
        self.numbers = self._numbers(rng)
        self.direction = {key: rng.normal(size=self.logits[key].shape) for key in self.keys}
        self._build()

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
        for role in [first, *(others[i] for i in rng.permutation(len(others))[:1])]:
            state = rng.integers(self.states[role])
            zero = zero & self.along(np.arange(self.states[role]) == state, role)
        return ~np.broadcast_to(zero, self.logits[key].shape)

    def _numbers(self, rng):
        """Draw every named number, of either sign unless an assumption says otherwise."""
        signs = [a for a in self.assumed
                 if isinstance(a.left, Symbol) and a.relation not in ("=", "propto")]  # fmt: skip
        numbers, last = {}, max(4, *self.derivation.least.values(), 0)
        for node in self.derivation.nodes:
            if not isinstance(node, Symbol) or node.name in COUNTS:
                continue
            for index in [None] if node.index is None else range(1, last + 1):
                limits = [
                    a for a in signs if a.left.name == node.name
                    and (isinstance(a.left.index, str) or a.left.index == index)
                ]  # fmt: skip
                numbers.setdefault((node.name, index), self._number(rng, limits))
        return numbers

    def _number(self, rng, limits):
        if not limits:
            fraction = rng.normal(0, 2) % 1
            return rng.integers(-5, 6) + fraction or 0.5
        for assumed in limits:
            if any(isinstance(part, Dist) for part in assumed.right.walk()):
                raise Unreadable(assumed.line, "a number is compared with a number")
        bounds = [(a.relation, self.value(a.right).item()) for a in limits]
        for scale in np.geomspace(0.1, 10, 400):
            found = rng.normal(0, 1 + scale)
            if all(found >= b if sign[0] == ">" else found <= b for sign, b in bounds):
                return found or 0.5
        raise Unreadable(limits[0].line, "no number satisfies this assumption")

    def _build(self):
        """Compute the tables from the logits, under every assumption that is on."""
        self.cache, self.tables = {}, {}
        with np.errstate(all="ignore"):
            for key, (left, _) in self.keys.items():
                table = np.exp(self.logits[key]) * self.masks.get(key, 1)
                axes = tuple(self.at[role] for role in left)
                table = table / table.sum(axis=axes, keepdims=True)
                for role in left if not self.law.plain else ():
                    table = table / self.sizes[role]
                self.tables[key] = table * self.scales.get(key[0], 1.0)
            for assumed in self.assumed:
                if assumed.relation == "independent":
                    self._make_independent(assumed)
            for assumed in self.assumed:
                if assumed.relation in ("=", "propto"):
                    for env in self.environments(assumed.left, assumed.right):
                        self._satisfy(assumed, env)
                        self.cache = {}

    def marginal(self, name, roles):
        """Sum the joint table of name over all variables but these roles."""
        key = ("marginal", name, frozenset(roles))
        if key not in self.cache:
            others = [role for role in self.keys[name,][0] if role not in roles]
            self.cache[key] = self.total(self.tables[name,], others)
        return self.cache[key]

    def _make_independent(self, assumed):
        given, groups = self.roles(assumed.right), [self.roles(group) for group in assumed.left]
        if len(groups) == 1:  # independent(x[1:N] | z)
            groups = [[role] for role in groups[0]]
        product = self.marginal("p", given)
        for group in groups:
            own = over(self.marginal("p", [*group, *given]), self.marginal("p", given))
            product = times(product, own)
        self.tables["p",] = times(product, self._given("p", self.roles(assumed.variables)))
        self.cache = {}

    def _given(self, name, roles):
        """Compute the distribution of all other variables of a joint table, given these."""
        others = [role for role in self.keys[name,][0] if role not in roles]
        together = self.marginal(name, roles)
        uniform = 1 / self.total(np.ones_like(self.tables[name,].real), others)
        return np.where(together == 0, uniform, over(self.tables[name,], together))

    def _satisfy(self, assumed, env):
        """Change one table such that an assumed equation holds."""
        sides = [(assumed.left, assumed.right), (assumed.right, assumed.left)]

        def normalised(table, axes):
            return over(table, self.total(table, axes)) if assumed.relation == "propto" else table

        for own, other in sides:  # q(z | x) = …
            if isinstance(own, Symbol):
                at = own.index if own.index is None else env[own.index]
                self.numbers[own.name, at] = self.value(other, env).real.item()
                return
            if self._is_network(own):
                key = self.key(own, env)
                self._set(key, normalised(self.value(other, env), key[2]))
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
                table = normalised(self.value(other, env), left)
                rest = self._given(own.name, [*left, *right])
                joint = times(times(self.marginal(own.name, right), table), rest)
                self.tables[own.name,] = joint / self.total(joint, self.keys[own.name,][0])
                return
        raise Unreadable(assumed.line, f"{UNMET}: write one side as one distribution")

    def _is_network(self, node):
        joints = self.derivation.joints
        return isinstance(node, Dist) and node.body is None and node.name not in joints

    def _set(self, key, table):
        shape = np.broadcast_shapes(table.shape, self.logits[key].shape)
        self.tables[key] = np.broadcast_to(table, shape)

    # -- values

    def _with(self, logits, numbers):
        model = copy(self)
        model.logits, model.numbers = logits, dict(numbers)
        model._build()
        return model

    def shifted(self, name=None):
        """Return this model a small imaginary step away, in the logits of name or of all."""
        moved = [key for key in self.keys if name in (None, key[0])]
        logits = {
            key: logits + (1j * STEP * self.direction[key] if key in moved else 0)
            for key, logits in self.logits.items()
        }
        return self._with(logits, self.numbers)

    def moved(self, rng, size):
        """Return a model whose logits and numbers are a random step away."""
        logits = {
            key: logits + size * rng.normal(size=logits.shape) * (rng.random(logits.shape) < 0.5)
            for key, logits in self.logits.items()
        }
        return self._with(logits, self._numbers(rng) if rng.random() < 0.3 else self.numbers)

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
                return self._constant(value)
            case Symbol(name, None) if name in self.counts:
                return self._constant(float(self.counts[name]))
            case Symbol(name, index):
                return self._constant(float(self.numbers[name, env.get(index, index)]))
            case Dist(body=None):
                return self._probability(node, env)
            case Dist():
                return self.value(node.body, env)
            case Over(over=str()):
                return self._over_index(node, env)
            case Over("prod", variables, body):
                return self._product(self.value(body, env), self.axes_of(variables, env))
            case Over(_, variables, body):
                return self.total(self.value(body, env), self.axes_of(variables, env))
            case Expect() | Divergence() | Entropy():
                return self.value(written_out(node), env)
            case Grad(name, body):
                return self.shifted(name).value(body, env).imag / STEP
            case Func(name, body):
                return getattr(np, name)(self.value(body, env))
            case Negative(body):
                return -self.value(body, env)
            case Op(sign, a, b):
                return OPERATIONS[sign](self.value(a, env), self.value(b, env))
        raise TypeError(node)

    def _constant(self, value):
        return np.full([1] * len(self.axes), value)

    def _over_index(self, node, env):
        last = self.value(node.last, env).real.item()
        if not last < MOST:
            raise Unreadable(1, f"{node.kind}[{node.over}:{node.last}] has {last:g} terms")
        indices = range(1, round(last) + 1)
        values = [self.value(node.body, {**env, node.over: i}) for i in indices]
        if node.kind == "prod":
            return reduce(times, values, self._constant(1.0))
        total = reduce(np.add, values, self._constant(0.0))
        return total / len(values) if node.kind == "mean" else total

    def _product(self, value, axes):
        for axis in axes:
            shape = list(value.shape)
            shape[self.at[axis]] = self.states[axis]
            value = np.broadcast_to(value, shape).prod(axis=self.at[axis], keepdims=True)
        return value

    def _probability(self, d, env):
        left, right = (self.axes_of(side, env) for side in (d.left, d.right))
        roles = [self.role(axis) for axis in (*left, *right)]
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
