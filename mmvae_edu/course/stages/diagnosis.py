"""From numbers that are wrong to words: the stages A2 to A6, value and gradient apart."""

import re
from dataclasses import dataclass, field

import numpy as np

from ..comparisons import named_gradients, samples
from ..recorded import outcome
from ..trees import copied, leaves, named_leaves
from . import regression, simple_changes
from .mistakes import GRADIENT, VALUE, WHOLE, error, mistakes
from .smallest_example import smallest
from .wrong_step import first_wrong_step

HERE = re.compile(r" \([^()]* here\)")  # what a factor may be


@dataclass
class Finding:
    """What is wrong, the evidence, the mutants that it is, and a small example."""

    says: str
    evidence: str = ""
    line: int | None = None
    mistakes: list = field(default_factory=list)  # names of mutants
    example: list = field(default_factory=list)  # lines
    named: bool = True  # is it said what the mistake is, or only where?


def diagnose(exercise, f, wrong, *, explain=False):
    """The Finding about f, a Recorded whose parts `wrong` are; says is "" where nobody knows.

    The value is told before the gradient, of which nothing is said while the value is a riddle.
    An example is added to what has no name, or on request.
    """
    named = mistakes(exercise, f.calls, wrong)
    whole = [(mutant, worst) for mutant, part, worst in named if part == WHOLE]
    compared = samples(exercise, f.calls) if explain or not whole else None
    if whole:
        mutant, worst = whole[0]
        n = len(f.calls)
        evidence = f"matches the mistake {mutant.name} on {n}/{n} draws (max diff {worst:.0e})"
        finding = Finding(mutant.says, evidence, mistakes=[m.name for m, _ in whole])
    else:
        parts = [_part(exercise, f, part, named, compared[part]) for part in wrong]
        known = [part for part in parts if part]
        finding = _together(known if parts[:1] == known[:1] else [])
    if explain or not finding.named:
        finding.example = _example(exercise, f, wrong, compared)
    return finding


def _part(exercise, f, part, named, compared):
    """The Finding about VALUE or GRADIENT alone, or None."""
    matching = [(mutant, worst) for mutant, where, worst in named if where == part]
    if matching:
        mutant, worst = matching[0]
        evidence = f"the {part} is that of the mistake {mutant.name} (max diff {worst:.0e})"
        names = [mutant.name for mutant, _ in matching]
        return Finding(f"in the {part}: {mutant.says}", evidence, mistakes=names)
    compared = [s for s in compared if s.found.keys() == s.expected.keys()]
    if part == GRADIENT and (ignoring := _without_cotangent(exercise, f, compared)):
        return ignoring
    fit = regression.regress(exercise, compared, part)
    if fit and (says := regression.sentence(fit)):
        return Finding(f"in the {part}, {says}", regression.evidence(fit))
    bad = next((s for s in compared if _wrong_paths(s)), None)
    if bad is None:
        return None
    phrases = simple_changes.signature(exercise, compared, part)
    if len(phrases) != 1 and part == GRADIENT and (place := first_wrong_step(exercise, f.f, bad)):
        return Finding(place.says, place.evidence, place.line)
    if phrases:
        says = simple_changes.sentence(phrases, compared, part)
        n = f"{len(compared)} draw{'s' * (len(compared) > 1)}"
        return Finding(says, f"the {part} on {n}, to the last digits")
    return _nearest_the_end(bad) if part == GRADIENT else None


def _without_cotangent(exercise, f, compared):
    """The Finding that a gradient is not 0 though the cotangent is, or None."""
    bad = next((s for s in compared if _wrong_paths(s)), None)
    if bad is None:
        return None
    try:
        result = outcome(f.f, copied(bad.args), copied(bad.constants))
        gradients = result[-1](*_zeros(bad.cotangents))
        found = named_gradients(exercise, bad.args, gradients)
        left = [path for path, a in found.items() if np.any(np.abs(a) > 0)]
    except Exception:
        return None
    if not left:
        return None
    says = f"the gradient of {', '.join(left)} leaves out the pullback's argument, the cotangent"
    return Finding(says, "where every cotangent is 0, it is not")


def _zeros(tree):
    """The same arrays and numbers, all 0."""
    if isinstance(tree, tuple | list):
        return type(tree)(map(_zeros, tree))
    if isinstance(tree, dict):
        return {name: _zeros(value) for name, value in tree.items()}
    return tree * 0


def _nearest_the_end(bad):
    """The first wrong gradient on the way back, where later ones are right: a Finding or None."""
    wrong = _wrong_paths(bad)
    inputs = dict(zip(bad.names, bad.args, strict=False))  # forwards: data, then weights
    inputs = dict(sorted(inputs.items(), key=lambda item: isinstance(item[1], dict)))
    back = [path for path, _ in reversed(named_leaves(inputs, order=list))]
    back = [path.removeprefix("['").replace("']", "", 1) for path in back]
    first = next(i for i, path in enumerate(back) if path in wrong)
    if first == 0 or len(wrong) == len(back):
        return None
    says = f"the gradient of {back[first]} is wrong"
    if any(isinstance(a, dict) for a in bad.args):
        says = f"on the way back the first wrong gradient is that of {back[first]}"
    right = f"the gradient of {', '.join(back[:first])} is right"
    return Finding(says, right, named=False)


def _wrong_paths(sample):
    return [p for p, a in sample.found.items() if error(a, sample.expected[p]) > 1e-9]


def _together(findings):
    """One Finding of those about value and gradient; the same words are said once."""
    if not findings:
        return Finding("", named=False)
    first, rest = findings[0], findings[1:]
    for finding in rest:
        said = finding.says.replace(f"in the {GRADIENT}", f"in the {VALUE}")
        if HERE.sub("", said) == HERE.sub("", first.says):
            first.says = first.says.replace(f"in the {VALUE}", f"in {VALUE} and {GRADIENT}")
            continue
        first.says += f"; {finding.says}"
        first.evidence = "; ".join(text for text in (first.evidence, finding.evidence) if text)
        first.mistakes += finding.mistakes
        first.line = first.line or finding.line
        first.named = first.named and finding.named
    return first


def _example(exercise, f, wrong, compared):
    for part in wrong:
        for sample in sorted(compared[part], key=_count):
            if lines := smallest(exercise, f.f, sample, part):
                return lines
    return []


def _count(sample):
    return sum(np.size(leaf) for leaf in leaves([sample.inputs, sample.cotangents]))
