"""Files that are written whole or not at all: text, and arrays with a JSON header (no pickle)."""

import contextlib
import io
import json
import os
import stat
import tempfile
import tokenize
import tomllib
import zipfile
from pathlib import Path

import numpy as np

SOURCE = 2**20  # bytes of the largest file of Python that is read


def folder(path):
    """Make the folder if it is absent; a ValueError if it cannot be written."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as problem:
        raise ValueError(f"{path}: cannot write here ({problem.strerror})") from None
    return path


@contextlib.contextmanager
def _unfinished(path):
    """Yield a temporary path, renamed to `path` once writing has succeeded."""
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
    """Write a text file whole or not at all."""
    with _unfinished(path) as partial:
        partial.write_text(text, encoding="utf-8")


def read_toml(path):
    """Read a table; ValueError with the file's name where it is damaged."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as problem:
        raise ValueError(f"{path}: {problem}") from None


def as_json(value):
    """Write a value that may hold NumPy's numbers as JSON."""
    return json.dumps(value, default=np.generic.item)


def write_arrays(path, header, arrays):
    """Write an .npz file whole or not at all.  header: a dict that JSON can hold."""
    with _unfinished(path) as partial, partial.open("wb") as file:
        np.savez(file, header=np.array(as_json(header)), **arrays)


def read_arrays(path, kind):
    """Read (header, dict of arrays) from a file of `write_arrays` whose header has this kind."""
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


def read_bytes(path, most=float("inf")):
    """Read a regular file of at most `most` bytes; a ValueError says why that is impossible."""
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "no regular file"
            raise ValueError(f"{path}: cannot read it (it is {kind})")
        if found.st_size > most:
            raise ValueError(f"{path}: expected at most {most} bytes, found {found.st_size}")
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no such file") from None
    except OSError as problem:
        raise ValueError(f"{path}: cannot read it ({problem.strerror})") from None


def read_source(path):
    """Read a file of Python as text, in the encoding that it declares; else as `read_bytes`."""
    if Path(path).suffix == ".ipynb":
        wanted = "expected a file of Python, found a notebook: copy the function into a file.py"
        raise ValueError(f"{path}: {wanted}")
    content = io.BytesIO(read_bytes(path, SOURCE))
    try:
        encoding, _ = tokenize.detect_encoding(content.readline)
        content.seek(0)
        text = io.TextIOWrapper(content, encoding).read()
    except (SyntaxError, UnicodeError, LookupError) as problem:
        reason = str(problem)
    else:
        if "\0" not in text:
            return text
        reason = "it holds null bytes"
    raise ValueError(f"{path}: cannot be read as text: save it as UTF-8 ({reason})")
