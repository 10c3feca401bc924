"""The check of a derivation: does each line follow from the one before, and what does it need?

Equal values in random finite models are not a proof; they are a test that a wrong line does not
pass.  An inequality is also searched for a counterexample, uphill on the tables' logits.
"""

from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import pairwise

import numpy as np

from .layout import Law
from .lines import Unreadable
from .models import UNMET, USUAL, Model
from .syntax import Func, free, targets, unbound

EQUAL, BOUND, WITHOUT, CLIMBS = 10, 30, 8, 120  # models for a relation, and steps uphill
RELATIVE, ABSOLUTE = 1e-9, 1e-11
DENSITIES, PLAIN = Law(cells=True), Law(plain=True)
ROOTS = {"log": "logarithm", "sqrt": "root"}


@dataclass
class Failure:
    """A counterexample to a line: a model, the state, and both sides there."""

    model: Model
    state: dict  # axis → state
    indices: dict
    left: float
    right: float
    excess: float  # by how much, relative to the allowed error
    hints: list | None = None  # where they are known without a search


@dataclass
class Outcome:
    """The result of a line: holds is None where a ___ is left or where `note` says why."""

    step: object
    holds: bool | None
    needs: list = field(default_factory=list)  # names of assumptions
    failure: Failure | None = None
    note: str = ""  # "proved", or why nothing was tested


@dataclass
class Checked:
    """The outcomes of all chains."""

    derivation: object
    chains: list  # of lists of Outcome

    @property
    def outcomes(self):
        return [outcome for chain in self.chains for outcome in chain]

    @property
    def idle(self):
        """List the assumptions that no line needs; none while a line does not hold."""
        needed = {name for outcome in self.outcomes for name in outcome.needs}
        held = all(outcome.holds for outcome in self.outcomes)
        return [a for a in self.derivation.assumptions if held and a.name not in needed]


class Tester:
    """The random models of a derivation, by law, drawn once and used for every line."""

    def __init__(self, derivation, seed=0):
        self.derivation, self.seed, self.models = derivation, seed, {}
        model = self.drawn(USUAL, 1)[0]
        for assumed in derivation.assumptions:
            if assumed.relation in ("=", "propto"):
                over = targets(assumed.left)
                if compare(model, assumed.left, assumed.right, assumed.relation, over):
                    raise Unreadable(assumed.line, UNMET)

    def drawn(self, law, count):
        """Return `count` models of a law; the same ones for every line."""
        models = self.models.setdefault(law, [])
        while len(models) < count:
            rng = np.random.default_rng([self.seed, len(models)])
            models.append(Model(self.derivation, rng, law))
        return models[:count]

    def fails(self, left, right, relation, over, law=USUAL, count=EQUAL):
        """Return the Failure of `left relation right` in the first model that shows one."""
        for model in self.drawn(law, count):
            if failure := compare(model, left, right, relation, over):
                return failure
        return None

    def demand_range(self, step):
        """Refuse an index that runs further than its variables or numbers do."""
        try:
            for model in [*self.drawn(PLAIN, 1), *self.drawn(USUAL, EQUAL)]:
                for env in model.environments(step.node):
                    model.value(step.node, env)
        except KeyError as problem:
            found = problem.args[0]
            name = found[0] if isinstance(found, tuple) else found
            raise Unreadable(step.line, f"an index runs further than {name} does") from None
        except Unreadable as problem:  # a sum of too many terms
            raise Unreadable(step.line, problem.args[1]) from None

    def demand_finite(self, step):
        """Refuse a line that has no finite value where all probabilities are positive."""
        model = self.drawn(USUAL, 1)[0]
        for env in model.environments(step.node):
            if np.isfinite(model.value(step.node, env)).all():
                continue
            for node in step.node.walk():
                if isinstance(node, Func) and node.name in ROOTS and not unbound(node):
                    if (model.value(node.body).real < 0).any():
                        what = f"the {ROOTS[node.name]} of a negative number"
                        raise Unreadable(step.line, f"{node}: {what}")
            raise Unreadable(step.line, "this has no finite value: a division by 0, or too large")

    @cached_property
    def switches(self):
        """List (name, law) of what can be switched off: assumptions, and what goes unsaid."""
        model = self.drawn(USUAL, 1)[0]
        names = list(dict.fromkeys(key[0] for key in model.keys))
        networks = [name for name in names if name not in self.derivation.joints]
        joints = [name for name in names if name in self.derivation.joints]
        found = [(a.name, Law(off=(a.line,))) for a in self.derivation.assumptions]
        found += [(f"{name} sums to 1", Law(scaled=name)) for name in names]
        found += [(f"{name} > 0", Law(zeros=name)) for name in joints]
        found += [(f"{name} > 0 wherever p > 0", Law(zeros=name)) for name in networks]
        return [*found, ("probabilities, at most 1", DENSITIES)]

    def needs(self, left, right, relation, over):
        """List the names of what the line needs: without it, it fails in some model."""
        return list(dict.fromkeys(
            name for name, law in self.switches
            if self.fails(left, right, relation, over, law, WITHOUT)
        ))  # fmt: skip


