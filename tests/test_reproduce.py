"""Experiments: their configurations build, results survive kills, executors run each job once."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from rich.console import Console

from mmvae_edu import cli
from mmvae_edu.cli.tables import COMMITTED
from mmvae_edu.data import sets
from mmvae_edu.data.digits import Digits, Split
from mmvae_edu.estimators import marginal
from mmvae_edu.measure.tables import agreement, evaluate, executors, progress, store, tables
from mmvae_edu.measure.tables.evaluate import EVALUATIONS
from mmvae_edu.measure.tables.executors import JobFails, in_processes, on_a_cluster
from mmvae_edu.measure.tables.experiments import experiments, jobs, members
from mmvae_edu.measure.tables.jobs import build, load, run, train
from mmvae_edu.measure.tables.store import append, job_id, missing, read


def small(system="MVAE", seed=0, epochs=1):
    """A job of seconds on the embedded digits."""
    (job,) = jobs("digits-label", seeds=[seed], systems=[system], epochs=epochs)
    job["networks"] = {"latent": 2, "hidden": [8]}
    sharing = {"K": 3, "classifier_steps": 5}
    job["evaluation"] = job["evaluation"] | {"K": 5, "prior_samples": 5, "sharing": sharing}
    return json.loads(json.dumps(job))


def systems_of(name):
    return [row["name"] for row in experiments()[name]["systems"]]


# ---- the configurations -------------------------------------------------------------------------


@pytest.mark.parametrize("name", experiments())
def test_every_job_of_an_experiment_is_another_and_survives_json(name):
    found = jobs(name)
    assert len({job_id(job) for job in found}) == len(found) > 0
    assert [job_id(json.loads(json.dumps(job))) for job in found] == [job_id(job) for job in found]


@pytest.mark.parametrize("job", jobs("digits-label", seeds=[3]), ids=lambda job: job["system"])
def test_every_system_trains_and_is_measured(job, tmp_path):
    job = small(job["system"], seed=3)
    result = run(job, tmp_path)
    assert result["job"] == job
    shared = {name: v for name, v in result["numbers"].items() if "share" in v.get("part", "")}
    others = [value for name, value in result["numbers"].items() if name not in shared]
    assert all(value["mean"] < 0 < value["error"] for value in others)
    columns = "label from image", "image from label", "real image", "shared", "gap"
    assert tuple(shared) == (() if job["system"] in ("VAE", "CVAE") else columns)
    assert all(value["error"] > 0 for value in shared.values())
    again = run(job, tmp_path)  # from the checkpoint: nothing is left to train
    assert again["numbers"] == result["numbers"]
    job["evaluation"]["K"] += 1
    other = run(job, tmp_path)  # nor for another evaluation
    assert other["id"] != result["id"]
    assert len(list(tmp_path.glob("*.npz"))) == 1


def test_what_chooses_a_setting_never_sees_the_test_split(tmp_path, monkeypatch):
    job, data = small(), load(small())
    job["evaluation"]["on"] = "validation"
    seen = []
    monkeypatch.setitem(EVALUATIONS, "likelihoods", lambda *a: seen.append(a[2]) or {})
    run(job, tmp_path)
    assert_array_equal(seen[0].test.x["image"], data.validation.x["image"])
    assert len(seen[0].validation.label) == 0 < len(data.validation.label)
    apart = evaluate.held_apart(seen[0], "digits", None)  # what fits the temperature
    assert_array_equal(apart.x["image"], data.train.x["image"][-evaluate.HELD_APART :])


def test_the_joint_minus_the_conditional_is_the_labels_likelihood(tmp_path):
    numbers = run(small(), tmp_path)["numbers"]
    mean = {name: value["mean"] for name, value in numbers.items()}
    difference = mean["log p(x1,x2)"] - mean["log p(x1|x2)"]
    assert difference == pytest.approx(mean["log p(x2)"], abs=1e-5)


def test_a_label_is_estimated_once_and_counts_for_all_its_examples(tmp_path):
    job = small()
    numbers = run(job, tmp_path)["numbers"]
    data, rng = load(job), np.random.default_rng((job["seed"], 1))
    model = build(job, data)
    train(model, job, data, checkpoint=store.checkpoint(tmp_path, job), progress=False)
    rng.integers(2**63)  # log p(x1) and log p(x1,x2) come first
    label = np.eye(10, dtype=np.float32)[::-1]  # in the order of np.unique
    prior = marginal(model, model.theta, {"label": label}, given={}, K=5, rng=rng)
    prior = prior.take(9 - data.test.label)
    assert numbers["log p(x2)"]["mean"] == pytest.approx(prior.mean, rel=1e-6)
    rng = np.random.default_rng((job["seed"], 1))
    x = {name: data.test.x[name] for name in ("image", "label")}
    joint = marginal(model, model.theta, x, given={"image": x["image"]}, K=5, rng=rng)
    error = numbers["log p(x1|x2)"]["error"]  # which would be another of other pairs
    assert error == pytest.approx((joint - prior).mean_error, rel=1e-5)


def test_what_is_shared_changes_no_other_number(tmp_path):
    """The gap is that of the columns; its error is that of the differences, not of two columns."""
    with_sharing, job = small(), store.without_sharing(small())
    numbers, before = (run(each, tmp_path)["numbers"] for each in (with_sharing, job))
    assert {name: numbers[name] for name in before} == before
    gap = before["log p(x1)"]["mean"] - before["log p(x1,x2)"]["mean"]
    assert numbers["gap"]["mean"] == pytest.approx(gap, abs=1e-5)
    assert numbers["gap"]["error"] < before["log p(x1)"]["error"]


@pytest.mark.parametrize("name", ["digits", "mnist", "binary-mnist"])
def test_no_test_example_fits_the_temperature(name, drawn, tmp_path, monkeypatch):
    """Validation does, or the last of the training images, drawn as the test images are."""
    job, fitted = small(), []
    if name != "digits":
        job["data"] = {"name": name}
        job["likelihoods"] = job["likelihoods"] | {"image": {"kind": "Bernoulli"}}
        monkeypatch.setattr(evaluate, "HELD_APART", 20)
    data = load(job)
    if name != "digits":
        empty = Split({m: x[:0] for m, x in data.train.x.items()}, data.train.label[:0])
        data = Digits(data.train, empty, data.test)
    apart = evaluate.held_apart(data, name, np.random.default_rng(0))
    assert (apart is data.validation) == (name == "digits")
    assert len(apart.label) == (20 if name != "digits" else len(data.validation.label))
    if name != "digits":
        assert_array_equal(apart.label, data.train.label[-20:])
        assert (set(np.unique(apart.x["image"])) == {0, 1}) == (name == "binary-mnist")

    def temperature(log_p, label):
        fitted.append((len(log_p), label))
        return 0.0

    monkeypatch.setattr(evaluate, "temperature", temperature)
    model = build(job, data)
    model.theta = model.init(np.random.default_rng(0))
    gap = marginal(model, model.theta, {"label": data.test.x["label"]}, K=2, rng=0)
    numbers = evaluate.sharing(model, job, data, gap)
    ((rows, label),) = fitted
    assert rows == len(label)
    assert_array_equal(label, apart.label)
    assert numbers["shared"]["mean"] == pytest.approx(0, abs=1e-12)


def test_scaled_logits_change_the_gap_and_not_what_is_shared():
    """z stays as it is, so that a decoder says the same with too much or too little confidence."""
    job = small(epochs=6)
    job["networks"] = {"latent": 8, "hidden": [64]}
    job["evaluation"] = job["evaluation"] | {"K": 20, "sharing": {"K": 50, "classifier_steps": 1}}
    data, found = load(job), []
    few = Split({m: x[:300] for m, x in data.test.x.items()}, data.test.label[:300])
    data = Digits(data.train, data.validation, few)
    model = build(job, data)
    train(model, job, data, progress=False)
    decoder = model.tree.views(model.theta)["label"]["decoder"]
    for scale in 1, 0.02, 10:
        before = {name: weights.copy() for name, weights in decoder.items()}
        for last in "W1", "b1":
            decoder[last] *= scale
        numbers = EVALUATIONS["likelihoods"](model, job, data)
        found.append([numbers[name]["mean"] for name in ("label from image", "shared", "gap")])
        for name, weights in before.items():
            decoder[name][...] = weights
    (label, shared, gap), *others = found
    assert shared > 1
    for other in others:
        assert other[0] == pytest.approx(label, abs=2)
        assert other[1] == pytest.approx(shared, abs=0.15)
        assert other[2] > gap + 0.3


def test_names_of_several_experiments():
    assert members("mnist") == ["mnist"]
    assert members("table2") == [
        "mnist",
        "mnist-glorot",
        "mnist-100",
        "binary-mnist",
        "fashion-mnist",
        "mnist-attributes",
        "digits-label",
    ]
    long = ["mnist-schedule", "mnist-500", "strokes-schedule"]
    assert members("all") == [name for name in experiments() if name not in long]
    assert members("mnist-500") == ["mnist-500"]  # which is long


def test_epochs_become_steps():
    """Of annealing and of the falling rate too, by the number of training rows."""
    (job,) = jobs("mnist", seeds=[0], systems=["MVAE, falling rate"])
    data, seen = load(small()), {}
    model = build(small(), data)
    model.fit = lambda x, **options: seen.update(options)
    train(model, job, data)
    epoch = -(-len(data.train.label) // 100)
    assert (seen["steps"], seen["anneal"], seen["decay"]) == (40 * epoch, 16 * epoch, 16 * epoch)
    assert seen["interval"] == epoch
    assert seen["binarise"] == ()
    train(model, job | {"data": {"name": "binary-mnist"}}, data)
    assert seen["binarise"] == ("image",)


def test_other_epochs_are_annealed_for_the_same_share():
    (job,) = jobs("mnist", seeds=[0], systems=["MVAE, falling rate"], epochs=10)
    assert [job["training"][key + "epochs"] for key in ("", "anneal_", "decay_")] == [10, 4, 4]


def test_a_group_runs_a_system_where_it_is():
    (job,) = jobs("table2", systems=["MVAE19"], seeds=[3, 3])
    assert job["experiment"] == "mnist-attributes"
    assert {job["experiment"] for job in jobs("all")} == set(members("all"))


def test_unknown_names():
    with pytest.raises(ValueError, match="no experiment 'table9'"):
        jobs("table9")


def test_the_file_of_experiments_is_named_where_it_is_wrong(tmp_path, monkeypatch):
    monkeypatch.setattr("mmvae_edu.measure.tables.experiments.FILE", tmp_path / "mine.toml")
    for text, says in (
        ("[a", "mine.toml: Expected"),
        ('[a]\nextends = "b"', "toml: nothing .* 'b'"),
        ('[a]\ntitle = "b"\nseeds = [0]', "toml: a has no data, evaluation, .*, training"),
    ):
        (tmp_path / "mine.toml").write_text(text)
        with pytest.raises(ValueError, match=says):
            experiments()


def test_the_networks_are_those_of_the_paper():
    """The parameter count of the released MNIST MVAE, decoders included."""
    (job,) = jobs("mnist", seeds=[0], systems=["MVAE"])
    data = load(small())
    for split in data.train, data.test:
        split.x["image"] = split.x["image"].repeat(13, axis=1)[:, :784]
    assert build(job, data).tree.size == 2_588_186


# ---- an image and 18 attributes ------------------------------------------------------------------


@pytest.fixture
def drawn(monkeypatch):
    """Sixty random images a split instead of MNIST."""
    rng = np.random.default_rng(0)

    def views(source, validation, dtype):
        return [(rng.random((60, 784), dtype), rng.integers(10, size=60)) for _ in range(3)]

    monkeypatch.setattr(sets, "_views", views)


def with_attributes(system):
    """A job of `mnist-attributes` that takes a second."""
    (job,) = jobs("mnist-attributes", systems=[system], epochs=1)
    hidden = dict.fromkeys(job["networks"]["hidden"], [[8], [8]])
    job["networks"] = job["networks"] | {"latent": 2, "hidden": hidden}
    job["evaluation"] = job["evaluation"] | {"K": 5}
    return json.loads(json.dumps(job))


@pytest.mark.parametrize("system", systems_of("mnist-attributes"))
def test_every_system_of_images_and_attributes_is_measured(system, drawn, tmp_path):
    job = with_attributes(system)
    M = {"VAE": 1, "MVAE19": 19}.get(system, 2)
    assert len(build(job, load(job)).modalities) == M
    numbers = run(job, tmp_path)["numbers"]
    columns = ["log p(x1)", "log p(x1,x2)", "log p(x2)", "log p(x1|x2)"]
    columns += ["log p(x1|x2) by q(z|x1,x2)"]
    shown = {"VAE": columns[:1], "BiVCCA": columns[:4], "CVAE": columns[3:4]}
    assert list(numbers) == shown.get(system, columns)
    assert all(value["mean"] < 0 < value["error"] for value in numbers.values())


@pytest.mark.parametrize("system", ["MVAE", "MVAE19"])
def test_x2_is_every_attribute_once(system, drawn):
    """Decoders that ignore z and posteriors as wide as the prior have likelihoods in closed form.

    Attribute m is 1 with probability σ(b_m), every pixel with 1/2; b_m differs for each.
    """
    job, b = with_attributes(system), np.linspace(-2, 3, 18, dtype=np.float32)
    data = load(job)
    model = build(job, data)
    model.theta = np.zeros(model.tree.size, np.float32)
    w = model.tree.views(model.theta)
    for m, name in enumerate(model.modalities):
        w[name]["encoder"]["b1"][2:] = 30  # log variance: the prior expert alone remains
        if m > 0:
            w[name]["decoder"]["b1"][:] = b if system == "MVAE" else b[m - 1]
    numbers = EVALUATIONS["likelihoods"](model, job, data)
    attributes = [x for name, x in data.test.x.items() if name != "image"]
    x2 = np.concatenate(attributes, axis=1)
    x1, x2 = -784 * np.log(2), (x2 * b - np.logaddexp(0, b)).sum(axis=1).mean()
    found = [value["mean"] for value in numbers.values()]
    assert found == pytest.approx([x1, x1 + x2, x2, x1, x1], rel=1e-5)


# ---- slide 13's tables ---------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch):
    """Probes and generations of a second."""
    monkeypatch.setattr(agreement, "PROBED", 300)
    monkeypatch.setattr(agreement, "GENERATED", 200)


def tiny(name, system, **data):
    """A job of `digits-strokes` or `mmvae-tables` that takes a second or two."""
    (job,) = jobs(name, seeds=[3], systems=[system], epochs=1)
    job["networks"] = {"latent": 3, "hidden": [8]}
    job["training"] = job["training"] | {"samples": 2}
    job["data"] = job["data"] | data
    job["evaluation"] = job["evaluation"] | {"K": 5, "examples": 50, "classifier_steps": 30}
    return json.loads(json.dumps(job))


@pytest.mark.parametrize("system", systems_of("digits-strokes"))
def test_every_system_has_its_part_of_the_three_tables(system, tmp_path, quick):
    job = tiny("digits-strokes", system, pairs=1)
    numbers = run(job, tmp_path)["numbers"]
    assert json.loads(json.dumps(numbers)) == numbers
    alone = job["modalities"]
    if alone:
        (name,) = alone
        assert list(numbers) == [f"z from {name}", f"z from {name}, macro", f"{name} by {name}"]
    else:
        sources = ("image", "strokes", "all")
        rates = {"real image", "real strokes", "image → strokes", "strokes → image"}
        expected = rates | {f"z from {source}" for source in sources}
        expected |= {f"{rate}, macro" for rate in expected}
        expected |= {"joint", *(f"{rate}, second" for rate in (*rates, "joint"))}
        expected |= {f"{m} by {source}" for m in sources[:2] for source in sources}
        expected |= {"log p(image, strokes)", "log p(image|strokes)", "log p(strokes|image)"}
        assert set(numbers) == expected
    for value in numbers.values():
        assert value["error"] > 0
        if value["unit"] == "%":
            assert 0 <= value["mean"] < 100
        else:
            assert value["n"] == 50
            assert 1 <= value["ess"] <= 5


def test_rates_have_wilsons_error():
    rate = agreement.percent(0.25, 100, "Table 1")
    assert rate["mean"] == 25
    assert rate["error"] == pytest.approx(100 * np.sqrt(25 * 75 / 100 + 1 / 4) / 101)
    assert agreement.percent(0.0, 100, "Table 1")["error"] == pytest.approx(50 / 101)


def test_rates_count_each_row_alike_and_each_digit_alike():
    """Of digit 0 half is right, of digit 1 a tenth; the macro error is that of a mean of two."""
    label = np.repeat([0, 1], [90, 10])
    predicted = np.where(np.arange(100) < 45, 0, 2)
    predicted[90] = 1
    numbers = agreement._hits("joint", predicted, label, "Table 2")
    assert numbers["joint"] == agreement.percent(0.46, 100, "Table 2")
    assert numbers["joint, macro"]["mean"] == pytest.approx(30)
    errors = [agreement.percent(*hit, "")["error"] for hit in ((0.5, 90), (0.1, 10))]
    assert numbers["joint, macro"]["error"] == pytest.approx(np.hypot(*errors) / 2)


def test_likelihoods_stay_where_the_training_was(tmp_path, quick, monkeypatch):
    """Generations and probes have the parameters on the host, and the estimates on the device."""
    job, seen = tiny("digits-strokes", "MVAE", pairs=1), {}
    data = load(job)
    model = build(job, data)
    model.theta = on_device = model.init(np.random.default_rng(0))
    monkeypatch.setattr(agreement, "to_host", np.copy)

    def watched(name):
        f = getattr(agreement, name)
        monkeypatch.setattr(agreement, name, lambda *a: seen.update({name: model.theta}) or f(*a))

    for name in "latents", "generations", "log_likelihoods":
        watched(name)
    agreement.agreement(model, job, data)
    assert [seen[name] is on_device for name in seen] == [False, False, True]


@pytest.mark.parametrize(("asked", "steps"), [({"classifier_steps": 7}, 7), ({}, 800)])
def test_classifiers_train_as_long_as_the_evaluation_says(asked, steps, monkeypatch):
    job = tiny("digits-strokes", "MVAE", pairs=1) | {"evaluation": asked}
    data, seen = load(job), []

    def fit(self, x, label, **settings):
        seen.append(settings["steps"])
        self.theta = self.init(np.random.default_rng(0))
        return self

    monkeypatch.setattr(agreement.Classifier, "fit", fit)
    monkeypatch.setattr(agreement, "GENERATED", 20)
    model = build(job, data)
    model.theta = model.init(np.random.default_rng(0))
    agreement.generations(model, data, job, np.random.default_rng(0))
    assert seen == 4 * [steps]


def test_table_3_is_what_its_parts_say(tmp_path, quick):
    numbers = run(tiny("digits-strokes", "MVAE", pairs=1), tmp_path)["numbers"]
    mean = {name: value["mean"] for name, value in numbers.items()}
    for m, n in ("image", "strokes"), ("strokes", "image"):
        difference = mean["log p(image, strokes)"] - mean[f"{n} by {n}"]
        assert mean[f"log p({m}|{n})"] == pytest.approx(difference, abs=1e-5)


def test_no_likelihood_is_scaled_in_table_3():
    """λ is the training's: a model with other weights has the same log p at the same parameters."""
    job = tiny("digits-strokes", "MMVAE", pairs=1)
    data, found = load(job), []
    x = agreement.examples(data.test, ("image", "strokes"), np.arange(20))
    for options in {}, {"weights": {"image": 3072 / 784}}:
        model = build(job | {"options": options}, data)
        model.theta = model.init(np.random.default_rng(0))
        rng = np.random.default_rng(1)
        found.append(agreement.log_likelihoods(model, x, job, rng))
    assert found[0] == found[1]


