"""The one module that picks the array library: NumPy on the CPU, CuPy on a GPU.

All other code calls np functions, which CuPy arrays dispatch to CuPy.
"""

import numpy as np


def namespace(device="cpu"):
    """numpy for "cpu", cupy for "cuda"; a sentence with the fix where CuPy or a GPU is absent."""
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
    """A NumPy array, copied from the GPU if it lies there."""
    return array.get() if hasattr(array, "get") else np.asarray(array)


def like(array, reference):
    """`array` (NumPy) in the library, and on the device, of `reference`."""
    return np.asarray(array, like=reference)


def generator(rng, xp):
    """A random generator for arrays of the library `xp`: NumPy's rng itself, or one on the GPU.

    The latter is new, and seeded by a draw from rng, so that rng's state says all that follows.
    """
    if xp is np:
        return rng
    return xp.random.Generator(xp.random.Philox4x3210(int(rng.integers(2**63))))
