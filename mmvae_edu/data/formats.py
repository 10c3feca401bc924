"""Parsers of the two file formats: IDX (MNIST and its relatives) and SVHN's .mat."""

import io
import math

import numpy as np


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
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def parse_svhn(content, name):
    """Parse SVHN's cropped digits: images (n, 32, 32, 3) and labels (n,) in 0..9, both uint8.

    The file's X is (32, 32, 3, n) and its y writes the digit 0 as 10.
    """
    try:
        from scipy.io import loadmat
    except ImportError:
        raise ValueError("a .mat file needs scipy: `pip install 'mmvae_edu[data]'`") from None
    try:
        fields = loadmat(io.BytesIO(content))
    except Exception:  # scipy raises whatever its parser trips over
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