def pairs(n):
    """Paired splits of n examples a modality, whose first feature is the class."""
    rng, names, label = np.random.default_rng(0), ("mnist", "fashion"), np.arange(n) % 10

    def split(repeats):
        rows = sets.pair_by_class(label, label, repeats, rng)
        x = {name: rng.random((n, 6), dtype=np.float32) for name in names}
        for values in x.values():
            values[:, 0] = label
        return Split(x, label[rows[0]], dict(zip(names, rows, strict=True)))

    return Digits(split(3), split(1), split(1))


def test_pairs_are_put_together_and_taken_apart():
    split = pairs(40).train
    x = agreement.examples(split, ("mnist", "fashion"), np.array([5, 0, 5]))
    for name in x:
        assert_array_equal(x[name], split.x[name][split.rows[name]][[5, 0, 5]])
        assert_array_equal(x[name][:, 0], split.label[[5, 0, 5]])
        once, label = agreement.distinct(split, name)
        assert len(np.unique(once, axis=0)) == len(once) == 40
        assert_array_equal(once[:, 0], label)


# ---- three modalities ----------------------------------------------------------------------------


def three(system):
    job = tiny("digits-three", system, pairs=1)
    return job | {"evaluation": job["evaluation"] | {"prior_samples": 50}}


@pytest.mark.parametrize("system", systems_of("digits-three"))
def test_every_system_is_measured_given_every_subset(system, tmp_path):
    numbers = run(three(system), tmp_path)["numbers"]
    assert json.loads(json.dumps(numbers)) == numbers
    units = [number["unit"] for number in numbers.values()]
    assert [units.count(unit) for unit in ("%", "points", "nats")] == [2 + 7 * 3, 6, 7 + 9 + 6]
    mean = {name: number["mean"] for name, number in numbers.items()}
    assert all(0 <= m <= 100 for name, m in mean.items() if numbers[name]["unit"] == "%")
    assert mean["image: label added to strokes"] == pytest.approx(
        mean["strokes, label → image"] - mean["strokes → image"]
    )
    for name, joint, given in (
        ("log p(image|label)", "log p(image, label)", "log p(label)"),
        ("log p(strokes|image, label)", "log p(image, strokes, label)", "log p(image, label)"),
    ):
        assert mean[name] == pytest.approx(mean[joint] - mean[given], abs=1e-4)
    assert mean["log p(label|image)"] < 0  # a probability: the weights are those of log p(image)
    pair = "image", "strokes"
    both_ways = (f"log p({m}): {n} added to label" for m, n in (pair, reversed(pair)))
    assert mean[next(both_ways)] == pytest.approx(mean[next(both_ways)], abs=1e-4)