def compare(model, left, right, relation, over):
    """Return the worst Failure of a relation in one model, or None where it holds."""
    worst = None
    for env in model.environments(left, right):
        u, v = (model.value(node, env) for node in (left, right))
        with np.errstate(all="ignore"):
            excess = _excess(u, v, relation, model.positions(over))
        at = np.unravel_index(np.argmax(excess), excess.shape)
        if excess[at] > 1 and (worst is None or excess[at] > worst.excess):
            u, v = np.broadcast_arrays(u, v)
            state = {axis: at[i] for i, axis in enumerate(model.axes) if u.shape[i] > 1}
            worst = Failure(model, state, env, float(u[at]), float(v[at]), float(excess[at]))
    return worst


def _excess(u, v, relation, axes):
    """Compute the error of a relation relative to what is allowed, at every state."""
    u, v = np.broadcast_arrays(u, v)
    allowed = ABSOLUTE + RELATIVE * np.maximum(abs(u), abs(v))
    if relation == "propto":
        ratio = np.where((u == 0) & (v == 0), np.nan, v / u)
        axes = tuple(a for a in axes if u.shape[a] > 1) if axes else tuple(range(u.ndim))
        first = np.max(ratio, axis=axes, keepdims=True, where=np.isfinite(ratio), initial=-np.inf)
        error = abs(ratio - first) / (ABSOLUTE + RELATIVE * abs(first))
        error = np.where(first <= 0, np.inf, error)
        error = np.where(np.isnan(ratio) | ~np.isfinite(u), 0, error)
        return np.where(np.isnan(error), np.inf, error)
    if relation == "=":
        error = np.where(np.isfinite(u), abs(u - v) / allowed, 0)
    else:
        larger = u - v if relation == "<=" else v - u
        error = np.where((u == v) | (larger <= 0), 0, larger / allowed)
    return np.where(np.isnan(error), np.inf, error)


def climb(tester, left, right, relation, over):
    """Search uphill on the logits and numbers for a model in which an inequality fails."""
    sign = 1 if relation == "<=" else -1

    def gap(model):
        found = []
        for env in model.environments(left, right):
            u, v = (model.value(node, env) for node in (left, right))
            found.append(np.nanmin(sign * (v - u) / (1e-3 + abs(u) + abs(v))))
        return min(found)

    models = sorted(tester.drawn(USUAL, BOUND), key=gap)[:2]
    for number, model in enumerate(models):
        rng = np.random.default_rng([tester.seed, number, 1])
        least, size = gap(model), 1.0
        for _ in range(CLIMBS):
            other = model.moved(rng, size)
            if (found := gap(other)) < least:
                model, least, size = other, found, min(2.0, size * 1.3)
            else:
                size = max(0.02, size * 0.9)
            if failure := compare(other, left, right, relation, over):
                return failure
    return None


def check(derivation, seed=0):
    """Check every line of a derivation in finite models; returns Checked."""
    tester = Tester(derivation, seed)
    for demand in tester.demand_range, tester.demand_finite:
        for chain in derivation.chains:
            for step in chain:
                if not step.blank:
                    demand(step)
    return check_lines(derivation, partial(_outcome, tester))


def check_lines(derivation, judge):
    """Let judge(before, step, over) give the Outcome of every line that can be tested."""

    def outcome(before, step, over):
        if before.blank or step.blank:
            return Outcome(step, None)
        if step.relation == "approx":
            return Outcome(step, True, note="an approximation: not tested")
        return judge(before, step, over)

    return Checked(derivation, [
        [outcome(before, step, distributed(chain)) for before, step in pairwise(chain)]
        for chain in derivation.chains
    ])  # fmt: skip


def distributed(chain):
    """Return the variables of which the chain's first line is a distribution."""
    first = chain[0].node
    return tuple(v for v in targets(first) if v in free(first))


def _outcome(tester, before, step, over):
    line = before.node, step.node, step.relation, over
    bound = step.relation in ("<=", ">=")
    failure = tester.fails(*line, count=BOUND if bound else EQUAL)
    if not failure and bound:
        failure = climb(tester, *line)
    if failure:
        plain = tester.fails(*line, PLAIN, BOUND)  # 2 states and whole numbers are easier to read
        return Outcome(step, False, failure=plain or failure)
    return Outcome(step, True, tester.needs(*line))


def conclusion(relations):
    """Return the relation between the first and the last line of a chain, or None."""
    found = set(relations)
    bounds = found & {"<=", ">="}
    if len(bounds) > 1 or (bounds and found & {"propto", "approx"}):
        return None
    return next((r for r in ("approx", "propto", "<=", ">=") if r in found), "=")
