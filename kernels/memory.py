"""Memory that one training step frees is kept for the next.

glibc gives large arrays back to the system as they are freed, and the system clears every page
again before the next step has it.  Elsewhere nothing happens here.
"""

import ctypes
import sys
from contextlib import contextmanager
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4  # of glibc's malloc.h


@contextmanager
def kept_pages():
    """For a while, free() keeps every page; afterwards the system gets back what is not in use."""
    keep_pages()
    try:
        yield
    finally:
        give_back_pages()


def keep_pages():
    """From now on, free() keeps every page."""
    if libc := _glibc():
        libc.mallopt(M_TRIM_THRESHOLD, -1)
        libc.mallopt(M_MMAP_MAX, 0)


def give_back_pages():
    """End what keep_pages began: thresholds where glibc's own adjustment to large arrays ends."""
    if libc := _glibc():
        libc.mallopt(M_TRIM_THRESHOLD, 64 << 20)
        libc.mallopt(M_MMAP_THRESHOLD, 32 << 20)
        libc.mallopt(M_MMAP_MAX, 65536)
        libc.malloc_trim(0)


@cache
def _glibc():
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    return libc if hasattr(libc, "mallopt") else None
