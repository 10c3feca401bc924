"""Training: resuming bit for bit, Ctrl-C, early stopping, files, reproducibility."""

import copy
import signal

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mmvae_edu import training
from mmvae_edu.criteria import Classifier
from mmvae_edu.data import load_digits
from mmvae_edu.likelihoods import Bernoulli, Categorical, Laplace, Normal
from mmvae_edu.models import CVAE, IWAE, MMVAE, MVAE, VAE
from mmvae_edu.support import archives, settings
from mmvae_edu.support.batches import Paired
from mmvae_edu.training import drawn, mean_bound

nan = np.nan
MODALITIES = {"ink": Normal(3, scale=0.5), "label": Categorical(4)}
BASE = {"batch_size": 8, "learning_rate": 1e-2, "progress": False}  # 21 rows: 3 batches an epoch
SYSTEMS = {
    "VAE": lambda: VAE({"ink": Normal(3, scale=0.5)}, latent=2, hidden=(5,)),
    "IWAE": lambda: IWAE({"ink": Normal(3, "learnt")}, latent=2, hidden=(5,)),
    "MVAE": lambda: MVAE(MODALITIES, latent=2, hidden=(5,), subsets=1),
    "MMVAE": lambda: MMVAE(MODALITIES, latent=2, hidden=(5,)),
}
EVERY = pytest.mark.parametrize("name", SYSTEMS)


def data(n=21, seed=0, names=("ink", "label")):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 4, n)
    ink = np.eye(4)[label][:, :3] * 2 + 0.3 * rng.standard_normal((n, 3))
    return {name: {"ink": ink, "label": np.eye(4)[label]}[name] for name in names}


def prepared(name, **change):
    model = SYSTEMS[name]()
    return model, data(names=tuple(model.modalities)), BASE | {"steps": 11} | change


def press_ctrl_c_at(model, step):
    """Raise SIGINT in this step, which evaluates the bound once; so does the check before all."""
    bound, calls = model.bound, []

    def bound_with_interrupt(*args, **kwargs):
        calls.append(None)
        if len(calls) == step + 1:
            signal.raise_signal(signal.SIGINT)
        return bound(*args, **kwargs)

    model.bound = bound_with_interrupt


# ---- resuming ----


@EVERY
@pytest.mark.parametrize("step", [1, 5, 6, 10])  # 6 ends an epoch, 5 and 10 are inside one
def test_interrupted_and_resumed_is_bit_for_bit_uninterrupted(name, step, tmp_path):
    whole, x, options = prepared(name, samples=2, anneal=7)
    history = whole.fit(x, **options)

    first, _, _ = prepared(name)
    press_ctrl_c_at(first, step)
    path = tmp_path / "run.npz"
    with pytest.raises(KeyboardInterrupt):
        first.fit(x, checkpoint=path, **options)
    header, arrays = archives.read_arrays(path, "checkpoint")
    assert header["step"] == step  # the step was finished, and no more
    assert_array_equal(first.theta, arrays["theta"])  # and is what the user holds

    second, _, _ = prepared(name)
    assert second.fit(x, checkpoint=path, **options) == history
    assert_array_equal(second.theta, whole.theta)


def overfitting():
    """A wide VAE on 8 rows, which early stopping has to stop."""
    model = VAE({"ink": Normal(3, scale=0.1)}, latent=2, hidden=(40,))
    options = {"validation": data(30, seed=5, names=("ink",)), "patience": 20, "steps": 4000}
    return model, data(8, names=("ink",)), BASE | options | {"learning_rate": 3e-3}


def test_resuming_keeps_early_stoppings_memory(tmp_path):
    """Interrupted 10 records after the best one: it still stops after 20, with the same best."""
    whole, x, options = overfitting()
    history = whole.fit(x, **options)
    first, path = overfitting()[0], tmp_path / "run.npz"
    evaluations = history[-11]["step"] + len(history) - 11  # of the steps, and of the validations
    press_ctrl_c_at(first, evaluations)
    with pytest.raises(KeyboardInterrupt):
        first.fit(x, checkpoint=path, **options)
    assert archives.read_arrays(path, "checkpoint")[0]["stale"] == 10
    second = overfitting()[0]
    assert second.fit(x, checkpoint=path, **options) == history
    assert_array_equal(second.theta, whole.theta)


def test_a_longer_run_forgets_where_the_shorter_one_ended(tmp_path):
    """Whose last record, off the grid of the intervals, does not count for the best parameters."""
    for seed in range(6):
        model, x, options = prepared("VAE", interval=4, learning_rate=0.1, seed=seed)
        options |= {"validation": data(names=("ink",), seed=9)}
        whole = copy.deepcopy(model)
        history = whole.fit(x, **options | {"steps": 13})
        path = tmp_path / f"{seed}.npz"
        short = model.fit(x, checkpoint=path, **options | {"steps": 6})
        assert [entry["step"] for entry in short] == [4, 6]
        assert model.fit(x, checkpoint=path, **options | {"steps": 6}) == short
        assert model.fit(x, checkpoint=path, **options | {"steps": 13}) == history
        assert_array_equal(model.theta, whole.theta)


