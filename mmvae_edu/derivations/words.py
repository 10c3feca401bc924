"""The result of a check in words, and as rows for JSON."""

from fractions import Fraction

import numpy as np

from .checking import conclusion, distributed
from .hints import hints
from .models import Model
from .syntax import Symbol, Var


def rows(checked):
    """Return a dict for each line: line, relation, text, holds, needs, and why it is wrong."""
    found = []
    for chain, outcomes in zip(checked.derivation.chains, checked.chains, strict=True):
        own = [_row(checked, chain, *pair) for pair in zip(chain, outcomes, strict=False)]
        for row in own[:1]:
            row["begins"] = {"line": chain[0].line, "text": chain[0].text}
        found += own
    return found


def _row(checked, chain, before, outcome):
    step, failure = outcome.step, outcome.failure
    row = {
        "line": step.line, "relation": step.relation, "text": step.text, "holds": outcome.holds,
        "needs": outcome.needs, "note": outcome.note,
    }  # fmt: skip
    if failure:
        row |= {"left": failure.left, "right": failure.right, "at": at(checked, failure)}
        line = before.node, step.node, step.relation, distributed(chain)
        found = hints(checked.derivation, *line)
        row["hints"] = list(found if failure.hints is None else failure.hints)
    return row


def at(checked, failure):
    """Write the state in which a line fails: "x[1] = 1, z = 0, N = 2"."""
    parts = [f"{Var(*axis)} = {state}" for axis, state in failure.state.items()]
    parts += [f"{letter} = {value}" for letter, value in failure.indices.items()]
    symbols = {node.name for node in checked.derivation.nodes if isinstance(node, Symbol)}
    counts = symbols & set(failure.model.counts)
    parts += [f"{name} = {failure.model.counts[name]}" for name in sorted(counts)]
    for (name, index), value in failure.model.numbers.items():
        if index in (None, 1, 2):
            parts.append(f"{Symbol(name, index)} = {value:.3g}")
    return ", ".join(parts)


def message(row):
    """Write the lines for one step."""
    word = {True: "ok", False: "WRONG", None: "open" if row["note"] else "TODO"}[row["holds"]]
    needs = f"      needs: {'; '.join(row['needs'])}" if row["needs"] else ""
    lines = [f"{word:5} {row['line']:4}  {row['relation']} {row['text']}{needs}"]
    if row["holds"] is False:
        lines += [f"{'':12}{line}" for line in (counterexample(row), *row["hints"][:1])]
    if row["note"]:
        lines[0] += f"      ({row['note']})"
    if begins := row.get("begins"):
        lines.insert(0, f"{'':5} {begins['line']:4}  {begins['text']}")
    return "\n".join(lines)


def counterexample(row):
    """Write both sides of a wrong line, and the state where they differ."""
    where = f"   at {row['at']}" if row["at"] else ""
    return f"left {row['left']:.6g}, right {row['right']:.6g}{where}"


def lines(checked):
    """Write the whole result, line by line."""
    return [*map(message, rows(checked)), *summary(checked)]


def explanation(row, failure):
    """List the later hints and the tables of the counterexample."""
    lines = [f"{'':12}{hint}" for hint in row["hints"][1:]]
    return [*lines, *(f"{'':12}{line}" for line in tables(failure.model))]


def tables(model: Model):
    """Write every table of a model, its numbers as fractions."""
    found = []
    for key, (left, right) in model.keys.items():
        table = model.tables[key]
        for index in np.ndindex(*table.shape):
            states = {axis: i for axis, i in zip(model.axes, index, strict=True)}
            sides = [", ".join(f"{Var(*r)}={states[r]}" for r in side) for side in (left, right)]
            number = Fraction(float(table[index].real)).limit_denominator(9999)
            found.append(f"{Var(*key[:2])}({' | '.join(filter(None, sides))}) = {number}")
    return found


def summary(checked):
    """List what is left to say: unused assumptions, and what each chain shows together."""
    lines = [f"assumed, and no line needs it: {a.text} (line {a.line})" for a in checked.idle]
    if not all(outcome.holds for outcome in checked.outcomes):
        return lines
    for chain, outcomes in zip(checked.derivation.chains, checked.chains, strict=True):
        needs = dict.fromkeys(name for outcome in outcomes for name in outcome.needs)
        suffix = f"; needs: {'; '.join(needs)}" if needs else ""
        relation = conclusion([outcome.step.relation for outcome in outcomes])
        if len(outcomes) > 1 and relation:
            lines.append(f"together: {chain[0].text} {relation} {chain[-1].text}{suffix}")
        elif len(outcomes) > 1:
            lines.append("together: nothing follows, since the chain goes both up and down")
    return lines
