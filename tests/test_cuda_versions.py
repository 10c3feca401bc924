"""Every kernel of numba_cuda, in all versions: right, without faults, and float32 throughout.

The access recorder runs them, so that no GPU is needed; the barriers are all needed.
"""

import importlib
import re
from inspect import signature
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from mmvae_edu.kernels import reference
from mmvae_edu.kernels._gpu import Device
from mmvae_edu.kernels.simulator import Race, edited, record
from mmvae_edu.kernels.simulator.text import plain, source
from mmvae_edu.kernels.table import TABLE
from mmvae_edu.kernels.versions import EVERY
from numba import cuda
from test_kernels import VARIANT, Draw, check_parity, wide

DEVICE = {name for name in EVERY if source(EVERY[name]).startswith("@cuda.jit(device=True)")}
NAMES = [name for name in EVERY if name not in DEVICE]
BARRIER = "cuda.syncthreads()"


def op_of(name):
    return re.sub(VARIANT, "", name)


# ---- values and faults ---------------------------------------------------------------------------


def check_bias_swish(backend, _, draw, shape):
    a, b, eps = draw.normal(*shape[2:]), draw.normal(shape[3]), 4 * np.finfo(draw.dtype).eps
    for got, want in zip(
        backend.bias_swish(a, b), reference.bias_swish(*wide([a, b])), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=eps, atol=eps)


def check_adam_step(backend, _, draw, shape):
    mine = draw.normal(4, np.prod(shape)) ** 2
    yours = wide(mine)
    for module, arrays in (backend, mine), (reference, yours):
        module.adam_step(*arrays, step=1, learning_rate=0.1)
    np.testing.assert_allclose(mine, yours, rtol=0, atol=32 * np.finfo(draw.dtype).eps)


def check_matmul(backend, _, draw, shape):
    M, K, N, D = shape
    a, b = draw.normal(M * K, N), draw.normal(N, D)
    atol = 4 * np.finfo(draw.dtype).eps * (abs(a) @ abs(b)).max()
    np.testing.assert_allclose(backend.matmul(a, b), a @ b, rtol=0, atol=atol)


CHECKS = {"bias_swish": check_bias_swish, "adam_step": check_adam_step, "matmul": check_matmul}


def check(name, kernel, draw, shape, faults):
    """Compare a kernel with the reference; the faults of its launches are added to `faults`."""
    op = op_of(name)

    def launch(op, grid, block, *args, **_):
        seen = record(kernel, grid, block, *args)
        faults.extend(seen.faults)
        assert {a.memory.values.dtype for a in seen.accesses} <= {
            np.dtype(draw.dtype),
            np.dtype(bool),
        }

    def matmul(a, b):
        sizes, c = (*a.shape, b.shape[1]), np.empty((len(a), b.shape[1]), a.dtype)
        launch(op, (-(-sizes[2] // 16), -(-sizes[0] // 16)), (16, 16), *sizes, a, b, c)
        return c

    small = {"threads": 32, "width": 8, "tall": 8, "blocks": 2}
    kernels = {op: kernel} if op in TABLE else {}
    backend = Device("recorded", np, kernels, launch, matmul, **small).checked
    CHECKS.get(op, check_parity)(backend, op, draw, shape)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_every_kernel_is_right_and_has_no_fault(name, dtype):
    faults = []
    for seed, shape in enumerate([(3, 4, 11, 5), (1, 1, 1, 1), (2, 9, 21, 3), (1, 90, 3, 1)]):
        check(name, EVERY[name], Draw(seed, dtype, masked=seed != 1), shape, faults)
    assert faults == []


def helpers(name):
    """List the device functions that a kernel calls."""
    return [EVERY[each] for each in plain(EVERY[name]).__code__.co_names if each in DEVICE]


def barriers():
    """List each barrier that a kernel comes to: the function where it stands, and its number."""
    for name in NAMES:
        for function in EVERY[name], *helpers(name):
            for number in range(source(function).count(BARRIER)):
                yield name, function, number


@pytest.mark.parametrize(("name", "function", "number"), [*barriers()])
def test_every_barrier_is_needed(name, function, number):
    """Without any one of them the recorder sees a race."""
    body = source(function).partition("):\n")[2]
    parts = body.split(BARRIER)
    without = f"{BARRIER.join(parts[: number + 1])}pass{BARRIER.join(parts[number + 1 :])}"
    kernel = edited(EVERY[name], name, {body: without}, helpers(name))
    faults = []
    try:
        check(name, kernel, Draw(0, np.float64), (2, 90, 18, 9), faults)
    except AssertionError:
        pass  # the values are wrong, or the types where nothing has been written
    assert Race in map(type, faults)


# ---- types ---------------------------------------------------------------------------------------


def ptx(kernel, types):
    """Compile a kernel to PTX; Numba would ask for a GPU only to compile device functions."""
    try:
        importlib.import_module("numba.cuda.cudadrv.nvvm").NVVM()
    except Exception as problem:  # what the loader of the library raises
        pytest.skip(f"NVVM is not there: {problem}")
    with pytest.MonkeyPatch.context() as patch:
        if not cuda.is_available():
            gpu = SimpleNamespace(compute_capability=(8, 0))
            patch.setattr("numba.cuda.dispatcher.get_current_device", lambda: gpu)
        return cuda.compile_ptx(plain(kernel), types, cc=(8, 0))[0]


def float32_types(name):
    """List the types of a kernel's arguments: lengths, constants, inputs and outputs."""
    op, count = op_of(name), len(signature(plain(EVERY[name])).parameters)
    if op == "matmul":
        sizes, dimensions = 3, [2, 2, 2]
    else:
        row = TABLE[op]
        axes = [*map(row.inputs.get, row.arrays), *row.outputs.values()]
        sizes, dimensions = len(row.sizes), list(map(len, axes))
    constants = [numba.float32] * (count - sizes - len(dimensions))
    arrays = [numba.types.Array(numba.float32, ndim, "C") for ndim in dimensions]
    if "mask" in signature(plain(EVERY[name])).parameters:
        arrays[row.arrays.index("mask")] = numba.types.Array(numba.boolean, 2, "C")
    return (*[numba.int64] * sizes, *constants, *arrays)


@pytest.mark.parametrize("name", NAMES)
def test_float32_is_computed_in_float32(name):
    code = ptx(EVERY[name], float32_types(name))
    assert ".f32" in code
    assert ".f64" not in code
    assert ".local" not in code  # `held` stands in registers


def test_a_number_would_be_found():
    def tenth(x):
        x[0] *= 0.1

    assert ".f64" in ptx(tenth, (numba.float32[:],))
