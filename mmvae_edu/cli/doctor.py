"""The command doctor: what works on this machine, and a fix for the rest.

It imports the standard library alone, so that it can say which package is missing.
"""

import json
import os
import platform
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from ..support.clones import PACKAGE
from ..support.threads import OF_PRODUCTS

PIP = "python -m pip install"
EXTRAS = {  # what each is for
    "cuda12": "training on a GPU, CUDA 12",
    "cuda13": "training on a GPU, CUDA 13",
    "bench": "the benchmark's columns of PyTorch",
    "data": "larger sets of data",
    "notebook": "lessons as notebooks",
    "sweep": "many runs at once",
    "symbolic": "proofs by SymPy",
    "test": "the tests",
}


@dataclass(frozen=True)
class Finding:
    """One line of the answer: what was examined, whether it works, what was found, the fix."""

    name: str
    ok: bool
    found: str
    fix: str = ""
    needed: bool = True
    tried: bool = True  # else only its version was read

    @property
    def word(self):
        if self.ok:
            return "ok" if self.tried else "here"
        return "MISSING" if self.needed else "absent"


def add_commands(add):
    """Add the command by `add(name, run, help, example=)`; its `run` returns an exit code."""
    command = add("doctor", _run, "say what works here, and how to mend the rest", example="doctor")
    command.add_argument("--json", action="store_true", help="print the findings as JSON")


def _run(arguments):
    return doctor(as_json=arguments.json)


def doctor(*, as_json=False):
    """Examine everything and print it; return 1 if something that is needed fails, else 0."""
    found = findings()
    bad = sum(finding.needed and not finding.ok for finding in found)
    if as_json:
        print(json.dumps([asdict(finding) for finding in found], indent=1))
    else:
        width = max(len(finding.name) for finding in found)
        for finding in found:
            print(f"{finding.word:8} {finding.name:{width}}  {finding.found}")
            if finding.fix:
                print(f"{'':8} {'':{width}}  {finding.fix}")
        print(f"{bad} to mend" if bad else "all that is needed is here")
    return 1 if bad else 0


def findings():
    """Return every Finding, those that are needed first."""
    here = [python(), folders(), *packages(), arithmetic(), threads(), data(), writable()]
    return [*here, *backends(), *extras()]


def python():
    """Check that Python is new enough."""
    found = f"{platform.python_version()}, {sys.executable}"
    fix = "install Python 3.11 or newer and make a new virtual environment with it"
    ok = sys.version_info >= (3, 11)
    return Finding("Python", ok, found, "" if ok else fix)


def folders():
    """Check that package, kernels and lessons belong to one clone or one installation."""
    specs = [find_spec(f"mmvae_edu.{part}") for part in ("kernels", "lessons")]
    kernels, lessons = (s and s.origin and Path(s.origin).resolve().parent for s in specs)
    homes = PACKAGE, PACKAGE.parent  # of an installation, of a clone
    ok = any((kernels, lessons) == (home / "kernels", home / "lessons") for home in homes)
    found = f"{PACKAGE}, {kernels or 'no kernels'}, {lessons or 'no lessons'}"
    fix = f"work in one clone, or install it again: {PIP} -e ."
    return Finding("mmvae_edu", ok, found, "" if ok else fix)


def requirements(extra="", package="mmvae_edu"):
    """Return what an extra of a package adds here or, without one, what it always needs."""
    from importlib.metadata import requires

    from packaging.requirements import Requirement

    wanted = [Requirement(text) for text in requires(package) or []]
    always = [r for r in wanted if not r.marker or r.marker.evaluate({"extra": ""})]
    if not extra:
        return always
    return [r for r in wanted if r not in always and r.marker.evaluate({"extra": extra})]


def met(requirement):
    """Tell whether a package is installed in a version that will do, with its own extras."""
    name, version = requirement.name, installed(requirement.name)
    if not version or not requirement.specifier.contains(version, prereleases=True):
        return False
    return all(met(added) for extra in requirement.extras for added in requirements(extra, name))


def install(*wanted):
    """Return the command that installs these requirements."""
    quoted = [f'"{str(each).partition(";")[0].strip()}"' for each in wanted]  # without its marker
    return " ".join([PIP, *quoted])


def installed(name):
    """Return a package's version, or None if it is not installed."""
    from importlib import metadata  # here, since it would slow --help down

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


MODULES = {"markdown-it-py": "markdown_it"}  # names of modules that are not the package's