def test_a_modality_adds_nothing_to_decoders_that_ignore_z():
    """Posteriors as wide as the prior make every estimate exact: log p(X) is a sum over X."""
    job = three("MVAE, k = 0")
    data = load(job)
    model = build(job, data)
    model.theta = np.zeros(model.tree.size, np.float32)
    for networks in model.tree.views(model.theta).values():
        networks["encoder"]["b1"][3:] = 30  # log variance: the prior expert alone remains
    numbers = EVALUATIONS["by_subset"](model, job, data)
    mean = {name: number["mean"] for name, number in numbers.items()}
    assert mean["log p(label)"] == pytest.approx(-np.log(10), rel=1e-5)
    parts = [mean[f"log p({name})"] for name in model.modalities]
    assert mean["log p(image, strokes, label)"] == pytest.approx(sum(parts), rel=1e-5)
    share = 100 * (data.test.label == 0).mean()  # equal logits show the first digit
    for name, number in numbers.items():
        if "added" in name:
            assert number["mean"] == pytest.approx(0, abs=1e-4)
        elif name.endswith("→ label"):
            assert number["mean"] == pytest.approx(share)
        elif name.startswith("log p(label|"):
            assert number["mean"] == pytest.approx(-np.log(10), rel=1e-4)


@pytest.mark.parametrize("system", systems_of("mmvae-tables"))
def test_the_tables_of_pairs_are_measured(system, tmp_path, quick, monkeypatch):
    monkeypatch.setattr(sets, "load", lambda name, **options: pairs(100))
    numbers = run(tiny("mmvae-tables", system), tmp_path)["numbers"]
    alone = system.partition(" ")[2] if "single" in system else None
    assert len(numbers) == (3 if alone else 29)
    assert f"{alone or 'fashion'} by {alone or 'fashion'}" in numbers


