"""The hot paths in CUDA C: one .cu file an op, compiled by CuPy on the first call, for CuPy arrays.

Each function agrees with the one of its name in `reference`, for float32 and float64, and runs on
CuPy's current stream.  KERNELS says which kernel computes which op; put another version there,
such as "product_of_experts_v1<{real}>", and the op runs on it.
"""

from functools import cache
from pathlib import Path

from ._cublas import Cublas
from ._gpu import Device

HERE = Path(__file__).parent
OPTIONS = ("-std=c++17",)
KERNELS = {
    "product_of_experts": "product_of_experts_v3<{real}, {lanes}>",
    "product_of_experts_vjp": "product_of_experts_vjp<{real}, {lanes}>",
    "importance_weights": "importance_weights_v3<{real}>",
    "mixture_log_prob": "mixture_log_prob<{real}, {lanes}>",
    "mixture_log_prob_vjp": "mixture_log_prob_vjp<{real}, {lanes}>",
    "binomial_log_prob": "binomial_log_prob<{real}, {lanes}>",
    "binomial_log_prob_vjp": "binomial_log_prob_vjp<{real}, {lanes}>",
    "binomial_log_prob_value_and_grad": "binomial_log_prob_value_and_grad<{real}, {lanes}>",
    "bias_swish": "bias_swish<{real}, {lanes}>",
    "adam_step": "adam_step<{real}, {lanes}>",
}


def _cupy():
    """CuPy, if it finds a GPU and its compiler; an ImportError of one sentence if not."""
    try:
        import cupy
    except ImportError:
        raise ImportError(
            "needs CuPy, which is not installed: pip install 'mmvae_edu[cuda13]' (or [cuda12])"
        ) from None
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as problem:
        raise ImportError(f"CuPy finds no usable GPU here ({problem})") from None
    try:
        cupy.cuda.nvrtc.getVersion()
    except Exception as problem:  # CuPy loads it on first use, and raises what its loader raises
        first = str(problem).strip().partition("\n")[0]
        raise ImportError(
            f"CuPy finds no NVRTC to compile with ({first}): pip install 'cupy-cuda13x[ctk]' "
            "(or cupy-cuda12x[ctk])"
        ) from None
    return cupy


def source(op):
    """The .cu file of an op: the longest file name that the op's name begins with.

    In ASCII, comments and all: CuPy writes it to a file in the system's encoding.
    """
    names = (path.stem for path in HERE.glob("*.cu") if op.startswith(path.stem))
    text = (HERE / f"{max(names, key=len)}.cu").read_text(encoding="utf-8")
    return text.encode("ascii", "replace").decode()


@cache
def _kernel(op, expression):
    module = cupy.RawModule(code=source(op), options=OPTIONS, name_expressions=[expression])
    return module.get_function(expression)


def _launch(op, grid, block, *args, lanes):
    """CuPy passes a Python int as long long, which the kernels call Int."""
    real = "float" if args[-1].dtype.itemsize == 4 else "double"
    _kernel(op, KERNELS[op].format(real=real, lanes=lanes))(grid, block, args)


def _address(array):
    return array.data.ptr


cupy = _cupy()
chip = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.runtime.getDevice())
device = Device(
    "cuda_c", cupy, _launch, address=_address, panel=(16, 64),
    cores=chip["multiProcessorCount"], cache=chip["l2CacheSize"],
)  # fmt: skip

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
matmul = Cublas(cupy).matmul
