"""Slide 13's three tables: the digit in z, the agreement of generations, four log likelihoods.

Numbers are as in `evaluate`, with two keys more: `part`, the table to which the number belongs, and
`unit`, of its mean and error.
"""

import numpy as np

from ...criteria import (
    Classifier,
    coherence,
    micro_and_macro,
    probe,
    wilson_interval,
)
from ...estimators import marginal
from ...support.devices import to_host

PROBED, GENERATED = 6_000, 10_000  # training rows that a probe sees; draws of z ~ p(z)  [MMVAE]
CLASSIFIER = {"steps": 800, "batch_size": 128, "progress": False}
TABLE_1 = "Table 1: digit in z, of all rows alike (micro)"
TABLE_2 = "Table 2: digits that match, of all rows alike (micro)"
MACRO = "Tables 1 and 2 with every digit counted alike (macro)"
SECOND = "Table 2 by a second classifier, of another seed and width"


def agreement(model, job, data):
    """Measure Tables 1 to 3: name → mean, error, part, unit; for nats the median ESS and n too.

    All use the test split; Table 3 uses at most `examples` of its rows, drawn by the seed alone.
    """
    rng, theta = np.random.default_rng((job["seed"], 1)), model.theta
    model.theta = to_host(theta)  # where classifiers run; likelihoods use the training's device
    found = latents(model, data, job["seed"], rng)
    if len(model.modalities) > 1:
        found |= generations(model, data, job, rng)
    order = [TABLE_1, TABLE_2, SECOND, MACRO]
    found = dict(sorted(found.items(), key=lambda item: order.index(item[1]["part"])))
    n, most = len(data.test.label), job["evaluation"]["examples"]
    rows = np.random.default_rng((job["seed"], 2)).permutation(n)[:most]
    model.theta = theta
    return found | log_likelihoods(model, examples(data.test, model.modalities, rows), job, rng)


def examples(split, names, rows=slice(None)):
    """Select these examples of these modalities and join pairs: dict name → (n, P)."""
    pairs = split.rows
    return {m: split.x[m][rows if pairs is None else pairs[m][rows]] for m in names}


def distinct(split, name):
    """Select each observation of one modality once, with its label: pairing repeats it."""
    values = split.x[name] if split.rows is None else split.rows[name]
    _, first = np.unique(values, axis=0, return_index=True)
    return examples(split, [name], first)[name], split.label[first]


def latents(model, data, seed, rng):
    """Measure how often a linear probe reads the digit from a draw z ~ q(z|given).    [S13.T1]"""
    train, test, found = data.train, data.test, {}
    rows = rng.permutation(len(train.label))[:PROBED]
    for source, given in _proposals(model.modalities).items():
        z = model.posterior_sample(examples(train, given, rows), rng=rng)[0]
        z_test = model.posterior_sample(examples(test, given), rng=rng)[0]
        read = probe(z, train.label[rows], seed=seed).predict(z_test)
        found |= _hits(f"z from {source}", read, test.label, TABLE_1)
    return found


def generations(model, data, job, rng):
    """Measure how often means decoded from one z show the same digit, or the given one.  [S13.T2]

    Networks that learnt from real training data classify them; their accuracy on real test data is
    among the numbers.  Second ones, of another width and seed, tell whether the rates depend on the
    classifier.  No rate is corrected for a classifier's confusion of real digits: decoded means are
    easier to read than real digits, so that a correction goes too far, often above 100%.
    """
    test, names, seed, found = data.test, list(model.modalities), job["seed"], {}
    x, joint = examples(test, names), model.sample(GENERATED, rng=rng)
    cross = {
        (source, target): model.generate({source: x[source]}, target, rng=rng)[target]
        for target in names
        for source in names
        if source != target
    }
    first, second = (seed, (256, 256)), (seed + 1000, (128,))
    for part, suffix, chosen in (TABLE_2, "", first), (SECOND, ", second", second):
        settings = job["evaluation"], *chosen
        reads = {m: trained_classifier(model, m, data.train, *settings) for m in names}
        for name, classifier in reads.items():
            values, label = distinct(test, name)
            found |= _hits(f"real {name}{suffix}", classifier.predict(values), label, part)
        seen = np.array([classifier.predict(joint[name]) for name, classifier in reads.items()])
        found[f"joint{suffix}"] = percent(coherence(seen), GENERATED, part)
        for (source, target), drawn in cross.items():
            name = f"{source} → {target}{suffix}"
            found |= _hits(name, reads[target].predict(drawn), test.label, part)
    return found


