"""Training on a GPU: the numbers of the CPU, products by cuBLAS, and steps as CUDA graphs.

`python -m pytest -m gpu` runs these; without a GPU they are skipped with the reason.
"""

import threading

import numpy as np
import pytest
from mmvae_edu.kernels import reference
from numpy.testing import assert_allclose, assert_array_equal
from test_structure import SYSTEMS, build, setting

from mmvae_edu import models, training
from mmvae_edu.cli import main
from mmvae_edu.estimators import marginal
from mmvae_edu.likelihoods import Bernoulli, Categorical
from mmvae_edu.models import MMVAE, MVAE, LaplaceMMVAE
from mmvae_edu.support.batches import Batch, check_batch
from mmvae_edu.support.devices import namespace, to_host

pytestmark = pytest.mark.gpu
RTOL = {np.float32: 2e-5, np.float64: 1e-10}  # T5, and T1
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture
def cupy():
    return namespace("cuda")


def moved(batch, xp):
    return Batch({k: xp.asarray(v) for k, v in batch.x.items()}, batch.present, batch.index)


def problem(name, dtype):
    """A model on its best kernels, parameters, a batch and noise, on the host."""
    model, rng = build(name), np.random.default_rng(0)
    model.kernels = None
    _, _, batch, _ = setting("MVAE", False, dtype)
    theta = model.init(rng, dtype)
    x = {name: batch.x[name] for name in model.modalities}
    return model, theta, check_batch(model.modalities, x, None, theta), rng


@DTYPES
@pytest.mark.parametrize("name", SYSTEMS)
def test_the_same_noise_gives_the_same_bound_and_gradient(name, dtype, cupy):
    """Kernel by kernel and as a graph, for two batches and a third that is smaller."""
    model, theta, batch, rng = problem(name, dtype)
    on_gpu, gradient = cupy.asarray(theta), training.OnGpu(model.bound, batch.size)
    for rows in np.arange(6), rng.permutation(6), np.arange(5):
        noise, part = model.draw_noise(rng, len(rows), 2, dtype), batch.take(rows)
        want = training.mean_gradient(model.bound, theta, part, beta=0.7, **noise)
        noise["eps"] = cupy.asarray(noise["eps"])
        for run in (gradient, training.OnGpu(model.bound, None)):
            found = run(on_gpu, moved(part, cupy), beta=0.7, **noise)
            for got, exact in zip(found, want, strict=True):
                scale = np.abs(exact).max()
                assert_allclose(to_host(got), exact, rtol=0, atol=RTOL[dtype] * scale)


def test_nobody_is_given_the_memory_of_a_graph(cupy):
    model, theta, batch, rng = problem("MMVAE, iwae", np.float32)
    theta, gradient = cupy.asarray(theta), training.OnGpu(model.bound, batch.size)
    noise = model.draw_noise(rng, 6, 2, np.float32, cupy)
    first = [to_host(a) for a in gradient(theta, moved(batch, cupy), beta=1.0, **noise)]
    for size in 2 ** np.arange(4, 22):
        cupy.full(int(size), np.nan, np.float32)  # on top of whatever is free
    again = gradient(theta, moved(batch, cupy), beta=1.0, **noise)
    for a, b in zip(first, again, strict=True):
        assert_array_equal(a, to_host(b))


def test_a_graph_outlives_the_thread_that_recorded_it(cupy):
    model, theta, batch, rng = problem("MVAE, sampled KL", np.float64)
    theta, gradient = cupy.asarray(theta), training.OnGpu(model.bound, batch.size)
    noise = model.draw_noise(rng, 6, 2, np.float64, cupy)
    found = []

    def run():
        found.append([to_host(a) for a in gradient(theta, moved(batch, cupy), beta=1.0, **noise)])

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    run()
    for a, b in zip(*found, strict=True):
        assert_array_equal(a, b)


def pairs(n=300):
    rng = np.random.default_rng(1)
    label = rng.integers(0, 4, n)
    return {
        "ink": (rng.random((n, 12)) < 0.1 + 0.2 * label[:, None]) * 1.0,
        "label": np.eye(4)[label],
    }


@pytest.mark.parametrize("system", [MVAE, MMVAE, LaplaceMMVAE])
def test_training_improves_resumes_bit_for_bit_and_repeats(system, tmp_path):
    def fit(steps, **options):
        model = system({"ink": Bernoulli(12), "label": Categorical(4)}, latent=3, hidden=(16,))
        options |= {"batch_size": 64, "interval": 10, "device": "cuda", "progress": False}
        history = model.fit(pairs(), steps=steps, binarise=("ink",), **options)
        return history, to_host(model.theta)

    history, theta = fit(60, checkpoint=tmp_path / "whole.npz")
    assert history[-1]["bound"] > history[0]["bound"]
    fit(20, checkpoint=tmp_path / "parts.npz")
    assert_array_equal(fit(60, checkpoint=tmp_path / "parts.npz")[1], theta)
    assert_array_equal(fit(60)[1], theta)


