"""A learner's function under observation: the contract is checked in every call (stage A0).

Claims call a `Recorded` in place of the function.  It copies what goes in and out, so that the
calls can be replayed with the catalogued mistakes (stage A2).
"""

import inspect
import sys
import traceback
from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np

from .exercises import NotAttempted
from .lock import Locked

KEPT = 100_000_000  # bytes of recorded arrays; later calls are checked but not kept


@dataclass(frozen=True)
class Problem:
    """A broken contract: its kind, one sentence, the evidence, and where in the file."""

    kind: str
    says: str
    evidence: str = ""
    line: int | None = None
    traceback: str = ""


class Raised(Exception):
    """The function under observation raised; the name of its exception."""


@dataclass
class Call:
    args: tuple
    constants: dict
    values: list | str  # the arrays returned, or the name of the exception raised
    pulls: list = field(default_factory=list)  # (cotangents, gradients or such a name)


class Recorded:
    """Calls f, notes the first Problem, and keeps the calls; `of` gives shapes, never values."""

    def __init__(self, f, of, path=None, extent=None):
        self.f, self.of, self.path = f, of, path
        self.extent = extent or nullcontext()
        self.calls, self.draws, self.size, self.problem = [], 0, 0, None

    def __call__(self, *args, **constants):
        self.draws += 1
        given, given_constants = copied(args), copied(constants)
        try:
            result = self._run(self.f, args, constants)
        except Raised as problem:
            self._keep(Call(given, given_constants, str(problem)), [])
            raise
        if not same([args, constants], [given, given_constants]):
            self._note("mutated", "changes its input in place; work on a copy")
        try:
            expected = self.of(*copied(given), **copied(given_constants))
        except Exception:  # outside the function's domain: there is no shape to compare with
            expected = None
        self._compare(result, expected, "returns")
        if self.draws % 50 == 1:
            again = self._run(self.f, copied(given), copied(given_constants))
            if not same(leaves(result), leaves(again)):
                self._note("random", "gives another output when called twice with the same input")
        call = Call(given, given_constants, copied(leaves(result)))
        self._keep(call, call.values)
        return self._with_pullback(result, expected, call)

    def _with_pullback(self, result, expected, call):
        if not (isinstance(result, tuple | list) and result and callable(result[-1])):
            return result
        library = expected[-1] if isinstance(expected, tuple) else None

        def recorded_pullback(*cotangents):
            given = copied(cotangents)
            before = copied(call.args)
            try:
                gradients = self._run(result[-1], cotangents, {})
            except Raised as problem:
                call.pulls.append((given, str(problem)))
                raise
            if not same([cotangents, call.args], [given, before]):
                self._note("mutated", "its pullback changes its input in place; work on a copy")
            if callable(library):
                self._compare(gradients, library(*copied(given)), "its pullback returns")
            if self.size < KEPT:
                call.pulls.append((given, copied(leaves(gradients))))
            return gradients

        return *result[:-1], recorded_pullback

    def _run(self, f, args, constants):
        """f(*args) within the extent where the library's answer is locked."""
        try:
            with self.extent:
                return f(*args, **constants)
        except NotAttempted:
            self.problem = self.problem or self._raised("todo")
            raise
        except Locked as problem:
            self.problem = self._raised("locked")
            raise Raised("Locked") from problem
        except KeyboardInterrupt:
            raise
        except BaseException as problem:  # sys.exit() as well
            self.problem = self.problem or self._raised("raised", self._signature(args, constants))
            raise Raised(type(problem).__name__) from problem

    def _raised(self, kind, evidence=""):
        return described(kind, self.path, evidence)

    def _signature(self, args, constants):
        shapes = [described_value(a) for a in args]
        shapes += [f"{name}={described_value(a)}" for name, a in constants.items()]
        return f"called with {', '.join(shapes)}"

    def _compare(self, result, expected, verb):
        if expected is not None and (problem := difference(result, expected)):
            kind, found, wanted = problem
            self._note(kind, f"{verb} {found}, expected {wanted}")

    def _note(self, kind, says):
        if self.problem is None:
            code = getattr(self.f, "__code__", None)
            self.problem = Problem(kind, says, line=code.co_firstlineno if code else None)

    def _keep(self, call, values):
        if self.size < KEPT:
            arrays = [a for a in (*call.args, *values) if isinstance(a, np.ndarray)]
            self.size += sum(a.nbytes for a in arrays)
            self.calls.append(call)


