"""The recorder of a learner's function: it checks the contract in every call (stage A0).

Claims call a `Recorded` in place of the function.  It keeps what goes in, what comes out and what
the library's function gives there, once, for the stages that put a failure into words.
"""

import inspect
import sys
import traceback
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from .comparisons import Sample, call, named_gradients, named_values, names_of, pull_back
from .exercises import NotAttempted
from .lock import Locked
from .trees import copied, described_value, difference, leaves, same, with_arrays

RANDOM = "it gives another output when called twice with the same input"
MUTATED = "changes its input in place; work on a copy"
LONG = 200  # letters of an exception's message
KEPT_BYTES = 100_000_000  # bytes of recorded arrays; later calls are checked but not kept


@dataclass(frozen=True)
class Problem:
    """A broken contract: its kind, one sentence, the evidence, and where in the file."""

    kind: str
    says: str
    evidence: str = ""
    line: int | None = None
    traceback: str = ""


class Raised(Exception):
    """Raised where the learner's function raises; its text is the exception's name."""


class Recorded:
    """A function that calls f for a claim, notes the first Problem and keeps Samples."""

    def __init__(self, exercise, f, path=None, lock=None):
        self.exercise, self.f, self.path = exercise, f, path
        self.lock = lock or nullcontext()
        self.samples, self.draws, self.size, self.problem = [], 0, 0, None
        self.breach = None  # where the problem is one: (args, constants, what became of them)
        self.__name__ = exercise.of.__name__  # for messages
        self.__signature__ = inspect.signature(exercise.of)

    def __call__(self, *args, **constants):
        self.draws += 1
        exercise, before = self.exercise, self.problem
        given = copied((args, constants))
        library, expected = call(exercise, exercise.of, *given)
        try:
            result = with_arrays(self._run(self.f, args, constants), library)
        except Raised as problem:
            if str(problem) == expected:  # both refuse what is outside the function's domain
                self.problem = before
            self._keep(Sample(names_of(exercise.of), *given, str(problem), expected))
            raise
        values = copied(named_values(exercise, args, result))
        self._check_inputs(args, constants, given)
        if exercise.changes and not isinstance(expected, str):
            self._check_changes(args, given[0], tuple(expected.values()))
        elif not isinstance(expected, str):
            self._compare(result, library, "it returns", _shapes(args, constants))
        if self.draws % 50 == 1:
            self._check_repetition(given, values, library)
        sample = Sample(names_of(exercise.of), *given, values, expected)
        self._keep(sample)
        return self._with_pullback(result, library, sample, args)

    def _check_inputs(self, args, constants, given):
        """Note where an input has changed, beside those that the exercise changes."""
        kept = [i for i in range(len(args)) if i not in self.exercise.changes]
        after, before = ([a[i] for i in kept] for a in (args, given[0]))
        if not same([after, constants], [before, given[1]]):
            self.breach = self.breach or (*given, copied((args, constants)))
            self._note("mutated", f"it {MUTATED}")

    def _check_changes(self, args, before, expected):
        """Note where it leaves as they were the arguments that the library's function changes."""
        changes = self.exercise.changes
        pairs = zip(changes, expected, strict=True)
        left = [i for i, b in pairs if same(args[i], before[i]) and not same(args[i], b)]
        if left:
            names = [list(self.__signature__.parameters)[i] for i in left]
            as_before = f"{', '.join(names)} as {'it was' if len(left) == 1 else 'they were'}"
            self._note("unchanged", f"it leaves {as_before}, and has to work in place")
        self._compare([args[i] for i in changes], expected, "it leaves")

    def _check_repetition(self, given, values, library):
        """Note where a second call with the same inputs gives other values."""
        args, constants = copied(given)
        result = with_arrays(self._run(self.f, args, constants), library)
        second = named_values(self.exercise, args, result)
        if not same(values, second):
            self.breach = self.breach or (*given, (values, second))
            has_rng = "rng" in self.__signature__.parameters
            self._note("random", RANDOM + ": all that is random comes from rng" * has_rng)

    def _with_pullback(self, result, library, sample, args):
        if not (isinstance(result, tuple | list) and result and callable(result[-1])):
            return result

        def recorded_pullback(*cotangents):
            given, before = copied((cotangents, args))
            wanted, expected = pull_back(self.exercise, args, library, given)
            pull = partial(replace, sample, expected=expected, cotangents=given, pulls=[])
            try:
                gradients = self._run(result[-1], cotangents, {}, "its pullback")
                gradients = with_arrays(gradients, wanted)
            except Raised as problem:
                sample.pulls.append(pull(found=str(problem)))
                raise
            if not same([cotangents, args], [given, before]):
                self._note("mutated", f"its pullback {MUTATED}")
            if not isinstance(expected, str):
                shapes = f"the cotangent {_shapes(cotangents, {})}"
                self._compare(gradients, wanted, "its pullback returns", shapes)
            if self.size < KEPT_BYTES:
                found = copied(named_gradients(self.exercise, args, gradients))
                sample.pulls.append(pull(found=found))
            return tuple(gradients) if isinstance(gradients, list) else gradients

        return *result[:-1], recorded_pullback

    def _run(self, f, args, constants, subject="it"):
        """Call f(*args), which may call none of the functions that are locked."""
        try:
            with self.lock:
                return f(*args, **constants)
        except NotAttempted:
            self.problem = self.problem or described("todo", self.path)
            raise
        except Locked as problem:
            self.problem = described("locked", self.path)
            raise Raised("Locked") from problem
        except KeyboardInterrupt:
            raise
        except BaseException as problem:  # sys.exit() as well
            given = "" if subject == "it" else "the cotangent "
            evidence = f"called with {given}{_shapes(args, constants)}"
            self.problem = self.problem or described("raised", self.path, evidence, subject)
            raise Raised(type(problem).__name__) from problem

    def _compare(self, result, expected, verb, shapes=""):
        if problem := difference(result, expected):
            kind, found, wanted = problem
            evidence = f"called with {shapes}" if kind == "shape" and shapes else ""
            self._note(kind, f"{verb} {found}, expected {wanted}", evidence)

    def _note(self, kind, says, evidence=""):
        self.problem = self.problem or Problem(kind, says, evidence, line_of(self.f))

    def _keep(self, sample):
        if self.size < KEPT_BYTES:
            arrays = [a for a in leaves([*sample.args, sample.found]) if isinstance(a, np.ndarray)]
            self.size += sum(a.nbytes for a in arrays)
            self.samples.append(sample)