def test_numpys_numbers_may_stand_for_pythons(tmp_path):
    x = data(names=("ink",))
    for _ in range(2):  # the second goes on from the first's checkpoint
        model = VAE({"ink": Normal(np.int64(3), scale=np.float32(0.5))}, hidden=(np.int64(4),))
        options = BASE | {"steps": np.int64(2), "seed": (np.int64(0), 1)}
        model.fit(x, checkpoint=tmp_path / "run.npz", **options)
    model.save(tmp_path / "model.npz")
    assert_array_equal(VAE.load(tmp_path / "model.npz").theta, model.theta)


def test_validation_noise_is_fixed_without_a_seed_too():
    model, x, options = prepared("VAE", interval=1)
    options |= {"learning_rate": 0.0, "seed": None, "validation": x}
    assert len({entry["validation"] for entry in model.fit(x, **options)}) == 1


def test_a_finished_run_resumes_to_itself(tmp_path):
    model, x, options = prepared("VAE")
    history = model.fit(x, checkpoint=tmp_path / "run.npz", **options)
    again, _, _ = prepared("VAE")
    assert again.fit(x, checkpoint=tmp_path / "run.npz", **options) == history
    assert_array_equal(again.theta, model.theta)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_truncated_checkpoints_are_refused(share, tmp_path):
    model, x, options = prepared("VAE")
    path = tmp_path / "run.npz"
    model.fit(x, checkpoint=path, **options)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="not written by mmvae_edu, or not to its end"):
        model.fit(x, checkpoint=path, **options)


def test_ctrl_c_restores_the_handler_and_without_checkpoint_keeps_the_parameters():
    model, x, options = prepared("VAE")
    before = signal.getsignal(signal.SIGINT)
    press_ctrl_c_at(model, 4)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, **options)
    assert signal.getsignal(signal.SIGINT) is before
    assert np.isfinite(model.theta).all()
    assert model.sample(2, rng=np.random.default_rng(0))["ink"].shape == (2, 3)


# ---- what training must not do ----


@EVERY
def test_training_changes_none_of_its_inputs(name):
    model, x, options = prepared(name)
    mask = np.ones((len(x), 21), dtype=bool)
    mask[-1, ::3] = len(x) == 1
    before = copy.deepcopy((x, mask))
    for array in [*x.values(), mask]:
        array.flags.writeable = False  # an in-place write would raise
    model.fit(x, mask=mask, **options)
    for name, values in before[0].items():
        assert_array_equal(x[name], values)
    assert_array_equal(mask, before[1])


@EVERY
def test_same_seed_same_numbers_other_seed_others(name):
    runs = []
    for seed in (3, 3, 4):
        model, x, options = prepared(name, seed=seed)
        np.random.default_rng().standard_normal(5)  # global state plays no part
        runs.append((model.fit(x, **options), model.theta))
    assert runs[0][0] == runs[1][0]
    assert_array_equal(runs[0][1], runs[1][1])
    assert (runs[0][1] != runs[2][1]).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_on_request(dtype):
    model, x, options = prepared("MMVAE", dtype=dtype)
    model.fit(x, **options)
    assert model.theta.dtype == dtype


# ---- what training must do ----


@EVERY
def test_bound_rises(name):
    model, x, options = prepared(name, steps=300)
    history = model.fit(x, **options)
    assert history[-1]["bound"] > history[0]["bound"] + 1
    assert history[-1]["step"] == 300


@pytest.mark.parametrize("name", ["IWAE", "MMVAE"])
def test_doubly_reparameterised_training_rises_too(name):
    model, x, options = prepared(name, steps=300, samples=3, estimator="doubly_reparameterised")
    history = model.fit(x, **options)
    assert history[-1]["bound"] > history[0]["bound"] + 1


@pytest.mark.parametrize("name", ["MVAE", "MMVAE"])
def test_weakly_paired_data_help(name):
    """Three rows in four have one modality only; training on them raises the paired bound too."""
    model, _, options = prepared(name, steps=300)
    x, held_out = data(200), data(200, seed=9)
    mask = np.ones((2, 200), dtype=bool)
    mask[0, 50:125] = mask[1, 125:] = False
    for name, present in zip(x, mask, strict=True):
        x[name] = np.where(present[:, None], x[name], np.nan)
    start = model.init(np.random.default_rng(0))
    batch = model.checked_batch(start, held_out)[0]
    before = mean_bound(model, start, batch)
    model.fit(x, mask=mask, **options)
    assert mean_bound(model, model.theta, batch) > before + 1


