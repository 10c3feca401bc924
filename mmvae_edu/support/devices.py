"""The choice of the array library, made in this module alone: NumPy on the CPU, CuPy on a GPU.

All other code calls np functions, which CuPy arrays dispatch to CuPy.
"""

import numpy as np


def namespace(device="cpu"):
    """Return numpy for "cpu", cupy for "cuda"; a ValueError if CuPy or a GPU is absent."""
    if device == "cpu":
        return np
    if device != "cuda":
        raise ValueError(f'device: expected "cpu" or "cuda", found {device!r}')
    try:
        import cupy
    except ImportError:
        raise ValueError(
            "device 'cuda' needs CuPy, which is not installed: "
            "pip install 'mmvae_edu[cuda13]' (or [cuda12])"
        ) from None
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as problem:
        raise ValueError(f"device 'cuda': CuPy finds no usable GPU here ({problem})") from None
    return cupy


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
    return xp.random.Generator(xp.random.Philox4x3210(int(rng.integers(2**63))))
