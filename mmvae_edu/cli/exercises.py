"""The commands of the exercises: start, status, check, watch, hint, solution, reset, dev-check."""

import inspect
import json
import sys
import time

from ..claims.registry import LEGEND
from ..course import checker, derivation, progress, source
from ..course.examine import NOT_ATTEMPTED
from ..course.exercises import DerivationExercise
from ..course.status import following, show, status_of, statuses
from ..support.terminal import say
from .arguments import filename, whole
from .names import choose, one

CODES = (
    "Checks your solutions. Exit code: 0 right, 1 wrong, 2 not attempted, 3 the checker's own "
    "fault, 64 usage; of several 3 if there is one, else 1, else 2."
)
WHICH = "L05.neg_kl_std_normal, its function's name, a lesson as L05 or 5, or a file"


def add_commands(add):
    """Add the commands by `add(name, run, help, example=)`; each `run` returns an exit code."""
    start = add("start", _start, "copy the exercises into a folder to work in", example="start")
    start.add_argument(
        "dir", nargs="?", type=filename, default=progress.DEFAULT, metavar="DIR",
        help=f"default {progress.DEFAULT}",
    )  # fmt: skip
    status = add("status", _status, "show what is solved, and what comes next", example="status")
    status.add_argument("--json", action="store_true", help="print the exercises as JSON")

    about = f"{CODES} {LEGEND}"
    check = add("check", _check, "check your solutions", about, example="check L05")
    check.add_argument("ids", nargs="*", metavar="ID", help=f"{WHICH}; all where none is given")
    check.add_argument("-v", "--verbose", action="store_true", help="show tracebacks and prints")
    check.add_argument(
        "--explain", action="store_true",
        help="show the equation, the hints you have seen, what must hold, and a small example of "
        "what is wrong",
    )  # fmt: skip
    check.add_argument("--seed", type=whole(0), default=0, metavar="N", help="other random inputs")
    check.add_argument("--json", action="store_true", help="print the results as JSON")

    watch = add("watch", _watch, "check again whenever a file is saved", example="watch L05")
    watch.add_argument("ids", nargs="*", metavar="ID", help=f"{WHICH}; all where none is given")
    watch.add_argument("-v", "--verbose", action="store_true", help="show tracebacks and prints")

    words = "Shows hint 1, the concept; 2, the line of the derivation; or 3, the formula's shape. "
    words += "Without a number, the one that fits the last check, then one that you have not seen; "
    words += "all three once the check was right."
    hint = add("hint", _hint, "show a hint", words, example="hint kl_gauss 2")
    hint.add_argument("id", metavar="ID", help=WHICH)
    hint.add_argument("number", nargs="?", choices=["1", "2", "3"])

    solution = add(
        "solution", _solution, "show the library's function beside yours, once it is right",
        example="solution kl_gauss --give-up",
    )  # fmt: skip
    solution.add_argument("id", metavar="ID", help=WHICH)
    solution.add_argument("--give-up", action="store_true", help="show it now, right or not")

    reset = add(
        "reset", _reset, "put a stub back; your file is backed up first", example="reset kl_gauss"
    )
    which = reset.add_mutually_exclusive_group(required=True)
    which.add_argument("id", nargs="?", metavar="ID", help=WHICH)
    which.add_argument("--all", action="store_true", help="reset all files, each with a backup")

    dev = add(
        "dev-check", _dev_check, "check the checker: stubs, solutions and every mistake",
        example="dev-check --seeds 1",
    )  # fmt: skip
    dev.add_argument("--seeds", type=whole(1), default=3, metavar="N", help="default %(default)s")


def _start(arguments):
    new = progress.start(arguments.dir)
    say(f"{arguments.dir}: {len(new)} new files; nothing that was there has changed")
    if after := following(statuses(arguments.dir)):
        say(f"next: edit {after.file}, then `mmvae-edu check {after.exercise.id}`")
    return 0


def _status(arguments):
    from rich.console import Console

    folder = progress.find_folder()
    rows = statuses(folder)
    if arguments.json:
        print(json.dumps([row.as_dict() for row in rows], indent=1))
    else:
        console = Console(highlight=False)
        console.soft_wrap = not console.file.isatty()  # a pipe gets whole lines
        show(console, folder, rows)
    return 0


def _check(arguments):
    chosen, folder = choose(arguments.ids), progress.find_folder()
    rows, start = [], time.perf_counter()
    teller = Teller(folder, verbose=arguments.verbose, explain=arguments.explain)

    def tell(exercise, verdict):
        rows.append({"id": exercise.id, **verdict.as_dict()})
        untouched = verdict.code == NOT_ATTEMPTED and not arguments.ids
        if not arguments.json and not untouched:
            teller.tell(exercise, verdict)

    options = {"seed": arguments.seed, "explain": arguments.explain}
    verdicts = check_and_keep(chosen, folder, tell, **options)
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return checker.worst(verdicts)
    teller.end()
    if arguments.explain:
        say(LEGEND)
    if not arguments.ids and (n := sum(v.code == NOT_ATTEMPTED for v in verdicts)):
        say(f"TODO   {n} not attempted (`mmvae-edu status` lists them)")
    say(checker.counts(verdicts, time.perf_counter() - start))
    return checker.worst(verdicts)


