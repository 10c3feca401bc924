"""Files written whole or not at all: text, and arrays with a JSON header, read without pickle."""

import contextlib
import json
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np


def folder(path):
    """The folder, made if need be; a ValueError where it cannot be written."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as problem:
        raise ValueError(f"{path}: cannot write here ({problem.strerror})") from None
    return path


@contextlib.contextmanager
def _unfinished(path):
    """A path beside this one, for what is not whole yet; at the end it takes its name."""
    path = Path(path)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield partial
        os.replace(partial, path)
    except OSError as problem:
        raise ValueError(f"{path}: cannot write here ({problem.strerror})") from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def write_text(path, text):
    """Write a text file under a temporary name, then rename it: whole or not at all."""
    with _unfinished(path) as partial:
        partial.write_text(text, encoding="utf-8")


def as_json(value):
    """JSON of a value that may hold NumPy's numbers."""
    return json.dumps(value, default=np.generic.item)


def write_arrays(path, header, arrays):
    """Write an .npz file under a temporary name, then rename it.  header: a JSON-able dict."""
    with _unfinished(path) as partial, partial.open("wb") as file:
        np.savez(file, header=np.array(as_json(header)), **arrays)


def read_arrays(path, kind):
    """(header, dict of arrays) of a file written by `write_arrays` whose header has this kind."""
    try:
        with open(path, "rb") as handle, np.load(handle, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(str(arrays.pop("header")))
        found = header["kind"]
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile):
        raise ValueError(
            f"{path}: not written by mmvae_edu, or not to its end; delete it or name another file"
        ) from None
    if found != kind:
        raise ValueError(f"{path}: expected a {kind} file, found a {found} file")
    return header, arrays
