"""The array operations of one gradient: on a GPU each is a kernel, a node of the CUDA graph.

They are counted without a GPU: on arrays that stand in for CuPy's, with the functions of `cuda_c`,
whose kernels are launched but not run, since the count does not depend on the numbers.
"""

from collections import Counter
from operator import le
from types import SimpleNamespace

import numpy as np
import pytest
from mmvae_edu.kernels._cuda_source import source, templates
from mmvae_edu.kernels._gpu import UNTRIED, Device, last_versions
from mmvae_edu.kernels.table import TABLE
from test_structure import DeviceArray

from mmvae_edu import training
from mmvae_edu.measure.speed.steps import BATCH, mnist_model
from mmvae_edu.support.batches import Batch

OPERATIONS = "sum mean max min any all reshape astype copy __getitem__ __setitem__".split()
OPERATIONS += ["__array_ufunc__", "__array_function__"]
MOST = {  # products, kernels of ours, others
    "MVAE": (42, 14, 112),
    "MMVAE": (42, 15, 101),
}


@pytest.fixture
def seen(monkeypatch):
    """Count by name the operations on device arrays, but not those that only make a view."""
    seen = Counter()
    for name in OPERATIONS:
        monkeypatch.setattr(DeviceArray, name, counted(getattr(DeviceArray, name), name, seen))
    return seen


def counted(method, name, seen):
    def call(self, *args, **options):
        result = method(self, *args, **options)
        function = args[0].__name__ if name.startswith("__array") else name
        arguments = args[2] if name == "__array_function__" else (self, *args)
        if function in ("stack", "concatenate"):
            seen[function] += len(arguments[0])  # CuPy copies them one by one
        elif name == "__setitem__":  # after a[i] += b the view a[i] is put back where it is
            seen[name] += not share_memory(self, args[1])
        elif "out" in options or not any(share_memory(result, array) for array in arguments):
            seen[function] += function != "empty_like"
        return result

    return call


def share_memory(a, b):
    both = isinstance(a, DeviceArray) and isinstance(b, DeviceArray)
    return both and np.may_share_memory(a.host, b.host)


def counting_backend(seen):
    """Make the functions of `cuda_c` without a GPU: outputs are zeros, launches are counted."""

    def contiguous(array):
        return array if array.host.flags.c_contiguous else array.copy()

    def matmul(a, b, out=None):
        for operand in a, b:  # cuBLAS reads a matrix or its transpose
            contiguous(operand.T if operand.host.flags.f_contiguous else operand)
        seen["matmul"] += 1
        return xp.empty((a.shape[0], b.shape[1]), a.dtype) if out is None else out

    def launch(op, *_, lanes):
        seen[op] += 1

    xp = SimpleNamespace(
        __name__="cupy",
        ndarray=DeviceArray,
        empty=lambda shape, dtype: DeviceArray(np.zeros(shape, dtype)),
        ones=lambda shape, dtype: DeviceArray(np.ones(shape, dtype)),
        ascontiguousarray=contiguous,
    )
    kernels = last_versions(templates("".join(map(source, TABLE))), UNTRIED["cuda_c"])
    device = Device("counted", xp, kernels, launch, matmul)
    return SimpleNamespace(unchecked=device.unchecked, ndarray=DeviceArray, matmul=matmul)


@pytest.mark.parametrize("system", MOST)
def test_a_gradient_takes_few_array_operations(system, seen):
    model, theta, x = mnist_model(system)
    model.kernels = counting_backend(seen)
    eps = model.draw_noise(np.random.default_rng(1), BATCH, 1)["eps"]
    batch, _ = model.checked_batch(theta, x)
    on_device = {name: DeviceArray(values) for name, values in batch.x.items()}
    batch = Batch(on_device, batch.present, batch.index)
    for _ in range(2):  # the first fills caches, as before a recording
        seen.clear()
        training.mean_gradient(
            model.bound, DeviceArray(theta), batch, beta=1.0, eps=DeviceArray(eps)
        )
    products, own = seen["matmul"], sum(seen[kernel] for kernel in TABLE)
    found = products, own, seen.total() - products - own
    assert all(map(le, found, MOST[system])), f"{found}, of {sorted(seen.items())}"
