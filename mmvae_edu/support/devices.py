"""The choice of the array library, made in this module alone: NumPy on the CPU, CuPy on a GPU.

All other code calls np functions, which CuPy arrays dispatch to CuPy.
"""

import numpy as np

from ..kernels.usable import usable_cupy

STATES = 1 << 16  # streams of a generator on a GPU; CuPy's default depends on the chip


def namespace(device="cpu"):
    """Return numpy for "cpu", cupy for "cuda"; a ValueError says what that lacks here."""
    if device == "cpu":
        return np
    if device != "cuda":
        raise ValueError(f'device: expected "cpu" or "cuda", found {device!r}')
    try:
        return usable_cupy()
    except ImportError as problem:
        raise ValueError(f"device 'cuda' {problem}") from None


def to_host(array):
    """Return a NumPy array, copied from the GPU if it lies there."""
    return array.get() if hasattr(array, "get") else np.asarray(array)


def like(array, reference):
    """Convert `array` (NumPy) to the library, and the device, of `reference`."""
    return np.asarray(array, like=reference)


def generator(rng, xp):
    """Return a random generator for arrays of the library `xp`: rng itself, or one on the GPU.

    The one on the GPU is seeded by a draw from rng, whose state so determines all that follows.
    """
    if xp is np:
        return rng
    return xp.random.Generator(xp.random.Philox4x3210(int(rng.integers(2**63)), size=STATES))