def test_the_slides_numbers_stand_beside_ours():
    """Over one seed with the examples' error, over several with Student's interval."""
    numbers = {"log p(x1)": {"mean": -91.0, "error": 0.25, "ess": 9.0}}
    numbers |= {"log p(x2)": {"mean": -2.3, "error": 0.01, "ess": 99.0}}
    all_jobs = jobs("mnist", seeds=[0, 1], systems=["MVAE", "VAE"])
    rows = [row(job) | {"numbers": numbers, "date": "2026-01-02"} for job in all_jobs]
    rows[2] = rows[2] | {"numbers": {"log p(x1)": {"mean": -92.0, "error": 0.3, "ess": 9.0}}}
    one = tables.table("mnist", rows[:2])
    assert one.header == ["system", "log p(x1)", "log p(x2)"]
    assert one.rows[1] == ["MVAE", "−91.00 ± 0.25 (−90.62)", "−2.30 ± 0.01 (−2.29)"]
    words = "one seed (0), ± standard error over examples, 40 epochs, measured 2026-01-02"
    assert words in one.caption
    assert "at least 9.0 effective samples of K = 1000" in one.caption
    gone = rows[0] | {"job": all_jobs[0] | {"system": "AE"}}
    assert [cells[0] for cells in tables.table("mnist", [gone, *rows[:2]]).rows][-1] == "AE"
    other = rows[0]["job"]["training"] | {"epochs": 2}  # not two seeds of one setting
    third = other | {"learning_rate": 0.1}
    several = [rows[0], *(row(all_jobs[0] | {"training": t}) | rows[0] for t in (other, third))]
    for one, training in zip(several[1:], (other, third), strict=True):
        one["job"] = all_jobs[0] | {"training": training}
        one["id"] = job_id(one["job"])
    labels = ["VAE, epochs 40, learning_rate 0.001", "VAE, epochs 2, learning_rate 0.001"]
    labels += ["VAE, epochs 2, learning_rate 0.1"]
    shown = tables.table("mnist", several)
    assert [cells[0] for cells in shown.rows] == labels
    assert "one seed (0), ± standard error" in shown.caption
    panel = tables.figure("mnist", several).axes[0]
    assert [label.get_text() for label in panel.get_yticklabels()] == labels
    (vae, mvae), half = tables.table("mnist", rows).rows, 12.706 * 0.5  # t of one degree of freedom
    assert vae[1] == f"−91.50 ± {half:.2f} (−91.13)"
    assert mvae[1] == "−91.00 ± 0.00 (−90.62)"
    uneven = tables.table("mnist", rows[:3])
    assert [cells[0] for cells in uneven.rows] == ["VAE", "MVAE (one seed, 0)"]
    words = "interval of their mean, of one seed the standard error over examples, 40"
    assert words in uneven.caption
    assert uneven.rows[1][1] == "−91.00 ± 0.25 (−90.62)"
    assert uneven.rows[0][2] == "−2.30 ± 0.01, 1 of 2 seeds"
    apart = tables.table("mnist", [rows[1], rows[2]]).caption  # MVAE's seed 0, VAE's seed 1
    assert "one seed each (0, 1), ± standard error over examples, 40" in apart


