"""The GPU backends against the reference, as far as a machine without a GPU can tell.

The .cu files run on the host, where each thread of a block is a std::thread (cuda_on_host.h);
test_cuda_static.py compiles them.  numba_cuda runs in Numba's simulator, in a process of its own.
`python -m pytest -m gpu` runs the same tests of both backends on a GPU.
"""

import ctypes
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmvae_edu.kernels import _gpu, arrays, reference, usable
from mmvae_edu.kernels._cublas import Cublas
from mmvae_edu.kernels._cuda_source import expressions, source, templates
from mmvae_edu.kernels._gpu import last_versions
from mmvae_edu.kernels.table import TABLE
from test_kernels import (
    CASES,
    Draw,
    check_parity,
    outputs,
    test_bad_input_gets_one_sentence,  # noqa: F401  run again here, with the GPU backends
    test_what_stands_under_a_mask_does_not_matter,  # noqa: F401
)
from test_structure import DeviceArray

from mmvae_edu import kernels
from mmvae_edu.likelihoods import _COEFFICIENTS, log_binomial_coefficient
from mmvae_edu.measure.kernel_accuracy import OPS, accuracy_rows
from mmvae_edu.measure.speed import kernels as bench_kernels
from mmvae_edu.support.devices import namespace

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"  # in the process of the simulator
HERE, KERNELS = Path(__file__).parent, Path(kernels.__file__).parent
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
FEW = [(3, 4, 11, 5), (1, 1, 1, 1), (2, 9, 3, 9)]  # M, K, N, D; a launch simulated takes 50 ms
MORE = [(5, 2, 33, 16), (2, 9, 5, 40), (2, 600, 3, 2), (11, 70, 2, 3), (2, 3, 2, 257)]
MANY = [(5, 3, 1000, 64), (2, 1000, 257, 20)]  # on a GPU


# ---- a stand-in for CuPy, whose RawModule compiles for the host ----------------------------------


class HostArray(np.ndarray):
    """As strict as cupy.ndarray about what is no array of its own."""

    data = property(lambda self: SimpleNamespace(ptr=self.__array_interface__["data"][0]))


class HostModule:
    def __init__(self, code, options, name_expressions):
        assert set(name_expressions) <= set(expressions(code))
        assert code.isascii()  # CuPy writes a file in the system's encoding
        self.names, self.library = list(expressions(code)), compiled_for_host(code)

    def get_function(self, name):
        function = self.library[f"kernel_{self.names.index(name)}"]

        def launch(grid, block, args):
            shape = (ctypes.c_uint * 4)(*grid, *[1] * (2 - len(grid)), *block)
            values = [as_ctypes(arg) for arg in args]
            addresses = [ctypes.addressof(value) for value in values]
            function(shape, (ctypes.c_void_p * len(args))(*addresses))

        return launch


def as_ctypes(arg):
    """As CuPy passes it: an int is a long long, a NumPy scalar itself, an array its address."""
    if isinstance(arg, HostArray):
        return ctypes.c_void_p(arg.data.ptr)
    if isinstance(arg, int):
        return ctypes.c_longlong(arg)
    return {np.float32: ctypes.c_float, np.float64: ctypes.c_double}[type(arg)](arg)


LIBRARIES = {}


def compiled_for_host(code):
    if code not in LIBRARIES:
        launchers = "".join(
            f'extern "C" void kernel_{i}(const unsigned *shape, void **args)\n'
            f"{{ launch({name}, shape, args); }}\n"
            for i, name in enumerate(expressions(code))
        )
        folder = LIBRARIES["folder"]
        source, library = folder / f"{len(LIBRARIES)}.cpp", folder / f"{len(LIBRARIES)}.so"
        source.write_text(f'#include "cuda_on_host.h"\n{code}{launchers}', encoding="utf-8")
        flags = ["-std=c++20", "-O1", "-shared", "-fPIC", "-pthread", "-Wno-unknown-pragmas"]
        flags += os.environ.get("CUDA_ON_HOST_FLAGS", "").split()  # sanitizers, say
        subprocess.run(["g++", *flags, f"-I{HERE}", str(source), "-o", str(library)], check=True)
        LIBRARIES[code] = ctypes.CDLL(str(library))
    return LIBRARIES[code]