def test_early_stopping_keeps_the_best_parameters():
    model, x, options = overfitting()
    history = model.fit(x, **options)
    values = [entry["validation"] for entry in history]
    best = int(np.argmax(values))
    assert len(history) == best + 1 + 20  # patience, and no more
    batch = model.checked_batch(model.theta, options["validation"])[0]
    assert mean_bound(model, model.theta, batch) == max(values)
    assert values[-1] < max(values)


def test_the_gradient_is_that_of_the_mean_loss():
    model, x, _ = prepared("VAE")
    theta = model.init(np.random.default_rng(0), np.float64)
    batch = model.checked_batch(theta, x)[0]
    eps = model.draw_noise(np.random.default_rng(1), batch.size, 1, np.float64)["eps"]
    total, dtheta = training.mean_gradient(model.bound, theta, batch, eps=eps)
    bound, pullback = model.bound(theta, batch, eps=eps)
    np.testing.assert_allclose(total, bound.sum(), rtol=1e-12)
    np.testing.assert_allclose(dtheta, -pullback(np.ones(21)) / 21, rtol=1e-9, atol=1e-14)


def test_history_reports_the_mean_bound_of_the_whole_epoch():
    """At learning rate 0 an epoch's bound is the mean over the rows, not over the batches."""
    model, x, options = prepared("VAE", steps=3, learning_rate=0.0, dtype=np.float64)
    seen, bound = [], model.bound

    def recording(*args, **kwargs):
        value, pullback = bound(*args, **kwargs)
        seen.extend(value.tolist())
        return value, pullback

    model.bound = recording
    (entry,) = model.fit(x, **options)
    assert len(seen) == 8 + 21  # the first batch is checked before the first step
    assert entry["bound"] == pytest.approx(np.mean(seen[8:]), rel=1e-12)


def test_annealing_rises_linearly_to_one():
    model, x, options = prepared("VAE", anneal=4, steps=6)
    betas, bound = [], model.bound

    def recording(*args, beta, **kwargs):
        betas.append(beta)
        return bound(*args, beta=beta, **kwargs)

    model.bound = recording
    model.fit(x, **options)
    assert betas == [0.25, 0.25, 0.5, 0.75, 1, 1, 1]  # the first batch is checked before all steps


def test_the_learning_rate_falls_linearly_over_the_last_steps(monkeypatch):
    model, x, options = prepared("VAE", decay=4, steps=6, learning_rate=0.5)
    rates, ascend = [], training.ascend

    def recording(model, objective, state, batch, learning_rate, **arguments):
        rates.append(learning_rate)
        return ascend(model, objective, state, batch, learning_rate, **arguments)

    monkeypatch.setattr(training, "ascend", recording)
    model.fit(x, **options)
    assert rates == [0.5, 0.5, 0.5, 0.375, 0.25, 0.125]


WEIGHTS = {"ink": [(0, 0.5), (5, 2)], "label": [(0, 1), (8, 3)]}


def test_scheduled_weights_train_as_models_with_these_weights(tmp_path):
    """Each phase is a model of constant weights, continued from where the last one ended."""
    model, x, options = prepared("MVAE", steps=5, weights=WEIGHTS, interval=5)
    (entry,) = model.fit(x, **options)
    assert entry["weights"] == {"ink": 0.5, "label": 1.0}
    plain = MVAE(MODALITIES, latent=2, hidden=(5,), subsets=1, weights={"ink": 0.5})
    history = plain.fit(x, **options | {"weights": None})
    assert_array_equal(model.theta, plain.theta)
    assert history[0]["bound"] == entry["bound"]
    assert model.weights == {"ink": 1.0, "label": 1.0}  # a fit leaves the model's own

    rates = [settings.checked({"weights": WEIGHTS}).weights_at(step) for step in range(10)]
    assert [rate["ink"] for rate in rates] == [0.5] * 5 + [2.0] * 5
    assert [rate["label"] for rate in rates] == [1.0] * 8 + [3.0] * 2
    other, _, _ = prepared("MVAE")
    assert other.fit(x, **options | {"steps": 11})[-1]["weights"] == {"ink": 2.0, "label": 3.0}
    assert (other.theta != plain.theta).all()


def test_a_constant_weight_in_fit_is_the_models(tmp_path):
    model, x, options = prepared("MMVAE", weights={"ink": 2})
    model.fit(x, **options)
    plain = MMVAE(MODALITIES, latent=2, hidden=(5,), weights={"ink": 2.0})
    plain.fit(x, **options | {"weights": None})
    assert_array_equal(model.theta, plain.theta)


