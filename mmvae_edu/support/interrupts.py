"""Ctrl-C while modules are imported: as an exception it may turn into another one there."""

import os
import signal
import threading
from contextlib import contextmanager


@contextmanager
def ending_at_once():
    """End the process with exit code 130 at Ctrl-C, in this context."""
    own = signal.getsignal(signal.SIGINT) is not signal.default_int_handler  # such as ignored
    if own or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_):
        os.write(2, b"mmvae-edu: interrupted\n")
        os._exit(130)

    signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
