"""Files written whole or not at all: text, and arrays with a JSON header, read without pickle."""

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


def write_text(path, text):
    """Write a text file under a temporary name, then rename it: whole or not at all."""
    path = Path(path)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError as problem:
        raise ValueError(f"{path}: cannot write here ({problem.strerror})") from None
    finally:
        partial.unlink(missing_ok=True)


def write_arrays(path, header, arrays):
    """Write an .npz file under a temporary name, then rename it.  header: a JSON-able dict."""
    path = Path(path)
    header = np.array(json.dumps(header))
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    except OSError as problem:
        raise ValueError(f"{path}: cannot write here ({problem.strerror})") from None
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, header=header, **arrays)
        os.replace(temporary, path)
    except OSError as problem:
        raise ValueError(f"{path}: cannot write here ({problem.strerror})") from None
    finally:
        Path(temporary).unlink(missing_ok=True)


def read_arrays(path, kind):
    """(header, dict of arrays) of a file written by `write_arrays` whose header has this kind."""
    try:
        with open(path, "rb") as handle, np.load(handle, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(str(arrays.pop("header")))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        raise ValueError(
            f"{path}: not written by mmvae_edu, or not to its end; name another file"
        ) from None
    if header.get("kind") != kind:
        raise ValueError(f"{path}: expected a {kind} file, found a {header.get('kind')} file")
    return header, arrays