def described(kind, path, evidence=""):
    """The exception in flight as a Problem, with the line of the learner's file."""
    problem = sys.exception()
    frames = traceback.extract_tb(problem.__traceback__)
    says = f"raises {type(problem).__name__}: {problem}".rstrip(": ")
    if kind == "todo":
        says = str(problem)
    if kind == "locked":
        says = f"hands back the library's own {problem}; write it yourself"
    own = [i for i, frame in enumerate(frames) if frame.filename == str(path)]
    text = "".join(traceback.format_list(frames[own[0] if own else 0 :]))
    text += "".join(traceback.format_exception_only(problem))
    return Problem(kind, says, evidence, frames[own[-1]].lineno if own else None, text)


def copied(x):
    """A copy of arrays inside tuples, lists and dicts; everything else as it is."""
    if isinstance(x, np.ndarray):
        return x.copy()
    if isinstance(x, tuple | list):
        return type(x)(map(copied, x))
    if isinstance(x, dict):
        return {name: copied(value) for name, value in x.items()}
    return x


def leaves(x):
    """The arrays and numbers inside a result, in order; functions are left out."""
    if isinstance(x, tuple | list):
        return [leaf for item in x for leaf in leaves(item)]
    return [] if callable(x) else [x]


def same(a, b):
    """Equal to the last bit, NaN equal to NaN."""
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, np.ndarray | float | complex | np.generic):
        try:
            return np.array_equal(a, b, equal_nan=True)
        except TypeError:  # an array of objects
            return False
    return True


def difference(found, expected):
    """Where a result departs from the contract: (kind, what it is, what is expected), or None."""
    if isinstance(expected, tuple):
        if not isinstance(found, tuple | list) or len(found) != len(expected):
            return "shape", described_value(found), described_value(expected)
        parts = (difference(a, b) for a, b in zip(found, expected, strict=True))
        return next((part for part in parts if part), None)
    if callable(expected):
        return None if callable(found) else ("shape", described_value(found), "a function")
    return _array_difference(found, expected)


def _array_difference(found, expected):
    number = np.ndim(expected) == 0
    if callable(found) or not isinstance(found, np.ndarray | np.generic | float | int):
        return "shape", described_value(found), described_value(expected)
    if np.shape(found) != np.shape(expected):
        return "shape", described_value(found), described_value(expected)
    kind, wanted = np.asarray(found).dtype, np.asarray(expected).dtype
    if kind != wanted and wanted.kind != "c" and not (number and kind.kind in "iuf"):
        return "dtype", f"dtype {kind}", str(wanted)
    bad = ~np.isfinite(found) & np.isfinite(expected)
    if bad.any():
        value = np.asarray(found)[bad][0]
        return "finite", f"{value} in {bad.sum()} of {bad.size} places", "finite numbers"
    return None


def described_value(x):
    """An object in a few words: "array (4, 3)", "a number", "the pair (array (4,), function)"."""
    if isinstance(x, tuple):
        return f"({', '.join(map(described_value, x))})"
    if isinstance(x, np.ndarray):
        return f"array {x.shape}"
    if callable(x):
        return "a function"
    if isinstance(x, list):
        return f"a list of {len(x)}"
    if isinstance(x, float | int | np.generic):
        return "a number"
    return type(x).__name__


def call_mismatch(f, of):
    """How the library's function is called, if f cannot be called like that; else None.

    `kernels` is the library's own affair.
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
