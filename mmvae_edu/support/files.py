"""The one door to files: written whole or not at all; read only if regular, and whole."""

import contextlib
import io
import json
import os
import re
import secrets
import stat
import tempfile
import tokenize
import tomllib
from pathlib import Path

import numpy as np

try:
    import fcntl
except ImportError:  # Windows has no such locks; there an open file cannot be removed
    fcntl = None

SOURCE = 2**20  # bytes of the largest file of Python that is read


class CannotWrite(ValueError):
    """A file or a folder cannot be written; the text is a sentence with its path."""


def _cannot_write(path, problem):
    return CannotWrite(f"{path}: cannot write here ({_reason(problem)})")


def cannot_read(path, problem):
    return ValueError(f"{path}: cannot read it ({_reason(problem)})")


def _reason(problem):
    return getattr(problem, "strerror", None) or problem


@contextlib.contextmanager
def on_disk(path):
    """Turn an OSError in this context into CannotWrite."""
    try:
        yield
    except OSError as problem:
        raise _cannot_write(path, problem) from None


def folder(path):
    """Make the folder if it is absent; CannotWrite if nothing can be written in it."""
    path = Path(path)
    with on_disk(path):
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    return path


def _named(path, name):
    if not isinstance(path, str | os.PathLike) or not str(path) or "\0" in str(path):
        raise ValueError(f"{name}: expected the name of a file, found {path!r}")
    return Path(path)


def mode(path, name, failure):
    """Return the mode of a regular file, None where nothing is; otherwise raise a ValueError."""
    called = path if name == "path" else f"{name} {path}"
    try:
        mode = os.stat(_named(path, name)).st_mode
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise failure(called, problem) from None
    if not stat.S_ISREG(mode):
        raise failure(called, "it is a folder" if stat.S_ISDIR(mode) else "it is no regular file")
    return mode


# ---- locks, which end with their process ----


def _lock(handle, *, wait):
    """Lock an open file or folder: True; False if another has it; None if there are no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        return True
    except BlockingIOError:
        return False
    except OSError:  # such a file system
        return None


def claim(path, mode="ab"):
    """Open a file and lock it until it is closed; None if another one has locked it.

    Who has locked it may remove it.  Where there are no locks every claim succeeds.
    """
    while True:
        file = open(path, mode)
        if _lock(file, wait=False) is False:
            file.close()
            return None
        if os.fstat(file.fileno()).st_nlink:  # else it was removed just before
            return file
        file.close()


def release(claimed):
    """Remove and close a file of `claim`."""
    with contextlib.suppress(OSError):  # Windows removes no open file
        os.unlink(claimed.name)
    claimed.close()


@contextlib.contextmanager
def locked(folder):
    """Let one process at a time into this context of a folder, where there are locks."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # Windows opens no folder
            handle = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, handle)
            _lock(handle, wait=True)
        yield


# ---- writing ----


def target(path, name="path"):
    """Return the path that a write to `path` replaces: of a link it is the link's target.

    Raises ValueError if `path` is no name; CannotWrite if it is a folder, a device, a pipe or a
    socket, or closed to this user.  name: of the argument, for messages.
    """
    if mode(path, name, _cannot_write) is not None and not os.access(path, os.W_OK):
        raise _cannot_write(path, "Permission denied")
    return Path(os.path.realpath(path))


def prepare(path, name="path"):
    """Make the folder of a file to write later, and return its `target`: fail now, not then."""
    folder(_named(path, name).parent)
    return target(path, name)


@contextlib.contextmanager
def writing(path):
    """Yield a binary file that takes the place of `path` once all of it is on the disk.

    Until then it stands beside `path`, locked, under a name that nobody can guess; what killed
    processes left there of this path is removed.  A file that is replaced passes its mode on.  A
    failure leaves the old file; an OSError becomes CannotWrite.
    """
    real = target(path)
    with on_disk(path):
        _remove_leftovers(real)
        file, partial = _temporary(real)
        try:
            with file:
                if real.exists():
                    os.chmod(partial, stat.S_IMODE(real.stat().st_mode))
                yield file
                file.flush()
                os.fsync(file.fileno())
                if fcntl is None:
                    file.close()  # Windows renames no open file
                os.replace(partial, real)
        finally:
            with contextlib.suppress(OSError):
                partial.unlink()
        _sync(real.parent)


def _temporary(path):
    """Open and lock a new file beside this one; returns it and its path."""
    while True:
        partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
        if file := claim(partial, "xb"):  # else another writer has just taken it for a leftover
            return file, partial


def _sync(folder):
    """Write a folder's list of names to the disk, where the system can do that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove_leftovers(path):
    """Remove the temporary files of this path that no process has locked."""
    ours = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{16}}\.part")
    for entry in os.scandir(path.parent):
        if ours.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
            with contextlib.suppress(OSError), open(entry.path, "rb") as file:
                if _lock(file, wait=False):
                    os.unlink(entry.path)


def write_bytes(path, content):
    """Write a file whole or not at all."""
    with writing(path) as file:
        file.write(content)


def write_text(path, text):
    """Write a text file in UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


@contextlib.contextmanager
def appending(path):
    """Yield a binary file to read and to append to, one process at a time."""
    with on_disk(path), locked(Path(path).parent), target(path).open("ab+") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


# ---- reading ----


def read_bytes(path, most=float("inf")):
    """Read a regular file of at most `most` bytes; a ValueError says why that is impossible."""
    if mode(path, "path", cannot_read) is None:
        raise ValueError(f"{path}: there is no such file")
    if (size := os.path.getsize(path)) > most:
        raise ValueError(f"{path}: expected at most {most} bytes, found {size}")
    try:
        return Path(path).read_bytes()
    except OSError as problem:
        raise cannot_read(path, problem) from None


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


def read_toml(path):
    """Read a table; ValueError with the file's name where it is damaged."""
    return _parsed(path, tomllib.loads)


def read_json(path):
    """Read JSON; ValueError with the file's name where it is damaged."""
    return _parsed(path, json.loads)


def _parsed(path, parse):
    content = read_bytes(path)
    try:
        return parse(content.decode())
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"{path}: {problem}") from None


def as_json(value):
    """Write a value that may hold NumPy's numbers as JSON."""
    return json.dumps(value, default=np.generic.item)