def with_last_versions(name):
    """A copy of a backend's module that runs the last versions, whether tried on a GPU or not."""
    path = KERNELS / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"mmvae_edu.kernels.{name}_last", path)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_gpu, "UNTRIED", dict.fromkeys(_gpu.UNTRIED, ()))
        spec.loader.exec_module(module)
    return module


def cuda_c_on_host(folder):
    """The module cuda_c over the stand-in, with few threads so that sizes exceed the grid."""
    LIBRARIES.setdefault("folder", folder)
    cuda = SimpleNamespace(
        runtime=SimpleNamespace(
            getDeviceCount=lambda: 1,
            getDevice=lambda: 0,
            getDeviceProperties=lambda _: {"multiProcessorCount": 2, "l2CacheSize": 1000},
        ),
        nvrtc=SimpleNamespace(getVersion=lambda: (13, 0)),
    )
    cupy = SimpleNamespace(
        __name__="cupy", cuda=cuda, ndarray=HostArray, RawModule=HostModule,
        empty=lambda shape, dtype: np.full(shape, 1e30, dtype).view(HostArray),
        ones=lambda shape, dtype: np.ones(shape, dtype).view(HostArray),
        asarray=lambda array: np.array(array).view(HostArray),
        ascontiguousarray=lambda array: np.asanyarray(array, order="C"),
        asnumpy=np.asarray, may_share_memory=np.may_share_memory,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cupy", cupy)
        patch.setattr(usable, "load_library", lambda: None)
        module = with_last_versions("cuda_c")
    module.device.threads, module.device.tall, module.device.blocks = 64, 4, 2
    module.device.panel = (8, 8)
    return module


# ---- the battery, with NumPy arrays in and out ---------------------------------------------------


class FromHost:
    """A GPU backend that takes and returns NumPy arrays."""

    def __init__(self, module):
        self.module, self.xp = module, module.device.xp

    def __getattr__(self, name):
        function = getattr(self.module, name)

        def call(*args, **options):
            arrays = [self.xp.asarray(a) if isinstance(a, np.ndarray) else a for a in args]
            outputs = function(*arrays, **options)
            if name == "adam_step":
                outputs = tuple(arrays)
            to_host = getattr(self.xp, "asnumpy", np.asarray)
            several = isinstance(outputs, tuple)
            return tuple(map(to_host, outputs)) if several else to_host(outputs)

        return call


@pytest.fixture(
    params=[
        "cuda_c_on_host",
        pytest.param("cuda_c", marks=pytest.mark.gpu),
        pytest.param("cuda_c_last", marks=pytest.mark.gpu),
        pytest.param("numba_cuda", marks=[] if SIMULATED else pytest.mark.gpu),
    ]
)
def module(request, tmp_path_factory):
    if request.param == "cuda_c":
        return kernels.cuda_c
    if request.param != "cuda_c_on_host":
        return with_last_versions(request.param.removesuffix("_last"))
    if not shutil.which("g++"):
        pytest.skip("cuda_c_on_host: g++ is not installed")
    return cuda_c_on_host(tmp_path_factory.getbasetemp())


@pytest.fixture
def backend(module):
    return FromHost(module)


@DTYPES
@pytest.mark.parametrize("name", CASES)
def test_parity(backend, name, dtype):
    on_gpu = backend.xp.__name__ == "cupy" and backend.xp.ndarray is not HostArray
    shapes = FEW + MORE * (not SIMULATED) + MANY * on_gpu
    for seed, shape in enumerate(shapes):
        check_parity(backend, name, Draw(seed, dtype, masked=seed != 1), shape)


@DTYPES
@pytest.mark.parametrize("name", CASES)
def test_parity_at_extremes(backend, name, dtype):
    """log_var of ±80 in float32 and ±700 in float64, and rows without an expert."""
    check_parity(backend, name, Draw(1, dtype, extreme=True), (5, 3, 5, 6))


@pytest.mark.parametrize("name", [op for op in OPS if op not in CASES])
def test_parity_with_50_digits(backend, name):
    for row in accuracy_rows(backends={"this": backend}, N=4, ops=[name]):
        assert row.max_ulp <= 4, row


def versions(module, name):
    """List all versions of a module's kernels, what KERNELS[name] may be."""
    simple = isinstance(module.KERNELS["adam_step"], str)
    found = templates(source(name)) if simple else module.EVERY
    return [found[each] for each in found if re.fullmatch(rf"{name}(_v\d\w*)?", each)]


@DTYPES
@pytest.mark.parametrize("name", CASES)
def test_every_version_of_a_kernel_agrees(module, monkeypatch, name, dtype):
    for kernel in versions(module, name):
        if SIMULATED and "shuffled" in kernel.__name__:
            continue  # Numba's simulator has no shuffles: test_cuda_versions.py
        monkeypatch.setitem(module.KERNELS, name, kernel)
        check_parity(FromHost(module), name, Draw(7, dtype), (4, 21, 8, 12))
        check_parity(FromHost(module), name, Draw(8, dtype), (3, 40, 7, 11))


def test_a_version_is_in_use_once_it_has_run_on_a_gpu():
    found = {f"adam_step{version}": version for version in ("", "_v2", "_v10")}
    assert last_versions(found, {"adam_step_v10"}) == {"adam_step": "_v2"}
    assert last_versions(found, {}) == {"adam_step": "_v10"}
    assert last_versions(found, found) == {}
    assert _gpu.UNTRIED["cuda_c"] <= set(templates("".join(map(source, TABLE))))


def test_the_benchmark_times_other_versions(module, monkeypatch):
    """Each is launched by the name that its file has, and what is in use stays so."""
    if not isinstance(module.KERNELS["adam_step"], str):
        pytest.skip("versions in CUDA C")
    launched, launch = [], module.device.launch

    def watched(op, *args, **options):
        launched.append(module.KERNELS[op])
        launch(op, *args, **options)

    def broken(op, *args, **options):
        raise RuntimeError(op)

    monkeypatch.setattr(kernels, "cuda_c", module, raising=False)
    monkeypatch.setitem(sys.modules, "mmvae_edu.kernels.cuda_c", module)
    for name, names in bench_kernels.OTHERS.items():
        monkeypatch.setattr(module.device, "launch", watched)
        in_use, size = module.KERNELS[name], dict(N=4, K=3, M=2, D=8, L=2, P=5, size=9)
        options = {"step": 3, "learning_rate": 1e-3} if name == "adam_step" else {}
        arguments = bench_kernels.inputs(name, size, np.random.default_rng(0))
        arguments = [None if a is None else module.device.xp.asarray(a) for a in arguments]
        for each in names:
            call = bench_kernels.other_version(f"{name}_{each}", name, arguments, **options)
            launched.clear()  # what made the outputs
            call()
            assert launched.pop().startswith(f"{name}_{each}<")
        getattr(module, name)(*arguments, **options)
        assert launched == [in_use]
        monkeypatch.setattr(module.device, "launch", broken)
        with pytest.raises(RuntimeError, match=name):  # and so it stays when a version fails
            call()
        assert module.KERNELS[name] == in_use
        assert module.device.address is not None


@DTYPES
def test_infinities_and_nan_as_the_reference(backend, dtype):
    inf, nan = np.inf, np.nan
    close = {"rtol": 4 * np.finfo(dtype).eps, "atol": np.finfo(dtype).eps}
    values = np.array([inf, -inf, nan, 0, 1, np.finfo(dtype).max], dtype)
    log_w = np.stack(np.meshgrid(values, values)).reshape(2, -1)
    mu = np.full_like(log_w, 2)[..., None]
    log_alpha = np.where(log_w == 1, -inf, 0).astype(dtype)
    logits, ones = np.array([[inf], [-inf], [nan], [0], [1e4]], dtype), np.ones((5, 1), dtype)
    with np.errstate(all="ignore"):
        for name, args in (
            ("importance_weights", (log_w,)),
            ("product_of_experts", (mu, log_w[..., None])),
            ("mixture_log_prob", (mu[:1], mu, log_w[..., None], log_alpha)),
            ("binomial_log_prob", (logits, ones)),
            ("binomial_log_prob_vjp", (ones[:, 0], logits, ones)),
        ):
            both = zip(outputs(backend, name, args), outputs(reference, name, args), strict=True)
            for got, want in both:
                np.testing.assert_allclose(got, want, **close, err_msg=name)


@DTYPES
def test_bias_swish(backend, dtype):
    draw, eps = Draw(8, dtype), 4 * np.finfo(dtype).eps
    for H in (5, 8):
        a, b = draw.normal(3, 7, H) * 20, draw.normal(H)
        want = reference.bias_swish(*(array.astype(np.longdouble) for array in (a, b)))
        for got, exact in zip(backend.bias_swish(a, b), want, strict=True):
            assert got.dtype == dtype
            np.testing.assert_allclose(got, exact, rtol=eps, atol=eps)


@DTYPES
def test_adam_step(backend, dtype):
    rng = np.random.default_rng(6)
    for size in (1, 64, 257):
        mine = [rng.standard_normal(size).astype(dtype) for _ in range(4)]
        mine[3] **= 2
        yours = [array.astype(np.longdouble) for array in mine]
        for step in (1, 2, 1000):
            options = {"step": step, "learning_rate": 0.01, "beta1": 0.8, "epsilon": 1e-3}
            mine = backend.adam_step(*mine, **options)
            reference.adam_step(*yours, **options)
        for got, want in zip(mine, yours, strict=True):
            assert got.dtype == dtype
            np.testing.assert_allclose(got, want, rtol=0, atol=32 * np.finfo(dtype).eps)


def test_unaligned_and_strided_views(module):
    """A row that begins at no multiple of 16 bytes cannot be read 16 bytes at a time."""
    xp, rng = module.device.xp, np.random.default_rng(9)
    host = rng.standard_normal((2, 3 * 5 * 8 + 1)).astype(np.float32)
    aligned = [xp.asarray(row[1:].reshape(3, 5, 8)) for row in host]
    unaligned = [xp.asarray(row)[1:].reshape(3, 5, 8) for row in host]
    strided = [
        xp.asarray(np.repeat(row[1:].reshape(3, 5, 8), 2, axis=-1))[..., ::2] for row in host
    ]
    want = module.product_of_experts(*aligned)
    for views in (unaligned, strided):
        for got, exact in zip(module.product_of_experts(*views), want, strict=True):
            assert (got == exact).all()


def test_adam_takes_any_address(module):
    """Compare arrays that begin with a pack of 16 bytes with arrays that begin within one."""
    xp, rng = module.device.xp, np.random.default_rng(10)
    host = rng.random((4, 42)).astype(np.float32)
    aligned = [xp.asarray(row[1:]) for row in host]
    unaligned = [xp.asarray(row)[1:] for row in host]
    for views in aligned, unaligned:
        module.adam_step(*views, step=3, learning_rate=0.1)
    for got, exact in zip(unaligned, aligned, strict=True):
        assert (got == exact).all()


def test_empty_arrays(backend):
    assert backend.product_of_experts(*np.zeros((2, 3, 0, 4)))[0].shape == (0, 4)
    assert backend.binomial_log_prob(np.zeros((0, 3, 4)), np.zeros((3, 4))).shape == (0, 3)
    assert (backend.binomial_log_prob(np.zeros((2, 3, 0)), np.zeros((3, 0))) == 0).all()
    mean, log_var = backend.product_of_experts(*np.zeros((2, 0, 3, 4)))  # nobody: the prior
    assert (mean == 0).all()
    assert (log_var == 0).all()
    dz, _, _ = backend.mixture_log_prob_vjp(
        *map(np.ones, [(2, 3), (0, 2, 3), (2, 3, 4)] + 2 * [(0, 3, 4)])
    )
    assert (dz == 0).all()
    no_samples = map(np.ones, [(0, 3), (2, 0, 3), (0, 3, 4)] + 2 * [(2, 3, 4)])
    assert not any(np.any(cotangent) for cotangent in backend.mixture_log_prob_vjp(*no_samples))


def test_arrays_of_another_library_are_refused(module):
    if module.device.xp is np:
        pytest.skip("the simulator takes NumPy arrays")
    with pytest.raises(TypeError, match=f"log_w: {module.device.name} takes cupy arrays"):
        module.importance_weights(np.ones((3, 2)))
    theta = module.device.xp.asarray(np.ones(8))[::2]
    with pytest.raises(ValueError, match="theta: .*contiguous"):
        module.adam_step(*[theta] * 4, step=1, learning_rate=0.1)


# ---- products by cuBLAS --------------------------------------------------------------------------


class BlasOnHost:
    """The functions of cuBLAS that are called, with its own rule: matrices column after column."""

    def __init__(self):
        self.cublasSgemm_v2 = partial(self.gemm, ctypes.c_float)
        self.cublasDgemm_v2 = partial(self.gemm, ctypes.c_double)
        self.workspaces = []

    def cublasCreate_v2(self, handle):
        return 0

    def cublasSetStream_v2(self, handle, stream):
        return 0

    def cublasSetWorkspace_v2(self, handle, memory, size):
        self.workspaces.append((memory.value, size.value))
        return 0

    def gemm(self, real, handle, of_a, of_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
        """C = alpha op(A) op(B) + beta C: A, B, C by address and the step between columns."""

        def matrix(address, rows, columns, step):
            numbers = ctypes.cast(address, ctypes.POINTER(real))
            return np.ctypeslib.as_array(numbers, (columns, step)).T[:rows]

        left = matrix(a, k, m, lda).T if of_a else matrix(a, m, k, lda)
        right = matrix(b, n, k, ldb).T if of_b else matrix(b, k, n, ldb)
        assert (alpha._obj.value, beta._obj.value) == (1, 0)
        matrix(c, m, n, ldc)[...] = left @ right
        return 0 if ldc >= m else 7


def cublas_on_host():
    stream, memory = type("Stream", (), {"ptr": 5})(), SimpleNamespace(ptr=9)
    cupy = SimpleNamespace(
        ndarray=HostArray,
        cuda=SimpleNamespace(
            get_current_stream=lambda: stream,
            Memory=lambda size: memory,
            runtime=SimpleNamespace(getDevice=lambda: 0),
        ),
        empty=lambda shape, dtype: np.full(shape, np.nan, dtype).view(HostArray),
        ascontiguousarray=lambda array: np.ascontiguousarray(array).view(HostArray),
        matmul=np.matmul,
    )
    cublas = Cublas(cupy)
    cublas.library = BlasOnHost()
    return cublas


@DTYPES
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 5), (1, 7, 1), (4, 3, 6)])
def test_products_of_any_layout_reach_cublas_as_it_reads(shape, dtype):
    n, k, m = shape
    cublas, draw = cublas_on_host(), Draw(3, dtype)
    a, b = draw.normal(n, k), draw.normal(k, m)
    for left in a, a.T.copy().T, np.repeat(a, 2, axis=1)[:, ::2]:
        for right in b, b.T.copy().T, np.repeat(b, 2, axis=1)[:, ::2]:
            out = np.full((n, m), np.nan, dtype).view(HostArray)
            operands = left.view(HostArray), right.view(HostArray)
            for product in cublas.matmul(*operands), cublas.matmul(*operands, out=out), out:
                np.testing.assert_allclose(product, a @ b, rtol=1e-5)
    assert cublas.library.workspaces == [(9, 32 << 20)]  # one for each stream of a thread
    assert (cublas.matmul(np.zeros((2, 0)), np.zeros((0, 3))) == 0).all()
    with pytest.raises(ValueError, match="mismatch"):
        cublas.matmul(np.zeros((2, 3)), np.zeros((2, 3)))
    cublas.library.cublasSgemm_v2 = cublas.library.cublasDgemm_v2 = lambda *_: 13
    with pytest.raises(RuntimeError, match="status 13"):
        cublas.matmul(*operands)