def test_results_of_several_parts_are_shown_part_by_part(tmp_path, quick):
    wanted = [tiny("digits-strokes", s, pairs=1) for s in ("MVAE", "VAE image")]
    rows = [run(job, tmp_path) for job in wanted]
    parts = tables.parts(rows)
    assert [part[:7] for part in parts[:4]] == ["Table 1", "Table 2", "Table 2", "Tables "]
    assert [part[:7] for part in parts[4:]] == ["Table 3", "Table 3", "Table 3"]
    shown = [tables.table("digits-strokes", rows, part) for part in parts]
    assert [len(table.header) - 1 for table in shown] == [3, 5, 5, 7, 3, 3, 3]
    assert [len(table.rows) for table in shown] == [2, 1, 1, 2, 2, 1, 1]
    assert all(part in table.caption for part, table in zip(parts, shown, strict=True))
    assert "%" in shown[0].caption
    assert "50 test examples" in shown[4].caption
    figure = tables.figure("digits-strokes", rows)
    titles = [axis.get_title().strip() for axis in figure.axes if axis.get_visible()]
    assert titles == [name for table in shown for name in table.header[1:]]


# ---- results ------------------------------------------------------------------------------------


def row(job):
    numbers = {"log p(x1)": {"mean": -1.5, "error": 0.5}}
    return {"id": job_id(job), "job": job, "numbers": numbers, "date": "2026-01-02"}