@pytest.mark.parametrize("step", [4, 5, 6, 8])
def test_scheduled_weights_resume_bit_for_bit(step, tmp_path):
    whole, x, options = prepared("MVAE", weights=WEIGHTS, interval=2, validation=data(9, seed=1))
    history, path = whole.fit(x, **options), tmp_path / "run.npz"
    first, _, _ = prepared("MVAE")
    first.fit(x, checkpoint=path, **options | {"steps": step})
    second, _, _ = prepared("MVAE")
    found = second.fit(x, checkpoint=path, **options)
    assert_array_equal(second.theta, whole.theta)
    assert found[-1] == history[-1]


# ---- checkpoints that are not ours, or not whole ----


def test_checkpoints_keep_their_format(tmp_path):
    """Else those that users have would be refused."""
    model, x, options = prepared("VAE")
    model.fit(x, checkpoint=tmp_path / "run.npz", **options)
    header, arrays = archives.read_arrays(tmp_path / "run.npz", "checkpoint")
    assert set(header["identity"]) == set(
        "system config dtype examples seed learning_rate anneal estimator batch_size samples "
        "interval binarise decay_from decay_to weights mask data validation".split()
    )
    numbers = {"step", "position", "best_bound", "stale", "count", "history"}
    assert set(header) == {"kind", "identity", "rng", *numbers}
    assert set(arrays) == {"theta", "m", "v", "order", "total"}


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"seed": 1}, "seed"),
        ({"batch_size": 7}, "batch_size"),
        ({"samples": 2}, "samples"),
        ({"dtype": np.float64}, "dtype"),
        ({"learning_rate": 1e-3}, "learning_rate"),
        ({"decay": 2}, "decay_from"),
        ({"weights": {"ink": [(0, 1), (5, 2)]}}, "weights"),
    ],
)
def test_checkpoint_of_another_training_is_refused(change, key, tmp_path):
    model, x, options = prepared("VAE")
    path = tmp_path / "run.npz"
    model.fit(x, checkpoint=path, **options)
    content = path.read_bytes()
    with pytest.raises(ValueError, match=f"a checkpoint of another training: {key} "):
        SYSTEMS["VAE"]().fit(x, checkpoint=path, **options | change)
    assert path.read_bytes() == content


def test_checkpoint_of_another_model_is_refused(tmp_path):
    model, x, options = prepared("MVAE")
    path = tmp_path / "run.npz"
    model.fit(x, checkpoint=path, **options)
    with pytest.raises(ValueError, match="another training: system MVAE, not MMVAE"):
        SYSTEMS["MMVAE"]().fit(x, checkpoint=path, **options)
    wider = MVAE(MODALITIES, latent=3, hidden=(5,), subsets=1)
    with pytest.raises(ValueError, match="another training: config"):
        wider.fit(x, checkpoint=path, **options)
    model.save(path)
    with pytest.raises(ValueError, match="expected a checkpoint file, found a model file"):
        SYSTEMS["MVAE"]().fit(x, checkpoint=path, **options)


def test_unwritable_folder_is_one_sentence(tmp_path):
    model, x, options = prepared("VAE")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ValueError, match="file/run: cannot write here"):
        model.fit(x, checkpoint=tmp_path / "file" / "run" / "c.npz", **options)
    model.fit(x, **options)
    with pytest.raises(ValueError, match="missing/model.npz: cannot write here"):
        model.save(tmp_path / "missing" / "model.npz")


@pytest.mark.parametrize(
    ("differs", "change"),
    [
        ("data", lambda x: {"x": x | {"ink": x["ink"] + (np.arange(21) == 20)[:, None]}}),
        ("data", lambda x: {"x": x | {"label": x["label"][::-1]}}),
        ("mask", lambda x: {"mask": np.array([[True] * 20 + [False], [True] * 21])}),
        ("validation", lambda x: {"validation": data(n=7, seed=9)}),
        ("validation", lambda x: {"validation": None}),
        ("examples 21, not 20", lambda x: {"x": {name: values[:20] for name, values in x.items()}}),
    ],
)
def test_a_checkpoint_of_other_data_is_refused_and_changes_nothing(differs, change, tmp_path):
    model, x, options = prepared("MVAE")
    given = {"x": x, "validation": data(n=7, seed=8), "checkpoint": tmp_path / "run.npz"}
    model.fit(**given, **options)
    theta, content = model.theta, given["checkpoint"].read_bytes()
    differs = differs if " " in differs else f"other {differs}"
    with pytest.raises(ValueError, match=f"a checkpoint of another training: {differs}$"):
        model.fit(**given | change(x), **options)
    assert model.theta is theta
    assert given["checkpoint"].read_bytes() == content


