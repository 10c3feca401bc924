"""What the compiled backends ask of their inputs, and the sentence where it is not so."""

from numbers import Real

import numpy as np

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


class Inputs:
    """The checks of a backend whose arrays are those of the library `xp`.

    convert: the function that brings an array of another library there, for the sentences.
    """

    def __init__(self, backend, xp, convert):
        self.backend, self.xp, self.convert = backend, xp, convert

    def floats(self, **arrays):
        """The arrays, contiguous; a TypeError unless all are of one dtype, float32 or float64."""
        expected = None
        for name, array in arrays.items():
            self._own(name, array)
            expected = expected or array.dtype
            if array.dtype not in FLOATS or array.dtype != expected:
                wanted = expected if expected in FLOATS else "float32 or float64"
                fix = "use kernels.reference" if array.dtype.kind == "c" else "convert with .astype"
                raise TypeError(f"{name}: expected {wanted}, found {array.dtype}; {fix}")
        return [
            array if array.flags.c_contiguous else self.xp.ascontiguousarray(array)
            for array in arrays.values()
        ]

    def mask(self, mask, M, N):
        """The (M, N) bool mask, contiguous; all True for None."""
        if mask is None:
            return self.xp.ones((M, N), dtype=bool)
        self._own("mask", mask)
        if mask.dtype != bool:
            raise TypeError(f"mask: expected bool, found {mask.dtype}; compare it with != 0")
        fitting("mask", mask, (M, N))
        return self.xp.ascontiguousarray(mask)

    def scored(self, logits, x, n):
        """logits (…, N, P) and what they score, x (N, P) out of n."""
        if not isinstance(n, Real) or not n > 0:
            raise ValueError(f"n: expected a positive number, found {n!r}")
        logits, x = self.floats(logits=logits, x=x)
        N, P = fitting("x", x, ("N", "P"))
        if logits.shape[-2:] != (N, P):
            raise ValueError(f"logits: expected shape (…, {N}, {P}) as x, found {logits.shape}")
        return logits, x

    def _own(self, name, array):
        if not isinstance(array, self.xp.ndarray):
            kind = f"{type(array).__module__}.{type(array).__qualname__}"
            other = ", or pass kernels=kernels.best(array)" if hasattr(array, "dtype") else ""
            raise TypeError(
                f"{name}: {self.backend} takes {self.xp.__name__} arrays, found {kind}; "
                f"convert it with {self.convert}{other}"
            )


def counted(step):
    """Adam's step, which divides by 1 − βᵗ."""
    if not step >= 1:
        raise ValueError(f"step: expected a count from 1 on, found {step}")


def fitting(name, array, expected):
    """The array's shape, if it is the expected one; a letter stands for any number."""
    if array.shape == expected:
        return expected
    fits = len(array.shape) == len(expected) and all(
        isinstance(want, str) or want == found
        for want, found in zip(expected, array.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join(map(str, expected)) + ("," if len(expected) == 1 else "")
        raise ValueError(f"{name}: expected shape ({wanted}), found {array.shape}")
    return array.shape
