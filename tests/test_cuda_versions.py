"""Every kernel of numba_cuda, in all versions: right, without faults, and float32 throughout.

The access recorder runs them, so that no GPU is needed.  All barriers are needed, and the costs of
the versions are those counted by hand.
"""

import importlib
import re
from collections import Counter
from inspect import signature
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from mmvae_edu.kernels import reference
from mmvae_edu.kernels._gpu import Device
from mmvae_edu.kernels.arguments import arguments
from mmvae_edu.kernels.launches import launched
from mmvae_edu.kernels.simulator import Race, edited, record
from mmvae_edu.kernels.simulator.text import plain, source
from mmvae_edu.kernels.table import TABLE
from mmvae_edu.kernels.versions import EVERY, VERSIONS
from numba import cuda
from test_kernels import CASES, VARIANT, Draw, check_parity, outputs, wide

from mmvae_edu import cli
from mmvae_edu.measure import kernel_versions
from mmvae_edu.measure.kernel_versions import SIZES, counts

DEVICE = {name for name in EVERY if source(EVERY[name]).startswith("@cuda.jit(device=True)")}
NAMES = [name for name in EVERY if name not in DEVICE]
BARRIER = "cuda.syncthreads()"


def op_of(name):
    return re.sub(VARIANT, "", name)


# ---- values and faults ---------------------------------------------------------------------------


def check_as_reference(backend, op, draw, shape):
    """Compare a kernel that is not in CASES, at unit scale."""
    M, K, N, D = shape
    lengths = {"M": M, "K": K, "N": N, "D": D, "L": M, "P": D, "H": D, "size": N * D}
    args, eps = arguments(op, lengths, draw.rng, draw.dtype), 4 * np.finfo(draw.dtype).eps
    both = zip(outputs(backend, op, args), outputs(reference, op, wide(args)), strict=True)
    for got, want in both:
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


CHECKS = dict.fromkeys(CASES, check_parity)
CHECKS |= {"adam_step": check_adam_step, "matmul": check_matmul}


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
    CHECKS.get(op, check_as_reference)(backend, op, draw, shape)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_every_kernel_is_right_and_has_no_fault(name, dtype):
    faults, shapes = [], [(3, 4, 11, 5), (1, 1, 1, 1), (2, 9, 21, 3)]
    shapes += [(1, 90, 3, 1)] * (op_of(name) == "importance_weights")  # more than HELD · blockDim.y
    for seed, shape in enumerate(shapes):
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
    faults, K = [], {"importance_weights": 40, "mixture_log_prob_vjp": 9}.get(op_of(name), 2)
    try:
        check(name, kernel, Draw(0, np.float64), (2, K, 18, 9), faults)
    except AssertionError:
        pass  # the values are wrong, or the types where nothing has been written
    assert Race in map(type, faults)


# ---- costs, counted by hand ----------------------------------------------------------------------