def test_a_checkpoint_resumes_with_equal_data_in_other_arrays(tmp_path):
    """float64 or float32, in rows or columns, with anything under the mask, paired or not."""
    x, mask = data(), np.ones((2, 21), dtype=bool)
    mask[0, 4] = False
    others = x | {"ink": np.asfortranarray(x["ink"].astype(np.float32))}
    others["ink"][4] = nan
    x = {name: values.astype(np.float32).astype(float) for name, values in x.items()}
    whole, _, options = prepared("MVAE")
    history = whole.fit(x, mask=mask, **options)
    model, path = prepared("MVAE")[0], tmp_path / "run.npz"
    model.fit(x, mask=mask, checkpoint=path, **options | {"steps": 5})
    assert model.fit(others, mask=mask, checkpoint=path, **options) == history
    assert_array_equal(model.theta, whole.theta)


def test_pairs_of_other_rows_are_other_data(tmp_path):
    rows = {name: np.arange(21) for name in MODALITIES}
    options = BASE | {"steps": 3, "checkpoint": tmp_path / "run.npz"}
    for _ in range(2):
        SYSTEMS["MVAE"]().fit(Paired(data(), rows), **options)
    with pytest.raises(ValueError, match="another training: other data"):
        SYSTEMS["MVAE"]().fit(Paired(data(), rows | {"ink": np.arange(21)[::-1]}), **options)


def test_a_checkpoint_beyond_the_last_step_is_refused(tmp_path):
    model, x, options = prepared("VAE")
    path = tmp_path / "run.npz"
    model.fit(x, checkpoint=path, **options)
    theta = model.theta
    with pytest.raises(ValueError, match="run.npz: is at step 11 already, beyond steps=10"):
        model.fit(x, checkpoint=path, **options | {"steps": 10})
    assert model.theta is theta


def test_a_fall_of_the_learning_rate_to_another_step_is_another_training(tmp_path):
    """Both begin to fall at step 6, one of them to 0 at step 10."""
    model, x, options = prepared("VAE", checkpoint=tmp_path / "run.npz")
    model.fit(x, **options | {"steps": 10, "decay": 4})
    with pytest.raises(ValueError, match="another training: decay_to 10, not 20"):
        model.fit(x, **options | {"steps": 20, "decay": 14})


def test_checkpoints_from_before_the_hashes_resume(tmp_path):
    model, x, options = prepared("VAE")
    path = tmp_path / "run.npz"
    history = model.fit(x, checkpoint=path, **options)
    header, arrays = archives.read_arrays(path, "checkpoint")
    for key in "mask", "data", "validation", "decay_to", "weights":
        del header["identity"][key]
    archives.write_arrays(path, header, arrays)
    assert model.fit(x, checkpoint=path, **options) == history


# ---- numbers that are not finite, and data that are not scaled -------------------------------


def poisoned(model, step, *, value=True, gradient=True):
    """Make the bound, or its gradient, NaN from this step on."""
    bound, calls = model.bound, []

    def poisoned_bound(*args, **kwargs):
        found, pullback = bound(*args, **kwargs)
        calls.append(None)
        if len(calls) <= step:  # the first call is the check before the first step
            return found, pullback
        return found * (nan if value else 1), lambda d: pullback(d) * (nan if gradient else 1)

    model.bound = poisoned_bound
    return model


@pytest.mark.parametrize("checkpoint", [False, True])
@pytest.mark.parametrize("interval", [4, 100])  # of 11 steps
@pytest.mark.parametrize(
    ("step", "parts", "sentence"),
    [
        (7, {}, "the bound became infinite or NaN by step 7"),
        (7, {"gradient": False}, "the bound became infinite or NaN by step 7"),
        (7, {"value": False}, "(the bound|a parameter) became infinite or NaN by step 8"),
        (11, {"value": False}, "a parameter became infinite or NaN by step 11"),
    ],
)
def test_nothing_is_kept_that_is_not_finite(step, parts, sentence, interval, checkpoint, tmp_path):
    model, x, options = prepared("VAE", interval=interval)
    model.theta = before = np.zeros(3)
    path = tmp_path / "run.npz" if checkpoint else None
    with pytest.raises(ValueError, match=sentence) as caught:
        poisoned(model, step, **parts).fit(x, checkpoint=path, **options)
    assert str(caught.value).endswith("try a smaller learning_rate")
    assert ("at step 4 the bound was -" in str(caught.value)) == (interval == 4 and step < 9)
    assert model.theta is before
    assert [p.name for p in tmp_path.iterdir()] == ["run.npz"] * (checkpoint and interval == 4)
    for file in tmp_path.iterdir():
        header, arrays = archives.read_arrays(file, "checkpoint")
        assert header["step"] == 4 * (step // 4)
        assert all(np.isfinite(array).all() for array in arrays.values())


def test_ctrl_c_in_a_step_that_is_not_finite_is_a_sentence_too(tmp_path):
    model, x, options = prepared("VAE")
    press_ctrl_c_at(poisoned(model, 5, value=False), 5)
    with pytest.raises(ValueError, match="a parameter became infinite or NaN by step 5"):
        model.fit(x, checkpoint=tmp_path / "run.npz", **options)
    assert model.theta is None
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("error")
def test_a_validation_bound_that_is_not_finite_is_named(tmp_path):
    model, x, options = prepared("VAE", interval=4)
    held_out = {"ink": x["ink"].copy()}
    held_out["ink"][0] = 1e30  # an outlier: the others are ordinary
    with pytest.raises(ValueError, match="validation: its bound became -?(inf|nan) by step 4"):
        model.fit(x, validation=held_out, checkpoint=tmp_path / "run.npz", **options)
    assert model.theta is None
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="by step 3"):
        model.fit(x, validation=held_out, **options | {"steps": 3})


