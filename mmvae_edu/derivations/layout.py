"""The layout of a random model: its variables, their axes, and the tables that there are.

A variable's axis is (base, number): ("x", None) of x and ("x", 2) of x[2].  Every array has one
axis for each variable, of length 1 where it does not depend on it.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np

from .expressions import COUNTS, RANGES
from .lines import Unreadable
from .syntax import Dist, unbound

LARGEST = 300_000  # numbers in an array


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


class Layout:
    """The counts, the axes with their states, and the tables' keys of one random model."""

    def __init__(self, derivation, rng, law):
        self.derivation = derivation
        self.counts = {c: 2 if law.plain else int(rng.integers(2, 4)) for c in COUNTS}
        dists = [node for node in derivation.nodes if isinstance(node, Dist)]
        independent = [v for assumed in derivation.assumptions for v in assumed.variables]
        self._make_axes({v for d in dists for v in d.variables} | {*independent}, rng, law)
        self.keys = {}  # of each table: (roles left, roles right)
        for d in dists:
            if d.body is None and d.name not in derivation.joints:
                for key in (self.key(d, env) for env in self.environments(d)):
                    self.keys[key] = key[2:]
        for name in derivation.joints:
            own = [v for d in dists if d.name == name and not d.body for v in d.variables]
            own = self.roles(own + (independent if name == "p" else []))
            if own:
                self.keys[name,] = (tuple(sorted(set(own), key=self.at.get)), ())
        self.keys = dict(sorted(self.keys.items(), key=str))

    def _make_axes(self, variables, rng, law):
        used = sorted(set(self.axes_of(variables)), key=lambda a: (a[0], a[1] or 0))
        roles = list(dict.fromkeys(map(self.role, used)))
        states = {role: 2 if law.plain else int(rng.integers(2, 5)) for role in roles}
        while math.prod(states[self.role(axis)] for axis in used) > LARGEST:
            if (most := max(states, key=states.get)) and states[most] == 2:
                raise Unreadable(1, f"{len(used)} variables are too many to enumerate")
            states[most] -= 1
        sizes = {
            role: 10 ** rng.uniform(-3, 1, n) if law.cells else np.ones(n)
            for role, n in states.items()
        }
        self.axes = [*used, *(role for role in roles if role not in used)]
        self.at = {axis: position for position, axis in enumerate(self.axes)}
        self.states = {axis: states[self.role(axis)] for axis in self.axes}
        self.sizes = {axis: self.along(sizes[self.role(axis)], axis) for axis in self.axes}

    def axes_of(self, variables, env=None):
        """List the axes of variables: where an index is a letter, env's or, without, all."""
        found = []
        for v in variables:
            if v.index is None or isinstance(v.index, int):
                found.append((v.base, v.index))
            elif env is not None and isinstance(v.index, str):
                found.append((v.base, env[v.index]))
            else:
                found += [(v.base, i) for i in range(1, self._length(v) + 1)]
        return found

    def roles(self, variables, env=None):
        return [self.role(axis) for axis in self.axes_of(variables, env)]

    def role(self, axis):
        """Return the variable of a distribution: that of the draw z[2] is z."""
        return axis if axis[0] in self.derivation.families else (axis[0], None)

    def _length(self, v):
        """Return the number of variables of a family, or of draws."""
        letters, least = self.derivation.counts, self.derivation.least
        if v.base in least and v.base not in letters:
            return least[v.base]
        own = v.index[1] if isinstance(v.index, tuple) else RANGES.get(v.index, "N")
        return max(self.counts[letters.get(v.base, own)], least.get(v.base, 1))

    def key(self, d, env):
        """Return the key of a probability's table: name, index, roles left and right."""
        left, right = (tuple(self.roles(side, env)) for side in (d.left, d.right))
        return (d.name, env.get(d.index, d.index), left, right)

    def environments(self, *nodes):
        """List the values of the indices that are free in nodes, or in a probability's."""
        nodes = [node for node in nodes if unbound(node)]
        letters = sorted({letter for node in nodes for letter in unbound(node)})
        used = {
            v.index: self._length(v)
            for node in nodes for part in node.walk() if isinstance(part, Dist)
            for v in part.variables if isinstance(v.index, str)
        }  # fmt: skip
        ends = [used.get(i, self.counts[RANGES.get(i, "N")]) for i in letters]
        numbers = itertools.product(*(range(1, end + 1) for end in ends))
        return [dict(zip(letters, at, strict=True)) for at in numbers]

    def along(self, array, axis):
        """Lay a list of numbers along one axis."""
        shape = [1] * len(self.axes)
        shape[self.at[axis]] = len(array)
        return np.asarray(array).reshape(shape)

    def positions(self, variables):
        """List the positions of variables' axes."""
        return tuple(self.at[axis] for axis in self.axes_of(variables))

    def total(self, table, axes):
        """Sum a table over axes, each state times its size."""
        for axis in axes:
            table = (table * self.sizes[axis]).sum(axis=self.at[axis], keepdims=True)
        return table
