"""Claims: executable statements about the slides' equations.

A claim is a function of an implementation, so that one claim serves the tour (the library's
function), a lesson, an exercise (the learner's function) and every mutant (a wrong function,
which the claim must reject):

    @claim("S5.11", of=neg_kl_std_normal, tol=T1, oracle="O2 quadrature")
    def l1_is_minus_kl(f, rng):
        '''L1 is minus the KL divergence from q to the prior.'''
        ...
        return lhs, rhs

    @mutant(elbo, says="the log of the average of p(z, x)/q(z)", because="another formula")
    def log_of_average(q, log_joint): ...

    @terms(neg_kl_std_normal)
    def l1_terms(mu, log_var): ...
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..mistakes import edits_of

if __doc__ is None:
    raise ValueError("docstrings state the claims, and python -OO drops them: start it without -OO")


@dataclass(frozen=True)
class Tolerance:
    """A limit for the error of lhs, relative to max(1, |rhs|), or for a z-score."""

    name: str
    meaning: str
    limit: float


T0 = Tolerance("T0", "finite identity", 1e-12)
T1 = Tolerance("T1", "quadrature or 50-digit arithmetic", 1e-10)
T2 = Tolerance("T2", "gradient against central differences", 1e-7)
T2C = Tolerance("T2'", "gradient against complex step", 1e-13)
T3 = Tolerance("T3", "gradient against another library's", 1e-10)
T4 = Tolerance("T4", "Monte Carlo, |z| with a fixed seed", 4.0)
ORACLES = {
    "O1": "sums over all states of a small discrete model",
    "O2": "quadrature over one latent dimension",
    "O3": "linear-Gaussian models in closed form",
    "O4": "importance-weighted bounds without sampling, by Frullani's integral",
    "O5": "arithmetic of 50 digits (mpmath)",
    "O7": "complex steps through the function itself",
}
LEGEND = (
    f'Oracles: {"; ".join(map(" ".join, ORACLES.items()))}. "error A of B": the largest error '
    'found is A, relative to max(1, |right value|), and the claim allows B. "|z| A of 4": a mean '
    "of random draws is A standard errors off, and 4 are allowed."
)
POWER = 8.0  # a mutant must reach this |z| at the same number of draws, or the check has no power


@dataclass(frozen=True)
class Claim:
    name: str
    equations: tuple[str, ...]
    of: Callable  # the library's implementation
    tol: Tolerance
    oracle: str
    check: Callable  # (f, rng) -> (lhs, rhs); under T4 lhs holds the draws, stacked first

    @property
    def statement(self):
        return " ".join(self.check.__doc__.split())


@dataclass(frozen=True)
class Mutant:
    name: str
    says: str
    f: Callable
    hint: int | None = None  # the number of the hint that fits
    because: str = ""  # of a Python function: why it is no edit


@dataclass(frozen=True)
class Result:
    claim: Claim
    passed: bool
    error: float  # achieved; compare with claim.tol.limit
    note: str = field(default="")  # the exception's text, where the implementation raised

    @property
    def numbers(self):
        """The achieved error beside the limit, in words."""
        if self.claim.tol is T4:
            size = f"{self.error:.1f}" if self.error < 1000 else f"{self.error:.0e}"
            return f"|z| {size} of {T4.limit:.0f}"
        return f"{self.error:.0e} of {self.claim.tol.limit:.0e}"


CLAIMS: dict[str, Claim] = {}
FUNCTIONS: dict[Callable, list[Mutant]] = {}  # the mutants that are no edits
TERMS: dict[Callable, Callable] = {}


def claim(*equations, of, tol, oracle):
    """Register a check `(f, rng) -> (lhs, rhs)` as a claim about `equations`, if any."""

    def register(check):
        if check.__name__ in CLAIMS:
            raise ValueError(f"two claims are named {check.__name__}")
        CLAIMS[check.__name__] = Claim(check.__name__, equations, of, tol, oracle, check)
        return check

    return register


def mutant(of, *, says, because, hint=None):
    """Register a mistake in `of` that is no edit of its text, `because` of what."""

    def register(f):
        FUNCTIONS.setdefault(of, []).append(Mutant(f.__name__, says, f, hint, because))
        return f

    return register


def mutants_of(of):
    """List a library function's mutants: the edits in `mistakes`, then the Python functions."""
    edits = [Mutant(name, row["says"], f, row.get("hint")) for name, row, f in edits_of(of)]
    return edits + FUNCTIONS.get(of, [])


def terms(of):
    """Register `of` as a sum of named terms: a function called like it, (values, pullback).

    values: {name: value}, which add up to the value of `of`, or {} where it is not split;
    pullback(*cotangents): {name: gradient}, which add up to its gradient, each of that form.
    """

    def register(f):
        if of in TERMS:
            raise ValueError(f"{of.__qualname__} has terms already: {TERMS[of].__name__}")
        TERMS[of] = f
        return f

    return register


def achieved_error(lhs, rhs, tol):
    """Return the largest relative error, or |z| under T4; inf where anything is not finite."""
    if tol is T4:
        draws = np.asarray(lhs, dtype=np.float64)
        n = draws.shape[0]
        with np.errstate(all="ignore"):
            standard_error = draws.std(axis=0, ddof=1) / np.sqrt(n)
            error = np.abs(draws.mean(axis=0) - rhs) / standard_error
            error = np.where(
                standard_error == 0, np.where(draws.mean(axis=0) == rhs, 0, np.inf), error
            )
    else:
        lhs, rhs = np.asarray(lhs), np.asarray(rhs)
        if lhs.shape != rhs.shape:
            return np.inf
        error = np.abs(lhs - rhs) / np.maximum(1.0, np.abs(rhs))
    worst = float(np.max(error, initial=0.0))
    return worst if np.isfinite(worst) else np.inf


def run(claim, f=None, *, seed=0):
    """Check one claim on `f`, by default on the library's own function."""
    rng = np.random.default_rng(seed)
    try:
        error = achieved_error(*claim.check(claim.of if f is None else f, rng), claim.tol)
    except Exception as problem:  # a wrong implementation may raise anything; that is a failure
        return Result(claim, False, np.inf, f"{type(problem).__name__}: {problem}")
    return Result(claim, error <= claim.tol.limit, error)