def log_likelihoods(model, x, job, rng):
    """Estimate log p(x_m) by its proposals, and a pair's joint and conditionals.      [S13.T3]

        log p(x_m|x_n) = log p(x_m, x_n) − log p(x_n),  proposals q(z|x_m, x_n) and q(z|x_n)

    The numbers are unscaled, nats an example: no λ of the training enters an evaluation.
    """
    names, found, own = tuple(model.modalities), {}, {}
    settings = {"K": job["evaluation"]["K"], "rng": rng}
    for name in names:
        part = f"Table 3: log p({name}) by its proposal, z ~ q(z|·)"
        for proposal, given in _proposals(names).items():
            seen = {n: x[n] for n in given}
            estimate = marginal(model, model.theta, {name: x[name]}, given=seen, **settings)
            found[f"{name} by {proposal}"] = nats_of(estimate, part)
            if proposal == name:
                own[name] = estimate
    if len(names) != 2:
        return found
    part = "Table 3: joint and conditional"
    joint = marginal(model, model.theta, x, **settings)
    first, second = names
    return found | {
        f"log p({first}, {second})": nats_of(joint, part),
        f"log p({first}|{second})": nats_of(joint - own[second], part),
        f"log p({second}|{first})": nats_of(joint - own[first], part),
    }


def trained_classifier(model, name, train, evaluation, seed, hidden=(256, 256)):
    """Train a classifier of a modality on its real observations, for `classifier_steps`."""
    steps = evaluation.get("classifier_steps", CLASSIFIER["steps"])
    settings = CLASSIFIER | {"steps": steps, "seed": seed}
    return Classifier(model.modalities[name], hidden=hidden).fit(*distinct(train, name), **settings)


def _proposals(names):
    """List the sources from which z is inferred: each modality, and all if there are several."""
    return {name: (name,) for name in names} | ({"all": tuple(names)} if len(names) > 1 else {})


def _hits(name, predicted, label, part):
    """Compute how often the label was predicted, with equal weight a row, and a label."""
    hit = predicted == label
    classes = [hit[label == c] for c in np.unique(label)]
    errors = [percent(c.mean(), len(c), MACRO)["error"] for c in classes]
    micro, macro = micro_and_macro(predicted, label)
    numbers = {"mean": 100 * macro, "error": float(np.linalg.norm(errors)) / len(errors)}
    found = {name: percent(micro, len(label), part)}
    if part != SECOND:
        found[f"{name}, macro"] = numbers | {"part": MACRO, "unit": "%"}
    return found


def percent(rate, n, part):
    """Summarise a rate of n: mean and half of Wilson's interval at one standard error, in %."""
    low, high = wilson_interval(rate * n, n, z=1)
    return {"mean": 100 * rate, "error": 50 * (high - low), "part": part, "unit": "%"}


def nats(estimate):
    """Summarise an estimate: mean in nats, standard error, median effective sample size."""
    ess = float(np.median(estimate.ess))
    return {"mean": estimate.mean, "error": estimate.mean_error, "ess": ess}


def nats_of(estimate, part):
    """Summarise an estimate as a number of a part, with the number of its examples."""
    return nats(estimate) | {"n": len(estimate.log_p), "part": part, "unit": "nats"}