def test_a_learning_rate_that_is_too_large_is_named():
    model, x, options = prepared("VAE", learning_rate=1e6, steps=60)
    with pytest.raises(ValueError, match="became infinite or NaN by step .*; try a smaller learn"):
        model.fit(x, **options)


UNSCALED = {
    "times 100": lambda x: 100 * x,
    "times 1e6": lambda x: 1e6 * x,
    "times 1e30": lambda x: 1e30 * x,
    "plus 1000": lambda x: x + 1000,
}
REAL = {
    "Normal": Normal(16), "Normal, learnt": Normal(16, "learnt"), "Normal, wide": Normal(16, 1e3),
    "Laplace": Laplace(16), "Laplace, learnt": Laplace(16, "learnt"),
}  # fmt: skip


def strokes():
    """Standardised strokes of real digits, and their labels: an ordinary data set."""
    digits = load_digits("image+strokes", pairs=1).train
    x = digits.x["strokes"].astype(float)
    return (x - x.mean(axis=0)) / x.std(axis=0), np.eye(10)[digits.label]


@pytest.mark.parametrize("likelihood", REAL)
@pytest.mark.parametrize("change", UNSCALED)
@pytest.mark.parametrize("learning_rate", [1e-3, 0])
def test_unscaled_data_are_refused_before_the_first_step(likelihood, change, learning_rate):
    x, label = strokes()
    x = {"a": x, "b": UNSCALED[change](x), "c": label}
    model = MVAE({"a": Normal(16), "b": REAL[likelihood], "c": Categorical(10)})
    if likelihood == "Normal, wide" and change in ("times 100", "plus 1000"):
        model.fit(x, steps=1, progress=False)  # a likelihood that explains them
        return
    sentence = r"^x\['b'\]: expected values of about 1, .* found .*; standardise each feature"
    rare = np.ones((3, len(label)), dtype=bool)
    rare[1] = np.arange(len(label)) % 15 == 0  # fewer rows have it than may be outliers
    for mask in None, rare:
        with pytest.raises(ValueError, match=sentence):
            model.fit(x, mask=mask, learning_rate=learning_rate, steps=3, progress=False)
    assert model.theta is None


@pytest.mark.parametrize("likelihood", REAL)
@pytest.mark.parametrize("scale", [0, 1, 3])
def test_ordinary_data_and_a_few_outliers_are_trained_on(likelihood, scale):
    x, _ = strokes()
    x = scale * x
    x[::25] *= 3 + 3 * scale
    for seed in range(5):
        VAE({"a": REAL[likelihood]}).fit({"a": x}, seed=seed, steps=1, progress=False)


@pytest.mark.parametrize("scale", [0.01, 0.1])
def test_a_small_fixed_scale_may_be_chosen(scale):
    x, _ = strokes()
    VAE({"a": Normal(16, scale)}).fit({"a": x}, steps=1, progress=False)


def test_one_example_that_is_not_finite_is_named_and_not_the_learning_rate():
    x, _ = strokes()
    x[17] = 1e6
    model = VAE({"a": Normal(16)})
    with pytest.raises(ValueError, match=r"x\['a'\]: .* mean square 1e\+06; .* or try a smaller"):
        model.fit({"a": x}, steps=100, progress=False)
    assert model.theta is None


@pytest.mark.parametrize("paired", [False, True])
def test_an_example_of_an_earlier_batch_is_named_too(paired):
    x, _ = strokes()
    x[17] = 1e18  # Adam's squares overflow, and the next batch is not finite
    data = Paired({"a": x}, {"a": np.arange(len(x))}) if paired else {"a": x}
    with pytest.raises(ValueError, match=r"x\['a'\]: .* mean square 1e\+18; .* or try a smaller"):
        VAE({"a": Normal(16)}).fit(data, batch_size=8, progress=False)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("paired", [False, True])
