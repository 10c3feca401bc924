"""The hot paths in Python for Numba's CUDA compiler, for reading and for stepping through.

The same kernels as the .cu files, without what only makes those fast: loads of 16 bytes, tiles in
registers, shuffles within a warp.  They are in `_cuda_elements` and `_cuda_sums`.  Each function
agrees with the one of its name in `reference`.

With the environment variable NUMBA_ENABLE_CUDASIM=1, set before Python starts, every thread of a
kernel is a Python thread: it runs on NumPy arrays without a GPU, and `breakpoint()` in a kernel
stops there.  Without it the kernels are compiled and take CuPy arrays.
"""

# ruff: noqa: F403, F405

import numba
import numpy as np
from numba import cuda

from ._cuda_elements import *
from ._cuda_sums import *
from ._gpu import Device


def _array_library():
    """NumPy in the simulator, CuPy on a GPU; an ImportError of one sentence without either."""
    if numba.config.ENABLE_CUDASIM:
        return np
    if not cuda.is_available():
        raise ImportError(
            "Numba finds no GPU here: set NUMBA_ENABLE_CUDASIM=1 before Python starts "
            "to run the kernels in Numba's simulator"
        )
    try:
        import cupy
    except ImportError:
        raise ImportError(
            "needs CuPy for arrays on the GPU: pip install 'mmvae_edu[cuda13]' (or [cuda12])"
        ) from None
    return cupy


xp = _array_library()


# ---- the backend ---------------------------------------------------------------------------------

KERNELS = {
    "product_of_experts": product_of_experts_v2,
    "product_of_experts_vjp": product_of_experts_vjp,
    "importance_weights": importance_weights_v2,
    "mixture_log_prob": mixture_log_prob,
    "mixture_log_prob_vjp": mixture_log_prob_vjp,
    "binomial_log_prob": binomial_log_prob,
    "binomial_log_prob_vjp": binomial_log_prob_vjp,
    "binomial_log_prob_value_and_grad": binomial_log_prob_value_and_grad,
    "bias_swish": bias_swish,
    "adam_step": adam_step,
}


def _launch(op, grid, block, *args, **_):
    """On CuPy's current stream.  The simulator takes 50 ms a launch: few blocks, few threads."""
    stream = 0 if xp is np else cuda.external_stream(xp.cuda.get_current_stream().ptr)
    KERNELS[op][grid, block, stream](*args)


small = {"threads": 32, "width": 8, "tall": 4, "blocks": 2}
device = Device("numba_cuda", xp, _launch, **(small if xp is np else {}))

product_of_experts = device.product_of_experts
product_of_experts_vjp = device.product_of_experts_vjp
importance_weights = device.importance_weights
mixture_log_prob = device.mixture_log_prob
mixture_log_prob_vjp = device.mixture_log_prob_vjp
binomial_log_prob = device.binomial_log_prob
binomial_log_prob_vjp = device.binomial_log_prob_vjp
binomial_log_prob_value_and_grad = device.binomial_log_prob_value_and_grad
bias_swish = device.bias_swish
bias_activation_vjp = device.bias_activation_vjp
adam_step = device.adam_step
matmul = np.matmul  # which hands CuPy arrays to CuPy
