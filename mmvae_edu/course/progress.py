"""The learner's folder: copies of the stubs, and what has been solved, as JSON.

A result belongs to an exercise and to the file's hash: an edit makes it "changed since".
"""

import ast
import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

from .exercises import exercises

FILE = "mmvae_edu_progress.json"  # also marks the folder
DEFAULT = Path("mmvae_edu_exercises")


def start(folder):
    """Copy the stubs that the folder lacks; returns the names of the new files."""
    folder.mkdir(parents=True, exist_ok=True)
    new = []
    for stub in sorted({exercise.stub for exercise in exercises().values()}):
        if not (folder / stub.name).exists():
            shutil.copyfile(stub, folder / stub.name)
            new.append(stub.name)
    if not (folder / FILE).exists():
        save(folder, {})
    return new


def find_folder():
    """The exercises' folder: here, above, or the only one just below; else ValueError."""
    here = Path.cwd()
    above = [folder for folder in (here, *here.parents) if (folder / FILE).is_file()]
    below = sorted(path.parent for path in here.glob(f"*/{FILE}"))
    if not above and len(below) != 1:
        problem = f"several folders of exercises, go into one: {', '.join(map(str, below))}"
        raise ValueError(problem if below else "no exercises here; `mmvae-edu start` makes them")
    return (above or below)[0]


def load(folder):
    """{id: {"hash", "code"}}.  An unreadable file is set aside, never overwritten."""
    path = folder / FILE
    if not path.exists():
        return {}
    try:
        progress = json.loads(path.read_text("utf-8"))
        if all(isinstance(row["hash"] + "", str) and row["code"] >= 0 for row in progress.values()):
            return progress
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    aside = backup(path)
    words = f"{path} was unreadable and is kept as {aside.name}; progress starts anew"
    print(words, file=sys.stderr)
    save(folder, {})
    return {}


def save(folder, progress):
    """Write the whole file or nothing of it."""
    partial = folder / f"{FILE}.partial"
    partial.write_text(json.dumps(progress, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, folder / FILE)


def record(folder, results):
    """Keep the outcome of checks: (exercise, Verdict, the file's hash before the check)."""
    progress = load(folder)
    for exercise, verdict, hash in results:
        progress[exercise.id] = {"hash": hash, "code": verdict.code}
    save(folder, progress)


def state(progress, folder, exercise):
    """(the last exit code or None, has the file changed since?)"""
    row = progress.get(exercise.id)
    return (row["code"], row["hash"] != file_hash(folder, exercise)) if row else (None, False)


def file_hash(folder, exercise):
    path = folder / exercise.stub.name
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def backup(path):
    """Copy a file beside itself under a name that is free; returns the copy's path."""
    n = 1
    while (copy := path.with_name(f"{path.name}.bak{n}")).exists():
        n += 1
    shutil.copyfile(path, copy)
    return copy


def reset(folder, exercise):
    """Put the stub's function back in place; the rest of the file stays.  The backup's path."""
    path = folder / exercise.stub.name
    if not path.exists():
        shutil.copyfile(exercise.stub, path)
        return None
    kept = backup(path)
    stub = function_source(exercise.stub, exercise.name)
    own = function_source(path, exercise.name)
    if own is None:  # the file does not parse, or the function is gone
        shutil.copyfile(exercise.stub, path)
    else:
        text = path.read_text("utf-8").replace(own, stub, 1)
        missing = "import todo" not in text
        start = "from mmvae_edu.course import todo\n\n\n" if missing else ""
        path.write_text(text.replace(stub, start + stub, 1), encoding="utf-8")
    return kept


def function_source(path, name):
    """The text of a module's function, decorators included; None where there is none."""
    try:
        text = path.read_text("utf-8")
        tree = ast.parse(text)
    except (SyntaxError, ValueError, OSError):
        return None
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            return "".join(text.splitlines(keepends=True)[first - 1 : node.end_lineno])
    return None