def test_validation_data_of_another_size_are_refused_before_the_first_step(paired):
    x, _ = strokes()
    held_out = {"a": 1e3 * x[:40]}
    if paired:
        held_out = Paired(held_out, {"a": np.arange(40)})
    model = VAE({"a": Normal(16)})
    with pytest.raises(ValueError, match=r"validation: x\['a'\]: expected values of about 1"):
        model.fit({"a": x}, validation=held_out, progress=False)
    assert model.theta is None


@pytest.mark.parametrize(("likelihood", "size"), [(Normal(16, 1e-6), 1), (Normal(16), 20)])
def test_a_bound_from_which_no_training_leads_back_is_refused(likelihood, size):
    x, _ = strokes()
    model = VAE({"a": likelihood}, latent=8, hidden=(16,))
    with pytest.raises(ValueError, match="before the first step|x..a.*mean square 3.* standardise"):
        model.fit({"a": size * x}, steps=3, progress=False)


def test_a_condition_has_no_scale_that_explains_it():
    x, label = strokes()
    model = CVAE({"a": Normal(16), "b": Normal(1)}, condition="b", hidden=(64,))
    model.fit({"a": x, "b": 40 + label[:, :1]}, steps=1, progress=False)
    Classifier(Normal(16)).fit(300 * x, label.argmax(axis=1), steps=3, progress=False)


# ---- validation data -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("validation", "sentence"),
    [
        (
            {"ink": np.full((2, 3), nan), "label": np.eye(4)[:2]},
            r"x\['ink'\]: .* found nan at e",
        ),
        ({"ink": np.ones((2, 4)), "label": np.eye(4)[:2]}, r"x\['ink'\]: expected shape \(N, 3\)"),
        ({"ink": np.ones((2, 3)), "label": np.ones((2, 4))}, r"x\['label'\]: expected one-hot row"),
        ({"ink": np.ones((2, 3))}, "nothing of 'label'; expected what x has"),
        ({"sound": np.ones((2, 3))}, "x: unknown modality 'sound'"),
        ({}, "x: expected at least one of"),
        (5, "x: expected a dict of name → array, found int"),
    ],
)
def test_validation_data_are_checked_as_data_and_named(validation, sentence):
    model, x, options = prepared("MVAE")
    with pytest.raises(ValueError, match=f"^validation: {sentence}") as caught:
        model.fit(x, validation=validation, **options)
    assert "mask" not in str(caught.value)  # validation has none
    assert model.theta is None


# ---- names of modalities ---------------------------------------------------------------------

NAMES = "eps", "sampled", "mask", "beta", "theta", "x", "header", "__class__", "encoder", "a/W0", ""


@pytest.mark.parametrize("name", NAMES)
def test_a_modality_may_have_any_name(name, tmp_path):
    x = {name: data()["ink"], "label": data()["label"]}
    model = MVAE({name: Normal(3), "label": Categorical(4)}, latent=2, hidden=(5,), subsets=1)
    path = tmp_path / "run.npz"
    for steps in 2, 4:
        model.fit(x, checkpoint=path, steps=steps, validation=x, **BASE)
    twin, twins = prepared("MVAE", steps=4)[0], data()
    twin.fit(twins, validation=twins, **BASE | {"steps": 4})
    model.save(tmp_path / "model.npz")
    loaded = MVAE.load(tmp_path / "model.npz")
    assert loaded.tree.shapes.keys() == x.keys()
    assert loaded.generate({"label": x["label"]}, name, rng=0)[name].shape == (21, 3)
    given = {"label": x["label"]}
    assert loaded.estimate_conditional({name: x[name]}, given, K=5, rng=0).log_p.shape == (21,)


@pytest.mark.parametrize("name", ["eps", "beta", "mask", "theta"])
def test_the_graph_keeps_data_and_noise_apart(name, monkeypatch):
    """OnGpu copies both into the arrays of its graph, here on the host."""
    monkeypatch.setattr(training, "Recorded", lambda function: function)
    model, rng = MVAE({name: Normal(3)}, latent=2, hidden=(5,)), np.random.default_rng(0)
    theta = model.init(rng)
    batch, _ = model.checked_batch(theta, {name: data()["ink"]})
    gradient = training.OnGpu(model.bound, 7)
    for rows in np.arange(7), np.arange(7, 14):
        noise, part = model.draw_noise(rng, 7, 2), batch.take(rows)
        total, dtheta = gradient(theta, part, beta=np.float32(0.5), **noise)
        exact = training.mean_gradient(model.bound, theta, part, beta=np.float32(0.5), **noise)
        assert total == exact[0]
        assert_array_equal(dtheta, exact[1])