@pytest.mark.parametrize("kind", ["int32", "float16", "complex64", "float64 and float32", "1-D"])
def test_products_that_cublas_is_not_asked_for_are_cupys(kind):
    """The C function would read other numbers, or beyond the end."""
    draw = Draw(3, np.float64)
    a, b = draw.normal(4, 3) * 5, draw.normal(3, 6) * 5
    if kind == "1-D":
        a = a[0]
    elif kind == "float64 and float32":
        b = b.astype(np.float32)
    else:
        a, b = a.astype(kind), b.astype(kind)
    found = cublas_on_host().matmul(a.view(HostArray), b.view(HostArray))
    assert found.dtype == np.result_type(a, b)
    np.testing.assert_array_equal(found, a @ b)


@pytest.mark.parametrize(
    ("out", "found"),
    [
        (np.zeros((6, 4), np.float32), r"float32 of shape \(6, 4\)"),
        (np.zeros((4, 6)), r"float64 of shape \(4, 6\)"),
        (np.zeros((4, 6), np.int32), r"int32 of shape \(4, 6\)"),
        (np.zeros((4, 12), np.float32)[:, ::2], r"float32 of shape \(4, 6\) with gaps"),
        (np.zeros((6, 4), np.float32).T, r"float32 of shape \(4, 6\) with gaps"),
    ],
)
def test_a_product_is_written_only_where_it_fits(out, found):
    a, b = np.ones((4, 3), np.float32), np.ones((3, 6), np.float32)
    sentence = rf"out: expected contiguous float32 of shape \(4, 6\), found {found}$"
    with pytest.raises(ValueError, match=sentence):
        cublas_on_host().matmul(*(x.view(HostArray) for x in (a, b)), out=out.view(HostArray))
    assert not out.any()


