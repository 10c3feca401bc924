"""Parsers of the two file formats: IDX (MNIST and its relatives) and SVHN's .mat."""

import importlib.util
import io
import math
import subprocess
import sys

import numpy as np

from ..support.clones import python


def parse_idx(content, name):
    """Parse an IDX file of unsigned bytes to an array; a ValueError names what is wrong with it.

    The format: two zero bytes, the type (8: unsigned byte), the number of axes, their lengths as
    big-endian 32-bit integers, then the values, the last axis fastest.
    """
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise ValueError(f"{name}: not an IDX file of unsigned bytes (starts {content[:4].hex()})")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise ValueError(f"{name}: {len(content)} bytes, its header alone has {start}: truncated?")
    shape = tuple(np.frombuffer(content[4:start], ">u4").tolist())
    if len(content) - start != math.prod(shape):
        raise ValueError(f"{name}: {len(content)} bytes, but its header says {shape}: truncated?")
    try:
        return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
    except ValueError:  # too many axes, or too long ones beside one of length 0
        raise ValueError(f"{name}: its header says {shape}: no array has that shape") from None


def parse_svhn(content, name):
    """Parse SVHN's cropped digits: images (n, 32, 32, 3) and labels (n,) in 0..9, both uint8.

    The file's X is (32, 32, 3, n) and its y writes the digit 0 as 10.  A damaged file may crash
    SciPy's parser, which therefore runs in a process of its own.
    """
    if importlib.util.find_spec("scipy") is None:
        raise ValueError("a .mat file needs scipy: `pip install 'mmvae_edu[data]'`")
    command = python("from mmvae_edu.data.formats import convert_mat; convert_mat()")
    done = subprocess.run(command, input=content, capture_output=True)
    try:
        fields = dict(np.load(io.BytesIO(done.stdout), allow_pickle=False))
    except Exception:  # nothing was written, or no arrays of numbers
        raise ValueError(f"{name}: not a whole .mat file") from None
    missing = [field for field in ("X", "y") if field not in fields]
    if missing:
        raise ValueError(f"{name}: has no field {' and '.join(missing)}, which SVHN's files have")
    X, y = fields["X"], fields["y"].ravel()
    if X.shape != (32, 32, 3, len(y)):
        raise ValueError(f"{name}: X {X.shape} and {len(y)} labels; expected (32, 32, 3, labels)")
    if X.dtype != np.uint8:
        raise ValueError(f"{name}: X of type {X.dtype}; expected bytes, uint8")
    if not np.isin(y, range(1, 11)).all():
        raise ValueError(f"{name}: labels other than 1 to 10")
    return np.moveaxis(X, 3, 0), (y % 10).astype(np.uint8)


def convert_mat():
    """Write the fields X and y of the .mat file on standard input to standard output, as .npz."""
    from scipy.io import loadmat

    fields = loadmat(io.BytesIO(sys.stdin.buffer.read()), variable_names=("X", "y"))
    np.savez(sys.stdout.buffer, **{name: fields[name] for name in "Xy" if name in fields})
