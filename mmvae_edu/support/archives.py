"""Arrays in .npz files beside a JSON header, without pickle.

The header has a SHA-256 of itself and of all arrays.
"""

import hashlib
import json
import os
import re
import struct
import warnings
import zipfile
import zlib
from math import prod

import numpy as np

from . import files

CHUNK = 2**18  # bytes read and hashed at a time: they fit into the cache


def write_arrays(path, header, arrays):
    """Write an .npz file of finite arrays.  header: a dict that JSON can hold."""
    arrays = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{path}: not written, since {name} is not finite")
    digest = hashlib.sha256(files.as_json(header).encode())
    for name, array in arrays.items():
        _start(digest, name, array)
        digest.update(_bytes(array))
    header = {**header, "sha256": digest.hexdigest()}
    with files.writing(path) as file:
        np.savez(file, header=np.array(files.as_json(header)), **arrays)


def _start(digest, name, array):
    """Begin an array in a SHA-256, which covers header, names, types, shapes and bytes."""
    digest.update(f"{name} {array.dtype.str} {array.shape}".encode())


def _bytes(array):
    return array.reshape(-1).view(np.uint8).data


def read_arrays(path, kind):
    """Read (header, dict of arrays) from a file of `write_arrays` whose header has this kind.

    Whatever differs from what was written is a ValueError.  A file from before there was a SHA-256
    loads with a warning.
    """
    if files.mode(path, "path", files.cannot_read) is None:
        raise ValueError(f"{path}: there is no such file")
    try:
        with open(path, "rb") as file:
            header, arrays, verified = parse_arrays(file)
            found = header["kind"]
    except OSError as problem:
        raise files.cannot_read(path, problem) from None
    except MemoryError:  # no sign of damage: what is taken is less than the file's size
        raise
    except Exception as problem:  # of zipfile, json, NumPy: whatever the damage makes them raise
        raise damaged(path, problem) from None
    if found != kind:
        raise ValueError(f"{path}: expected a {kind} file, found a {found} file")
    if not verified:
        words = "has no SHA-256, as in older versions: unverified; saving it again adds one"
        warnings.warn(f"{path}: {words}", stacklevel=3)
    return header, arrays


def parse_arrays(file):
    """Read (header, arrays, whether there is a SHA-256) from an open file; any damage raises."""
    members = _members(file)
    header = json.loads(str(_array(file, "header", members.pop("header"), hashlib.sha256())))
    expected = header.pop("sha256", None)
    digest = hashlib.sha256(files.as_json(header).encode())
    arrays = {name: _array(file, name, member, digest) for name, member in members.items()}
    if expected not in (None, digest.hexdigest()):
        raise ValueError("its SHA-256 is another")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name} is not finite")
    return header, arrays, expected is not None


def damaged(path, problem):
    """Return the ValueError for a file whose content is not what `write_arrays` wrote."""
    why = problem if type(problem) is ValueError else "its structure is broken"
    return ValueError(
        f"{path}: not written by mmvae_edu, or not to its end ({why}); delete it or name another "
        "file"
    )


def _members(file):
    """Return {name: (start, size, CRC)} of a zip file that has only whole, stored members."""
    found, end, size = {}, 0, file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 22))
    last = file.read()
    if last[:4] != b"PK\5\6" or last[20:] != b"\0\0":
        raise ValueError("its end is missing, or something stands behind it")
    with zipfile.ZipFile(file) as names:
        for info in names.infolist():
            name = info.filename.removesuffix(".npy")
            stored = info.compress_type == zipfile.ZIP_STORED and info.flag_bits == 0
            if not stored or info.file_size != info.compress_size:
                raise ValueError(f"{name} is compressed or encrypted")
            if info.header_offset != end or name in found:
                raise ValueError(f"something stands before {name}, or it is there twice")
            file.seek(end + 26)
            start = end + 30 + sum(struct.unpack("<HH", file.read(4)))
            end = start + info.file_size
            found[name] = start, info.file_size, info.CRC
    if end != names.start_dir:
        raise ValueError("something stands between its members")
    return found


NPY = re.compile(
    rb"\x93NUMPY\x01\x00(..)\{'descr': '([<>|][biufU]\d+)', 'fortran_order': False, "
    rb"'shape': \(([\d, ]*)\), \} *\n",
    re.DOTALL,
)


def _array(file, name, member, digest):
    """Read a member's array, of numbers or text in C order, and add it to the digest."""
    start, size, expected = member
    file.seek(start)
    head = NPY.match(file.read(min(size, 1024)))
    if head is None or int.from_bytes(head[1], "little") + 10 != head.end():
        raise ValueError(f"the header of {name} is broken")
    dtype = np.dtype(head[2].decode())
    shape = tuple(int(n) for n in head[3].split(b",") if n.strip())
    if prod(shape) * dtype.itemsize != size - head.end():  # before memory is taken
        raise ValueError(f"{name} of shape {shape} has {size - head.end()} bytes")
    array, crc = np.empty(shape, dtype), zlib.crc32(head[0])
    _start(digest, name, array)
    file.seek(start + head.end())
    for first in range(0, array.nbytes, CHUNK):
        part = _bytes(array)[first : first + CHUNK]
        file.readinto(part)
        digest.update(part)
        crc = zlib.crc32(part, crc)
    if crc != expected:
        raise ValueError(f"the checksum of {name} is another")
    return array
