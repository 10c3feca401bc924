"""Threads of the numerical libraries, which read their number from variables as they are loaded."""

import os

OF_PRODUCTS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
VARIABLES = (*OF_PRODUCTS, "NUMBA_NUM_THREADS")


def one_for_products():
    """Give matrix products one thread, unless a variable says otherwise; call before NumPy loads.

    With layers of some hundred units a second thread saves little of a training step.  Where
    another program needs its core, the first waits for it at every product, for far longer.
    """
    if not any(name in os.environ for name in OF_PRODUCTS):
        os.environ |= dict.fromkeys(OF_PRODUCTS, "1")
