"""Samples: what the learner's function gave beside what the library's gives, call by call.

An outcome is {path: array}, or the name of the exception that was raised.
"""

import inspect
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from itertools import islice

import numpy as np

from .trees import copied, leaves, named_leaves

VALUE, GRADIENT = "value", "gradient"
MATCH = 1e-11  # relative to max(1, |value|): the same formula in another order of summation
KEPT_SAMPLES = 30  # samples of a part; what is wrong is wrong in all
LARGEST = 200_000  # numbers in one


@dataclass(frozen=True)
class Sample:
    """One call of the learner's function or of its pullback, and both outcomes."""

    names: list  # of the positional arguments
    args: tuple
    constants: dict
    found: dict | str
    expected: dict | str
    cotangents: tuple = ()  # empty for a value
    pulls: list = field(default_factory=list)  # a Sample for each call of the value's pullback

    @property
    def inputs(self):
        """All arguments by name."""
        return {**dict(zip(self.names, self.args, strict=False)), **self.constants}

    @property
    def has_names(self):
        """Do the positional arguments have names?  Those of a kernel's launch have not."""
        return len(self.args) <= len(self.names)

    @property
    def named_inputs(self):
        """All numbers and arrays among the arguments, each with its path, in order of `leaves`."""
        constants = sorted(self.constants.items())
        named = [*zip(self.names, self.args, strict=False), *constants]
        return [leaf for name, tree in named for leaf in named_leaves(tree, name)]

    @property
    def shapes(self):
        return tuple(np.shape(leaf) for leaf in leaves([self.inputs, self.cotangents]))

    @property
    def size(self):
        """The count of numbers among the inputs."""
        return sum(np.size(leaf) for leaf in leaves([self.inputs, self.cotangents]))

    @cached_property
    def error(self):
        return distance(self.found, self.expected)

    @property
    def finite(self):
        """Are all numbers finite that the learner's function gave, its gradients too?"""
        return all(is_finite(sample.found) for sample in (self, *self.pulls))

    @property
    def wrong_paths(self):
        """The paths of the arrays that are wrong by more than rounding."""
        return [path for path, a in self.found.items() if error(a, self.expected[path]) > 1e-9]


@cache
def names_of(of):
    """List the names of the positional arguments, which are those that have gradients."""
    parameters = inspect.signature(of).parameters.values()
    return [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]


def call(exercise, f, args, constants):
    """Call f on copies of the inputs: (its result, its outcome), (None, outcome) if it raises."""
    args, constants = copied((args, constants))
    try:
        result = f(*args, **constants)
    except Exception as problem:
        return None, type(problem).__name__
    return result, named_values(exercise, args, result)


def pull_back(exercise, args, result, cotangents):
    """Call the pullback in a result on copies: (its gradients, their outcome) like `call`."""
    try:
        gradients = result[-1](*copied(cotangents))
    except Exception as problem:
        return None, type(problem).__name__
    return gradients, named_gradients(exercise, args, gradients)


def both(f, args, constants, cotangents, part):
    """Return two outcomes of a part: that of f, a Recorded, and that of the library's function."""
    outcomes = []
    for function in (f.f, f.exercise.of):
        result, outcome = call(f.exercise, function, args, constants)
        if part == GRADIENT:
            _, outcome = pull_back(f.exercise, args, result, cotangents)
        outcomes.append(outcome)
    return outcomes


def named_values(exercise, args, result):
    """Return {path: array} of a result without its pullback, or of the arguments it changes."""
    if exercise.changes:
        names = names_of(exercise.of)
        return _arrays({names[i]: args[i] for i in exercise.changes}.items())
    if isinstance(result, tuple | list) and result and callable(result[-1]):
        result = result[0] if len(result) == 2 else result[:-1]
    return _arrays([("", result)])


def named_gradients(exercise, args, gradients):
    """Return {path: array} of a pullback's gradients, by the arguments' names."""
    if len(args) == 1 or not isinstance(gradients, tuple | list):
        gradients = (gradients,)
    names = [*names_of(exercise.of), *map(str, range(len(gradients)))]  # too many count as well
    return _arrays(zip(names, gradients, strict=False))


def _arrays(trees):
    named = [leaf for name, tree in trees for leaf in named_leaves(tree, name)]
    return {path: np.asarray(leaf) for path, leaf in named}


def of_part(samples, part):
    """List the samples of VALUE or GRADIENT."""
    return samples if part == VALUE else [pull for sample in samples for pull in sample.pulls]


def wrong_parts(samples):
    """List which of VALUE and GRADIENT differ from the library's in some call."""
    parts = (VALUE, GRADIENT)
    return [part for part in parts if any(s.error > MATCH for s in of_part(samples, part))]


def comparable(samples, part):
    """List the first samples of a part that can be compared number by number.

    Real inputs, real and finite results of the same form on both sides, and not too many numbers.
    False and True become 0 and 1, which can be subtracted.
    """
    first = islice(filter(_is_comparable, of_part(samples, part)), KEPT_SAMPLES)
    return [replace(s, found=_numbers(s.found), expected=_numbers(s.expected)) for s in first]


def _numbers(outcome):
    return {path: a.astype(float) if a.dtype == bool else a for path, a in outcome.items()}


def _is_comparable(sample):
    if not (is_finite(sample.found) and is_finite(sample.expected)):
        return False
    arrays = [*sample.found.values(), *sample.expected.values()]
    return (
        sample.found.keys() == sample.expected.keys()
        and sum(a.size for a in arrays) <= LARGEST
        and not any(np.iscomplexobj(a) for a in [*arrays, *leaves([sample.args, sample.constants])])
        and sample.has_names
    )


def is_finite(outcome):
    """Is an outcome numbers, and none of them infinite or NaN?"""
    if isinstance(outcome, str):
        return False
    return all(is_numeric(a) and np.isfinite(a).all() for a in outcome.values())


def is_numeric(*arrays):
    """Are all of them arrays of numbers?"""
    return all(isinstance(a, np.ndarray) and a.dtype.kind in "biufc" for a in arrays)


def distance(found, expected):
    """Return the largest `error` between two outcomes; 0 or inf where one is an exception."""
    if isinstance(found, str) or isinstance(expected, str):
        return 0.0 if found == expected else np.inf
    if len(found) != len(expected):
        return np.inf
    pairs = zip(found.values(), expected.values(), strict=True)
    return max((error(a, b) for a, b in pairs), default=0.0)


def error(a, b):
    """Return the largest |a − b| / max(1, |b|); NaN equals NaN; inf where they do not compare."""
    if a.shape != b.shape or not is_numeric(a, b):
        return np.inf
    a, b = (x.astype(float) if x.dtype.kind in "biu" else x for x in (a, b))
    with np.errstate(all="ignore"):
        error = np.abs(a - b) / np.maximum(1, np.abs(b))
    equal = (a == b) | (np.isnan(a) & np.isnan(b))
    error = np.where(equal, 0, np.where(np.isnan(error), np.inf, error))
    return float(error.max(initial=0))
