"""Stages A2 to A6 of a check: what is wrong in the learner's numbers, in words.

Each stage is a function (f, part) → Finding or None of a `Recorded` and one of its two parts, the
value and the gradient.  The first stage that finds something speaks for the part.
"""

from dataclasses import dataclass, field

import numpy as np

from ..comparisons import (
    GRADIENT,
    MATCH,
    VALUE,
    call,
    comparable,
    is_finite,
    is_numeric,
    of_part,
    pull_back,
    wrong_parts,
)
from ..trees import mapped, named_leaves
from . import regression
from .causes import wrong_only_where
from .dependence import without_effect
from .digits import few_digits
from .factors import MAYBE
from .mistakes import WHOLE, matching
from .places import same_along, wrong_entries
from .repetition import unrepeatable
from .simple_changes import sentence, simple_changes
from .smallest_example import differing, not_finite, smallest
from .wrong_step import first_wrong_step


@dataclass
class Finding:
    """What is wrong, the evidence, the mutants that it is, and a small example."""

    says: str
    evidence: str = ""
    line: int | None = None
    mistakes: list = field(default_factory=list)  # names of mutants
    example: list = field(default_factory=list)  # lines
    named: bool = True  # is it said what the mistake is, or only where?
    quotes: bool = False  # is a claim that fails quoted after it?


@dataclass(frozen=True)
class Part:
    """The value or the gradient of a learner's function, and samples to compare it on."""

    name: str  # VALUE, GRADIENT or WHOLE
    samples: list

    @property
    def bad(self):
        """The first sample that is wrong by more than rounding, or None."""
        return next((sample for sample in self.samples if sample.wrong_paths), None)

    @property
    def bad_gradient(self):
        return self.bad if self.name == GRADIENT else None


def diagnose(f, *, explain=False):
    """Return the Finding about f, a Recorded whose claims fail; `says` is "" where none is found.

    A small example (A6) is added to what has no name, or on request.
    """
    parts = [Part(name, comparable(f.samples, name)) for name in wrong_parts(f.samples)]
    finding = known_mistake(f, Part(WHOLE, []))
    if finding is None and (says := unrepeatable(f)):
        finding = Finding(says)
    if finding is None:
        finding = _together(_explained(f, parts))
    if explain or not finding.named:
        finding.example = _example(f, parts)
    return finding


def _explained(f, parts):
    """List the Findings of the parts, up to one that does not say what is wrong."""
    findings = []
    for part in parts:
        found = next(filter(None, (stage(f, part) for stage in STAGES)), None)
        findings += [found] if found else []
        if not found or found.quotes:
            break
    return findings


def known_mistake(f, part):
    """A2: name the catalogued mistake that gives the same in this part."""
    found = matching(f.exercise, f.samples, part.name)
    if not found:
        return None
    mutant, worst = found[0]
    says = f"in the {part.name}: {mutant.says}"
    evidence = f"the {part.name} is that of the mistake {mutant.name}"
    if part.name == WHOLE:
        n = len(f.samples)
        says, evidence = mutant.says, f"matches the mistake {mutant.name} on {n}/{n} draws"
    names = [mutant.name for mutant, _ in found]
    return Finding(says, f"{evidence} (max diff {worst:.0e})", mistakes=names)


def without_cotangent(f, part):
    """Name the gradients that are not 0 although every cotangent is."""
    if (bad := part.bad_gradient) is None:
        return None
    result, _ = call(f.exercise, f.f, bad.args, bad.constants)
    no_cotangents = mapped(lambda a: a * 0, bad.cotangents)
    _, found = pull_back(f.exercise, bad.args, result, no_cotangents)
    if isinstance(found, str):
        return None
    left = ", ".join(path for path, a in found.items() if (np.abs(a) > 0).any())
    says = f"the gradient of {left} leaves out the pullback's argument, the cotangent"
    return Finding(says, "where every cotangent is 0, it is not") if left else None


def float32_inside(f, part):
    """Say that the result has float32's error."""
    if part.bad is None or not few_digits(f, part.samples, part.name):
        return None
    says = "is right to some 7 digits only, as if something in it were float32, or 1e-8 added"
    return Finding(f"the {part.name} {says}", named=False)


def wrong_terms(f, part):
    """A3: name the terms of the function whose coefficient is not 1, by least squares."""
    fit = regression.regress(f.exercise, part.samples, part.name)
    says = fit and regression.sentence(fit)
    return Finding(f"in the {part.name}, {says}", regression.evidence(fit)) if says else None


def one_simple_change(f, part):
    """A4: say how all wrong arrays are changed alike, by a factor for example."""
    return _changed(f, part, several=False)


def several_simple_changes(f, part):
    """A4: say how every wrong array is changed."""
    return _changed(f, part, several=True)


def _changed(f, part, several):
    changes = simple_changes(f.exercise, part.samples) if part.bad else {}
    if not changes or (len(changes) > 1 and not several):
        return None
    n = len(part.samples)
    evidence = f"the {part.name} on {n} draw{'s' * (n > 1)}, to the last digits"
    return Finding(sentence(changes, part.samples, part.name), evidence)