class Teller:
    """Prints results as they come; exercises of one file with the same fault share one result."""

    def __init__(self, folder, *, verbose=False, explain=False):
        self.folder, self.verbose, self.explain = folder, verbose, explain
        self.alike = []  # (exercise, verdict), not printed yet

    def tell(self, exercise, verdict):
        fault = checker.fault_of(verdict)
        if self.alike and (self.explain or checker.fault_of(self.alike[0][1]) != fault):
            self.end()
        self.alike.append((exercise, verdict))
        if fault is None:
            self.end()

    def end(self):
        """Print what is not printed yet."""
        if not self.alike:
            return
        (exercise, verdict), *others = self.alike
        self.alike = []
        seen = progress.load(self.folder).get(exercise.id) if self.explain else None
        text = checker.message(
            exercise,
            verdict,
            others=[other for other, _ in others],
            hints=seen.hints if seen else (),
            verbose=self.verbose,
            explain=self.explain,
        )
        say(text, flush=True)


def check_and_keep(chosen, folder, tell, **options):
    """Check exercises, record each outcome and pass it to tell(exercise, verdict).

    Returns the verdicts.  What cannot be recorded, as in a read-only folder, is said at the end.
    """
    hashes = {exercise.id: progress.file_hash(folder, exercise) for exercise in chosen}
    verdicts, problem = [], None
    for exercise, verdict in checker.check_all(chosen, folder, **options):
        row = folder, exercise, verdict, hashes[exercise.id]
        problem = _unrecorded(progress.record, *row) or problem
        verdicts.append(verdict)
        tell(exercise, verdict)
    if problem:
        say(problem, file=sys.stderr)
    return verdicts


def _unrecorded(record, *arguments):
    """Call a function that records progress; returns a sentence if it cannot, else None."""
    try:
        record(*arguments)
    except ValueError as problem:
        return f"progress was not recorded: {problem}"


def _watch(arguments):
    from ..course.watch import watch

    chosen, folder = choose(arguments.ids), progress.find_folder()

    def check(some):
        teller = Teller(folder, verbose=arguments.verbose)
        check_and_keep(some, folder, teller.tell)
        teller.end()

    try:
        watch(chosen, folder, check)
    except KeyboardInterrupt:  # the one way to end it
        say("\nwatch ended")
    return 0


def _last_status(exercise):
    """Return the Status of an exercise, or None where there is no folder."""
    try:
        folder = progress.find_folder()
    except ValueError:
        return None
    row = progress.load(folder).get(exercise.id, progress.Row())
    return status_of(row, folder, exercise)


def _solved(now):
    return now is not None and now.state == "right" and now.changed != "file"


def _hint(arguments):
    exercise = one(arguments.id)
    now = _last_status(exercise)
    if arguments.number:
        numbers = [int(arguments.number)]
    else:
        numbers = [1, 2, 3] if _solved(now) else [next_hint(exercise, now)]
    for mutant in exercise.mutants:
        if now and mutant.name in now.mistakes[:1]:
            say(f"last check: {mutant.says}")
    for number in numbers:
        say(f"{number}/3  {exercise.hints[number - 1]}")
    if now:
        folder = progress.find_folder()
        if problem := _unrecorded(progress.record_hints, folder, exercise, numbers):
            say(problem, file=sys.stderr)
    return 0


def next_hint(exercise, now):
    """Return the number of a hint: that for the last check's mistake, or the first not seen."""
    if now is None:
        return 1
    fitting = exercise.fitting_hint(now.mistakes) if now.state == "wrong" else 1
    unseen = [number for number in (fitting, 1, 2, 3) if number not in now.hints]
    return (unseen or [fitting])[0]


def _solution(arguments):
    exercise = one(arguments.id)
    if not arguments.give_up and not _solved(_last_status(exercise)):
        say(f"{exercise.id} is not solved yet: `mmvae-edu check {exercise.id}`, or --give-up")
        return 1
    try:
        path = progress.own_file(progress.find_folder(), exercise.stub)
    except ValueError:
        path = exercise.stub
    if isinstance(exercise, DerivationExercise):
        say(derivation.solved(exercise))
        return 0
    if own := source.function_source(path, exercise.name):
        say(f"# yours: {path}\n{own}\n")
    _, line = inspect.getsourcelines(exercise.of)
    say(f"# the library's: {inspect.getsourcefile(inspect.unwrap(exercise.of))}:{line}")
    say(inspect.getsource(exercise.of))
    return 0


def _reset(arguments):
    folder = progress.find_folder()
    if arguments.all:
        backups = progress.reset_all(folder)
        say(f"{folder}: all files are stubs again; kept: {', '.join(p.name for p in backups)}")
        return 0
    exercise = one(arguments.id)
    kept = progress.reset(folder, exercise)
    say(f"{exercise.id} is a stub again" + (f"; your file is kept as {kept}" if kept else ""))
    return 0


def _dev_check(arguments):
    from ..course.dev import dev_check

    return dev_check(arguments.seeds)
