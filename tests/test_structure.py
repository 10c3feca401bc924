"""Imports run one way, and one code path serves the CPU and the GPU."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mmvae_edu.kernels import reference
from numpy.testing import assert_allclose

import mmvae_edu
from mmvae_edu import kernels, models, training
from mmvae_edu.likelihoods import Binomial, Categorical, Laplace, Normal
from mmvae_edu.models import CVAE, JMVAE
from mmvae_edu.support.batches import Batch, check_batch

PACKAGE = Path(mmvae_edu.__file__).parent
KERNELS = Path(kernels.__file__).parent

# ---- imports ----

ORDER = [  # each may import only from rows above its own, or within its row
    {"__init__", "version", "kernels"},
    {"support"},
    {"report", "data", "oracles", "gradcheck", "ops"},
    {"gaussian", "laplace", "derivations"},
    {"likelihoods", "posteriors"},
    {"objectives", "networks"},
    {"training", "estimators", "criteria"},
    {"models"},
    {"slides", "claims", "mistakes", "measure"},
    {"course"},
    {"tour"},
    {"book"},
    {"cli"},
    {"__main__"},
]
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
ALONE = {"oracles", "gradcheck"}  # the rulers share no code with what they measure, but the rule
# for arrays, which computes nothing


def imports(path, root, package):
    """The modules that a file imports, anywhere in it, by absolute name."""
    parts = [*package.split("."), *path.relative_to(root).with_suffix("").parts]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = parts[: len(parts) - node.level] if node.level else []
            stem = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            found |= {stem} | {f"{stem}.{alias.name}" for alias in node.names}
    return found


def rooms(found):
    """The rooms of mmvae_edu among absolute module names."""
    parts = [name.split(".") for name in found]
    return {part[1] for part in parts if part[0] == "mmvae_edu" and len(part) > 1}


LIBRARY = sorted(PACKAGE.rglob("*.py"))
BACKENDS = sorted(path for path in KERNELS.rglob("*.py"))


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    found = imports(path, PACKAGE, "mmvae_edu")
    room = path.relative_to(PACKAGE).with_suffix("").parts[0]
    outside = {name.split(".")[0] for name in found}
    assert not outside & {"numba", "lessons", "kernels"}
    assert "torch" not in outside or room == "measure"
    assert "cupy" not in outside or path.stem == "devices"
    used = rooms(found) & set(RANK) - {room}
    later = {name for name in used if RANK[name] > RANK.get(room, -1)}
    assert not later, f"{room} must not import {later}"
    shared = {name for name in found if name.startswith("mmvae_edu.kernels.arrays")}
    used = rooms(found - shared) & set(RANK) - {room}
    assert room not in ALONE or not used, f"{room} must import nothing of the library: {used}"


@pytest.mark.parametrize("path", BACKENDS, ids=lambda path: path.name)
def test_kernels_import_only_their_compilers(path):
    found = imports(path, KERNELS, "mmvae_edu.kernels")
    assert rooms(found) <= {"kernels"}
    allowed = {"numpy", "numba", "cupy", "cuda", "llvmlite", "mmvae_edu", *sys.stdlib_module_names}
    assert {name.split(".")[0] for name in found} <= allowed


def test_importing_the_library_brings_neither_cupy_nor_torch():
    code = (
        "import sys, mmvae_edu.oracles\nfrom mmvae_edu import *\n"
        "print([name for name in ('cupy', 'torch', 'jax', 'autograd') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_the_package_brings_no_model_and_no_numpy():
    code = (
        "import sys, mmvae_edu, mmvae_edu.models\n"
        "print({'numpy', 'numba', 'matplotlib', 'mmvae_edu.models.base'} & set(sys.modules))\n"
        "from mmvae_edu import MVAE, MMVAE, Bernoulli, Normal, check_pullback, load_digits"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_every_model_is_in_the_table():
    files = {path.stem for path in (PACKAGE / "models").glob("*.py")}
    files -= {"__init__", "base", "multimodal_vae", "settings"}  # what the systems share
    table = {system.module for system in models.SYSTEMS.values()}
    lost = [f"models/{name}.py" for name in sorted(files - table)]
    assert not lost, f"{', '.join(lost)}: no row of SYSTEMS in mmvae_edu/models/__init__.py"
    assert table <= files
    assert set(models.SYSTEMS) < set(mmvae_edu.__all__)


# ---- one code path ----


class DeviceArray(np.lib.mixins.NDArrayOperatorsMixin):
    """A stand-in for cupy.ndarray that runs anywhere and is as strict about the border.

    Like CuPy it refuses to become a NumPy array, to meet one in an operation, and every ufunc
    method but __call__; assignment takes scalars and device arrays.  Stricter than CuPy, it also
    refuses float() and bool(), which would wait for the GPU, and silent widening from float32;
    and while `recorded` every copy from the host, as a CUDA graph does.
    """

    recorded = False

    def __init__(self, host):
        self.host = np.asarray(host)

    shape = property(lambda self: self.host.shape)
    ndim = property(lambda self: self.host.ndim)
    size = property(lambda self: self.host.size)
    dtype = property(lambda self: self.host.dtype)
    T = property(lambda self: DeviceArray(self.host.T))
    real = property(lambda self: DeviceArray(self.host.real))

    def get(self):
        if DeviceArray.recorded:
            raise RuntimeError("a copy to the host, while a CUDA graph is recorded")
        return self.host.copy()

    def __len__(self):
        return len(self.host)

    def __iter__(self):
        return (DeviceArray(row) for row in self.host)

    def _refuse(self, *_, **__):
        raise TypeError("an implicit round trip to the host")

    __array__ = __bool__ = __float__ = __int__ = __index__ = __complex__ = _refuse

    def __getitem__(self, index):
        return DeviceArray(self.host[unwrap(index, host_arrays=True)])  # CuPy copies host indices

    def __setitem__(self, index, value):
        if isinstance(value, np.ndarray | list):
            self._refuse()
        self.host[unwrap(index, host_arrays=True)] = unwrap(value)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if method != "__call__":
            return NotImplemented
        if "where" in kwargs:
            raise TypeError("CuPy's ufuncs have no where=")
        (out,) = kwargs.pop("out", (None,))
        floats = [a.dtype for a in inputs if isinstance(a, DeviceArray) and a.dtype.kind == "f"]
        result = ufunc(*unwrap(inputs), **unwrap(kwargs))
        if result.dtype == np.float64 and np.float32 in floats:
            raise TypeError(f"{ufunc.__name__} widens float32 to float64")
        if out is None:
            return DeviceArray(result)
        out.host[...] = result
        return out

    def __array_function__(self, func, types, args, kwargs):
        kwargs.pop("like", None)
        if func in (np.asarray, np.array):
            return DeviceArray(func(*unwrap(args, host_arrays=True), **kwargs, order="A"))
        if any(t not in (DeviceArray, np.ndarray) for t in types):
            return NotImplemented
        if kwargs.get("shape") == ():
            raise TypeError("CuPy takes an empty shape for none given")
        out = kwargs.pop("out", None)
        result = func(*unwrap(args), **unwrap(kwargs))
        if out is not None:
            out.host[...] = result
            return out
        return wrap(result)


def _method(name):
    def call(self, *args, **kwargs):
        return DeviceArray(getattr(self.host, name)(*unwrap(args), **unwrap(kwargs)))

    return call


for _name in "sum mean max min any all reshape astype copy argmax argsort round clip".split():
    setattr(DeviceArray, _name, _method(_name))


def unwrap(value, host_arrays=False):
    """The NumPy arrays inside; a NumPy array among device arrays is refused."""
    if isinstance(value, DeviceArray):
        return value.host
    if isinstance(value, np.ndarray) and not host_arrays:
        raise TypeError("Unsupported type <class 'numpy.ndarray'>: implicit transfer to the device")
    if isinstance(value, np.ndarray | list) and host_arrays and DeviceArray.recorded:
        raise TypeError("a copy from the host, while a CUDA graph is recorded")
    if isinstance(value, dict):
        return {name: unwrap(item, host_arrays) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(unwrap(item, host_arrays) for item in value)
    return value


def wrap(value):
    if isinstance(value, list | tuple):
        return type(value)(wrap(item) for item in value)
    return DeviceArray(value)


MODALITIES = {
    "image": Binomial(4, n=16),
    "label": Categorical(3),
    "pen": Laplace(2, "learnt"),
    "ink": Normal(2, 0.5),
}
OPTIONS = {"latent": 2, "hidden": (3,), "kernels": reference}
VARIANTS = {  # a class, and after a comma which of its options are tried
    "IWAE": {"activation": "tanh"},
    "MVAE": {"subsets": 1, "activation": "relu"},
    "MVAE, sampled KL": {"kl": "monte_carlo"},
    "MVAEQ": {"subsets": 1},
    "MMVAE, elbo": {"objective": "elbo"},
    "MMVAE, iwae": {},
    "MMVAE, stratified": {"objective": "stratified"},
}
VARIED = {name.partition(",")[0] for name in VARIANTS}
SYSTEMS = VARIANTS | {name: {} for name in models.SYSTEMS if name not in VARIED}


def build(name):
    """A system of at most four modalities."""
    system = name.partition(",")[0]
    needs = models.SYSTEMS[system]
    modalities = dict(list(MODALITIES.items())[: needs.modalities])
    condition = {"condition": list(modalities)[-1]} if needs.condition else {}
    return getattr(models, system)(modalities, **condition, **SYSTEMS[name], **OPTIONS)


def setting(name, masked, dtype):
    model, rng = build(name), np.random.default_rng(0)
    x = {
        "image": rng.integers(0, 17, (6, 4)).astype(dtype),
        "label": np.eye(3, dtype=dtype)[rng.integers(0, 3, 6)],
        "pen": rng.standard_normal((6, 2)).astype(dtype),
        "ink": rng.standard_normal((6, 2)).astype(dtype),
    }
    x = {key: x[key] for key in model.modalities}
    mask = np.ones((len(x), 6), dtype=bool)
    if masked and len(x) > 1 and not isinstance(model, CVAE | JMVAE):
        mask[0, 2:4], mask[1:, 5] = False, False
    theta = model.init(rng, dtype)
    batch = check_batch(model.modalities, x, mask, theta)
    return model, theta, batch, model.draw_noise(rng, 6, 2, dtype)


def steps(objective, theta, batch, noise):
    """Two steps of Adam as the trainer takes them; the bound and the parameters."""
    m, v, rows = np.zeros_like(theta), np.zeros_like(theta), np.arange(6)
    for step in (1, 2):
        bound, pullback = objective(theta, batch.take(rows), beta=0.5, **noise)
        dtheta = pullback(np.full_like(bound, -1 / 6))
        reference.adam_step(theta, dtheta, m, v, step=step, learning_rate=0.01)
    return bound, theta


DEVICE_RTOL = {np.float32: 2e-5, np.float64: 1e-10}  # T5, and T1


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_training_step_never_leaves_the_device(name, masked, dtype):
    model, theta, batch, noise = setting(name, masked, dtype)
    device = Batch(
        {key: DeviceArray(values) for key, values in batch.x.items()}, batch.present, batch.index
    )
    objectives = ["bound", "doubly_reparameterised"]
    for objective in (o for o in objectives if hasattr(model, o)):
        on_host = steps(getattr(model, objective), theta.copy(), batch, noise)
        on_device = steps(
            getattr(model, objective),
            DeviceArray(theta.copy()),
            device,
            noise | {"eps": DeviceArray(noise["eps"])},
        )
        for a, b in zip(on_host, on_device, strict=True):
            assert isinstance(b, DeviceArray)
            assert b.dtype == dtype
            assert_allclose(b.get(), a, rtol=DEVICE_RTOL[dtype])  # products sum in another order
    noise["eps"] = DeviceArray(noise["eps"])
    for term in model.terms(DeviceArray(theta.copy()), device, **noise):
        assert all(isinstance(part, np.ndarray) for part in term[1:])


def record(monkeypatch, function):
    """function() twice, as kernels.graph.Recorded does; the second time nothing may be copied."""
    function()
    with monkeypatch.context() as patch:
        patch.setattr(DeviceArray, "recorded", True)
        return function()


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_step_can_be_recorded_as_a_cuda_graph(name, dtype, monkeypatch):
    model, theta, batch, noise = setting(name, False, dtype)
    check_recorded(model, theta, batch, noise, monkeypatch)


def check_recorded(model, theta, batch, noise, monkeypatch):
    """`training.OnGpu` against the plain gradient: another batch, noise and β, and fewer rows."""
    launched = []

    class Recorded:
        def __init__(self, function):
            self.function = function
            record(monkeypatch, function)

        def __call__(self):
            launched.append(1)
            return record(monkeypatch, self.function)

    monkeypatch.setattr(training, "Recorded", Recorded)
    rng, N = np.random.default_rng(1), batch.size
    for objective in (o for o in ("bound", "doubly_reparameterised") if hasattr(model, o)):
        launched.clear()
        theta_ = DeviceArray(theta.copy())
        gradient = training.OnGpu(getattr(model, objective), N)
        for rows, beta in (
            (np.arange(N), 0.5),
            (rng.permutation(N), 0.75),
            (np.arange(N - 1), 1.0),
        ):
            eps = rng.standard_normal(noise["eps"][:, :, : len(rows)].shape).astype(theta.dtype)
            part = batch.take(rows)
            on_device = Batch(
                {k: DeviceArray(v) for k, v in part.x.items()}, part.present, part.index
            )
            others = {key: value for key, value in noise.items() if key != "eps"}
            found = gradient(theta_, on_device, beta=beta, eps=DeviceArray(eps), **others)
            wanted = training.mean_gradient(
                getattr(model, objective), theta, part, beta=beta, eps=eps, **others
            )
            for a, b in zip(wanted, found, strict=True):
                assert isinstance(b, DeviceArray)
                assert_allclose(b.get(), a, rtol=DEVICE_RTOL[theta.dtype.type], atol=1e-7)
        assert len(launched) == (0 if others else 2)


def test_the_stand_in_refuses_what_cupy_refuses():
    a, b = DeviceArray(np.ones(3, np.float32)), np.ones(3, np.float32)
    for forbidden in (
        lambda: a + b,
        lambda: b * a,
        lambda: np.asarray(a),
        lambda: np.where(b > 0, a, 0),
        lambda: np.concatenate([a, b]),
        lambda: np.maximum.reduce(a),
        lambda: np.exp(a, where=a > 0),
        lambda: np.zeros_like(a, shape=()),
        lambda: float(a.sum()),
        lambda: bool(a.all()),
        lambda: a.__setitem__(slice(None), b),
        lambda: a * DeviceArray(np.arange(3)),
        lambda: b.__setitem__(slice(None), a),
    ):
        with pytest.raises(TypeError):
            forbidden()
    assert isinstance(np.asarray(b, like=a), DeviceArray)
    assert isinstance(np.where(a > 0, a, 0) * 2.0, DeviceArray)