def some_jobs(n):
    return jobs("digits-label", systems=["VAE"], seeds=range(n))


def test_a_torn_last_line_is_left_out_and_then_cut_off(tmp_path):
    path, all_jobs = tmp_path / "new" / "a.jsonl", some_jobs(3)
    append(path, row(all_jobs[0]))
    with path.open("ab") as file:
        file.write(b'{"id": "torn')
    assert read(path) == [row(all_jobs[0])]
    assert missing(path, [*all_jobs, all_jobs[1]]) == all_jobs[1:]
    append(path, row(all_jobs[1]))
    assert read(path) == [row(job) for job in all_jobs[:2]]


def test_a_last_line_without_its_end_counts(tmp_path):
    """As some editors leave it."""
    path, all_jobs = tmp_path / "a.jsonl", some_jobs(2)
    append(path, row(all_jobs[0]))
    path.write_bytes(path.read_bytes()[:-1])
    assert missing(path, all_jobs) == all_jobs[1:]
    append(path, row(all_jobs[1]))
    assert read(path) == [row(job) for job in all_jobs]


def test_a_job_measured_again_with_what_is_shared_replaces_its_row(tmp_path):
    """Seeds that were not measured again stay, and count as seeds of the same system."""
    path, old = tmp_path / "a.jsonl", [store.without_sharing(job) for job in some_jobs(2)]
    for job in old:
        append(path, row(job))
    (new, _), part = some_jobs(2), "What is shared"
    shared = {"shared": {"mean": 2.0, "error": 0.1, "part": part, "unit": "nats"}}
    shared |= {"label from image": {"mean": 90.0, "error": 0.1, "part": part, "unit": "%"}}
    append(path, row(new) | {"numbers": row(new)["numbers"] | shared})
    rows = read(path)
    assert [found["job"] for found in rows] == [old[1], new]
    assert missing(path, old) == old[:1]
    assert tables.parts(rows) == ["", part]
    likelihoods, what = (tables.table("digits-label", rows, part) for part in tables.parts(rows))
    assert "2 seeds" in likelihoods.caption
    assert len(likelihoods.rows) == 1
    assert what.header == ["system", "shared, nats", "label from image, %"]
    assert what.rows == [["VAE", "2.00 ± 0.10", "90.00 ± 0.10"]]
    assert "nats or %. one seed (0), ± standard error over examples" in what.caption
    labels = tables.figure("digits-label", rows).axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == ["VAE"]
    assert tables.table("digits-label", [*rows, row(old[0])]).rows == likelihoods.rows


