"""CuPy and what it needs of this machine, or the sentence that says what is missing."""

from textwrap import shorten

from ._cublas import load_library

PIP = "pip install 'mmvae_edu[cuda13]' (or [cuda12])"


def usable_cupy():
    """Return CuPy if it finds a GPU, its compiler and cuBLAS; else raise an ImportError."""
    try:
        import cupy
    except ImportError:
        raise ImportError(f"needs CuPy, which is not installed: {PIP}") from None
    need("a usable GPU, and CuPy finds none here", cupy.cuda.runtime.getDeviceCount, fix="")
    need("NVRTC to compile with, and CuPy finds none", cupy.cuda.nvrtc.getVersion)
    need("cuBLAS for its products, and CuPy finds none", load_library)
    return cupy


def need(what, call, fix=f": {PIP}"):
    """Call a function that loads a library; whatever it raises becomes an ImportError."""
    try:
        call()
    except Exception as problem:
        found = shorten(str(problem), 120, placeholder=" …")
        raise ImportError(f"needs {what} ({found}){fix}") from None
