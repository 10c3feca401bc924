"""Pages of memory that are kept between training steps, on Linux with glibc.

glibc returns large arrays to the system as they are freed, and the system clears every page again
before the next step gets it.  On other systems the functions do nothing.
"""

import ctypes
import sys
from contextlib import contextmanager
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4  # of glibc's malloc.h


@contextmanager
def kept_pages():
    """Inside this context glibc's free() keeps its pages; unused ones are returned on exit."""
    keep_pages()
    try:
        yield
    finally:
        give_back_pages()


def keep_pages():
    """Make free() keep every page from now on."""
    if libc := _glibc():
        libc.mallopt(M_TRIM_THRESHOLD, -1)
        libc.mallopt(M_MMAP_MAX, 0)


def give_back_pages():
    """Undo keep_pages: set the thresholds that glibc itself reaches with large arrays."""
    if libc := _glibc():
        libc.mallopt(M_TRIM_THRESHOLD, 64 << 20)
        libc.mallopt(M_MMAP_THRESHOLD, 32 << 20)
        libc.mallopt(M_MMAP_MAX, 65536)
        libc.malloc_trim(0)


@cache
def _glibc():
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    return libc if hasattr(libc, "mallopt") else None