def _shapes(args, constants):
    shapes = [described_value(a) for a in args]
    named = [(name, a) for name, a in constants.items() if not callable(a)]  # as `method` is
    return ", ".join(shapes + [f"{name}={described_value(a)}" for name, a in named])


def described(kind, path, evidence="", subject="it"):
    """Describe the exception in flight as a Problem, with the line of the learner's file.

    subject: what raised it.
    """
    problem = sys.exception()
    frames = traceback.extract_tb(problem.__traceback__)
    says = f"{subject} raises {type(problem).__name__}: {_first_line(problem)}".rstrip(": ")
    if kind == "todo":
        says = str(problem)
    if kind == "locked":
        says = f"it hands back the library's own {problem}; write it yourself"
    own = [i for i, frame in enumerate(frames) if frame.filename == str(path)]
    text = "".join(traceback.format_list(frames[own[0] if own else 0 :]))
    text += "".join(traceback.format_exception_only(problem))
    return Problem(kind, says, evidence, frames[own[-1]].lineno if own else None, text)


def line_of(f):
    """Return the line at which a function begins, or None for one without code."""
    code = getattr(inspect.unwrap(f), "__code__", None)
    return code.co_firstlineno if code else None


def _first_line(problem):
    try:
        lines = str(problem).splitlines() or [""]
    except Exception:  # an exception of the learner's own may have no text
        return ""
    return lines[0] if len(lines[0]) <= LONG else f"{lines[0][:LONG]}…"


def call_mismatch(f, of):
    """Return how the library's function is called, if f cannot be called like that; else None.

    `kernels` is a parameter of the library's alone.
    """
    parameters = [p for p in inspect.signature(of).parameters.values() if p.name != "kernels"]
    constants = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    required = {p.name: 0 for p in constants if p.default is p.empty}
    positional = [0] * (len(parameters) - len(constants))
    try:
        inspect.signature(f).bind(*positional, **required)
        inspect.signature(f).bind(*positional, **{p.name: 0 for p in constants})
    except TypeError:
        bare = [p.replace(annotation=p.empty) for p in parameters]
        return f"{of.__name__}{inspect.Signature(bare)}"
    return None
