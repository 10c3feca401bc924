"""Recorded steps and cuBLAS handles, with CuPy's part played: no GPU is needed.

The stand-in behaves as CuPy and CUDA document it: while a stream is captured a copy to the host is
refused, a wait for the GPU spoils the capture, and ending a spoilt capture raises an error.
"""

import gc
import sys
import threading
import warnings
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from mmvae_edu.kernels import reference
from mmvae_edu.kernels._cublas import Cublas
from mmvae_edu.kernels.graph import NotRecorded, Recorded
from numpy.testing import assert_allclose
from test_structure import DeviceArray, setting

from mmvae_edu import training
from mmvae_edu.models import MVAE
from mmvae_edu.support.batches import Batch


class PlayedCupy:
    """CuPy's streams, graphs and devices, and the functions of cuBLAS that are called."""

    def __init__(self):
        self.of_this_thread, self.device, self.pointers = threading.local(), 0, 0
        self.null, played = PlayedStream(self, 0), self

        class Stream(PlayedStream):
            def __init__(self, non_blocking):
                assert non_blocking
                super().__init__(played, played.pointer())

        self.cuda = SimpleNamespace(
            MemoryPool=lambda: SimpleNamespace(malloc=None),
            Memory=lambda size: SimpleNamespace(ptr=self.pointer(), size=size),
            Stream=Stream,
            Device=lambda: SimpleNamespace(synchronize=self.synchronize),
            using_allocator=self.using_allocator,
            get_current_stream=lambda: self.streams()[-1],
            runtime=SimpleNamespace(getDevice=lambda: self.device),
        )

    def pointer(self):
        self.pointers += 1
        return self.pointers

    def streams(self):
        return self.of_this_thread.__dict__.setdefault("streams", [self.null])

    @contextmanager
    def using_allocator(self, malloc):
        yield

    def synchronize(self):
        """Wait for the GPU, which spoils a capture."""
        stream = self.streams()[-1]
        if stream.state != "idle":
            stream.state = "spoilt"
            raise RuntimeError("cudaErrorStreamCaptureUnsupported: not permitted in a capture")


class PlayedStream:
    """A stream that is idle, capturing or spoilt; equal to another one of the same pointer."""

    def __init__(self, cupy, ptr):
        self.cupy, self.ptr, self.state = cupy, ptr, "idle"

    def __eq__(self, other):
        return isinstance(other, PlayedStream) and self.ptr == other.ptr

    def __hash__(self):
        return self.ptr

    def __enter__(self):
        self.cupy.streams().append(self)

    def __exit__(self, *_):
        self.cupy.streams().pop()

    def synchronize(self):
        assert self.state == "idle"

    def begin_capture(self):
        assert self.state == "idle"
        self.state = "capturing"
        DeviceArray.recorded = True

    def end_capture(self):
        before, self.state, DeviceArray.recorded = self.state, "idle", False
        if before != "capturing":
            raise RuntimeError("cudaErrorStreamCaptureInvalidated: an earlier error")
        return SimpleNamespace(launch=lambda: None)


@pytest.fixture
def cupy(monkeypatch):
    monkeypatch.setattr(DeviceArray, "recorded", False)
    monkeypatch.setitem(sys.modules, "cupy", PlayedCupy())
    return sys.modules["cupy"]


# ---- recordings that fail ------------------------------------------------------------------------


def fine(cupy):
    return 1


def copies(cupy):
    DeviceArray(np.ones(3)).get()


def waits(cupy):
    cupy.synchronize()


def waits_and_says_nothing(cupy):
    try:
        cupy.synchronize()
    except RuntimeError:
        pass


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (copies, "RuntimeError: a copy to the host"),
        (waits, "RuntimeError: cudaErrorStreamCaptureUnsupported"),
        (waits_and_says_nothing, "RuntimeError: cudaErrorStreamCaptureInvalidated"),
    ],
)
def test_a_recording_that_fails_says_why_and_leaves_no_capture(function, reason, cupy):
    with pytest.raises(NotRecorded, match=reason) as problem:
        Recorded(lambda: function(cupy))
    assert "\n" not in str(problem.value)
    assert not DeviceArray.recorded
    assert cupy.streams() == [cupy.null]
    assert Recorded(lambda: fine(cupy))() == 1