def test_other_kernels_train_kernel_by_kernel_after_one_warning():
    modalities = {"ink": Bernoulli(12), "label": Categorical(4)}
    options = {"steps": 6, "batch_size": 64, "device": "cuda", "progress": False}
    found = []
    for graph in True, False:
        model = MVAE(modalities, latent=3, hidden=(16,), kernels=reference)
        if graph:
            with pytest.warns(RuntimeWarning, match="kernel by kernel") as said:
                model.fit(pairs(), **options)
            assert len(said) == 1
        else:
            model.fit(pairs(), graph=False, **options)
        found.append(to_host(model.theta))
    assert_array_equal(*found)


def test_estimates_on_the_gpu_do_not_depend_on_the_chunk(cupy):
    model, theta, batch, _ = problem("MMVAE, iwae", np.float32)
    found = [
        marginal(model, cupy.asarray(theta), moved(batch, cupy).x, K=50, rng=0, chunk=chunk)
        for chunk in (100, None)
    ]
    assert_allclose(found[0].log_p, found[1].log_p, rtol=1e-5)


def test_noise_is_drawn_on_the_gpu_from_the_seed(cupy):
    for system, variance in (MMVAE, 1), (LaplaceMMVAE, 2):
        model = system({"ink": Bernoulli(12)}, latent=8)
        draws = [
            model.draw_noise(np.random.default_rng(seed), 500, 10, np.float32, cupy)["eps"]
            for seed in (0, 0, 1)
        ]
        first, again, other = map(to_host, draws)
        assert first.dtype == np.float32
        assert_array_equal(first, again)
        assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.03
        assert abs(first.mean()) < 0.03
        assert abs(first.var() / variance - 1) < 0.06


@DTYPES
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 5), (1, 7, 1), (31, 33, 257), (100, 784, 512)])
def test_products_of_any_layout(shape, dtype, cupy):
    from mmvae_edu.kernels import cuda_c

    n, k, m = shape
    rng = np.random.default_rng(2)
    a, b = rng.standard_normal((n, k)).astype(dtype), rng.standard_normal((k, m)).astype(dtype)
    scale = np.abs(a) @ np.abs(b) + 1e-30

    def layouts(array):
        wide = np.repeat(array, 2, axis=1)
        whole, turned = cupy.asarray(array), cupy.asarray(array.T.copy()).T
        return whole, turned, cupy.asarray(wide)[:, ::2]

    for left in layouts(a):
        for right in layouts(b):
            out = cupy.full((n, m), np.nan, dtype)
            for product in (cuda_c.matmul(left, right), cuda_c.matmul(left, right, out=out), out):
                error = np.abs(to_host(product) - a.astype(np.longdouble) @ b) / scale
                assert error.max() < 4 * np.sqrt(k) * np.finfo(dtype).eps
    assert (cuda_c.matmul(cupy.zeros((2, 0)), cupy.zeros((0, 3))) == 0).all()


def test_two_threads_at_once(cupy):
    """Each on a stream of its own: kernels, products and a graph."""
    from mmvae_edu.kernels import cuda_c

    wrong = []

    def work(seed):
        try:
            with cupy.cuda.Stream(non_blocking=True) as stream:
                model, theta, batch, rng = problem("MVAE, sampled KL", np.float64)
                theta_, batch_ = cupy.asarray(theta), moved(batch, cupy)
                gradient = training.OnGpu(model.bound, batch.size)
                log_w = np.random.default_rng(seed).standard_normal((50, 400))
                want, _ = reference.importance_weights(log_w)
                for _ in range(30):
                    noise = model.draw_noise(rng, 6, 2, np.float64)
                    exact = training.mean_gradient(model.bound, theta, batch, beta=1.0, **noise)
                    noise["eps"] = cupy.asarray(noise["eps"])
                    found = gradient(theta_, batch_, beta=1.0, **noise)
                    bound, _ = cuda_c.importance_weights(cupy.asarray(log_w))
                    stream.synchronize()
                    assert_allclose(bound.get(), want, rtol=1e-12)
                    assert_allclose(found[1].get(), exact[1], rtol=0, atol=1e-10)
        except Exception as fault:  # a thread's own is lost
            wrong.append(fault)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("system", models.SYSTEMS)
def test_the_command_trains_any_system_on_the_gpu(system, tmp_path):
    options = ["--device", "cuda", "--steps", "40", "--out", str(tmp_path / "model.npz")]
    assert main(["train", system, *options]) == 0
    assert np.isfinite(getattr(models, system).load(tmp_path / "model.npz").theta).all()
