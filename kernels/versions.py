"""The CUDA kernels in Python, and the versions of three of them, each of which adds one idea.

The names are those of the CUDA C files: `_v2` is the same version in both.  `_v1_running` is
version 1 with one more idea, which CUDA C does not have by itself.
"""

from . import _cuda_elements, _cuda_mixtures, _cuda_products, _cuda_sums

EVERY = {  # kernels and device functions, in all versions
    name: function
    for module in (_cuda_elements, _cuda_mixtures, _cuda_sums, _cuda_products)
    for name, function in vars(module).items()
    if callable(function)
}
VERSIONS = {  # each adds its idea to the one before it
    "product_of_experts": ("v1_strided", "v1", "v2"),
    "importance_weights": ("v1", "v1_running", "v2_interleaved", "v2", "v3", "v3_shuffled"),
    "matmul": ("naive", "tiled"),
}
