"""The main job: verify the equations, train the systems, print the tables, write the report."""

import platform
import time
from datetime import date

import numpy as np
from rich.console import Console

from . import report, storage
from .version import __version__


def tour(out, *, seeds=(0,), fast=False, only=None):
    """Run the tour; returns the exit code, 1 where a claim fails."""
    console, start = Console(), time.perf_counter()
    out = storage.folder(out)
    console.print(
        f"mmvae_edu {__version__}: multimodal VAEs, every gradient by hand", highlight=False
    )
    sections, failed = [], 0
    if only in (None, "claims"):
        from .tour_claims import claims_section

        section, failed = claims_section(console, out, seeds[0])
        sections.append(section)
    if only in (None, "systems"):
        from .tour_systems import systems_sections

        sections = systems_sections(console, out, seeds, fast) + sections
    seconds = time.perf_counter() - start
    page = out / "report.html"
    subtitle = (
        f"{date.today().isoformat()} · mmvae_edu {__version__} · seed {', '.join(map(str, seeds))}"
        f" · Python {platform.python_version()}, NumPy {np.__version__}"
    )
    report.write_report(page, "Incomplete multimodal learning, executed", subtitle, sections)
    console.print(f"\nreport: {page}   ({seconds:.0f} s)", highlight=False)
    return 1 if failed else 0