# ---- several GPUs --------------------------------------------------------------------------------


class Gpu:
    """CuPy's Device, by default the current one; it has no hash."""

    __module__, __hash__, current = "cupy.cuda.device", None, 0

    def __init__(self, number=None):
        self.number = Gpu.current if number is None else number

    def __eq__(self, other):
        return isinstance(other, Gpu) and self.number == other.number

    def __repr__(self):
        return f"<CUDA Device {self.number}>"


def put_on(monkeypatch, kind, number):
    monkeypatch.setattr(kind, "device", property(lambda _: Gpu(number)), raising=False)


def test_an_array_on_another_gpu_than_the_current_one_gets_one_sentence(
    monkeypatch, tmp_path_factory
):
    sentence = "expected an array on the current <CUDA Device 0>, found one on <CUDA Device 1>$"
    module = cuda_c_on_host(tmp_path_factory.getbasetemp())
    log_w, theta = np.ones((3, 2)).view(HostArray), DeviceArray(np.ones(3))
    for number in 0, 1:
        put_on(monkeypatch, HostArray, number)
        put_on(monkeypatch, DeviceArray, number)
        if number == 0:
            module.device.checked.importance_weights(log_w)
            arrays.check("theta", theta)
    with pytest.raises(ValueError, match=f"log_w: {sentence}"):
        module.importance_weights(log_w)
    with pytest.raises(ValueError, match=f"theta: {sentence}"):
        arrays.check("theta", theta)