# ---- bad options ----


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"patience": 3}, "patience: expected a validation split"),
        ({"estimator": "magic"}, "estimator: VAE has no 'magic'"),
        ({"estimator": "doubly_reparameterised"}, "VAE has no 'doubly_reparameterised'"),
        ({"device": "tpu"}, 'device: expected "cpu" or "cuda"'),
        ({"graph": 1}, "graph: expected True or False, found 1"),
        ({"estimator": "encode"}, "estimator: VAE has no 'encode'"),
        ({"binarise": "ink"}, "binarise: expected names of Bernoulli modalities, found 'ink'"),
        ({"binarise": ("sound",)}, "binarise: expected names .* found 'sound'"),
        ({"learning_rate": -1e-3}, "learning_rate: expected a finite number, 0 or more, .* -0.001"),
        ({"seed": (0, 0.5)}, "seed: expected a whole number, at least 0, found 0.5"),
        ({"seed": ()}, r"seed: expected a whole number, at least 0, found \(\)"),
        ({"binarise": 5}, "binarise: expected names of Bernoulli modalities, found 5"),
        ({"weights": [3]}, r"weights: expected a dict of modality → number, found \[3\]"),
        ({"weights": {"sound": 1}}, r"weights: unknown modality 'sound', known \['ink'\]"),
        ({"weights": {"ink": -1}}, r"weights\['ink'\]: a weight: expected a finite .* found -1"),
        ({"weights": {"ink": []}}, r"weights\['ink'\]: expected a number or pairs .* found \[\]"),
        ({"weights": {"ink": [(0, nan)]}}, r"weights\['ink'\]: a weight: expected a finite number"),
        ({"weights": {"ink": [(0.5, 1)]}}, r"weights\['ink'\]: a step: expected a whole number"),
        ({"weights": {"ink": [(3, 1)]}}, r"expected steps that ascend from 0, found \[3\]"),
        ({"weights": {"ink": [(0, 1), (4, 2), (4, 3)]}}, r"ascend from 0, found \[0, 4, 4\]"),
        ({"binarise": (["ink"],)}, "binarise: expected names of Bernoulli modalities, found"),
        ({"checkpoint": 1}, "checkpoint: expected the name of a file, found 1"),
        ({"step": 5}, "step: fit has no such setting; did you mean steps?"),
        ({"checkpoints": "c.npz"}, "checkpoints: fit has no such .* did you mean checkpoint?"),
        ({"lr": 1e-3}, "lr: fit has no such setting; there are steps, batch_size, learning_rate"),
    ],
)
def test_bad_options_are_refused_in_a_sentence_and_change_nothing(change, sentence):
    model, x, options = prepared("VAE")
    model.theta = before = np.zeros(3)
    with pytest.raises(ValueError, match=sentence):
        model.fit(x, **options | change)
    assert model.theta is before


def test_a_modality_without_data_is_refused():
    model, x, options = prepared("MMVAE")
    name, *_ = x
    with pytest.raises(ValueError, match=f"x: nothing of {name!r}; leave it out of the model"):
        model.fit({other: x[other] for other in x if other != name}, **options)


# ---- pairs and dynamic binarisation ----------------------------------------------------------


def test_pairs_train_as_their_copies_do():
    rng = np.random.default_rng(0)
    x = {"a": (rng.random((7, 3)) < 0.5) * 1.0, "b": rng.normal(size=(9, 2))}
    rows = {"a": rng.integers(7, size=40), "b": rng.integers(9, size=40)}
    copies = {name: x[name][rows[name]] for name in x}
    thetas = []
    for data in Paired(x, rows), copies:
        model = MVAE({"a": Bernoulli(3), "b": Normal(2)}, latent=2, hidden=(4,))
        model.fit(data, validation=data, steps=15, batch_size=8, interval=5, progress=False)
        thetas.append(model.theta)
    assert_array_equal(*thetas)


def test_one_name_may_stand_for_a_tuple_of_names():
    x = {"ink": np.random.default_rng(0).random((9, 2))}
    thetas = []
    for binarise in "ink", ("ink",):
        model = VAE({"ink": Bernoulli(2)}, latent=2, hidden=(3,))
        model.fit(x, binarise=binarise, steps=2, progress=False)
        thetas.append(model.theta)
    assert_array_equal(*thetas)


def test_dynamic_binarisation_has_the_grey_values_as_its_mean():
    x = np.random.default_rng(0).random((40, 5))
    model = VAE({"x": Bernoulli(5)}, latent=2)
    batch, _ = model.checked_batch(model.init(np.random.default_rng(1)), {"x": x})
    rng = np.random.default_rng(2)
    draws = np.array([drawn(batch, ("x",), rng).x["x"] for _ in range(2000)])
    assert set(np.unique(draws)) == {0.0, 1.0}
    z = (draws.mean(axis=0) - x) / np.sqrt(x * (1 - x) / 2000)
    assert abs(z).max() < 4
    assert_array_equal(batch.x["x"], x.astype(np.float32))
