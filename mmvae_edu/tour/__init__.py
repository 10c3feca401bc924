"""The tour: it checks the equations, trains the systems, prints tables and writes a report."""

import platform
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
from rich.console import Console

from ..report import page, saved_sections
from ..support import files
from ..version import __version__
from .claims import check_equations, claims_section, distinct, show, show_count
from .derivations import check_derivations
from .progress import progress_sections
from .proofs import check_pullbacks

RECORDS = ("systems.json", "gradients.json")  # the tour's sections, beside its figures


def tour(out, *, seeds=(0,), fast=False, only=None):
    """Run the tour; returns the exit code, 1 if a claim or a derivation fails."""
    console, start = Console(), time.perf_counter()
    out = files.folder(out)
    console.print(
        f"mmvae_edu {__version__}: multimodal VAEs, every gradient by hand", highlight=False
    )
    sections, checked, derived = [], {}, True
    if only in (None, "claims"):
        from .gradients import gradients_section

        checked = check_equations(seeds[0])
        show(console, checked)
        derivations, derived = check_derivations(console)
        gradients = [gradients_section(console, out, seeds[0])]
        saved_sections.save(out / "gradients.json", gradients)
        proofs, proved = check_pullbacks(console)
        derived = derived and proved
        sections = [claims_section(checked, out), derivations, proofs, *gradients]
    sections = progress_sections() + sections
    if only in (None, "systems"):
        from .pictures import systems_sections

        systems = systems_sections(console, out, seeds, fast)
        saved_sections.save(out / "systems.json", systems)
        sections = systems + sections
    write(out / "report.html", seeds, sections)
    seconds = time.perf_counter() - start
    console.print(f"\nreport: {out / 'report.html'}   ({seconds:.0f} s)", highlight=False)
    return exit_code(checked, derived)


def report_only(path, folder):
    """Check the claims and write the page with a tour's results in `folder`; the exit code."""
    files.prepare(path, "--out")  # before the work, not after it
    systems, gradients = (
        saved_sections.load(folder / name) if (folder / name).exists() else [] for name in RECORDS
    )
    checked, progress = check_equations(0), progress_sections()
    with tempfile.TemporaryDirectory() as figures:
        equations = claims_section(checked, Path(figures))
        derivations, derived = check_derivations(Console())
        proofs, proved = check_pullbacks(Console())
        write(path, [0], [*systems, *progress, equations, derivations, proofs, *gradients])
    show_count(Console(), checked)
    print(f"tables, figures: {folder if systems else 'no; `mmvae-edu tour` makes them'}")
    print(f"your progress: {'yes' if progress else 'no; `mmvae-edu start` begins it'}")
    print(f"report: {path}")
    return exit_code(checked, derived and proved)


def write(path, seeds, sections):
    """Write the page, headed by the date and the versions."""
    subtitle = (
        f"{date.today().isoformat()} · mmvae_edu {__version__} · seed {', '.join(map(str, seeds))}"
        f" · Python {platform.python_version()}, NumPy {np.__version__}"
    )
    page.write_report(path, "Incomplete multimodal learning, executed", subtitle, sections)


def exit_code(checked, derived):
    """Return 0 if all claims and all lines of derivations hold, else 1."""
    return 0 if derived and all(result.passed for result in distinct(checked)) else 1
