"""Exercises that are derivations: lines to fill in, or one wrong line to find and to mend."""

import re

from ..derivations import Unreadable, check, read
from ..derivations.checking import Tester, conclusion
from ..derivations.syntax import Dist, Negative, Number, Op
from ..derivations.words import counterexample, rows
from .examine import NOT_ATTEMPTED, RIGHT, WRONG, Verdict


def untouched(exercise, text):
    """Tell whether the learner has written nothing yet."""
    return text.split() == exercise.stub.read_text("utf-8").split()


def solved(exercise):
    """Return the stub's text with the solution's lines."""
    lines = exercise.stub.read_text("utf-8").splitlines()
    for number, line in exercise.solution:
        lines[number - 1] = line
    return "\n".join(lines) + "\n"


def judge(exercise, text):
    """Check a learner's derivation; returns a Verdict."""
    if untouched(exercise, text):
        return Verdict(NOT_ATTEMPTED, "not attempted yet")
    try:
        checked = check(read(text))
    except Unreadable as problem:
        line, why = problem.args
        return Verdict(WRONG, f"line {line} cannot be read: {why}", line=line)
    found = rows(checked)
    wrong = next((row for row in found if row["holds"] is False), None)
    if wrong:
        says = f"line {wrong['line']} does not follow from the one before"
        says += f": {wrong['hints'][0]}" if wrong["hints"] else ""
        return Verdict(WRONG, says, counterexample(wrong), line=wrong["line"], draws=len(found))
    if left := next((row for row in found if row["holds"] is None), None):
        says = f"line {left['line']}: {left['note']}" if left["note"] else ""
        says = says or f"a ___ is left in line {left['line']}"
        return Verdict(NOT_ATTEMPTED, says, line=left["line"])
    if departs := _departs(exercise, checked.derivation):
        return Verdict(WRONG, *departs)
    return Verdict(RIGHT, draws=len(found))


def _departs(exercise, own):
    """Say (words, evidence) where a derivation that holds is not the one that was asked for."""
    asked = read(solved(exercise))
    given = {a.text for a in asked.assumptions} | set(asked.lets)
    for line in [a.text for a in own.assumptions] + own.lets:
        if line not in given:
            return "the exercise gives what may be assumed or defined, and nothing more", line
    if len(own.chains) != 1:
        return "one derivation is asked for", f"found {len(own.chains)} that begin anew"
    chain, expected = own.chains[0], asked.chains[0]
    for name, n in ("first", 0), ("last", -1):
        if str(chain[n].node) != str(expected[n].node):
            return f"the {name} line is given", f"it is {expected[n].text}"
    if _relation(chain) != _relation(expected):
        return "the first and the last line are not related as the exercise asks", ""
    for before, step in zip(chain, chain[1:], strict=False):
        if str(plain(before.node)) == str(plain(step.node)):
            return f"line {step.line} repeats the one before", step.text
    last = plain(chain[-1].node)
    for step in chain[1:-1]:
        if not isinstance(last, Dist) and str(last) in map(str, _operands(plain(step.node))):
            return (
                f"line {step.line} is the last line and something that changes nothing",
                step.text,
            )
    tester = Tester(own)
    for parts in exercise.uses:
        if not any(_depends(tester, plain(step.node), parts) for step in chain[1:-1]):
            asked = parts[0] + ("…)" if parts[0].endswith("(") else "")
            return f"no line between the first and the last uses {asked}", ""
    return None


def _operands(node):
    """Yield a node and what is added, subtracted, multiplied and divided in it."""
    yield node
    for child in node.children() if isinstance(node, Op | Negative) else ():
        yield from _operands(child)


def _depends(tester, node, beginnings):
    """Say whether a line's value changes where the nodes that begin so are squared."""

    def unnamed(text):  # x[i] is as good as x[j]
        return re.sub(r"\[[ijklmn]\]", "[]", text)

    begun = tuple(map(unnamed, beginnings))

    def squared(node):
        return Op("**", node, Number(2.0)) if unnamed(str(node)).startswith(begun) else None

    other = node.replaced(squared)
    return other != node and tester.fails(node, other, "=", ()) is not None


def _relation(chain):
    return conclusion([step.relation for step in chain[1:]])


def plain(node):
    """Leave out what changes nothing: factors 1, terms 0, and what is multiplied by 0."""
    match node := node.mapped(plain):
        case Op("*", Number(1.0), kept) | Op("*" | "/" | "**", kept, Number(1.0)):
            return kept
        case Op("*" | "/", Number(0.0)) | Op("*", _, Number(0.0)) | Negative(Number(0.0)):
            return Number(0.0)
        case Op("+", Number(0.0), kept) | Op("+" | "-", kept, Number(0.0)):
            return kept
        case Op("-", Number(0.0), kept):
            return plain(Negative(kept))
        case Negative(Negative(kept)):
            return kept
    return node