def by_hand():
    """Yield op, version: warps, accesses, lanes, sectors, bytes, passes, barriers, shuffles.

    A warp access to 32 neighbouring numbers takes 4 sectors, all 128 bytes used.  One to 32 numbers
    far apart takes 32; to 32 bools of the mask, or to one of them, it takes 1.
    4 blocks have 32 warps, each with a row; of v1_strided one block's 8 take all rows, a lane each.
    """
    E, R = 2 * 32, 32  # the warp accesses to the 2 experts' rows of 32 numbers, and to a result's
    product = 5 * E + 2 * R  # the mask twice, log_var twice, mu, mean, joint_log_var
    far, near = 2 * E + 32 * (product - 2 * E), 2 * E + 4 * (product - 2 * E)
    used = 32 * 2 * E + 128 * (product - 2 * E), 2 * E + 128 * (product - 2 * E)
    yield "product_of_experts", "v1_strided", (8, product, 32 * product, far, used[0], 0, 0, 0)
    yield "product_of_experts", "v1", (32, product, 32 * product, near, used[1], 0, 0, 0)
    once = 3 * E + 2 * R
    near, used = E + 4 * (once - E), E + 128 * (once - E)
    yield "product_of_experts", "v2", (32, once, 32 * once, near, used, 0, 0, 0)

    W, op = 128, "importance_weights"  # the warp accesses to 128 x 32 entries
    for version, times in ("v1", 4), ("v1_running", 3):
        all_ = times * W + 1  # and one to 32 bounds
        yield op, version, (1, all_, 32 * all_, 4 * all_, 128 * all_, 0, 0, 0)
    # In 4 blocks of 8 columns and 16 rows a warp has 4 rows, whose 8 numbers are a sector; 8 lanes
    # write the bounds of a block.  The tree reads and writes `tops` and `totals` once a step, with
    # 8, 4, 2 and 1 of the rows, which lie in so many warps; before it all write, and then read.
    ends, rows = 2 * 2 * 16, 8 + 4 + 2 + 1
    for version, times, steps in (
        ("v2_interleaved", 3, 4 + 4 + 2 + 1), ("v2", 3, 2 + 1 + 1 + 1), ("v3", 2, 2 + 1 + 1 + 1)
    ):  # fmt: skip
        tree, lanes = ends + 4 * 4 * steps, 32 * ends + 4 * 4 * 8 * rows
        sectors = 4 * times * W + 4
        yield op, version, (
            16, times * W + 4 + tree, 32 * (times * W + 1) + lanes, sectors, 32 * sectors,
            tree, 6 * 16, 0,
        )  # fmt: skip
    # 8 lanes of a warp write its sums, and all read; it shuffles 2 numbers over 2 and 2 distances.
    yield op, "v3_shuffled", (
        16, 2 * W + 4 + ends, 32 * (2 * W + 1) + 2 * 16 * (8 + 32), 4 * (2 * W + 1),
        128 * (2 * W + 1), ends, 2 * 16, 2 * 4 * 16,
    )  # fmt: skip

    # Each of 32 warps computes 2 rows of 16 numbers of c.  A step of the naive product reads two
    # numbers of a, in two rows, and 16 of b, in 2 sectors; one of 2 pairs of tiles takes 2 reads of
    # 2 rows of 16, 2 writes and 16 times 2 reads of shared memory, and 2 barriers.
    steps, c = 32 * 32, 32
    yield "matmul", "naive", (
        32, 2 * steps + c, 32 * (2 * steps + c), 2 * steps + 2 * steps + 4 * c,
        8 * steps + 64 * steps + 128 * c, 0, 0, 0,
    )  # fmt: skip
    tiles = 2 * 32
    moved, shared = 2 * tiles + c, 2 * tiles + 2 * steps
    yield "matmul", "tiled", (
        32, moved + shared, 32 * (moved + shared), 4 * moved, 128 * moved, shared, 2 * tiles, 0
    )  # fmt: skip


@pytest.mark.slow
def test_the_counts_of_versions_are_those_made_by_hand():
    assert {op: tuple(v for o, v, _ in by_hand() if o == op) for op in VERSIONS} == VERSIONS
    found = {(op, row.version): row for op in VERSIONS for row in counts(op)}
    for op, version, (warps, accesses, lanes, sectors, used, *others) in by_hand():
        row = found[op, version]
        assert row[2:4] == (warps, accesses), version
        assert row.lanes * accesses == pytest.approx(lanes), version
        assert row.sectors == sectors, version
        assert row.used * 32 * sectors == pytest.approx(used), version
        assert [row.passes, row.barriers, row.shuffles] == others, version


@pytest.mark.parametrize(("version", "times"), [("naive", 32), ("tiled", 32 / 16)])
def test_a_product_reads_an_element_once_for_each_thread_or_tile(version, times):
    accesses = launched(f"matmul_{version}", **SIZES).accesses
    reads = Counter((a.memory.name, a.at) for a in accesses if a.memory.name in ("a", "b"))
    assert len(reads) == 2 * 32 * 32
    assert set(reads.values()) == {times}


def test_versions_are_printed(capsys, monkeypatch):
    monkeypatch.setattr(kernel_versions, "VERSIONS", {"product_of_experts": ("v1_strided", "v1")})
    assert cli.main(["kernels", "--versions"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"v1_strided +8 +384 +32.0 +8320 +14%", said)
    assert "v1: Give neighbouring threads neighbouring dimensions" in said


# ---- types ---------------------------------------------------------------------------------------


def ptx(kernel, types):
    """Compile a kernel to PTX; Numba would ask for a GPU only to compile device functions."""
    pytest.importorskip("numba_cuda", reason="Numba's own CUDA target does not compile min and max")
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