def packages():
    """Yield a Finding for each package that is always needed."""
    fix = f"{PIP} -e . in the clone, or the wheel"
    if not installed("mmvae_edu"):  # a clone that is only on the path
        found = "mmvae_edu is not installed, so the packages that it needs are not on record"
        yield Finding("packages", False, found, fix)
        return
    try:
        needed = requirements()
    except ImportError as problem:  # packaging is missing
        yield Finding("packages", False, str(problem), fix)
        return
    for wanted in needed:
        ok, found, fix = met(wanted), installed(wanted.name) or "not installed", install(wanted)
        module = MODULES.get(wanted.name, wanted.name)
        if ok and (problem := failure(import_module, module)):
            ok, found, fix = False, f"{found}: {problem}", f"{PIP} --force-reinstall {wanted.name}"
        yield Finding(wanted.name, ok, found, "" if ok else fix)


def failure(function, *arguments):
    """Return in one line what a call raises; "" if it raises nothing."""
    try:
        function(*arguments)
    except Exception as problem:
        return " ".join(f"{type(problem).__name__}: {problem}".split())[:200]
    return ""


def arithmetic():
    """Check that doubles are IEEE 754 with subnormals, which some compilers' flags switch off."""
    try:
        import numpy as np
    except ImportError as problem:
        return Finding("float64", False, str(problem))
    kind = np.finfo(np.float64)
    eps, tiny = np.float64(2) ** -52, np.float64(2) ** -1074
    ok = kind.eps == eps and 1 + eps > 1 and 1 + eps / 2 == 1 and tiny / 2 == 0 < tiny
    fix = "" if ok else "a library loaded here has switched subnormals off (-ffast-math)"
    return Finding("float64", bool(ok), f"eps {kind.eps:.1e}, smallest {tiny:.1e}", fix)


def threads():
    """Say how many threads this command's matrix products have, and what sets them elsewhere."""
    found = ", ".join(f"{name}={os.environ[name]}" for name in OF_PRODUCTS if name in os.environ)
    fix = (
        f"commands set this; for scripts and notebooks set {OF_PRODUCTS[0]}=1 before Python starts"
    )
    return Finding("threads", True, found, fix)


def data():
    """Check that the embedded digits are undamaged."""
    try:
        from ..data import verify

        return Finding("digits", True, f"{len(verify()):,} bytes, SHA-256 as recorded")
    except (ValueError, OSError, ImportError) as problem:
        fix = "install mmvae_edu again"
        return Finding("digits", False, str(problem), fix)


def writable():
    """Check that files can be written in the current folder."""
    try:
        tempfile.TemporaryFile(dir=".").close()
        return Finding("folder", True, f"{os.getcwd()} is writable")
    except OSError as problem:
        fix = "go to a folder of your own, or use --out"
        return Finding("folder", False, f"cannot write here: {problem.strerror}", fix)


def backends():
    """Yield a Finding for each backend of the kernels; only `reference` is needed."""
    try:
        from .. import kernels

        found = kernels.available()
    except ImportError as problem:
        found = {"reference": str(problem)}
    for name, backend in found.items():
        problem = backend if isinstance(backend, str) else failure(weigh, backend)
        found, needed = problem or "works here", name == "reference"
        yield Finding(f"kernels.{name}", not problem, found, needed=needed)


def weigh(backend):
    """Let a backend weigh two equal samples, in the arrays that it takes."""
    array = getattr(backend, "ndarray", import_module("numpy").ndarray)
    library = import_module(array.__module__.partition(".")[0])
    _, weights = backend.importance_weights(library.zeros((2, 1), "float32"))
    if weights.tolist() != [[0.5], [0.5]]:
        raise ArithmeticError(f"importance_weights: expected 0.5 and 0.5, found {weights}")


def extras():
    """Yield a Finding for each extra: its purpose, and the command that installs what it lacks."""
    from importlib.metadata import metadata

    try:
        names = metadata("mmvae_edu").get_all("Provides-Extra") or []
        wanted = {extra: requirements(extra) for extra in names}
    except ImportError:  # `packages` has said so
        return
    for extra, packages in wanted.items():
        lacking = [package for package in packages if not met(package)]
        found = EXTRAS.get(extra, "")
        if 0 < len(lacking) < len(packages):
            found += f"; {len(lacking)} of {len(packages)} packages lacking"
        fix = install(*lacking) if lacking else ""
        yield Finding(f"extra {extra}", not lacking, found, fix, needed=False, tried=False)
