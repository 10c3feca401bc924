"""Several copies of the library on one machine: which is meant, and processes that use this one."""

import json
import os
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


def another_clone(folder):
    """Return the clone in which `folder` lies if this library is not that clone's, else None."""
    for clone in (folder, *folder.parents):
        package = clone / "mmvae_edu"  # os.path, since pathlib raises where looking is forbidden
        if os.path.isfile(clone / "lessons" / "lessons.toml") and os.path.isdir(package):
            return None if package.samefile(PACKAGE) else clone
    return None


def python(code, *arguments):
    """Return the command of a process that runs `code` with this library, whatever is installed.

    The process has the same sys.path as this one; `code` may use `sys` and finds the arguments in
    sys.argv[1:].
    """
    start = f"import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); {code}"
    path = json.dumps([os.path.abspath(folder) for folder in sys.path])
    return [sys.executable, "-P", "-c", start, path, *arguments]