def ignored_inputs(f, part):
    """Name the inputs that do not matter to the result though they should."""
    ignored = part.bad and without_effect(f, part.samples, part.name)
    if not ignored:
        return None
    says = f"the {part.name} does not depend on {', '.join(ignored)}"
    return Finding(says, "with other numbers there it stays the same")


def wrong_step(f, part):
    """A5: name the step at which the pullback goes wrong."""
    bad = part.bad_gradient
    found = bad and first_wrong_step(f.exercise, f.f, bad)
    return found and Finding(*found)


def shared_along_an_axis(f, part):
    """Name an axis along which the result is constant though it should not be."""
    if part.bad is None or not (found := same_along(part.samples)):
        return None
    path, axis = found
    what = f"gradient of {path}" if part.name == GRADIENT else f"output {path}" if path else "value"
    return Finding(f"the {what} is the same all along axis {axis}, where it should vary")


def not_everywhere(f, part):
    """Say for which inputs, or in which entries, alone the result is wrong."""
    if part.bad is None or any(isinstance(a, np.random.Generator) for a in part.bad.args):
        return None
    where = wrong_only_where(f, part.samples, part.name)
    says = f"wrong only where {where}" if where else wrong_entries(part.samples)
    return says and Finding(f"the {part.name} is {says}", named=False, quotes=True)


def right_beside_it(f, part):
    """Name the outputs that are wrong where others are right."""
    wrong = {path for sample in part.samples for path in sample.wrong_paths}
    right = [path for path in part.samples[0].expected if path not in wrong] if wrong else []
    if part.name == GRADIENT or not right:
        return None
    says = f"output {', '.join(sorted(wrong))} is wrong, and output {', '.join(right)} right"
    return Finding(says, named=False, quotes=True)


def finite_for_infinite(f, part):
    """Show a number that stands where ∞, −∞ or NaN is right."""
    for sample in of_part(f.samples, part.name):
        if sample.error <= MATCH or is_finite(sample.expected) or isinstance(sample.found, str):
            continue
        for path, b in sample.expected.items() if isinstance(sample.expected, dict) else ():
            a = sample.found.get(path)
            if np.shape(a) != b.shape or not is_numeric(a, b):
                continue
            for i in np.flatnonzero(~np.isfinite(b) & ~((a == b) | np.isnan(a) & np.isnan(b)))[:1]:
                says = f"the {part.name} is {a.flat[i]:.6g} where it should be {b.flat[i]}"
                return Finding(says.replace("inf", "∞").replace("-∞", "−∞"), named=False)
    return None


def nearest_the_end(f, part):
    """Name the first wrong gradient on the way back, where later ones are right."""
    if (bad := part.bad_gradient) is None:
        return None
    wrong = bad.wrong_paths
    inputs = sorted(zip(bad.names, bad.args, strict=False), key=lambda arg: type(arg[1]) is dict)
    forwards = [leaf for name, tree in inputs for leaf in named_leaves(tree, name, order=list)]
    back = [path for path, _ in reversed(forwards)]  # weights, then data
    first = next(i for i, path in enumerate(back) if path in wrong)
    if first == 0 or len(wrong) == len(back):
        return None
    says = f"the gradient of {back[first]} is wrong"
    if any(isinstance(a, dict) for a in bad.args):
        says = f"on the way back the first wrong gradient is that of {back[first]}"
    right = f"the gradient of {', '.join(back[:first])} is right"
    return Finding(says, right, named=False)


STAGES = (
    known_mistake,
    without_cotangent,
    float32_inside,
    wrong_terms,
    one_simple_change,
    wrong_step,
    several_simple_changes,
    ignored_inputs,
    shared_along_an_axis,
    finite_for_infinite,
    not_everywhere,
    right_beside_it,
    nearest_the_end,
)


def not_finite_example(f):
    """Return the lines of the smallest inputs at which only the library's result is finite."""
    parts = [
        Part(name, [s for s in of_part(f.samples, name) if s.has_names and is_finite(s.expected)])
        for name in (VALUE, GRADIENT)
    ]
    return _example(f, parts, not_finite)


def misshapen(f):
    """Return a Finding about results of another shape whose entries are right, or None."""
    for part in (VALUE, GRADIENT):
        samples = comparable(f.samples, part)
        if found := several_simple_changes(f, Part(part, samples)):
            return found
    return None


def _example(f, parts, wrong_entries=differing):
    """Return the lines of the smallest inputs at which f is wrong; [] where none is found."""
    for part in parts:
        for sample in sorted(part.samples, key=lambda sample: sample.size):
            if lines := smallest(f, sample, part.name, wrong_entries):
                return lines
    return []


def _together(findings):
    """Return one Finding of those about value and gradient; the same words are said once."""
    if len(findings) < 2:
        return findings[0] if findings else Finding("", named=False)
    value, gradient = findings
    alike = gradient.says.replace(f"in the {GRADIENT}", f"in the {VALUE}")
    if MAYBE.sub("", alike) == MAYBE.sub("", value.says):
        value.says = value.says.replace(f"in the {VALUE}", f"in {VALUE} and {GRADIENT}")
        return value
    return Finding(
        f"{value.says}; {gradient.says}",
        "; ".join(text for text in (value.evidence, gradient.evidence) if text),
        value.line or gradient.line,
        value.mistakes + gradient.mistakes,
        named=value.named and gradient.named,
        quotes=value.quotes or gradient.quotes,
    )
