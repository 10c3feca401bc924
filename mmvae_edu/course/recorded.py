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
from .trees import copied, described_value, difference, leaves, same

RANDOM = "gives another output when called twice with the same input"
LONG = 200  # letters of an exception's message
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

    @property
    def finite(self):
        """Are all its results numbers, and none infinite?"""
        results = [self.values, *(gradients for _, gradients in self.pulls)]
        if any(isinstance(result, str) for result in results):
            return False
        arrays = [np.asarray(leaf) for result in results for leaf in result]
        return all(a.dtype.kind in "biufc" and np.isfinite(a).all() for a in arrays)


class Recorded:
    """Calls f, notes the first Problem, and keeps the calls; `of` gives shapes, never values.

    changes: which arguments f changes in place, where that is its purpose; they are its values.
    """

    def __init__(self, f, of, path=None, extent=None, changes=()):
        self.f, self.of, self.path, self.changes = f, of, path, changes
        self.extent = extent or nullcontext()
        self.calls, self.draws, self.size, self.problem = [], 0, 0, None
        self.breach = None  # where the problem is one: (args, constants, what became of them)
        self.__name__, self.__signature__ = of.__name__, inspect.signature(of)  # for messages

    def __call__(self, *args, **constants):
        self.draws += 1
        given, given_constants = copied(args), copied(constants)
        before = self.problem
        try:
            result = self._run(self.f, args, constants)
        except Raised as problem:
            if str(problem) == self._refusal(given, given_constants):
                self.problem = before
            self._keep(Call(given, given_constants, str(problem)), [])
            raise
        values = [args[i] for i in self.changes] or result
        self._check_inputs(args, constants, given, given_constants)
        try:
            expected = outcome(self.of, copied(given), copied(given_constants), self.changes)
        except Exception:  # outside the function's domain: there is no shape to compare with
            expected = None
        if self.changes and expected is not None:
            self._check_changes(args, given, expected)
        self._compare(values, expected, "leaves" if self.changes else "returns")
        if self.draws % 50 == 1:
            again, constants = copied(given), copied(given_constants)
            second = self._run(self.f, again, constants)
            second = [again[i] for i in self.changes] or second
            if not same(leaves(values), leaves(second)):
                self.breach = self.breach or (given, given_constants, (values, second))
                self._note("random", RANDOM + self._of_rng())
        call = Call(given, given_constants, copied(leaves(values)))
        self._keep(call, call.values)
        return self._with_pullback(result, expected, call, args)

    def _refusal(self, given, constants):
        """The name of the exception that the library raises too, outside its domain; or None."""
        try:
            outcome(self.of, copied(given), copied(constants), self.changes)
        except Exception as problem:
            return type(problem).__name__
        return None

    def _check_inputs(self, args, constants, given, given_constants):
        kept = [i for i in range(len(args)) if i not in self.changes]
        after, before = ([a[i] for i in kept] for a in (args, given))
        if not same([after, constants], [before, given_constants]):
            self.breach = self.breach or (given, given_constants, copied((args, constants)))
            self._note("mutated", "changes its input in place; work on a copy")

    def _check_changes(self, args, given, expected):
        """Does it change what the library changes?"""
        pairs = zip(self.changes, expected, strict=True)
        left = [i for i, b in pairs if same(args[i], given[i]) and not same(args[i], b)]
        if left:
            names = [list(self.__signature__.parameters)[i] for i in left]
            as_before = f"{', '.join(names)} as {'it was' if len(left) == 1 else 'they were'}"
            self._note("unchanged", f"leaves {as_before}: it works in place")

    def _of_rng(self):
        return ": all that is random comes from rng" * ("rng" in self.__signature__.parameters)

    def _with_pullback(self, result, expected, call, args):
        if not (isinstance(result, tuple | list) and result and callable(result[-1])):
            return result
        library = expected[-1] if isinstance(expected, tuple) else None

        def recorded_pullback(*cotangents):
            given = copied(cotangents)
            before = copied(args)
            try:
                gradients = self._run(result[-1], cotangents, {})
            except Raised as problem:
                call.pulls.append((given, str(problem)))
                raise
            if not same([cotangents, args], [given, before]):
                self.breach = self.breach or (given, {}, copied((cotangents, args)))
                self._note("mutated", "its pullback changes its input in place; work on a copy")
            if callable(library):
                self._compare(gradients, library(*copied(given)), "its pullback returns")
            if self.size < KEPT:
                call.pulls.append((given, copied(leaves(gradients))))
            return tuple(gradients) if isinstance(gradients, list) else gradients

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
            code = getattr(inspect.unwrap(self.f), "__code__", None)
            self.problem = Problem(kind, says, line=code.co_firstlineno if code else None)

    def _keep(self, call, values):
        if self.size < KEPT:
            arrays = [a for a in leaves([*call.args, *values]) if isinstance(a, np.ndarray)]
            self.size += sum(a.nbytes for a in arrays)
            self.calls.append(call)


def outcome(f, args, constants, changes=()):
    """What f returns, or the arguments that it changes, where that is its purpose."""
    result = f(*args, **constants)
    return tuple(args[i] for i in changes) or result


def described(kind, path, evidence=""):
    """The exception in flight as a Problem, with the line of the learner's file."""
    problem = sys.exception()
    frames = traceback.extract_tb(problem.__traceback__)
    says = f"raises {type(problem).__name__}: {_first_line(problem)}".rstrip(": ")
    if kind == "todo":
        says = str(problem)
    if kind == "locked":
        says = f"hands back the library's own {problem}; write it yourself"
    own = [i for i, frame in enumerate(frames) if frame.filename == str(path)]
    text = "".join(traceback.format_list(frames[own[0] if own else 0 :]))
    text += "".join(traceback.format_exception_only(problem))
    return Problem(kind, says, evidence, frames[own[-1]].lineno if own else None, text)


def _first_line(problem):
    try:
        lines = str(problem).splitlines() or [""]
    except Exception:  # an exception of the learner's own may have no text
        return ""
    return lines[0] if len(lines[0]) <= LONG else f"{lines[0][:LONG]}…"


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
