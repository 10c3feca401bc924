"""The command data: list, fetch, import and check the larger data sets."""

from ..data.fetch import fetch, import_from
from ..data.files import FILES, CannotWrite, cache, state
from ..data.sets import SETS
from .arguments import filename


def add_commands(add):
    """Add the command, with its verbs, by `add(name, run, help, example=)`."""
    data = add(
        "data", _list, "list, fetch, import or check the larger data sets",
        "The embedded digits need none of this. Files are verified by SHA-256 and kept in "
        "$MMVAE_EDU_DATA, or else in the user's cache folder.",
        example="data list",
    )  # fmt: skip
    verbs = data.add_subparsers(title="verbs", required=True, metavar="VERB")
    verbs.add_parser("list", help="list the data sets and say which are here").set_defaults(
        run=_list
    )
    get = verbs.add_parser("fetch", help="download what is missing of a data set")
    copy = verbs.add_parser("import", help="copy a data set's files from a folder")
    copy.add_argument("--from", dest="folder", type=filename, required=True, metavar="DIR")
    for verb, run in (get, _fetch), (copy, _import):
        verb.add_argument("name", metavar="NAME", help=", ".join(SETS))
        verb.set_defaults(run=run)
    verbs.add_parser("check", help="verify every file by its SHA-256").set_defaults(run=_check)


def _list(arguments):
    print(f"in {cache()}")
    for name, (sources, what) in SETS.items():
        files = [file for source in sources for file in FILES[source]]
        there = sum(state(file) == "there" for file in files)
        print(f"{name:17} {there} of {len(files)} files  {what}")
    return 0


def _fetch(arguments):
    for source in _sources(arguments.name):
        _say(source, fetch(source))
    return 0


def _import(arguments):
    problems = []
    for source in _sources(arguments.name):
        try:
            _say(source, import_from(source, arguments.folder))
        except CannotWrite:
            raise
        except ValueError as problem:
            problems.append(str(problem))
    if problems:
        raise ValueError("\n".join(dict.fromkeys(problems)))
    return 0


def _check(arguments):
    """Return exit code 1 if a file is damaged or unreadable; a missing one is no fault."""
    states = []
    for source, files in FILES.items():
        for file in files:
            states.append(state(file, thorough=True))
            fix = f"  `mmvae-edu data fetch {source}`" if states[-1] == "damaged" else ""
            print(f"{states[-1]:8} {file.path}{fix}")
    return int(not {"damaged", "closed"}.isdisjoint(states))


def _sources(name):
    if name not in SETS and name not in FILES:
        raise ValueError(f"no data set {name!r}; there are {', '.join(SETS)}")
    return SETS[name][0] if name in SETS else (name,)


def _say(source, new):
    files = "file" if len(new) == 1 else "files"
    print(f"{source}: {f'{len(new)} new {files}, verified' if new else 'all there already'}")