def test_an_error_outside_the_capture_is_the_functions_own(cupy):
    with pytest.raises(ZeroDivisionError):
        Recorded(lambda: 1 / 0)
    assert cupy.streams() == [cupy.null]


class Watched(MVAE):
    """A model that looks at a number in every step."""

    def bound(self, theta, x, **options):
        theta.get()
        return super().bound(theta, x, **options)


def with_cupys_products(cupy):
    """The reference on a GPU: CuPy's own product sets its handle's stream, which is refused."""

    def matmul(a, b, out=None):
        if DeviceArray.recorded:
            raise RuntimeError("calling set_stream() during capture is not supported")
        return reference.matmul(a, b, out=out)

    return SimpleNamespace(**vars(reference) | {"matmul": matmul})


@pytest.mark.parametrize("case", ["a model that looks", "other kernels"])
def test_a_step_that_cannot_be_recorded_runs_kernel_by_kernel(case, cupy):
    model, theta, batch, _ = setting("MVAE, sampled KL", False, np.float64)
    config = {"latent": 2, "hidden": (3,), "kl": "monte_carlo", "kernels": reference}
    if case == "other kernels":
        played = MVAE(model.modalities, **config | {"kernels": with_cupys_products(cupy)})
    else:
        played = Watched(model.modalities, **config)
    rng, on_device = np.random.default_rng(1), DeviceArray(theta.copy())
    moved = {name: DeviceArray(values) for name, values in batch.x.items()}
    moved = Batch(moved, batch.present, batch.index)
    gradient = training.gradient_of(played.bound, on_device, batch.size)
    plain = training.gradient_of(played.bound, on_device, batch.size, graph=False)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for step in range(3):
            noise = model.draw_noise(rng, batch.size, 2, np.float64)
            wanted = training.mean_gradient(model.bound, theta, batch, beta=0.5, **noise)
            noise = {"eps": DeviceArray(noise["eps"])}
            for form in gradient, plain:
                found = form(on_device, moved, beta=0.5, **noise)
                for a, b in zip(found, wanted, strict=True):
                    assert_allclose(a.get(), b, rtol=1e-10, atol=1e-7)
            assert len(said) == 1, step
    assert "kernel by kernel" in str(said[0].message)
    assert "graph=False" in str(said[0].message)


# ---- handles of cuBLAS ---------------------------------------------------------------------------


class PlayedBlas:
    """Counts handles; creating or destroying one waits for the GPU."""

    def __init__(self, cupy):
        self.cupy, self.streams, self.destroyed = cupy, {}, []

    def cublasCreate_v2(self, handle):
        self.cupy.synchronize()
        handle._obj.value = self.cupy.pointer()
        return 0

    def cublasSetStream_v2(self, handle, stream):
        self.streams[handle.value] = stream.value or 0
        return 0

    def cublasSetWorkspace_v2(self, handle, memory, size):
        return 0

    def cublasDestroy_v2(self, handle):
        self.cupy.synchronize()
        self.destroyed.append(handle.value)
        return 0


@pytest.fixture
def cublas(cupy):
    cublas = Cublas(cupy)
    cublas.library = PlayedBlas(cupy)
    return cublas


def in_a_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_a_handle_belongs_to_a_thread_a_stream_and_a_device(cupy, cublas):
    here = cublas.handle().value
    assert cublas.handle().value == here
    cupy.device = 1
    there = cublas.handle().value
    cupy.device = 0
    elsewhere = in_a_thread(lambda: cublas.handle().value)
    with cupy.cuda.Stream(non_blocking=True):
        recorded = cublas.handle().value
    assert len({here, there, elsewhere, recorded}) == 4
    assert cublas.handle().value == here


def test_a_graph_keeps_its_handle_and_gives_it_back(cupy, cublas):
    """Also beyond the thread that recorded it; the next handle's creation destroys the last."""
    graph = in_a_thread(lambda: Recorded(lambda: cublas.handle().value))
    handle = graph.outputs
    assert cublas.library.streams[handle] == graph.stream.ptr
    gc.collect()
    other = Recorded(lambda: cublas.handle().value)
    assert cublas.library.destroyed == []
    del graph
    gc.collect()
    Recorded(lambda: cublas.handle().value)
    gc.collect()
    assert cublas.library.destroyed == [handle]
    assert cublas.library.streams[other.outputs] == other.stream.ptr