def test_what_is_kept_on_a_gpu_is_kept_for_each(monkeypatch, tmp_path_factory):
    x = DeviceArray(np.array([[1.0, 2.0]]))
    for number in 0, 1, 0:
        monkeypatch.setattr(Gpu, "current", number)
        put_on(monkeypatch, DeviceArray, number)
        log_binomial_coefficient(x, 7)
    kept = [key for key in _COEFFICIENTS if key[0] == 7 and key[2] is DeviceArray]
    assert len(kept) == 2
    module = cuda_c_on_host(tmp_path_factory.getbasetemp())
    runtime, module.device.blocks = module.cupy.cuda.runtime, 99
    runtime.getDeviceProperties = lambda n: {"multiProcessorCount": 2 + n, "l2CacheSize": 1000}
    grids = []
    for number in 0, 1, 0:
        runtime.getDevice = lambda number=number: number
        grids.append(module.device.panels(9, 1000, 1, 8)[0])
    assert grids == [(2,), (3,), (2,)]


# ---- compilers, simulator, absence ---------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(SIMULATED, reason="this is the simulator")
def test_numba_cuda_in_the_simulator():
    """In a process of its own, since Numba reads the variable when it is imported."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        __file__,
        "-k",
        "numba_cuda",
        "-p",
        "no:cacheprovider",
    ]
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1", "PYTEST_ADDOPTS": ""}
    done = subprocess.run(
        [*command, "-W", "ignore::RuntimeWarning"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


@pytest.mark.parametrize("name", ["cuda_c", "numba_cuda"])
def test_an_absent_backend_says_why_in_one_sentence(name):
    backend = kernels._load(name)
    if isinstance(backend, str):
        assert "\n" not in backend
        assert re.search("pip install|usable GPU|NUMBA_ENABLE_CUDASIM", backend)
    else:
        assert callable(backend.product_of_experts)


def fails(*_):
    raise RuntimeError("libsomething.so:\n  cannot open " + "a very long name " * 20)


LACKING = {
    "CuPy": ("sys.modules", "needs CuPy, which is not installed: pip install"),
    "GPU": ("cuda.runtime.getDeviceCount", "needs a usable GPU, and CuPy finds none here"),
    "NVRTC": ("cuda.nvrtc.getVersion", "needs NVRTC to compile with, and CuPy finds none"),
    "cuBLAS": ("load_library", "needs cuBLAS for its products, and CuPy finds none"),
    "NVVM": ("numba.cuda.cudadrv.nvvm.NVVM", "needs NVVM to compile with, and Numba finds none"),
    "Numba's GPU": ("numba.cuda.gpus", "needs a usable GPU, and Numba finds none here"),
}


@pytest.mark.skipif(SIMULATED, reason="this is the simulator")
@pytest.mark.parametrize("lacking", LACKING)
def test_a_gpu_without_what_a_package_brings_gets_one_sentence(lacking, monkeypatch):
    """`kernels.available()` of both backends, and `fit` with device="cuda"."""
    library = SimpleNamespace(
        runtime=SimpleNamespace(getDeviceCount=lambda: 1),
        nvrtc=SimpleNamespace(getVersion=lambda: (13, 0)),
    )
    cupy = SimpleNamespace(cuda=library)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(usable, "load_library", lambda: None)
    monkeypatch.setattr("numba.cuda.gpus", ["a GPU"])
    monkeypatch.setattr("numba.cuda.cudadrv.nvvm.NVVM", lambda: None)
    assert namespace("cuda") is cupy
    place, sentence = LACKING[lacking]
    if place == "sys.modules":
        monkeypatch.setitem(sys.modules, "cupy", None)
    elif place == "load_library":
        monkeypatch.setattr(usable, place, fails)
    elif place.startswith("numba"):
        monkeypatch.setattr(place, fails)  # which has no length either
    else:
        owner, name = place.removeprefix("cuda.").split(".")
        monkeypatch.setattr(getattr(library, owner), name, fails)
    backends = ["numba_cuda"] if "Numba" in sentence else ["numba_cuda", "cuda_c"]
    for name in backends:
        monkeypatch.delitem(sys.modules, f"mmvae_edu.kernels.{name}", raising=False)
        found = kernels._load.__wrapped__(name)
        assert found.startswith(sentence)
        assert "\n" not in found
        assert len(found) < 250
        assert "GPU" in lacking or "pip install 'mmvae_edu[cuda13]' (or [cuda12])" in found
    if "Numba" not in sentence:
        with pytest.raises(ValueError, match=f"device 'cuda' {sentence}"):
            namespace("cuda")


@pytest.mark.parametrize("extra", ["cuda12", "cuda13"])
def test_the_extras_bring_compilers_and_cublas(extra):
    """CuPy's own extra brings NVRTC and cuBLAS, numba-cuda's brings NVVM."""
    text = (KERNELS.parent / "setup.py").read_text("utf-8")
    (line,) = re.findall(rf'^ +"{extra}": (.*)', text, re.M)
    number = extra.removeprefix("cuda")
    assert f'"cupy-cuda{number}x[ctk]>=14"' in line
    assert f'"numba-cuda[cu{number}]>=0.20"' in line
