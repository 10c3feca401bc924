"""The command reproduce: train and measure the systems of the slides' tables, or show them."""

import sys
from collections import Counter
from importlib import resources
from pathlib import Path

from ..measure.tables import executors, store
from ..measure.tables.experiments import GROUPS, experiments, jobs, members
from ..measure.tables.progress import bars
from ..support import files
from ..support.devices import namespace
from .arguments import filename, whole

COMMITTED = Path(str(resources.files("mmvae_edu.lessons"))) / "results"


def add_commands(add):
    """Add the command by `add(name, run, help, example=)`; its `run` returns an exit code."""
    command = add(
        "reproduce", _reproduce, "train and measure the systems of the slides' tables",
        "Runs the jobs of an experiment, one system and one seed each, in processes of their own. "
        "A job that has a result is not run again, and one that was stopped goes on from its "
        "checkpoint. Several runs with one DIR share the jobs. Results are appended to "
        "DIR/EXPERIMENT.jsonl. All settings are in "
        "mmvae_edu/measure/tables/experiments.toml.",
        example="reproduce mnist --systems MVAE VAE --seeds 0",
    )  # fmt: skip
    names = [*experiments(), *GROUPS]
    command.add_argument("name", choices=names, metavar="NAME", help=", ".join(names))
    command.add_argument(
        "--seeds", type=whole(0), nargs="+", metavar="N", help="default: the file's"
    )
    command.add_argument("--systems", nargs="+", metavar="S", help="run only these")
    command.add_argument("--epochs", type=whole(1), metavar="N", help="default: the file's")
    command.add_argument(
        "--workers", type=whole(1), default=1, metavar="N", help="number of processes, default 1"
    )
    command.add_argument(
        "--threads", type=whole(1), default=1, metavar="N", help="threads in each, default 1"
    )
    command.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    command.add_argument("--scheduler", metavar="ADDRESS", help="run on this Dask cluster instead")
    command.add_argument(
        "--out", type=filename, default=Path("mmvae_edu_out/results"), metavar="DIR",
        help="folder for results, default %(default)s",
    )  # fmt: skip
    command.add_argument("--show", action="store_true", help="print what was measured; run nothing")
    command.add_argument(
        "--format", choices=["text", "markdown", "latex"], default="text", help="of --show"
    )


def _reproduce(arguments):
    if arguments.show:
        return _show(arguments)
    options = {name: getattr(arguments, name) for name in ("seeds", "systems", "epochs")}
    wanted = {}
    for job in jobs(arguments.name, **options):
        wanted.setdefault(job["experiment"], []).append(job)
    if arguments.scheduler is not None:
        executor = executors.on_a_cluster(arguments.scheduler, arguments.threads, arguments.device)
    else:
        namespace(arguments.device)  # says what is missing before anything starts
        executor = executors.in_processes(arguments.workers, arguments.threads, arguments.device)
    out, work, todo = arguments.out, files.folder(arguments.out / "work").resolve(), []
    for name, all_jobs in wanted.items():
        todo += (missing := store.missing(out / f"{name}.jsonl", all_jobs))
        print(f"{name}: {len(all_jobs) - len(missing)} of {len(all_jobs)} done already", flush=True)
    failed = Counter()  # sentence → how many jobs it ended
    with bars(todo, work) as remove:
        for job, outcome in executors.shared(todo, executor, out, work):
            remove(job)
            what = f"{job['experiment']}, {job['system']}, seed {job['seed']}"
            if not isinstance(outcome, executors.JobFails):
                print(f"{what}: {_words(outcome['numbers'])}", flush=True)
                continue
            failed[str(outcome)] += 1
            if failed[str(outcome)] == 1:
                print(f"{what}: {outcome}", file=sys.stderr, flush=True)
    if failed.total() > len(failed):
        print(f"{failed.total()} jobs failed, for nothing but what is said above", file=sys.stderr)
    return 1 if failed else 0


def _show(arguments):
    """Print the tables, and draw a figure of each beside its results."""
    from rich.console import Console

    from ..measure.tables import tables
    from ..report import plots

    shown, out, form = 0, arguments.out, arguments.format
    jobs(arguments.name, systems=arguments.systems)  # says which systems there are
    for name in members(arguments.name):
        path = out / f"{name}.jsonl"
        if shipped := not path.exists():
            path = COMMITTED / path.name
        if not (rows := [row for row in store.read(path) if _wanted(row["job"], arguments)]):
            asked = [f"--{of}" for of in ("systems", "seeds", "epochs") if getattr(arguments, of)]
            of_these = f" of these {', '.join(asked)}" if asked else ""
            print(f"{name}: nothing measured yet{of_these}", file=sys.stderr)
            continue
        shown += 1
        if shipped:
            print(f"{name}: none in {out}; these are the package's own", file=sys.stderr)
        for part in tables.parts(rows):
            table = tables.table(name, rows, part)
            if form == "text":
                table.show(Console(width=max(Console().width, 240)))  # or cells are cut off
            else:
                print(tables.markdown(table) if form == "markdown" else tables.latex(table))
        picture = files.prepare(out / f"{name}.png")
        plots.write_png(tables.figure(name, rows), picture)
        print(f"figure {picture}", file=sys.stderr)
    return 0 if shown else 1


def _wanted(job, arguments):
    """Tell whether a result is one of those asked for."""
    asked = arguments.systems, arguments.seeds, arguments.epochs and [arguments.epochs]
    found = job["system"], job["seed"], job["training"]["epochs"]
    return all(among is None or one in among for one, among in zip(found, asked, strict=True))


def _words(numbers):
    return ", ".join(f"{name} {value['mean']:.2f}" for name, value in numbers.items())