def test_a_job_that_two_runs_did_at_once_counts_once(tmp_path):
    path, (job,) = tmp_path / "a.jsonl", some_jobs(1)
    for date in "first", "second":
        append(path, row(job) | {"date": date})
    assert [result["date"] for result in read(path)] == ["first"]


@pytest.mark.parametrize(
    "line", [b'{"id": 1}', b'{"id": 1, "job": {}, "numbers": {}}', b"[]", b"\xff\xfe"]
)
def test_a_file_of_something_else_is_refused(line, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(line + b"\n")
    with pytest.raises(ValueError, match="line 1 is not a result; delete it, and its job runs"):
        read(path)


def test_numbers_that_are_none_are_no_result(tmp_path, monkeypatch):
    numbers = {"log p(x1)": {"mean": np.nan, "error": 1.0, "ess": 1.0}}
    monkeypatch.setitem(EVALUATIONS, "likelihoods", lambda *_: numbers)
    with pytest.raises(ValueError, match=r"log p\(x1\) is nan, .*npz; delete that file"):
        run(small(), tmp_path)


# ---- executors ----------------------------------------------------------------------------------


def test_processes_return_what_run_returns_and_a_sentence_where_it_fails(tmp_path):
    wrong = small() | {"class": "VAE"}
    outcomes = {
        job["class"]: outcome for job, outcome in in_processes(2)([small(), wrong], tmp_path)
    }
    assert outcomes["MVAE"]["numbers"] == run(small(), tmp_path / "here")["numbers"]
    assert isinstance(outcomes["VAE"], JobFails)
    assert "expected 1 modality" in str(outcomes["VAE"])


def test_a_worker_does_not_import_the_current_folder(tmp_path, monkeypatch):
    """An installed copy that is run in the clone: its bare mmvae_edu/ has no kernels."""
    (tmp_path / "mmvae_edu").mkdir()
    (tmp_path / "mmvae_edu" / "__init__.py").write_text("raise ImportError('the bare source')")
    monkeypatch.chdir(tmp_path)
    assert executors.in_a_process(small(), tmp_path)["job"] == small()


def test_a_killed_worker_costs_its_job_alone(tmp_path, monkeypatch):
    """The second call runs what is missing, and goes on from the checkpoint."""
    started = threading.Event()
    real = subprocess.Popen

    class Watched(real):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            if any("mmvae_edu.measure.tables.worker" in str(part) for part in args[0]):
                started.set()
                threads.append(threading.Thread(target=self.kill_late))
                threads[-1].start()

        def kill_late(self):
            deadline = time.monotonic() + 60
            while not list(tmp_path.rglob("*.npz")) and time.monotonic() < deadline:
                time.sleep(0.02)
            os.kill(self.pid, signal.SIGKILL)

    threads = []
    monkeypatch.setattr(subprocess, "Popen", Watched)
    job = small(epochs=400)
    ((_, outcome),) = in_processes(1)([job], tmp_path)
    threads[0].join()
    assert isinstance(outcome, JobFails)
    assert str(outcome).startswith("its process was killed (SIGKILL); run again")
    assert len(list(tmp_path.glob("*.npz"))) == 1


def test_a_terminal_sees_how_far_each_job_is(tmp_path, monkeypatch):
    """Also one that another process, or a cluster's worker, trains."""
    shown = []

    class Bars(progress.Progress):
        def __init__(self, *columns, **options):
            console = Console(file=io.StringIO(), force_terminal=True)
            super().__init__(*columns, console=console, **options)

        def update(self, task, **state):
            super().update(task, **state)
            shown.append((self.tasks[0].description, state["completed"], state["state"]))

        def remove_task(self, task):
            super().remove_task(task)
            shown.append("removed")

    monkeypatch.setattr(progress, "Progress", Bars)
    job = small(epochs=2)
    with progress.bars([job, small(seed=5)], tmp_path, seconds=0.01) as remove:
        run(job, tmp_path)
        done = ("digits-label, MVAE, seed 0", 2, "trained, measuring")
        deadline = time.monotonic() + 30
        while done not in shown and time.monotonic() < deadline:
            time.sleep(0.01)
        remove(job)
    assert done in shown
    assert shown[-1] == "removed"
    assert progress.epoch_and_bound(store.checkpoint(tmp_path, job))[0] == 2


@pytest.mark.skipif(shutil.which("ps") is None, reason="needs ps")
def test_a_job_ends_with_the_process_that_waits_for_it(tmp_path):
    """As when a cluster kills its worker: nothing goes on writing the same checkpoint."""
    command = (
        "import sys, json; from mmvae_edu.measure.tables.executors import in_a_process as run; "
    )
    command += "run(json.loads(sys.argv[1]), sys.argv[2])"
    job = json.dumps(small(epochs=100_000))
    waiting = subprocess.Popen([sys.executable, "-c", command, job, str(tmp_path)])
    wait_for(lambda: list(tmp_path.glob("*.npz")))
    assert len(workers(tmp_path)) == 1
    waiting.kill()
    waiting.wait()
    wait_for(lambda: not workers(tmp_path))


def workers(work):
    """The processes that run a job with this folder."""
    found = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in found.stdout.splitlines() if f" {work} " in line]


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_device_that_is_not_there(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    command = ["reproduce", "digits-label", "--device", "cuda", "--out", str(tmp_path)]
    assert cli.main(command) == 64
    assert "device 'cuda' needs CuPy, which is not installed" in capsys.readouterr().err
    ((_, outcome),) = in_processes(1, device="tpu")([small()], tmp_path)
    assert isinstance(outcome, JobFails)
    assert "'tpu'" in str(outcome)  # the device reaches the worker


def test_a_scheduler_that_is_not_there():
    pytest.importorskip("distributed")
    with pytest.raises(ValueError, match="no Dask scheduler answers at tcp://127.0.0.1:9"):
        on_a_cluster("tcp://127.0.0.1:9", timeout=1)


def test_a_cluster_tries_again_only_what_may_succeed(tmp_path, monkeypatch):
    wrong = small() | {"class": "VAE"}
    outcome = executors._on_a_worker(wrong, work=tmp_path)
    assert isinstance(outcome, JobFails)
    assert not isinstance(outcome, executors.Killed)
    monkeypatch.setattr(executors.sys, "executable", shutil.which("false"))
    for _ in range(20):  # it may die before, while or after its job is written
        assert "ended with code 1" in str(executors._on_a_worker(wrong, work=tmp_path))

    def killed(job, work):
        raise executors.Killed

    monkeypatch.setattr(executors, "in_a_process", killed)
    with pytest.raises(executors.Killed):
        executors._on_a_worker(wrong, work=tmp_path)


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_runs_everything_once(tmp_path):
    pytest.importorskip("distributed")
    all_jobs = [small("VAE", seed=seed, epochs=3) for seed in range(4)]
    with cluster(tmp_path) as (address, workers):
        results = []
        for job, outcome in on_a_cluster(address)(all_jobs, tmp_path):
            results.append(job_id(job))
            assert outcome["job"] == job
            if len(results) == 1:
                workers[0].kill()
    assert sorted(results) == sorted(map(job_id, all_jobs))


@pytest.mark.slow
def test_a_cluster_that_loses_its_scheduler_is_one_sentence(tmp_path):
    pytest.importorskip("distributed")
    command = [sys.executable, "-m", "mmvae_edu", "reproduce", "digits-label", "--systems", "VAE"]
    command += ["--epochs", "100000", "--out", str(tmp_path), "--scheduler"]
    both = cluster(tmp_path)
    with both as (address, _):
        running = subprocess.Popen([*command, address], stderr=subprocess.PIPE, text=True)
        wait_for(lambda: list(tmp_path.glob("work/*.npz")))
        both.processes[0].kill()
        _, errors = running.communicate(timeout=60)
    *before, last = errors.splitlines()
    assert last.startswith(f"mmvae-edu: the Dask scheduler at {address} was lost; the results")
    assert all(line.startswith("no worker yet") for line in before)  # where workers came later
    assert running.returncode == 64


class cluster:
    """A scheduler and two workers, each in a process of its own."""

    def __init__(self, folder):
        self.folder, self.processes = folder, []

    def __enter__(self):
        file = self.folder / "scheduler.json"
        self._start("distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard")
        deadline = time.monotonic() + 60
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        worker = ("--nthreads", "1", "--no-dashboard", "--no-nanny")
        workers = [self._start("distributed.cli.dask_worker", *worker) for _ in range(2)]
        return address, workers

    def _start(self, module, *options):
        file = str(self.folder / "scheduler.json")
        command = [sys.executable, "-m", module, "--scheduler-file", file, *options]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=self.folder)
        self.processes.append(process)
        return process

    def __exit__(self, *problem):
        for process in self.processes:
            process.kill()
            process.wait()


