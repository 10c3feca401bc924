"""The commands of the whole tour: tour and report."""

from pathlib import Path

from .arguments import filename, whole

OUT = Path("mmvae_edu_out")


def add_commands(add):
    """Add the commands by `add(name, run, help, example=)`; each `run` returns an exit code."""
    tour = add(
        "tour", _tour, "verify every equation, train the systems on real digits, write the report",
        "Verifies every equation of the slides, trains VAE, IWAE, MVAE and MMVAE on the embedded "
        "digits, prints the tables and writes figures and report.html.",
        example="tour --fast",
    )  # fmt: skip
    tour.add_argument("--fast", action="store_true", help="train for fewer steps")
    tour.add_argument(
        "--seed", type=whole(0), nargs="+", default=[0], metavar="N",
        help="several seeds give tables of medians",
    )  # fmt: skip
    tour.add_argument("--out", type=filename, default=OUT, metavar="DIR", help="folder for files")
    tour.add_argument("--only", choices=["claims", "systems"], help="run one half of the tour")

    report = add(
        "report", _report, "write one offline page: equations, claims, figures, your progress",
        "Checks every claim and writes one offline page: each equation with its claims, their "
        "errors, tolerances and oracles; the tables and figures of the last tour, if its folder is "
        "there; your progress, if exercises are there.",
        example="report -o report.html",
    )  # fmt: skip
    report.add_argument("-o", "--out", type=filename, default=Path("report.html"), metavar="FILE")
    words = f"the tour's folder, default {OUT}"
    report.add_argument("--tour", type=filename, default=OUT, metavar="DIR", help=words)


def _tour(arguments):
    from ..tour import tour

    seeds = list(dict.fromkeys(arguments.seed))
    return tour(arguments.out, seeds=seeds, fast=arguments.fast, only=arguments.only)


def _report(arguments):
    from ..tour import report_only

    if arguments.tour != OUT and not arguments.tour.is_dir():
        raise ValueError(f"--tour {arguments.tour}: expected the folder of a tour, found none")
    return report_only(arguments.out, arguments.tour)
