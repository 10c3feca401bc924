"""The commands of the exercises: start, status, check, hint, solution, reset, dev-check."""

import inspect
import json
import time
from pathlib import Path

from . import checker, progress
from .exercises import exercises, select

STATES = {None: "not checked", 0: "right", 1: "wrong", 2: "not attempted", 3: "checker's fault"}


def add_commands(subparsers):
    """Add the commands to `parser.add_subparsers()`; each sets `run`, which returns a code."""

    def add(name, run, help, description=None):
        command = subparsers.add_parser(name, help=help, description=description or help)
        command.set_defaults(run=run)
        return command

    start = add("start", _start, "copy the exercises into a folder to work in")
    start.add_argument("dir", nargs="?", type=Path, default=progress.DEFAULT, metavar="DIR")
    add("status", _status, "what is solved, and what comes next")

    codes = "Exit code: 0 right, 1 wrong, 2 not attempted, 3 the checker's own fault, 64 usage; of "
    codes += "several the largest. ID is L04.neg_kl_std_normal, a function's name, or a lesson."
    check = add("check", _check, "check your solutions", codes)
    check.add_argument("ids", nargs="*", metavar="ID", help="all exercises where none is given")
    check.add_argument("-v", "--verbose", action="store_true", help="tracebacks and your prints")
    check.add_argument("--seed", type=int, default=0, metavar="N", help="other random inputs")
    check.add_argument("--json", action="store_true", help="the results as JSON")

    hint = add("hint", _hint, "a hint: 1 the concept, 2 the line, 3 the shape of the formula")
    hint.add_argument("id", metavar="ID")
    hint.add_argument("number", nargs="?", type=int, choices=[1, 2, 3])

    solution = add("solution", _solution, "the library's function beside yours, once it is right")
    solution.add_argument("id", metavar="ID")
    solution.add_argument("--give-up", action="store_true", help="now, right or not")

    reset = add("reset", _reset, "put one stub back; your file is backed up first")
    reset.add_argument("id", metavar="ID")

    dev = add("dev-check", _dev_check, "check the checker: stubs, solutions and every mistake")
    dev.add_argument("--seeds", type=int, default=3, metavar="N")


def _one(name):
    chosen = select([name])
    if len(chosen) > 1:
        raise ValueError(f"{name} is several exercises: {', '.join(e.id for e in chosen)}")
    return chosen[0]


def _start(arguments):
    try:
        new = progress.start(arguments.dir)
    except OSError as problem:
        raise ValueError(f"{arguments.dir}: cannot write here: {problem.strerror}") from None
    first = next(iter(exercises()))
    print(f"{arguments.dir}: {len(new)} new files; nothing that was there has changed")
    print(f"next: edit {exercises()[first].stub.name}, then `mmvae-edu check {first}`")
    return 0


def _status(arguments):
    folder = progress.find_folder()
    kept = progress.load(folder)
    right, following = 0, None
    for id, exercise in exercises().items():
        code, changed = progress.state(kept, folder, exercise)
        right += code == 0
        if code != 0 and following is None:
            following = exercise
        print(f"{id:28} {STATES.get(code, code)}{', file changed since' if changed else ''}")
    print(f"{right} of {len(exercises())} right, in {folder}")
    if following:
        print(f"next: {folder / following.stub.name}, {following.id}")
    return 0


def _check(arguments):
    chosen = select(arguments.ids)
    folder = progress.find_folder()
    if arguments.seed < 0:
        raise ValueError(f"--seed {arguments.seed} is negative")
    before = {exercise.id: progress.file_hash(folder, exercise) for exercise in chosen}
    results, rows, start = [], [], time.perf_counter()
    for exercise, verdict in checker.check_all(chosen, folder, seed=arguments.seed):
        results.append((exercise, verdict, before[exercise.id]))
        rows.append({"id": exercise.id, **verdict.as_dict()})
        if not arguments.json:
            print(checker.message(exercise, verdict, verbose=arguments.verbose), flush=True)
    verdicts = [verdict for _, verdict, _ in results]
    seconds = time.perf_counter() - start
    print(json.dumps(rows, indent=1) if arguments.json else checker.counts(verdicts, seconds))
    progress.record(folder, results)
    return checker.worst(verdicts)


def _solved(exercise):
    try:
        folder = progress.find_folder()
    except ValueError:
        return False
    return progress.state(progress.load(folder), folder, exercise) == (0, False)


def _hint(arguments):
    exercise = _one(arguments.id)
    numbers = [arguments.number or 1]
    if arguments.number is None and _solved(exercise):
        numbers = [1, 2, 3]
    for number in numbers:
        print(f"{number}/3  {exercise.hints[number - 1]}")
    return 0


def _solution(arguments):
    exercise = _one(arguments.id)
    if not arguments.give_up and not _solved(exercise):
        print(f"{exercise.id} is not solved yet: `mmvae-edu check {exercise.id}`, or --give-up")
        return 1
    try:
        path = progress.find_folder() / exercise.stub.name
    except ValueError:
        path = exercise.stub
    if own := progress.function_source(path, exercise.name):
        print(f"# yours: {path}\n{own}\n")
    _, line = inspect.getsourcelines(exercise.of)
    print(f"# the library's: {inspect.getsourcefile(exercise.of)}:{line}")
    print(inspect.getsource(exercise.of))
    return 0


def _reset(arguments):
    exercise = _one(arguments.id)
    kept = progress.reset(progress.find_folder(), exercise)
    print(f"{exercise.id} is a stub again" + (f"; your file is kept as {kept}" if kept else ""))
    return 0


def _dev_check(arguments):
    from .dev import dev_check

    return dev_check(arguments.seeds)