# ---- the command --------------------------------------------------------------------------------


def test_the_command_runs_what_is_missing_and_no_more(tmp_path, monkeypatch, capsys):
    wanted = [small("VAE"), small("MVAE")]
    monkeypatch.setattr("mmvae_edu.cli.tables.jobs", lambda name, **_: wanted)
    append(tmp_path / "digits-label.jsonl", row(wanted[1]))
    command = ["reproduce", "digits-label", "--out", str(tmp_path)]
    assert cli.main(command) == 0
    assert "1 of 2 done already" in capsys.readouterr().out
    rows = store.read(tmp_path / "digits-label.jsonl")
    assert [found["job"] for found in rows] == [wanted[1], wanted[0]]
    monkeypatch.setattr(executors, "in_a_process", None)  # nothing may run
    assert cli.main(command) == 0
    assert "2 of 2 done already" in capsys.readouterr().out


def test_show_says_whose_results_it_shows_and_narrows_them(tmp_path, capsys):
    command = ["reproduce", "digits-label", "--show", "--format", "markdown", "--out"]
    assert cli.main([*command, str(tmp_path), "--systems", "VAE", "--seeds", "1"]) == 0
    output = capsys.readouterr()
    assert "none in" in output.err
    assert [line[:6] for line in output.out.splitlines() if line[:1] == "|"][2:] == ["| VAE "]
    assert "one seed (1), ± standard error over examples" in output.out
    assert cli.main([*command, str(tmp_path), "--epochs", "7"]) == 1
    assert "nothing measured yet" in capsys.readouterr().err
    append(tmp_path / "digits-label.jsonl", store.read(COMMITTED / "digits-label.jsonl")[0])
    assert cli.main([*command, str(tmp_path)]) == 0
    assert "none in" not in capsys.readouterr().err
