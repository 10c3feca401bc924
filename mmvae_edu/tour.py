"""The main job: verify the equations, train the systems, print the tables, write the report."""

import platform
import time
from datetime import date
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table as Grid

from . import plots, report
from .version import __version__

SLIDE = {  # slide 13, Tables 1 and 2, in percent; image ↔ MNIST, strokes ↔ SVHN
    "MMVAE latent image": 91.3,
    "MMVAE latent strokes": 68.0,
    "MVAE latent image": 95.7,
    "MVAE latent strokes": 9.1,
    "MVAE latent both": (94.9, 90.1),
    "VAE latent image": 85.3,
    "VAE latent strokes": 20.7,
    "MMVAE joint": 42.1,
    "MMVAE image → strokes": 86.4,
    "MMVAE strokes → image": 69.1,
    "MVAE joint": 12.7,
}


def tour(out, *, seeds=(0,), fast=False, only=None):
    """Run the tour; returns the exit code, 1 where a claim fails."""
    console, start = Console(), time.perf_counter()
    out = writable(out)
    console.print(f"mmvae_edu {__version__}: multimodal VAEs, every gradient by hand", highlight=False)
    sections, failed = [], 0
    if only in (None, "claims"):
        from .tour_claims import claims_section

        section, failed = claims_section(console, out, seeds[0])
        sections.append(section)
    if only in (None, "systems"):
        from .tour_systems import systems_sections

        sections += systems_sections(console, out, seeds, fast)
    seconds = time.perf_counter() - start
    page = out / "report.html"
    subtitle = (
        f"{date.today().isoformat()} · mmvae_edu {__version__} · seed {', '.join(map(str, seeds))} · "
        f"Python {platform.python_version()}, NumPy {np.__version__}"
    )
    report.write_report(page, "Incomplete multimodal learning, executed", subtitle, sections)
    console.print(f"\nreport: {page}   ({seconds:.0f} s)", highlight=False)
    return 1 if failed else 0


def writable(out):
    """The output folder, made if need be; a ValueError where it cannot be written."""
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as problem:
        raise ValueError(f"--out {out}: cannot write here ({problem.strerror})") from None
    return out


def print_table(console, table):
    """A report.Table on the terminal."""
    grid = Grid(title=table.caption, title_justify="left", box=None, pad_edge=False)
    for i, name in enumerate(table.header):
        grid.add_column(name, justify="left" if i == 0 else "right")
    for row in table.rows:
        grid.add_row(*row)
    console.print()
    console.print(grid, highlight=False)
